"""The page: a report turned into plain values in the order in which they are read. Verdict, failures, doubts, proof.

The values are what the template prints; it decides nothing. Every finding tells what the rule wanted, what was measured
and where to look.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from shuanglu.common.v1.types_pb2 import Outcome
from shuanglu.quality.v1.finding_pb2 import Finding
from shuanglu.quality.v1.quality_events_pb2 import Stage
from shuanglu.report.v1.report_pb2 import Report
from shuanglu_report.domain.hashes import segments_sha256
from shuanglu_report.domain.positions import local_time, money, position, quantity, stretch
from shuanglu_report.page import gaps, words
from shuanglu_report.page.transcript import spoken_nodes

Values = dict[str, Any]
_HASH_SHOWN = 12


@dataclass(frozen=True, slots=True)
class StillPicture:
    """A still as the page shows it."""

    finding_id: str
    track_id: str
    at_ms: int
    # Name of the picture file for the template.
    file: str


def page_values(report: Report, stills: Sequence[StillPicture], zone: tzinfo) -> Values:
    """Everything that the template prints. The zone is the reader's."""
    findings = _by_outcome(report.result.findings)
    shown = {outcome: [_card(report, item, stills) for item in items] for outcome, items in findings.items()}
    return {
        "verdict": _outcome(report.verdict),
        "stage": _said(words.STAGES.get(report.stage, words.STAGES[Stage.STAGE_PRELIMINARY])),
        "strategy": f"{report.result.strategy_id} @ {report.result.strategy_version[:_HASH_SHOWN]}",
        "case": _case(report, zone),
        "counts": {name: len(findings[outcome]) for name, outcome in _NAMES.items()},
        "coverage": quantity(report.result.coverage_ratio, "ratio"),
        "failed": shown[Outcome.OUTCOME_FAIL],
        "unsure": shown[Outcome.OUTCOME_UNSURE],
        "passed": shown[Outcome.OUTCOME_PASS],
        "persons": _persons(report, stills, findings[Outcome.OUTCOME_PASS]),
        "transcript": spoken_nodes(report.result),
        "judged": _judged(report),
        "proof": _proof(report),
        "report_id": report.report_id,
        "session_id": report.session_id,
        "created": local_time(report.created_at_us, zone),
        "order_no": report.order.order_no,
    }


_NAMES = {"failed": Outcome.OUTCOME_FAIL, "unsure": Outcome.OUTCOME_UNSURE, "passed": Outcome.OUTCOME_PASS}


def _said(said: words.Said) -> Values:
    return {"zh": said.zh, "en": said.en}


def _outcome(outcome: int) -> Values:
    known = words.outcome_of(outcome)
    name = next(name for name, value in _NAMES.items() if value == known)
    return {**_said(words.OUTCOMES[known]), "name": name}


def _by_outcome(findings: Sequence[Finding]) -> dict[Outcome.ValueType, list[Finding]]:
    """Findings by what a reader must take them for, by weight and then by time."""
    ordered = sorted(
        findings, key=lambda item: (-(item.severity or 3), item.interval.start_ms, item.check_id, item.finding_id)
    )
    return {
        outcome: [item for item in ordered if words.outcome_of(item.outcome) == outcome] for outcome in _NAMES.values()
    }


def _case(report: Report, zone: tzinfo) -> Values:
    """The lines that identify the case. The order is masked already."""
    order = report.order
    first = [
        f"订单 Order {order.order_no}",
        words.code_words(words.PRODUCTS, order.product).both,
        money(order.amount.amount_fen, order.amount.currency),
        f"{order.term_months} 个月 months" if order.term_months else "",
        words.code_words(words.PURPOSES, order.purpose).both if order.purpose else "",
    ]
    tail = order.customer.id_number.lstrip("*")
    second = [
        f"客户 Customer {order.customer.name}" + (f"（证件 ID …{tail}）" if tail else ""),
        f"客户经理 Agent {order.agent_no}" if order.agent_no else "",
        f"网点 Branch {order.branch}" if order.branch else "",
        words.CHANNELS[report.channel].both if report.channel in words.CHANNELS else "",
    ]
    third = [
        f"会话 Session {report.session_id}",
        local_time(report.session_created_at_us, zone),
        f"时长 Length {position(report.result.duration_ms)}",
    ]
    return {"lines": [" · ".join(part for part in parts if part) for parts in (first, second, third)]}


def _node_words(report: Report, finding: Finding) -> Values:
    title = next((item for item in report.result.nodes if item.node_id == finding.node_id), None)
    if not finding.node_id:
        return _said(words.Said("全程", "whole session"))
    zh, en = (title.title_zh, title.title_en) if title else ("", "")
    take = f"（第 {finding.take} 次）" if finding.take > 1 else ""
    take_en = f", take {finding.take}" if finding.take > 1 else ""
    return _said(words.Said((zh or finding.node_id) + take, (en or finding.node_id) + take_en))


def _card(report: Report, finding: Finding, stills: Sequence[StillPicture]) -> Values:
    """One finding."""
    severity = words.SEVERITIES.get(finding.severity, words.SEVERITIES[max(words.SEVERITIES)])
    measured = quantity(finding.measured, finding.unit) if finding.HasField("measured") else ""
    limit = quantity(finding.threshold, finding.unit) if finding.HasField("threshold") else ""
    return {
        "outcome": _outcome(finding.outcome),
        "check": _said(words.code_words(words.CHECKS, finding.check_id)),
        "check_id": finding.check_id,
        "node": _node_words(report, finding),
        "role": _said(words.role_words(finding.role)) if finding.role else None,
        "time": stretch(finding.interval.start_ms, finding.interval.end_ms),
        "measured": measured,
        "limit": limit,
        "expected": {"zh": finding.expected_zh, "en": finding.expected_en},
        "message": {"zh": finding.message_zh, "en": finding.message_en},
        "reason": finding.reason,
        "rule": finding.rule,
        "severity": _said(severity),
        "quotes": [
            {"role": words.role_words(quote.role).zh, "time": position(quote.start_ms), "text": quote.text}
            for quote in finding.quotes
        ],
        "stills": [
            {"file": still.file, "time": position(still.at_ms)}
            for still in stills
            if finding.finding_id and still.finding_id == finding.finding_id
        ],
        "stills_missing": bool(finding.frames) and not any(still.finding_id == finding.finding_id for still in stills),
    }


def _persons(report: Report, stills: Sequence[StillPicture], passed: Sequence[Finding]) -> list[Values]:
    """Pictures that show a person and no failure: one of each role."""
    good = {item.finding_id for item in passed} | {""}
    on_track = {
        track.track_id: " / ".join(words.role_words(person.role).both for person in track.participants)
        for track in report.result.tracks
    }
    roles = {item.finding_id: words.role_words(item.role).both for item in passed if item.role}
    return [
        {
            "file": still.file,
            "time": position(still.at_ms),
            "who": roles.get(still.finding_id) or on_track.get(still.track_id, ""),
        }
        for still in stills
        if still.finding_id in good
    ]


def _judged(report: Report) -> Values:
    result = report.result
    given = words.Said("由导入方给出", "given with the recording")
    if _live(report):
        given = words.Said("由客户经理在通话中标记", "marked by the agent during the call")
    found = words.Said("由转写文本识别", "found from the transcript")
    return {
        "strategy_id": result.strategy_id,
        "strategy_version": result.strategy_version,
        "models": [{"name": model.name, "version": model.version} for model in result.models],
        "nodes_from": _said(found if result.timeline_found else given),
        "limits": _limits(result.findings),
    }


def _limits(findings: Sequence[Finding]) -> list[Values]:
    """The limits that were applied, one line each, in the order of the findings' checks."""
    limits: dict[tuple[str, str], Values] = {}
    for item in sorted(findings, key=lambda finding: finding.check_id):
        if item.HasField("threshold"):
            limit = quantity(item.threshold, item.unit)
            check = words.code_words(words.CHECKS, item.check_id)
            limits[item.check_id, limit] = {"check": _said(check), "check_id": item.check_id, "limit": limit}
    return list(limits.values())


def _proof(report: Report) -> Values:
    return {
        "recording_sha256": report.proof.recording_sha256,
        "live": _live(report),
        "tracks": [
            {
                "track_id": proof.track.track_id,
                "kind": words.TRACK_KINDS[proof.track.kind].both if proof.track.kind in words.TRACK_KINDS else "",
                "codec": proof.track.codec,
                "form": _form(proof.track.width, proof.track.height, proof.track.sample_rate),
                "time": stretch(proof.track.start_ms, proof.track.end_ms),
                "segments": len(proof.segment_sha256),
                "derived": proof.track.derived,
                "segments_sha256": segments_sha256(proof.segment_sha256),
                "original_sha256": proof.track.original.sha256,
                "original_bytes": f"{proof.track.original.size_bytes:,}",
                "gaps": gaps.told(proof.track, report.result.gaps),
            }
            for proof in report.proof.tracks
        ],
    }


def _live(report: Report) -> bool:
    """Whether it was a call: its tracks have no file that they came from."""
    tracks = report.result.tracks
    return bool(tracks) and not any(track.HasField("original") for track in tracks)


def _form(width: int, height: int, sample_rate: int) -> str:
    return f"{width}×{height}" if width else f"{sample_rate:,} Hz" if sample_rate else ""
