import json
import time
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner

from shuanglu_cli.__main__ import app
from shuanglu_cli.errors import ExitCode
from shuanglu_cli.tokens import SigningKey, sign_token


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("GATEWAY", "TOKEN", "CA", "CONFIG", "NATS_URL"):
        monkeypatch.delenv(f"SHUANGLU_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def pem(key: ec.EllipticCurvePrivateKey) -> str:
    encoding, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, private, serialization.NoEncryption()).decode()


def test_help_lists_every_command_and_the_exit_codes() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    for command in ("import", "report", "status", "strategy", "token", "deadletter"):
        assert command in result.output
    for code in ExitCode:
        assert f"{code.value} " in result.output


def test_without_a_gateway_a_command_says_what_to_do() -> None:
    result = CliRunner().invoke(app, ["status"])
    assert result.exit_code == ExitCode.USAGE
    assert "make run" in result.stderr


def test_a_programs_error_is_json() -> None:
    result = CliRunner().invoke(app, ["status", "--json"])
    assert result.exit_code == ExitCode.USAGE
    assert json.loads(result.stdout)["error"]["reason"] == "NO_GATEWAY"


def test_a_missing_recording_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "order.json").write_text("{}")
    result = CliRunner().invoke(app, ["import", "nothing.mp4", "--order", str(tmp_path / "order.json")])
    assert result.exit_code == ExitCode.USAGE
    assert "nothing.mp4" in result.stderr


@pytest.mark.parametrize(
    ("audio", "reason"), [("loud", "BAD_AUDIO"), ("channels=AGENT,CUSTOMER", "SPEAKER_NOT_IN_FILE"), ("", "BAD_AUDIO")]
)
def test_a_wrong_choice_of_sound_is_told_before_anything_is_sent(tmp_path: Path, audio: str, reason: str) -> None:
    (tmp_path / "order.json").write_text("{}")
    (tmp_path / "customer.wav").touch()
    gateway = ["--gateway", "https://localhost:1", "--token", "t"]
    arguments = ["import", "customer.wav", "--order", "order.json", "--audio", audio, "--json"]
    result = CliRunner().invoke(app, [*gateway, *arguments])
    assert result.exit_code == ExitCode.USAGE
    assert json.loads(result.stdout)["error"]["reason"] == reason


def test_a_token_holds_what_was_asked_for(pem: str, key: ec.EllipticCurvePrivateKey, tmp_path: Path) -> None:
    (tmp_path / "tokens.pem").write_text(pem)
    (tmp_path / "stack.json").write_text(
        json.dumps({"signing_key": str(tmp_path / "tokens.pem"), "key_id": "k", "issuer": "i", "audience": "a"})
    )
    arguments = ["--config", str(tmp_path / "stack.json"), "token", "--tenant", "bank", "--role", "customer"]
    result = CliRunner().invoke(app, [*arguments, "--session", "s-1", "--ttl", "60"])
    assert result.exit_code == 0, result.output
    claims = jwt.decode(result.stdout.strip(), key.public_key(), algorithms=["ES256"], audience="a", issuer="i")
    assert (claims["tenant"], claims["roles"], claims["session_id"]) == ("bank", ["customer"], "s-1")
    assert claims["exp"] <= time.time() + 60


def test_a_negative_lifetime_has_expired(pem: str, key: ec.EllipticCurvePrivateKey) -> None:
    token = sign_token(SigningKey(pem, "k", "i", "a"), "bank", "me", ["agent"], "", -10, int(time.time()))
    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(token, key.public_key(), algorithms=["ES256"], audience="a")


def test_a_token_without_a_session_names_none(pem: str, key: ec.EllipticCurvePrivateKey) -> None:
    token = sign_token(SigningKey(pem, "k", "i", "a"), "bank", "me", ["agent"], "", 10, int(time.time()))
    assert "session_id" not in jwt.decode(token, key.public_key(), algorithms=["ES256"], audience="a")
