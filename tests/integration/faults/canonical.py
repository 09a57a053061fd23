"""A report without what belongs to one run alone: ids, clock times, and the bytes of objects that are sealed for one
session. Everything else must be the same after faults as without: findings, verdict, intervals, hashes of the media.
"""

import json
from typing import Any

from google.protobuf.json_format import MessageToDict

from shuanglu.report.v1.report_pb2 import Report

OWN_TO_A_RUN = {"report_id", "order_id", "order_no", "created_at_us", "session_created_at_us", "finding_id"}


def canonical(report: Report) -> str:
    """JSON that two runs of one recording share."""
    values = MessageToDict(report, preserving_proto_field_name=True)
    return json.dumps(_cleaned(values, report.session_id), ensure_ascii=False, sort_keys=True, indent=1)


def _cleaned(value: Any, session_id: str) -> Any:
    match value:
        case dict() if "key" in value and "sha256" in value:
            return _object(value, session_id)
        case dict():
            return {key: _cleaned(inner, session_id) for key, inner in value.items() if key not in OWN_TO_A_RUN}
        case list():
            return [_cleaned(inner, session_id) for inner in value]
        case str():
            return value.replace(session_id, "SESSION")
        case _:
            return value


def _object(ref: dict[str, Any], session_id: str) -> dict[str, Any]:
    """An original's key ends with the upload's id; a sealed object's bytes depend on its session."""
    key = str(ref["key"]).replace(session_id, "SESSION")
    folder, _, name = key.rpartition("/")
    shown = {"key": f"{folder}/UPLOAD" if folder.endswith("originals") else f"{folder}/{name}"}
    return shown if ref.get("sealed") else {**shown, "size_bytes": ref["size_bytes"], "sha256": ref["sha256"]}


def differences(expected: str, found: str) -> list[str]:
    """Lines that are not the same, with a mark for their side."""
    left, right = expected.splitlines(), found.splitlines()
    only_left, only_right = set(left) - set(right), set(right) - set(left)
    lines = [f"- {line.strip()}" for line in left if line in only_left]
    lines += [f"+ {line.strip()}" for line in right if line in only_right]
    return lines or ([] if expected == found else ["the same lines in another order"])
