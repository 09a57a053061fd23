"""ONNX Runtime sessions that share a machine politely: few threads, no spinning, little memory."""

from pathlib import Path

import onnxruntime
from numpy import float32
from numpy.typing import NDArray

from shuanglu_common.model_files import ModelUnusable

Tensor = NDArray[float32]
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
ERRORS_ONLY = 3


def open_session(path: Path, provider: str, threads: int) -> onnxruntime.InferenceSession:
    """Load a model. `provider` is `cpu` or `cuda`; `threads` per call. Raises ModelUnusable."""
    wanted = PROVIDERS[provider]
    if wanted not in onnxruntime.get_available_providers():
        raise ModelUnusable(f"this ONNX Runtime has no {wanted}.", model=path.stem)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    # The arena keeps the largest use for ever: off, it costs 13 MB less and no time.
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=[wanted])
    except Exception as error:  # its exception classes are not public
        raise ModelUnusable(f"a model cannot be loaded: {type(error).__name__}.", model=path.stem) from error
