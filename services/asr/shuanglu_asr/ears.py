"""Ears through a child process (`ears_cell`): a sound that crashes a decoder or hangs a model ends only that."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from shuanglu_asr.domain.heard import Utterance
from shuanglu_asr.domain.listened import Listened
from shuanglu_asr.domain.turns import Turn
from shuanglu_asr.errors import RecognitionFailed, SoundUnreadable
from shuanglu_asr.metrics import DOUBTS, FAILURES, tell_step
from shuanglu_asr.settings import AsrSettings
from shuanglu_common.cell.confine import CellLimits
from shuanglu_common.cell.errors import CellFailed
from shuanglu_common.cell.models import LoadedModel, ModelCell
from shuanglu_common.cell.process import CellSpec
from shuanglu_common.cmaf import SegmentUnreadable
from shuanglu_common.errors import ShuangluError
from shuanglu_common.model_files import ModelUnusable
from shuanglu_common.model_metrics import MODEL_MEASURES

MIB = 1 << 20
# Segments of a track that are listened to in one step. Between two steps a window of another track has its turn, so
# few would have a track wait for as many windows, and many would have a window wait for the track.
STEP_SEGMENTS = 16
STEP_BYTES = 4 * MIB
EAR_SETTINGS = (
    "asr_device",
    "asr_compute_type",
    "asr_cpu_threads",
    "asr_start_probability",
    "asr_end_probability",
    "asr_min_speech_ms",
    "asr_min_silence_ms",
)


class Ears(Protocol):
    """Listens and recognises. All methods raise ModelsAway and InferenceFailed beside what they say."""

    @property
    def ear_model(self) -> LoadedModel:
        """What finds speech."""
        ...

    @property
    def word_model(self) -> LoadedModel:
        """What finds words."""
        ...

    async def listen(self, segments: Callable[[], AsyncIterator[bytes]]) -> Listened:
        """A whole track. `segments` gives its segments in order, each with its init; it may be called again.

        Raises SoundUnreadable, SegmentUnreadable, and what `segments` raises.
        """
        ...

    async def recognise(self, data: bytes, turns: Sequence[Turn], wanted: Sequence[str]) -> tuple[Utterance, ...]:
        """What the turns say, one utterance each; `data` is the init and the segments that hold them.

        Raises SoundUnreadable, SegmentUnreadable, RecognitionFailed.
        """
        ...


def ears_spec(settings: AsrSettings) -> CellSpec:
    """The child as the settings want it. CUDA maps memory without end, so it is not bounded there."""
    bounded = settings.asr_device == "cpu"
    return CellSpec(
        name="ears",
        module="shuanglu_asr.ears_cell",
        arguments={"models_dir": str(settings.models_dir), **settings.model_dump(include=set(EAR_SETTINGS))},
        limits=CellLimits(memory_bytes=settings.asr_memory_mib * MIB if bounded else 0),
        timeout_s=settings.asr_timeout_s,
        errors=(ModelUnusable, SegmentUnreadable, SoundUnreadable, RecognitionFailed),
        counters=(DOUBTS, *MODEL_MEASURES),
    )


def ears_cell(settings: AsrSettings) -> ModelCell:
    """The child, not started yet."""
    return ModelCell(ears_spec(settings), FAILURES, settings.models_retry_s)


@dataclass(frozen=True, slots=True)
class Ended:
    """Answer of `end`."""

    listened: Listened
    work_s: float


@dataclass(frozen=True, slots=True)
class Recognised:
    """Answer of `recognise`."""

    said: tuple[Utterance, ...]
    work_s: float


class CellEars:
    """See Ears. One step at a time."""

    def __init__(self, cell: ModelCell) -> None:
        """`cell` is kept by somebody else."""
        self._cell = cell

    @property
    def ear_model(self) -> LoadedModel:
        """See Ears."""
        return self._cell.models[0]

    @property
    def word_model(self) -> LoadedModel:
        """See Ears."""
        return self._cell.models[1]

    async def listen(self, segments: Callable[[], AsyncIterator[bytes]]) -> Listened:
        """See Ears. If the child ends meanwhile the track is heard again from its start."""
        ended, work_s = await self._cell.work(lambda epoch: self._listen(segments, epoch))
        tell_step("listen", ended.seconds, work_s)
        return ended

    async def recognise(self, data: bytes, turns: Sequence[Turn], wanted: Sequence[str]) -> tuple[Utterance, ...]:
        """See Ears."""
        plain = [(turn.start_ms, turn.end_ms) for turn in turns]
        found: Recognised = await self._cell.call("recognise", data, plain, list(wanted), returns=Recognised)
        tell_step("recognise", sum(turn.duration_ms for turn in turns) / 1000, found.work_s)
        return found.said

    async def _listen(self, segments: Callable[[], AsyncIterator[bytes]], epoch: int) -> tuple[Listened, float]:
        async def step(function: str, *parameters: Any, returns: Any) -> Any:
            return await self._cell.cell.call(function, *parameters, returns=returns, epoch=epoch)

        number = await step("begin", returns=int)
        work_s = 0.0
        try:
            async for batch in batches(segments()):
                work_s += await step("hear", number, batch, returns=float)
            ended: Ended = await step("end", number, returns=Ended)
        except CellFailed:
            raise
        except ShuangluError:
            await step("forget", number, returns=None)
            raise
        return ended.listened, work_s + ended.work_s


async def batches(segments: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """Segments, a step's worth at a time."""
    batch: list[bytes] = []
    async for data in segments:
        batch.append(data)
        if len(batch) == STEP_SEGMENTS or sum(map(len, batch)) >= STEP_BYTES:
            yield batch
            batch = []
    if batch:
        yield batch
