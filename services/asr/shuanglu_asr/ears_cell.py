"""The child that decodes, listens and recognises (`shuanglu_common.cell`)."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from shuanglu_asr.domain.turns import Turn
from shuanglu_asr.listener import Listener
from shuanglu_asr.metrics import DOUBTS
from shuanglu_asr.worker import Worker, open_worker
from shuanglu_common.model_metrics import MODEL_MEASURES

COUNTERS = (DOUBTS, *MODEL_MEASURES)
# Tracks that are listened to at a time; more than a worker ever has in hand, so only forgotten ones are dropped.
MOST_LISTENERS = 64


def open_cell(arguments: Mapping[str, Any]) -> tuple[Mapping[str, Callable[..., Any]], Any]:
    """See shuanglu_common.cell.child; takes EarSettings, gives the models. Raises ModelUnusable."""
    settings = SimpleNamespace(**{**arguments, "models_dir": Path(arguments["models_dir"])})
    worker = open_worker(settings)
    models = [{"name": model.name, "version": model.version} for model in (worker.ear_model, worker.word_model)]
    ears = EarsInside(worker)
    functions: dict[str, Callable[..., Any]] = {
        "begin": ears.begin,
        "hear": ears.hear,
        "end": ears.end,
        "forget": ears.forget,
        "recognise": ears.recognise,
    }
    return functions, models


class EarsInside:
    """What can be called. Values come with the seconds of work that they took."""

    def __init__(self, worker: Worker) -> None:
        """Listens to nothing yet."""
        self.worker = worker
        self.listeners: OrderedDict[int, Listener] = OrderedDict()
        self.begun = 0

    def begin(self) -> int:
        """Number of a new listener."""
        self.begun += 1
        self.listeners[self.begun] = self.worker.listener()
        while len(self.listeners) > MOST_LISTENERS:
            self.listeners.popitem(last=False)
        return self.begun

    def hear(self, number: int, segments: Sequence[bytes]) -> float:
        """The next segments of a track, each with its init."""
        started = time.perf_counter()
        for data in segments:
            self.listeners[number].add(data)
        return time.perf_counter() - started

    def end(self, number: int) -> dict[str, Any]:
        """A Listened, at the end of a track. Raises SoundUnreadable, SegmentUnreadable if nothing could be read."""
        started = time.perf_counter()
        listened = self.listeners.pop(number).finish()
        return {"listened": asdict(listened), "work_s": time.perf_counter() - started}

    def forget(self, number: int) -> None:
        """Of a track that nobody wants to hear to its end."""
        self.listeners.pop(number, None)

    def recognise(self, data: bytes, turns: Sequence[Sequence[int]], wanted: Sequence[str]) -> dict[str, Any]:
        """See Worker."""
        started = time.perf_counter()
        said = self.worker.recognise(data, [Turn(start_ms, end_ms) for start_ms, end_ms in turns], wanted)
        return {"said": [asdict(utterance) for utterance in said], "work_s": time.perf_counter() - started}
