"""Settings of the live door."""

from pathlib import Path

from pydantic import Field

from shuanglu_common.settings import ServiceSettings


class LiveSettings(ServiceSettings):
    """What the recorder beside a media server needs beside the common settings."""

    live_spool_dir: Path = Field(
        default=Path(".data/live"),
        description="Folder that the media server records to (`rec_dir`), on a disk that survives a restart.",
    )
    live_segment_ms: int = Field(
        default=2000, ge=500, le=10_000, description="Length of a segment in ms, ended at the next key frame."
    )
    live_poll_ms: int = Field(default=100, ge=20, le=2000, description="Pause in ms between looks at the spool.")
    live_spool_keep_s: float = Field(
        default=3600, ge=0, description="Seconds that a session's spool is kept after all of it is stored and told."
    )
    live_min_free_bytes: int = Field(
        default=1 << 30, ge=0, description="Bytes free on the spool's disk below which no new recording is opened."
    )
    live_alarm_free_bytes: int = Field(
        default=4 << 30, ge=0, description="Bytes free on the spool's disk below which the alarm is raised."
    )
    live_alarm_unconfirmed_s: float = Field(
        default=8,
        gt=0,
        description="Seconds that a finished segment may wait for the store before the alarm is raised.",
    )
    live_uploads: int = Field(default=8, ge=1, le=16, description="Segments that are stored at a time.")
    live_in_hand_mib: int = Field(
        default=64,
        ge=4,
        le=4096,
        description="MiB of segments that wait for the store in memory; the rest stays on disk.",
    )
    live_zone: str = Field(
        default="", max_length=63, description="Where this media node stands, such as an availability zone."
    )
    live_drain_s: float = Field(
        default=3600,
        ge=0,
        description="Seconds that `drain` waits for the sessions of a node that is to be taken away.",
    )
    live_max_recordings: int = Field(default=200, ge=1, description="Sessions that may be open at a time.")
