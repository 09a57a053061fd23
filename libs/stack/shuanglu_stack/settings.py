"""What a developer may set about the stack."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class StackSettings(BaseSettings):
    """Environment variables with the prefix SHUANGLU_STACK_."""

    model_config = SettingsConfigDict(env_prefix="SHUANGLU_STACK_", extra="ignore", frozen=True)

    data_dir: Path = Field(default=Path(".data"), description="Folder for data, keys and logs.")
    models_dir: Path = Field(default=Path("build/models"), description="Folder with the model weights.")
    gateway_port: int = Field(default=8443, ge=1, le=65535, description="Port of the gateway with --ports fixed.")
    port_base: int = Field(
        default=18400, ge=1024, le=65000, description="First of the other ports with --ports fixed; about 35 follow it."
    )
    media_host: str = Field(
        default="", description="Address at which browsers reach media server and relay; default: the machine's."
    )
