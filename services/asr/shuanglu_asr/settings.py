"""Settings of asr."""

from typing import Literal

from pydantic import Field

from shuanglu_common.bus.subjects import LANES, Lane
from shuanglu_common.settings import ServiceSettings


class AsrSettings(ServiceSettings):
    """What asr needs beside what every service needs."""

    lanes: tuple[Lane, ...] = Field(
        default=LANES,
        min_length=1,
        description='Whose events it takes, JSON: ["live"] of calls, ["offline"] of imports.',
    )
    asr_device: Literal["cpu", "cuda"] = Field(
        default="cpu", description="Where the recogniser runs; cuda needs CUDA 12 and cuDNN 9 on the machine."
    )
    asr_compute_type: Literal["int8", "int8_float16", "float16", "float32"] = Field(
        default="int8", description="Numbers that the recogniser computes with; the float16 ones need cuda."
    )
    asr_cpu_threads: int = Field(default=1, ge=1, le=64, description="Threads of one model call.")
    asr_tracks_in_hand: int = Field(default=1, ge=1, le=32, description="Tracks that a worker listens to at a time.")
    asr_windows_in_hand: int = Field(default=1, ge=1, le=32, description="Windows that a worker recognises at a time.")
    asr_timeout_s: float = Field(
        default=180, ge=1, le=3600, description="Seconds after which a window hangs and its process is killed."
    )
    asr_memory_mib: int = Field(
        default=1536,
        ge=0,
        le=262_144,
        description="MiB of private memory of the process with the models; 0: unbounded.",
    )
    models_retry_s: float = Field(
        default=15, ge=0.1, le=3600, description="Seconds after which models that cannot be used are looked for again."
    )
    asr_start_probability: float = Field(
        default=0.5, gt=0, lt=1, description="Speech probability from which a turn begins."
    )
    asr_end_probability: float = Field(
        default=0.35, gt=0, lt=1, description="Speech probability below which a turn may end; at most the one above."
    )
    asr_min_speech_ms: int = Field(
        default=192, ge=32, le=2000, description="Shortest speech; a spoken 是 lasts about 250 ms."
    )
    asr_min_silence_ms: int = Field(
        default=416,
        ge=400,
        le=3000,
        description="Silence that ends a turn; pauses inside a sentence last about 200 ms.",
    )
