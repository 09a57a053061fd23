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
    upload_expiry_s: int = Field(
        default=86_400, ge=60, description="Seconds without progress after which an upload is removed."
    )
    import_hold_s: int = Field(
        default=7 * 86_400, ge=3600, description="Seconds that the uploads of an unfinished import are kept."
    )
    probe_timeout_s: float = Field(default=10, gt=0, le=14, description="Seconds that a look at an upload may take.")
    imports_in_hand: int = Field(default=1, ge=1, le=16, description="Imports that one process works on at a time.")
