"""Silero VAD v6 (MIT) through ONNX Runtime: the probability that somebody speaks, for each 32 ms."""

from pathlib import Path
from time import perf_counter

import numpy as np
import onnxruntime

from shuanglu_asr.av_sound import Samples
from shuanglu_common.model_files import ModelUnusable
from shuanglu_common.model_metrics import tell_model

FRAME = 512
# The model sees the end of the frame before, too.
CONTEXT = 64
STATE = (1, 1, 128)
ERRORS_ONLY = 3


class Silero:
    """The loaded model; shared by all tracks, keeps no state."""

    def __init__(self, path: Path, threads: int) -> None:
        """Raises ModelUnusable."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = ERRORS_ONLY
        options.enable_cpu_mem_arena = False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exception classes are not public
            raise ModelUnusable(f"a model cannot be loaded: {type(error).__name__}", model=path.stem) from error


class Ear:
    """Listens to one track, in pieces of any size."""

    def __init__(self, silero: Silero) -> None:
        """Begins in silence."""
        self.session = silero.session
        self.hidden = np.zeros(STATE, np.float32)
        self.cell = np.zeros(STATE, np.float32)
        self.context = np.zeros(CONTEXT, np.float32)
        self.rest = np.zeros(0, np.float32)

    def listen(self, samples: Samples) -> list[float]:
        """Probabilities of the frames that are complete by now; what is over waits for the next piece."""
        sound = np.concatenate((self.rest, samples))
        whole = len(sound) // FRAME * FRAME
        self.rest = sound[whole:].copy()
        return self.probabilities(sound[:whole]) if whole else []

    def finish(self) -> list[float]:
        """The last frame, filled up with silence."""
        if not len(self.rest):
            return []
        return self.listen(np.zeros(FRAME - len(self.rest), np.float32))

    def probabilities(self, sound: Samples) -> list[float]:
        """One for each frame; the state goes on to the next call."""
        frames = sound.reshape(-1, FRAME)
        before = np.concatenate((self.context[None], frames[:-1, -CONTEXT:]))
        self.context = frames[-1, -CONTEXT:].copy()
        inputs = {"input": np.concatenate((before, frames), axis=1), "h": self.hidden, "c": self.cell}
        started = perf_counter()
        output, self.hidden, self.cell = self.session.run(None, inputs)
        tell_model("silero", perf_counter() - started, len(frames))
        return [float(value) for value in np.asarray(output).reshape(-1)]
