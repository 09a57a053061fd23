"""What an operator may set about signaling."""

from pydantic import Field

from shuanglu_common.settings import ServiceSettings


class SignalingSettings(ServiceSettings):
    """Beside the settings of every service."""

    quality_target: str = Field(default="127.0.0.1:7103", description="host:port of quality's gRPC.")
    quality_timeout_s: float = Field(
        default=5, gt=0, le=60, description="Seconds to wait for quality to name the strategy of an order."
    )
