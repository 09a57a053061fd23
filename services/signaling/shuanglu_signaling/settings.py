"""What an operator may set about signaling."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from shuanglu_common.settings import ServiceSettings


class MediaNode(BaseModel):
    """One media server with the recorder beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern="^[a-z0-9][a-z0-9-]{0,62}$", description="Name; recordings belong to it for good.")
    janus: str = Field(pattern="^wss?://", description="Address of Janus' WebSocket API.")
    recorder: str = Field(min_length=3, description="host:port of the recorder's gRPC.")
    zone: str = Field(default="", max_length=63, description="Where it stands, unless its recorder says so itself.")


class SignalingSettings(ServiceSettings):
    """Beside the settings of every service."""

    quality_target: str = Field(default="127.0.0.1:7103", description="host:port of quality's gRPC.")
    quality_timeout_s: float = Field(
        default=5, gt=0, le=60, description="Seconds to wait for quality to name the strategy of an order."
    )
    media_nodes: tuple[MediaNode, ...] = Field(
        default=(),
        description='Media servers, JSON: [{"name": "media-1", "janus": "ws://…", "recorder": "host:port"}, …].',
    )
    media_nodes_dns: str = Field(
        default="",
        pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*)?$",
        description="Name of a headless service whose pods `<service>-0`, `…-1`, … are media servers, found while "
        "running; Janus on port 8188, its recorder on 9000. Beside or instead of the list.",
    )
    zone: str = Field(
        default="", max_length=63, description="Where this process stands; calls go to media servers of the same zone."
    )
    session_key_file: Path | None = Field(
        default=None, description="EC P-256 private key (PEM) that tokens of a call's participants are signed with."
    )
    call_grace_s: float = Field(
        default=60, gt=0, le=3600, description="Seconds that a participant who lost the connection may take to be back."
    )
    call_abandon_s: float = Field(
        default=120, gt=0, le=86_400, description="Seconds without anybody's media after which a call is ended."
    )
    call_max_s: float = Field(default=7200, gt=0, le=86_400, description="Seconds that a call may last.")
    video_bitrate: int = Field(
        default=800_000,
        ge=64_000,
        le=20_000_000,
        description="Largest bitrate of a participant's video, bits per second.",
    )
    key_frame_s: int = Field(
        default=1, ge=1, le=10, description="Seconds between key frames that are asked for; segments start at them."
    )
    janus_secret: SecretStr = Field(default=SecretStr(""), description="Secret of the API of all media servers.")
    turn_urls: tuple[str, ...] = Field(
        default=(), description='STUN and TURN servers for clients, JSON: ["turn:host:3478?transport=udp", …].'
    )
    turn_secret: SecretStr = Field(
        default=SecretStr(""), description="Secret shared with the TURN servers; credentials are made from it."
    )
    turn_ttl_s: int = Field(
        default=3600, ge=60, le=86_400, description="Seconds that a client may take to use its TURN credentials."
    )
