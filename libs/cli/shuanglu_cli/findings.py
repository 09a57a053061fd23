"""Findings on a terminal: what failed first, then what is unsure, then what passed; the last line is the verdict."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from shuanglu.common.v1.types_pb2 import Outcome, ParticipantRole
from shuanglu.quality.v1.finding_pb2 import Finding
from shuanglu.report.v1.report_pb2 import Report
from shuanglu_cli.terminal import clock, outcome_mark, plain_table

ORDER = {Outcome.OUTCOME_FAIL: 0, Outcome.OUTCOME_UNSURE: 1, Outcome.OUTCOME_UNSPECIFIED: 1, Outcome.OUTCOME_PASS: 2}
WHOLE_SESSION = "session"


def print_report(report: Report, console: Console) -> None:
    """The table, a sentence for everything that did not pass, the verdict."""
    findings = sorted(report.result.findings, key=_by_outcome_and_time)
    console.print(findings_table(findings))
    for finding in findings:
        if finding.outcome != Outcome.OUTCOME_PASS:
            console.print(sentences(finding), highlight=False)
    console.print(verdict_line(report), highlight=False)


def findings_table(findings: list[Finding]) -> Table:
    """A line for each finding, narrow enough for 80 columns."""
    table = plain_table("outcome", "check", "where", "time", "measured / limit")
    for finding in findings:
        table.add_row(*_cells(finding))
    return table


def sentences(finding: Finding) -> str:
    """What was found, in Chinese and English."""
    mark = outcome_mark(finding.outcome)
    head = f"{mark}  {clock(finding.interval.start_ms)}  {escape(finding.check_id)} · {escape(_where(finding))}"
    return "\n    ".join([head, *(escape(text) for text in (finding.message_zh, finding.message_en) if text)])


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
    return (
        outcome_mark(finding.outcome),
        escape(finding.check_id),
        escape(_where(finding)),
        f"{clock(finding.interval.start_ms)}–{clock(finding.interval.end_ms)}",
        _numbers(finding),
    )


def _where(finding: Finding) -> str:
    role = ParticipantRole.Name(finding.role).removeprefix("PARTICIPANT_ROLE_").lower()
    take = f" #{finding.take}" if finding.take > 1 else ""
    node = finding.node_id + take
    return f"{node} {'' if role == 'unspecified' else role}".strip() or WHOLE_SESSION


def _numbers(finding: Finding) -> str:
    measured = f"{finding.measured:.3g}" if finding.HasField("measured") else "–"
    limit = f" / {finding.threshold:.3g}" if finding.HasField("threshold") else ""
    return f"{measured}{limit} {finding.unit}".strip() if measured + limit != "–" else ""
