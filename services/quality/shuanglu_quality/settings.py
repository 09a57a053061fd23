"""Settings of quality."""

from pydantic import Field

from shuanglu_common.settings import ServiceSettings


class QualitySettings(ServiceSettings):
    """What quality needs beyond what every service does."""

    inspection_deadline_base_s: float = Field(
        default=600,
        ge=1,
        le=86_400,
        description="Seconds after the end of a recording at which it is judged even if observations are missing.",
    )
    inspection_deadline_factor: float = Field(
        default=3, ge=0, le=100, description="Added to it: this many times the recording's length."
    )
    inspection_deadline_check_s: float = Field(
        default=5, gt=0, le=600, description="How often overdue sessions are looked for, in seconds."
    )
    fold_inline_bytes: int = Field(
        default=64 << 10,
        ge=1024,
        le=4 << 20,
        description="What a fold has gained since it was last put aside goes to the object store when it is larger.",
    )
    fold_ttl_s: float = Field(
        default=14 * 86_400, ge=60, description="Seconds after its last change at which a fold is forgotten."
    )
    folds_in_memory: int = Field(default=128, ge=1, le=100_000, description="Sessions that are kept in memory at most.")
