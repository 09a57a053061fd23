import json

import pytest

from shuanglu.common.v1.types_pb2 import Interval, Outcome, ParticipantRole
from shuanglu.quality.v1.finding_pb2 import Finding
from shuanglu.quality.v1.quality_events_pb2 import Stage
from shuanglu.report.v1.report_pb2 import Report
from shuanglu_cli import terminal
from shuanglu_cli.errors import ExitCode, Refused
from shuanglu_cli.findings import print_report

PASS, FAIL, UNSURE = Outcome.OUTCOME_PASS, Outcome.OUTCOME_FAIL, Outcome.OUTCOME_UNSURE


def finding(check_id: str, outcome: Outcome.ValueType, start_ms: int) -> Finding:
    return Finding(
        check_id=check_id,
        outcome=outcome,
        role=ParticipantRole.PARTICIPANT_ROLE_CUSTOMER,
        interval=Interval(start_ms=start_ms, end_ms=start_ms + 5400),
        measured=5.4,
        threshold=3,
        unit="s",
        message_zh="客户离开画面",
        message_en="face out of frame",
    )


@pytest.mark.parametrize(
    ("at_ms", "shown"), [(0, "00:00.0"), (72_400, "01:12.4"), (3_600_000, "60:00.0"), (59_960, "01:00.0")]
)
def test_positions_are_minutes_seconds_and_tenths(at_ms: int, shown: str) -> None:
    assert terminal.clock(at_ms) == shown


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (PASS, ExitCode.OK),
        (FAIL, ExitCode.VERDICT_FAIL),
        (UNSURE, ExitCode.VERDICT_UNSURE),
        (Outcome.OUTCOME_UNSPECIFIED, ExitCode.VERDICT_UNSURE),
    ],
)
def test_only_a_pass_exits_with_zero(outcome: Outcome.ValueType, code: ExitCode) -> None:
    assert terminal.verdict_exit_code(outcome) == code


def test_findings_stand_in_order_failed_unsure_passed() -> None:
    report = Report(session_id="s", stage=Stage.STAGE_PRELIMINARY, verdict=FAIL)
    report.result.findings.extend(
        [finding("answer", PASS, 0), finding("intrusion", UNSURE, 0), finding("b", FAIL, 9000), finding("a", FAIL, 0)]
    )
    with terminal.out.capture() as captured:
        print_report(report, terminal.out)
    table = captured.get().splitlines()[1:5]
    assert [line.split()[2] for line in table] == ["a", "b", "intrusion", "answer"]
    assert max(len(line.rstrip()) for line in table) <= 80
    assert "00:09.0–00:14.4" in captured.get()
    assert "5.4 / 3 s" in captured.get()
    assert "客户离开画面" in captured.get()
    assert captured.get().splitlines()[-1] == "✕ FAIL  session s  2 failed, 1 unsure, 1 passed"


def test_an_error_is_three_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.err.capture() as captured:
        terminal.print_error(Refused("refused", "[too] large", "send less"), as_json=False)
    assert captured.get().splitlines() == ["✕ refused", "  why: [too] large", "  do: send less"]
    assert capsys.readouterr().out == ""


def test_an_error_for_machines_is_one_document_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_error(Refused("refused", "why", "help", "REASON"), as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "error": {"reason": "REASON", "message": "refused", "why": "why", "help": "help"}
    }
