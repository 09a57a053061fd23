"""Ears in this process: what the child does, without a child."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from shuanglu_asr.domain.heard import Utterance
from shuanglu_asr.domain.listened import Listened
from shuanglu_asr.domain.turns import Turn
from shuanglu_asr.worker import Worker
from shuanglu_common.cell.models import LoadedModel


class LocalEars:
    """Ears over a worker."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.ear_model = LoadedModel(worker.ear_model.name, worker.ear_model.version)
        self.word_model = LoadedModel(worker.word_model.name, worker.word_model.version)

    async def listen(self, segments: Callable[[], AsyncIterator[bytes]]) -> Listened:
        listener = self.worker.listener()
        async for data in segments():
            await asyncio.to_thread(listener.add, data)
        return await asyncio.to_thread(listener.finish)

    async def recognise(self, data: bytes, turns: Sequence[Turn], wanted: Sequence[str]) -> tuple[Utterance, ...]:
        return await asyncio.to_thread(self.worker.recognise, data, turns, wanted)
