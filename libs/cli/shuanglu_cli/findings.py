"""Findings as a table: failed first, then unsure, then passed."""

from rich.table import Table

from shuanglu.common.v1.types_pb2 import Outcome, ParticipantRole
from shuanglu.quality.v1.finding_pb2 import Finding
from shuanglu.report.v1.report_pb2 import Report
from shuanglu_cli.terminal import clock, outcome_mark

ORDER = {Outcome.OUTCOME_FAIL: 0, Outcome.OUTCOME_UNSURE: 1, Outcome.OUTCOME_UNSPECIFIED: 1, Outcome.OUTCOME_PASS: 2}


def findings_table(report: Report) -> Table:
    """All findings of a report."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("outcome", "check", "node", "who", "time", "measured", "limit", "what was found"):
        table.add_column(heading, no_wrap=heading != "what was found")
    for finding in sorted(report.result.findings, key=_by_outcome_and_time):
        table.add_row(*_cells(finding))
    return table


def verdict_line(report: Report) -> str:
    """The last line: the answer."""
    outcomes = [finding.outcome for finding in report.result.findings]
    failed = outcomes.count(Outcome.OUTCOME_FAIL)
    unsure = len(outcomes) - failed - outcomes.count(Outcome.OUTCOME_PASS)
    counts = f"{failed} failed, {unsure} unsure, {len(outcomes) - failed - unsure} passed"
    return f"{outcome_mark(report.verdict)}  session {report.session_id}  {counts}"


def _by_outcome_and_time(finding: Finding) -> tuple[int, int]:
    return ORDER.get(finding.outcome, 1), finding.interval.start_ms


def _cells(finding: Finding) -> tuple[str, ...]:
    role = ParticipantRole.Name(finding.role).removeprefix("PARTICIPANT_ROLE_").lower()
    node = finding.node_id + (f" #{finding.take}" if finding.take > 1 else "")
    return (
        outcome_mark(finding.outcome),
        finding.check_id,
        node or "session",
        "" if role == "unspecified" else role,
        f"{clock(finding.interval.start_ms)}–{clock(finding.interval.end_ms)}",
        _number(finding.measured, finding.unit) if finding.HasField("measured") else "",
        _number(finding.threshold, finding.unit) if finding.HasField("threshold") else "",
        finding.message_zh + (f"\n{finding.message_en}" if finding.message_en else ""),
    )


def _number(value: float, unit: str) -> str:
    return f"{value:.3g} {unit}".strip()
