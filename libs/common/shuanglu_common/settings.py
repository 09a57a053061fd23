"""Settings of every service, from the environment (prefix SHUANGLU_) or files. Read once, passed down as values."""

import os
import sys
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

EXIT_BAD_SETTING = 2
# Folder with a file for each secret setting, as Kubernetes mounts them: `shuanglu_database_url`, ….
SECRETS_DIR = "SHUANGLU_SECRETS_DIR"


class WrongSetting(Exception):
    """A setting is missing or does not hold; the text is one clear line."""


class ServiceSettings(BaseSettings):
    """What every service needs to know. A service adds its own fields."""

    model_config = SettingsConfigDict(env_prefix="SHUANGLU_", extra="ignore", frozen=True)

    nats_url: str = Field(default="nats://127.0.0.1:4222", description="Address of the bus.")
    nats_credentials_file: Path | None = Field(default=None, description="NATS credentials file; none for an open bus.")
    nats_ca_file: Path | None = Field(
        default=None, description="Certificates (PEM) that the bus is trusted by at tls://; none for the system's."
    )
    nats_declare_streams: bool = Field(
        default=True,
        description="Make the streams at start; false where `python -m shuanglu_common.streams_job` has made them.",
    )
    nats_replicas: int = Field(default=1, ge=1, le=5, description="Copies of each stream; 3 in production.")
    s3_endpoint: str = Field(default="http://127.0.0.1:9000", description="Address of the object store.")
    s3_ca_file: Path | None = Field(
        default=None, description="Certificates (PEM) that the store is trusted by; none for the system's."
    )
    s3_bucket: str = Field(default="shuanglu", min_length=3, description="Bucket that holds everything.")
    s3_region: str = Field(default="us-east-1", description="Region, where the store wants one.")
    s3_access_key: str = Field(default="", description="Access key of the object store.")
    s3_secret_key: SecretStr = Field(default=SecretStr(""), description="Secret key of the object store.")
    database_url: SecretStr | None = Field(
        default=None, description="PostgreSQL, as postgresql+asyncpg://user:password@host:port/database."
    )
    database_ca_file: Path | None = Field(
        default=None,
        description="Certificates (PEM) that PostgreSQL is trusted by; TLS and its name are then required.",
    )
    master_key_file: Path | None = Field(
        default=None, description="File with 32 random bytes, base64: seals transcripts, templates and ID data."
    )
    jwks_file: Path | None = Field(
        default=None, description="JSON Web Key Set that tokens of callers are checked with."
    )
    session_jwks_file: Path | None = Field(
        default=None,
        description="JSON Web Key Set that tokens of a call's participants are checked with; signaling signs.",
    )
    jwt_issuer: str = Field(default="https://id.bank.example", description="Issuer of the callers' tokens.")
    jwt_audience: str = Field(default="shuanglu", description="Audience that tokens must name.")
    internal_key_file: Path | None = Field(
        default=None, description="EC P-256 private key (PEM) that services sign calls to each other with."
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on; 0.0.0.0 inside a container.")
    ops_port: int = Field(
        default=0, ge=0, le=65535, description="Port of /healthz, /readyz, /metrics; 0 is a free one."
    )
    grpc_port: int = Field(default=0, ge=0, le=65535, description="Port of the gRPC server; 0 is a free one.")
    http_port: int = Field(default=0, ge=0, le=65535, description="Port of the HTTP server; 0 is a free one.")
    models_dir: Path = Field(default=Path("build/models"), description="Folder with the model weights.")
    bus_strain_events: int = Field(
        default=500, ge=1, description="Waiting events of one consumer above which /readyz tells that it is strained."
    )
    log_level: str = Field(
        default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="DEBUG, INFO, WARNING or ERROR."
    )
    metrics_tenants: tuple[str, ...] = Field(
        default=(),
        max_length=50,
        description='Tenants that have series of their own, JSON: ["bank-a", …]; all others count as `other`.',
    )
    otlp_endpoint: str = Field(default="", description="OTLP/HTTP collector for traces; empty switches export off.")
    trace_sample_ratio: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Share of the traces that begin here that are kept; a caller's decision is followed.",
    )
    stop_timeout_s: float = Field(
        default=20, gt=0, le=600, description="Seconds that work in hand may take to end after SIGTERM."
    )


S = TypeVar("S", bound=ServiceSettings)


def load_settings(settings_class: type[S], **values: Any) -> S:
    """Settings from the environment, else from SECRETS_DIR, or exit code 2 with one line that names the wrong one."""
    folder = os.environ.get(SECRETS_DIR) or None
    if folder is not None and not Path(folder).is_dir():
        sys.stderr.write(f"wrong setting {SECRETS_DIR}: {folder} is not a folder\n")
        raise SystemExit(EXIT_BAD_SETTING)
    try:
        return settings_class(**{"_secrets_dir": folder, **values})
    except ValidationError as error:
        first = error.errors()[0]
        name = "SHUANGLU_" + "_".join(str(part) for part in first["loc"]).upper()
        others = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        sys.stderr.write(f"wrong setting {name}: {first['msg']}{others}\n")
        raise SystemExit(EXIT_BAD_SETTING) from None
