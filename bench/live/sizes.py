"""How large the benchmark of calls is; smaller for a quick look."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Sizes(BaseSettings):
    """From the environment, prefix BENCH_."""

    model_config = SettingsConfigDict(env_prefix="BENCH_", frozen=True, extra="ignore")

    parts: str = Field(
        default="bitrate,capacity,joining,joining_far,joining_pages,delay,sync",
        description="What is measured, with commas in between.",
    )
    call_s: float = Field(default=40, ge=10, description="How long processors are watched for each number of sessions.")
    most_sessions: int = Field(
        default=12, ge=1, description="Sessions at a time at most; the ramp ends at 75 % before."
    )
    joins: int = Field(default=30, ge=2, description="Calls that somebody joins.")
    delay_s: float = Field(
        default=60, ge=10, description="Length of the call whose segments' way to the store is timed."
    )
    sync_s: float = Field(default=600, ge=10, description="Length of the call whose flashes and beeps are compared.")
