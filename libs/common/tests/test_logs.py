import json

import pytest
import structlog

from shuanglu_common import logs


def test_a_log_line_keeps_an_errors_type_and_place_but_not_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start("tester", "INFO")
    try:
        raise ValueError("张三 110101199003070000")
    except ValueError as error:
        structlog.get_logger().error("failed", error=error)
    finally:
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
    line = capsys.readouterr().err
    assert "张三" not in line
    entry = json.loads(line)
    assert entry["error_type"] == "ValueError"
    assert entry["service"] == "tester"
    assert entry["error_at"][0].startswith("test_logs.py:")
