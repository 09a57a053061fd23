"""Settings of the report service, beside those that every service has."""

from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from shuanglu_common.settings import ServiceSettings


class ReportSettings(ServiceSettings):
    """Prefix SHUANGLU_."""

    signaling_target: str = Field(default="127.0.0.1:9101", description="host:port of signaling's gRPC server.")
    font_dir: Path = Field(
        default=Path("/usr/share/fonts/opentype/noto"),
        description="Folder with NotoSansCJK-Regular.ttc and NotoSansCJK-Bold.ttc (Debian: fonts-noto-cjk).",
    )
    time_zone: str = Field(default="Asia/Shanghai", description="IANA zone of the dates and times in the PDF.")
    stills_seconds: float = Field(
        default=2.0, gt=0, le=60, description="Processor seconds for cutting stills; those after that are left out."
    )
    press_timeout_s: float = Field(
        default=20.0, gt=0, le=300, description="Seconds that printing one report may take before it is tried again."
    )
    report_builds_in_hand: int = Field(default=1, ge=1, le=8, description="Reports that are made at the same time.")
    watch_heartbeat_s: float = Field(
        default=5.0, gt=0, le=15, description="Longest silence of WatchInspection, in seconds."
    )

    @field_validator("time_zone")
    @classmethod
    def zone_exists(cls, value: str) -> str:
        """An IANA zone that this machine knows."""
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{value!r} is not a time zone; use one such as Asia/Shanghai") from error
        return value
