"""Eyes in this process: what the child does, without a child."""

import asyncio
from collections.abc import Sequence

from shuanglu_common.cell.models import LoadedModel
from shuanglu_face_check.domain.embedding import Embedding
from shuanglu_face_check.domain.examiner import Templates
from shuanglu_face_check.domain.faces import SeenFrame
from shuanglu_face_check.worker import Worker


class LocalEyes:
    """Eyes and TemplateMaker over a worker."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.models = tuple(LoadedModel(model.name, model.version) for model in worker.models)
        self.model = worker.model

    async def examine(self, data: bytes, points_ms: Sequence[int], templates: Templates) -> tuple[SeenFrame, ...]:
        return await asyncio.to_thread(self.worker.examine, data, points_ms, templates)

    async def from_photo(self, data: bytes) -> Embedding | None:
        return await asyncio.to_thread(self.worker.from_photo, data)

    async def from_segment(self, data: bytes) -> Embedding | None:
        return await asyncio.to_thread(self.worker.from_segment, data)
