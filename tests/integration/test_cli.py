"""The command as people and scripts call it: a process of its own, beside the stack."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf.json_format import ParseDict

from shuanglu.report.v1.report_pb2 import Report
from shuanglu_stack import EmbeddedStack

TIMEOUT_S = 300

Run = Callable[..., subprocess.CompletedProcess[str]]
Inspected = Callable[[str], tuple[Path, Report]]


@pytest.fixture
def shuanglu(stack: EmbeddedStack, tmp_path: Path) -> Run:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SHUANGLU_")}
    environment["SHUANGLU_CONFIG"] = str(stack.data_dir / "stack.json")
    environment["XDG_STATE_HOME"] = str(tmp_path / "state")

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "shuanglu_cli", *arguments],
            env={**environment, **more},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    return run


def test_importing_the_sample_ends_with_a_pass_and_exit_code_0(shuanglu: Run, inspected: Inspected) -> None:
    folder, _ = inspected("clean")
    files = [str(folder / "customer.mp4"), str(folder / "agent.mp4")]
    photo = ["--id-photo", str(folder / "id_photo.jpg")]
    done = shuanglu("import", *files, "--order", str(folder / "order.json"), *photo, "--channel", "REMOTE")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("✓ PASS  session ")
    assert "\x1b[" not in done.stdout + done.stderr, "colour in a pipe"


def test_a_report_is_the_same_from_the_command_line(shuanglu: Run, clean_report: Report, tmp_path: Path) -> None:
    pdf = tmp_path / "out" / "report.pdf"
    done = shuanglu("report", clean_report.session_id, "--json", "--pdf", str(pdf))
    assert done.returncode == 0, done.stderr
    assert ParseDict(json.loads(done.stdout), Report()) == clean_report
    assert pdf.read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize(("variant", "code"), [("refusal", 3), ("mumbled", 4)])
def test_the_exit_code_is_the_verdicts(variant: str, code: int, shuanglu: Run, inspected: Inspected) -> None:
    _, report = inspected(variant)
    done = shuanglu("report", report.session_id)
    assert done.returncode == code, done.stdout + done.stderr


def test_an_import_need_not_be_waited_for(shuanglu: Run, inspected: Inspected) -> None:
    folder, _ = inspected("clean")
    files = [str(folder / "customer.mp4"), str(folder / "agent.mp4")]
    done = shuanglu("import", *files, "--order", str(folder / "order.json"), "--no-wait", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    session_id = json.loads(done.stdout)["session_id"]
    shown = shuanglu("status", session_id, "--json")
    assert json.loads(shown.stdout)["session_id"] == session_id
    assert session_id in shuanglu("status").stdout


def test_a_text_file_is_refused_in_three_lines(shuanglu: Run, inspected: Inspected, tmp_path: Path) -> None:
    folder, _ = inspected("clean")
    file = tmp_path / "customer.mp4"
    file.write_text("not a recording " * 100)
    done = shuanglu("import", str(file), "--order", str(folder / "order.json"))
    assert done.returncode == 5
    assert done.stdout == ""
    what, why, advice = done.stderr.splitlines()
    assert what.startswith("✕ ")
    assert "NOT_A_RECORDING" in why
    assert advice.startswith("  do: ")


def test_strategies_are_shown_checked_and_stored(shuanglu: Run, tmp_path: Path) -> None:
    text = shuanglu("strategy", "show", "personal-loan").stdout
    file = tmp_path / "strategy.yaml"
    file.write_text(text)
    assert shuanglu("strategy", "validate", str(file)).returncode == 0
    file.write_text(text.replace("min_similarity", "min_similarty", 1))
    wrong = shuanglu("strategy", "validate", str(file))
    assert wrong.returncode == 5
    assert "min_similarty" in wrong.stdout
    assert shuanglu("strategy", "push", str(file)).returncode == 5


def test_a_token_opens_what_its_roles_may_and_nothing_else(shuanglu: Run, clean_report: Report) -> None:
    token = shuanglu("token", "--role", "ops").stdout.strip()
    refused = shuanglu("report", clean_report.session_id, SHUANGLU_TOKEN=token)
    assert refused.returncode == 7
    assert shuanglu("status", clean_report.session_id, SHUANGLU_TOKEN=token).returncode == 0
    other = shuanglu("token", "--tenant", "other-bank").stdout.strip()
    assert shuanglu("status", clean_report.session_id, SHUANGLU_TOKEN=other).returncode == 5
