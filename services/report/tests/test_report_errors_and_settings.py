import inspect

import pytest

from shuanglu_common.errors import ShuangluError
from shuanglu_common.settings import load_settings
from shuanglu_report import errors
from shuanglu_report.settings import ReportSettings


def own_errors() -> list[type[ShuangluError]]:
    found = [item for _, item in inspect.getmembers(errors, inspect.isclass) if item.__module__ == errors.__name__]
    return [item for item in found if issubclass(item, ShuangluError)]


def test_every_error_has_its_own_reason_and_stands_in_the_tree() -> None:
    kinds = own_errors()
    assert len({kind.reason for kind in kinds}) == len(kinds) > 10
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in kinds)


def test_only_what_heals_by_itself_is_tried_again() -> None:
    assert {kind.__name__ for kind in own_errors() if kind.retryable} == {"ProofNotReady", "PressStuck", "SessionsAway"}


def test_every_setting_is_described() -> None:
    assert all(field.description for field in ReportSettings.model_fields.values())


def test_a_wrong_zone_stops_the_start_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHUANGLU_TIME_ZONE", "Mars/Olympus")
    with pytest.raises(SystemExit) as raised:
        load_settings(ReportSettings)
    assert raised.value.code == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "SHUANGLU_TIME_ZONE" in line
    assert "Asia/Shanghai" in line


def test_the_defaults_hold() -> None:
    settings = load_settings(ReportSettings)
    assert settings.watch_heartbeat_s <= 15
    assert settings.time_zone == "Asia/Shanghai"
