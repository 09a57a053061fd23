"""How large the import benchmark is; smaller for a quick look."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Sizes(BaseSettings):
    """From the environment, prefix BENCH_."""

    model_config = SettingsConfigDict(env_prefix="BENCH_", frozen=True, extra="ignore")

    parts: str = Field(
        default="segmenting,doors,large,throughput,history", description="What is measured, with commas in between."
    )
    segment_mib: int = Field(default=300, ge=1, description="File that is segmented.")
    upload_mib: int = Field(default=200, ge=1, description="File that is uploaded.")
    large_mib: int = Field(default=2048, ge=1, description="File whose import must not need memory.")
    recordings: int = Field(default=200, ge=5, description="Short recordings, imported at once.")
    history: int = Field(default=10_000, ge=200, description="Sessions that are there already.")
    rounds: int = Field(default=5, ge=1, description="Pairs of a comparison.")
