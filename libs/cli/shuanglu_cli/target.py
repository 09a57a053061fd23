"""Where the gateway is and who we are: from options, the environment, a file, or the development stack beside us."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shuanglu_cli.errors import Usage
from shuanglu_cli.tokens import SigningKey

DEVELOPMENT_STACK = Path(".data/stack.json")


class CliSettings(BaseSettings):
    """Environment of the command line."""

    model_config = SettingsConfigDict(env_prefix="SHUANGLU_", extra="ignore", frozen=True)

    gateway: str = Field(default="", description="Address of the gateway, such as https://shuanglu.bank.example.")
    token: SecretStr = Field(default=SecretStr(""), description="Token (JWT) of the caller.")
    ca: Path | None = Field(default=None, description="PEM file with the authority to trust; none for the system's.")
    config: Path | None = Field(default=None, description="File as the stack writes it (stack.json).")
    nats_url: str = Field(default="", description="Address of the bus; only `deadletter` needs it.")


@dataclass(frozen=True, slots=True)
class Target:
    """A gateway and what opens it. Empty strings: not known."""

    gateway: str = ""
    token: str = field(default="", repr=False)
    ca: Path | None = None
    nats_url: str = field(default="", repr=False)
    signing_key_file: Path | None = None
    key_id: str = ""
    issuer: str = ""
    audience: str = ""
    services: tuple[str, ...] = ()  # of the stack; empty: all

    def need_gateway(self) -> str:
        """The gateway. Raises Usage."""
        if not self.gateway:
            raise Usage(
                "no gateway is known",
                "neither --gateway nor SHUANGLU_GATEWAY is set and no development stack runs here",
                "start one with `make run`, or set SHUANGLU_GATEWAY",
                "NO_GATEWAY",
            )
        return self.gateway.rstrip("/")

    def need_nats_url(self) -> str:
        """The bus. Raises Usage."""
        if not self.nats_url:
            raise Usage(
                "no bus is known",
                "dead letters are read from the bus itself, not through the gateway",
                "set SHUANGLU_NATS_URL, or run this beside a development stack",
                "NO_BUS",
            )
        return self.nats_url

    def need_signing_key(self) -> SigningKey:
        """The development key. Raises Usage."""
        if self.signing_key_file is None or not self.signing_key_file.exists():
            raise Usage(
                "there is no development key here",
                "only a development stack has one; in production the bank's identity provider issues tokens",
                "start a stack with `make run`",
                "NO_SIGNING_KEY",
            )
        return SigningKey(self.signing_key_file.read_text(), self.key_id, self.issuer, self.audience)


def find_target(
    gateway: str | None = None, token: str | None = None, ca: Path | None = None, config: Path | None = None
) -> Target:
    """Options win over the environment, the environment over a file. Raises Usage if a named file cannot be read."""
    try:
        settings = CliSettings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "SHUANGLU_" + str(first["loc"][0]).upper()
        raise Usage(
            f"wrong setting {name}", first["msg"], "correct the environment variable", "WRONG_SETTING"
        ) from None
    stack = _read_stack(config or settings.config)
    stack_ca = Path(str(stack["ca"])) if stack.get("ca") else None
    signing_key = Path(str(stack["signing_key"])) if stack.get("signing_key") else None
    chosen_gateway = gateway or settings.gateway or str(stack.get("gateway", ""))
    # The stack's authority and token are for the stack's gateway alone.
    ours = chosen_gateway == stack.get("gateway")
    return Target(
        gateway=chosen_gateway,
        token=token or settings.token.get_secret_value() or (str(stack.get("token", "")) if ours else ""),
        ca=ca or settings.ca or (stack_ca if ours else None),
        nats_url=settings.nats_url or str(stack.get("nats_url", "")),
        signing_key_file=signing_key,
        key_id=str(stack.get("key_id", "")),
        issuer=str(stack.get("issuer", "")),
        audience=str(stack.get("audience", "")),
        services=tuple(map(str, stack.get("services", ()))),
    )


def _read_stack(named: Path | None) -> dict[str, Any]:
    """The named file, or the stack that runs in this folder or one above; empty if there is none."""
    if named is not None:
        try:
            content = json.loads(named.read_text())
        except (OSError, ValueError) as error:
            raise Usage(
                f"cannot read {named}", str(error), "give the stack.json of a running stack", "BAD_CONFIG"
            ) from None
        return dict(content)
    for folder in (Path.cwd(), *Path.cwd().parents):
        file = folder / DEVELOPMENT_STACK
        if file.exists():
            return dict(json.loads(file.read_text()))
    return {}
