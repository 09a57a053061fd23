from pathlib import Path

import pytest
from pydantic import Field

from shuanglu_common.settings import EXIT_BAD_SETTING, ServiceSettings, load_settings


class Wanted(ServiceSettings):
    limit: int = Field(ge=1, description="A limit.")


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHUANGLU_LIMIT", "3")
    assert load_settings(Wanted).limit == 3


def test_a_wrong_setting_stops_the_start_with_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHUANGLU_LIMIT", "0")
    with pytest.raises(SystemExit) as stopped:
        load_settings(Wanted)
    message = capsys.readouterr().err
    assert stopped.value.code == EXIT_BAD_SETTING
    assert message.count("\n") == 1
    assert "SHUANGLU_LIMIT" in message


def test_a_missing_setting_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        load_settings(Wanted)
    assert "SHUANGLU_LIMIT: Field required" in capsys.readouterr().err


def test_every_setting_has_a_description_and_secrets_do_not_print() -> None:
    for name, field in ServiceSettings.model_fields.items():
        assert field.description, name
    assert "hunter2" not in repr(ServiceSettings(s3_secret_key="hunter2", database_url="postgresql://u:hunter2@h/d"))


def test_secrets_come_from_files_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shuanglu_s3_secret_key").write_text("of-the-file\n")
    (tmp_path / "shuanglu_database_url").write_text("postgresql+asyncpg://u:of-the-file@h/d")
    monkeypatch.setenv("SHUANGLU_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("SHUANGLU_DATABASE_URL", "postgresql+asyncpg://u:of-the-environment@h/d")
    settings = load_settings(ServiceSettings)
    assert settings.s3_secret_key.get_secret_value() == "of-the-file"
    assert settings.database_url is not None
    assert "of-the-environment" in settings.database_url.get_secret_value()


def test_a_missing_folder_of_secrets_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHUANGLU_SECRETS_DIR", str(tmp_path / "none"))
    with pytest.raises(SystemExit) as stopped:
        load_settings(ServiceSettings)
    assert stopped.value.code == EXIT_BAD_SETTING
    assert capsys.readouterr().err == f"wrong setting SHUANGLU_SECRETS_DIR: {tmp_path / 'none'} is not a folder\n"
