"""Settings of face-check."""

from typing import Literal

from pydantic import Field

from shuanglu_common.settings import ServiceSettings


class FaceCheckSettings(ServiceSettings):
    """What face-check needs beside what every service needs."""

    face_check_provider: Literal["cpu", "cuda"] = Field(
        default="cpu", description="Where the models run; cuda needs the package onnxruntime-gpu."
    )
    face_check_threads: int = Field(default=1, ge=1, le=64, description="Threads of one model call.")
    face_check_in_hand: int = Field(default=1, ge=1, le=32, description="Segments that a worker has in hand at a time.")
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
