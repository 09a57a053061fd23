"""Write docs/api.md from the contracts, the table of roles and the error trees; `--check` only compares."""

import importlib
import inspect
import sys
from pathlib import Path
from types import ModuleType

from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor

from shuanglu.media.v1 import import_service_pb2
from shuanglu.quality.v1 import strategy_service_pb2
from shuanglu.report.v1 import report_service_pb2
from shuanglu.session.v1 import session_service_pb2
from shuanglu_common.access import ACCESS, UPLOAD_ROLES, Role
from shuanglu_common.errors import ShuangluError

OUT = Path(__file__).resolve().parent.parent / "docs" / "api.md"
CONTRACTS = (session_service_pb2, import_service_pb2, strategy_service_pb2, report_service_pb2)
ERROR_MODULES = (
    "shuanglu_common.auth",
    "shuanglu_common.bus.bus",
    "shuanglu_common.bus.dead_letter",
    "shuanglu_common.bus.events",
    "shuanglu_common.cmaf",
    "shuanglu_common.database",
    "shuanglu_common.model_files",
    "shuanglu_common.sealing",
    "shuanglu_common.store",
    "shuanglu_signaling.errors",
    "shuanglu_media_ingest.errors",
    "shuanglu_face_check.errors",
    "shuanglu_asr.errors",
    "shuanglu_quality.errors",
    "shuanglu_report.errors",
)
HEAD = """# The doors

Made by `scripts/api_docs.py` from protos/, `shuanglu_common.access` and the error trees; `make lint` compares.

One address, the gateway: gRPC, gRPC-Web and JSON on the same port, TLS, a JWT as `Authorization: Bearer …` with the
claims `iss`, `aud`, `exp`, `sub`, `tenant`, `roles` and, for a token of one session, `session_id`. Every service checks
the token again. What another tenant owns does not exist for the caller (404). JSON uses the field names of the protos;
enums are their full names (`OUTCOME_PASS`); 64-bit numbers are strings.

Errors are `{code, message, details}` with a `google.rpc.ErrorInfo` whose `reason` is stable; gRPC carries the same in
`grpc-status-details-bin`.

## Who may call what

"""
FILES = """
Uploads: [tus 1.0](https://tus.io/protocols/resumable-upload) at `/files/` (creation,
creation-with-upload, checksum, expiration, termination, concatenation) for {roles}.

Replay: `CreateReplay` answers with a path below `/hls/` whose token is bound to tenant and session and expires; no JWT
goes with it.

## Reasons of errors

| reason | gRPC status | try again | what it means |
|---|---|---|---|
"""


def http_of(method: MethodDescriptor) -> str:
    """`GET /v1/…`, or a dash if there is no JSON form."""
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    kind = rule.WhichOneof("pattern")
    return f"`{kind.upper()} {getattr(rule, kind)}`" if kind else "–"


def access_table() -> str:
    """A row for each RPC, a column for each role."""
    lines = ["| RPC | JSON | " + " | ".join(Role) + " |", "|---|---|" + "---|" * len(Role)]
    for contract in CONTRACTS:
        for service in contract.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                allowed = ACCESS[f"/{service.full_name}/{method.name}"]
                marks = " | ".join("✓" if role in allowed else "" for role in Role)
                lines.append(f"| {service.name}.{method.name} | {http_of(method)} | {marks} |")
    return "\n".join(lines) + "\n"


def errors_of(module: ModuleType) -> list[type[ShuangluError]]:
    """Errors that a module defines itself."""
    members = inspect.getmembers(module, inspect.isclass)
    return [item for _, item in members if issubclass(item, ShuangluError) and item.__module__ == module.__name__]


def reasons_table() -> str:
    """A row for each reason."""
    found = {}
    for name in ERROR_MODULES:
        for error in errors_of(importlib.import_module(name)):
            first = (error.__doc__ or "").strip().split("\n")[0]
            again = "yes" if error.retryable else "no"
            found[error.reason] = f"| `{error.reason}` | {error.status.name} | {again} | {first} |"
    return "\n".join(found[reason] for reason in sorted(found)) + "\n"


def main() -> None:
    """Write, or with --check exit 1 if the file is not up to date."""
    uploads = ", ".join(f"`{role}`" for role in Role if role in UPLOAD_ROLES)
    text = HEAD + access_table() + FILES.format(roles=uploads) + reasons_table()
    if "--check" in sys.argv:
        if not OUT.exists() or OUT.read_text() != text:
            print("docs/api.md is not up to date: run scripts/api_docs.py")
            sys.exit(1)
        return
    OUT.write_text(text)


if __name__ == "__main__":
    main()
