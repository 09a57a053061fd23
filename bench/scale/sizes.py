"""How large the benchmark of scale is; smaller for a quick look."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Sizes(BaseSettings):
    """From the environment, prefix BENCH_."""

    model_config = SettingsConfigDict(env_prefix="BENCH_", frozen=True, extra="ignore")

    parts: str = Field(default="traffic,clients,observing", description="What is measured, with commas in between.")
    traffic_sessions: tuple[int, ...] = Field(
        default=(100, 300, 1000), description="Sessions whose events are on the bus at a time, one step each."
    )
    traffic_s: float = Field(default=15, ge=3, description="Length of each step in seconds.")
    held_sessions: int = Field(default=100, ge=1, description="Sessions that clients hold open.")
    held_s: float = Field(default=30, ge=5, description="How long they are held.")
    observing_rounds: int = Field(default=7, ge=1, description="Rounds with and without traces and metrics.")
    report_reads: int = Field(default=400, ge=10, description="Reports that are read.")
