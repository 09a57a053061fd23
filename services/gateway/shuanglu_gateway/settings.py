"""What an operator may set about the gateway."""

from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, Field, StringConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict

Port = Annotated[int, Field(ge=1, le=65535)]
# host:port; an IPv6 address stands in brackets.
Target = Annotated[str, StringConstraints(pattern=r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$")]
# An origin as browsers send it: no path, no wildcard.
Origin = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?$")]


def shared(name: str) -> AliasChoices:
    """The gateway and the services must agree on these, so the services' own variable is read too."""
    return AliasChoices(f"SHUANGLU_GATEWAY_{name.upper()}", f"SHUANGLU_{name.upper()}")


class CheckSettings(BaseSettings):
    """What the checker of JSON bodies needs; prefix SHUANGLU_GATEWAY_."""

    model_config = SettingsConfigDict(
        env_prefix="SHUANGLU_GATEWAY_", frozen=True, extra="ignore", populate_by_name=True
    )

    check_host: str = Field(default="127.0.0.1", description="Address that the checker binds; Envoy alone calls it.")
    check_port: Port = Field(default=7105, description="Port of the checker: checks, /healthz, /readyz, /metrics.")
    descriptor_file: Path = Field(description="Descriptor set of the contracts (build/descriptors/shuanglu.pb).")
    log_level: str = Field(
        default="INFO",
        pattern="^(DEBUG|INFO|WARNING|ERROR)$",
        validation_alias=shared("log_level"),
        description="DEBUG, INFO, WARNING or ERROR.",
    )


class GatewaySettings(BaseSettings):
    """From the environment, prefix SHUANGLU_GATEWAY_; what the services have too is also read with SHUANGLU_ alone."""

    model_config = SettingsConfigDict(
        env_prefix="SHUANGLU_GATEWAY_", frozen=True, extra="forbid", populate_by_name=True
    )

    host: str = Field(default="127.0.0.1", description="Address that the public listener binds.")
    port: Port = Field(default=8443, description="Port of the public listener (TLS; HTTP/1.1 and HTTP/2).")
    admin_port: Port = Field(
        default=9901, description="Port of Envoy's admin interface; always on loopback, never published."
    )
    ops_host: str = Field(default="127.0.0.1", description="Address that the operations listener binds.")
    ops_port: Port = Field(default=9902, description="Port of /healthz, /readyz and /metrics (no TLS, no token).")

    tls_cert_file: Path = Field(description="PEM file with the server's certificate chain.")
    tls_key_file: Path = Field(description="PEM file with the certificate's private key.")

    jwks_file: Path = Field(
        validation_alias=shared("jwks_file"),
        description="JSON Web Key Set that signs the bank's tokens; read once at start.",
    )
    session_jwks_file: Path | None = Field(
        default=None,
        validation_alias=shared("session_jwks_file"),
        description="JSON Web Key Set that signs the tokens of a call's participants (signaling's); none: no calls.",
    )
    jwt_issuer: str = Field(
        min_length=1, validation_alias=shared("jwt_issuer"), description="Issuer (`iss`) that tokens must have."
    )
    jwt_audience: str = Field(
        min_length=1, validation_alias=shared("jwt_audience"), description="Audience (`aud`) that tokens must have."
    )

    descriptor_file: Path = Field(description="Descriptor set of the contracts (build/descriptors/shuanglu.pb).")

    signaling_target: Target = Field(default="127.0.0.1:7101", description="host:port of signaling's gRPC.")
    signaling_http_target: Target = Field(
        default="127.0.0.1:7201", description="host:port of signaling's WHIP and WHEP."
    )
    media_ingest_target: Target = Field(default="127.0.0.1:7102", description="host:port of media-ingest's gRPC.")
    media_ingest_http_target: Target = Field(
        default="127.0.0.1:7202", description="host:port of the upload door (tus)."
    )
    quality_target: Target = Field(default="127.0.0.1:7103", description="host:port of quality's gRPC.")
    report_target: Target = Field(default="127.0.0.1:7104", description="host:port of report's gRPC.")
    report_http_target: Target = Field(default="127.0.0.1:7204", description="host:port of replay (HLS).")

    check_target: Target = Field(
        default="127.0.0.1:7105",
        description="host:port of the checker of JSON bodies (`python -m shuanglu_gateway check`).",
    )

    console_dir: Path | None = Field(
        default=None, description="Folder with the built pages (call.html, assets/), served at /call; none: no pages."
    )

    cors_origins: tuple[Origin, ...] = Field(
        default=(), description='Origins whose pages may call, as JSON: ["https://console.bank.example"]. Empty: none.'
    )
    requests_per_10s: int = Field(
        default=2000, ge=1, le=1_000_000, description="Requests that one subject of one tenant may make in 10 seconds."
    )
    requests_per_s: int = Field(
        default=20_000, ge=1, le=10_000_000, description="Requests per second of all callers together, replay included."
    )
    accepts_per_10s: int = Field(
        default=100,
        ge=1,
        le=1_000_000,
        description="Invitations that may be accepted, or tried, from one address in 10 seconds; it needs no token.",
    )
    trusted_hops: int = Field(
        default=0,
        ge=0,
        le=10,
        description="Proxies before the gateway that add the caller's address to `X-Forwarded-For`.",
    )
    max_connections: int = Field(default=10_000, ge=1, description="Connections that are open at the same time.")
    max_json_bytes: int = Field(
        default=1 << 20,
        ge=1024,
        le=64 << 20,
        description="Largest JSON request body, in bytes; uploads are not limited here.",
    )
    max_sdp_bytes: int = Field(
        default=64 << 10, ge=4096, le=1 << 20, description="Largest body of a WHIP or WHEP request, in bytes."
    )
    max_answer_bytes: int = Field(
        default=64 << 20, ge=1024, le=1 << 30, description="Largest answer that is turned into JSON or a PDF, in bytes."
    )
    max_header_kib: int = Field(
        default=16, ge=4, le=96, description="Largest head of a request (line and headers), in KiB."
    )
    max_headers: int = Field(default=64, ge=16, le=1000, description="Headers that a request may have.")
    header_timeout_s: int = Field(
        default=10, ge=1, le=600, description="Time for a TLS handshake, and for the head of a request, in seconds."
    )
    request_timeout_s: int = Field(
        default=30,
        ge=1,
        le=600,
        description="Time for a call that is not a stream, from its first byte to its answer, in seconds.",
    )
    idle_timeout_s: int = Field(
        default=300, ge=1, le=3600, description="Time after which a connection without a request is closed, in seconds."
    )
    otlp_endpoint: str = Field(
        default="",
        pattern=r"^(http://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}(/[A-Za-z0-9/._-]*)?)?$",
        validation_alias=shared("otlp_endpoint"),
        description="OTLP/HTTP collector, http://host:port[/v1/traces]; empty: trace context is passed on, no spans.",
    )
    trace_sample_ratio: float = Field(
        default=0.05,
        ge=0,
        le=1,
        validation_alias=shared("trace_sample_ratio"),
        description="Share of the traces that begin here that are kept; a caller's decision is followed.",
    )
