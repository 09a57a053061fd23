"""Settings of face-check."""

from typing import Literal

from pydantic import Field

from shuanglu_common.bus.subjects import LANES, Lane
from shuanglu_common.settings import ServiceSettings


class FaceCheckSettings(ServiceSettings):
    """What face-check needs beside what every service needs."""

    lanes: tuple[Lane, ...] = Field(
        default=LANES,
        min_length=1,
        description='Whose events it takes, JSON: ["live"] of calls, ["offline"] of imports.',
    )
    face_check_provider: Literal["cpu", "cuda"] = Field(
        default="cpu", description="Where the models run; cuda needs the package onnxruntime-gpu."
    )
    face_check_threads: int = Field(default=1, ge=1, le=64, description="Threads of one model call.")
    face_check_in_hand: int = Field(
        default=1, ge=1, le=32, description="Segments in hand at a time: one is looked at while others are fetched."
    )
    face_check_timeout_s: float = Field(
        default=60,
        ge=1,
        le=3600,
        description="Seconds after which a look at a segment hangs and its process is killed.",
    )
    face_check_memory_mib: int = Field(
        default=1024,
        ge=0,
        le=262_144,
        description="MiB of private memory of the process with the models; 0: unbounded.",
    )
    models_retry_s: float = Field(
        default=15, ge=0.1, le=3600, description="Seconds after which models that cannot be used are looked for again."
    )
    face_check_longest_edge: int = Field(
        default=640,
        ge=160,
        le=4096,
        description="Faces are looked for in frames whose longer edge is at most this; larger ones are made smaller.",
    )
    face_check_min_score: float = Field(
        default=0.6, ge=0.3, le=0.99, description="Detector score below which nothing is a face."
    )
    face_check_template_ttl_s: int = Field(
        default=86_400, ge=60, le=2_592_000, description="Seconds after which a sealed face template expires."
    )
