"""Settings of media-ingest."""

from pathlib import Path

from pydantic import Field

from shuanglu_common.settings import ServiceSettings


class MediaIngestSettings(ServiceSettings):
    """What media-ingest needs beside the common settings."""

    spool_dir: Path = Field(
        default=Path(".data/spool"),
        description="Folder of uploads, on a disk that survives a restart; shared by the door and the import worker.",
    )
    signaling_target: str = Field(default="127.0.0.1:7001", description="gRPC address of signaling.")
    max_upload_bytes: int = Field(default=20 << 30, gt=0, description="Largest upload in bytes.")
    max_uploads: int = Field(default=1000, gt=0, description="Uploads that a tenant may have in the spool at a time.")
    upload_least_bytes_per_s: int = Field(
        default=1024,
        ge=0,
        description="Bytes a second that a sender must keep up over 30 s, else 408. 0: any speed.",
    )
    upload_expiry_s: int = Field(
        default=86_400, ge=60, description="Seconds without progress after which an upload is removed."
    )
    import_hold_s: int = Field(
        default=7 * 86_400, ge=3600, description="Seconds that the uploads of an unfinished import are kept."
    )
    probe_timeout_s: float = Field(default=10, gt=0, le=14, description="Seconds that a look at an upload may take.")
    reader_memory_mib: int = Field(
        default=700, ge=128, le=65_536, description="MiB of private memory of the process that reads an import's files."
    )
    reader_stall_s: float = Field(
        default=120, ge=1, le=3600, description="Seconds without a segment after which the reading process is killed."
    )
    imports_in_hand: int = Field(
        default=2,
        ge=1,
        le=16,
        description="Imports that one process works on at a time; of several, one lane is for small imports alone.",
    )
    small_import_bytes: int = Field(
        default=64 << 20, ge=0, description="Imports of at most so many bytes are small: large ones never hold them up."
    )
    max_waiting_segments: int = Field(
        default=200, ge=1, description="Segments that may wait for face-check before imports are held up."
    )
    max_waiting_tracks: int = Field(
        default=40, ge=1, description="Tracks that may wait for asr before imports are held up."
    )
    max_waiting_windows: int = Field(
        default=64, ge=1, description="Windows of speech that may wait for asr before imports are held up."
    )
    reconcile_every_s: float = Field(
        default=86_400, ge=0, description="Seconds between two comparisons of calls with the store; 0: never."
    )
    reconcile_offset_s: float = Field(
        default=64_800,
        ge=0,
        description="Seconds after a multiple of it since the epoch (UTC): 64800 of 86400 is two at night in China.",
    )
    reconcile_days: int = Field(
        default=7, ge=1, le=36_500, description="How many days back sessions are compared then, by when they were made."
    )
    reconcile_grace_s: int = Field(
        default=900, ge=0, description="Seconds after a call's end at which its recording must be complete."
    )
    spool_quota_bytes: int = Field(
        default=200 << 30, gt=0, description="Bytes of uploads that a tenant may have in the spool; then 507."
    )
    spool_min_free_bytes: int = Field(
        default=1 << 30, ge=0, description="Bytes that new uploads must leave free on the spool's disk; else 507."
    )
