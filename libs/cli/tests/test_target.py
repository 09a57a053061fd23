import json
from pathlib import Path

import pytest

from shuanglu_cli.errors import Usage
from shuanglu_cli.target import find_target

STACK = {"gateway": "https://127.0.0.1:8443", "token": "stack-token", "ca": "/ca.pem", "nats_url": "nats://x"}


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("GATEWAY", "TOKEN", "CA", "CONFIG", "NATS_URL"):
        monkeypatch.delenv(f"SHUANGLU_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def stack_beside_us(tmp_path: Path) -> Path:
    (tmp_path / ".data").mkdir()
    file = tmp_path / ".data" / "stack.json"
    file.write_text(json.dumps(STACK))
    return file


def test_nothing_is_known_without_a_stack() -> None:
    target = find_target()
    assert (target.gateway, target.token, target.ca) == ("", "", None)
    with pytest.raises(Usage, match="no gateway"):
        target.need_gateway()
    with pytest.raises(Usage, match="no bus"):
        target.need_nats_url()
    with pytest.raises(Usage, match="no development key"):
        target.need_signing_key()


def test_the_stack_of_a_folder_above_is_found(
    stack_beside_us: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    target = find_target()
    assert (target.gateway, target.token, target.ca) == (STACK["gateway"], "stack-token", Path("/ca.pem"))


def test_options_win_over_the_environment_and_both_over_the_stack(
    stack_beside_us: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHUANGLU_TOKEN", "from-environment")
    assert find_target().token == "from-environment"
    assert find_target(token="from-option").token == "from-option"


def test_the_stacks_token_and_authority_go_to_no_other_gateway(stack_beside_us: Path) -> None:
    target = find_target(gateway="https://shuanglu.bank.example")
    assert (target.token, target.ca) == ("", None)


def test_a_configuration_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(Usage, match=r"missing\.json"):
        find_target(config=tmp_path / "missing.json")


def test_a_token_is_not_shown_when_a_target_is_printed(stack_beside_us: Path) -> None:
    assert "stack-token" not in repr(find_target())
