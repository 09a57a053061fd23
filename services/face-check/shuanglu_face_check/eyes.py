"""Eyes and TemplateMaker through a child process (`eyes_cell`): a picture that crashes a decoder crashes only that."""

from collections.abc import Sequence

from shuanglu_common.cell.confine import CellLimits
from shuanglu_common.cell.models import LoadedModel, ModelCell
from shuanglu_common.cell.process import CellSpec
from shuanglu_common.cmaf import SegmentUnreadable
from shuanglu_common.model_files import ModelUnusable
from shuanglu_common.model_metrics import MODEL_MEASURES
from shuanglu_face_check.domain.embedding import Embedding
from shuanglu_face_check.domain.examiner import Templates
from shuanglu_face_check.domain.faces import SeenFrame
from shuanglu_face_check.errors import PhotoUnreadable
from shuanglu_face_check.metrics import FAILURES, INFERENCE_SECONDS
from shuanglu_face_check.settings import FaceCheckSettings

MIB = 1 << 20


def eyes_spec(settings: FaceCheckSettings) -> CellSpec:
    """The child as the settings want it. CUDA maps memory without end, so it is not bounded there."""
    bounded = settings.face_check_provider == "cpu"
    return CellSpec(
        name="eyes",
        module="shuanglu_face_check.eyes_cell",
        arguments={
            "models_dir": str(settings.models_dir),
            "face_check_provider": settings.face_check_provider,
            "face_check_threads": settings.face_check_threads,
            "face_check_longest_edge": settings.face_check_longest_edge,
            "face_check_min_score": settings.face_check_min_score,
        },
        limits=CellLimits(memory_bytes=settings.face_check_memory_mib * MIB if bounded else 0),
        timeout_s=settings.face_check_timeout_s,
        errors=(ModelUnusable, SegmentUnreadable, PhotoUnreadable),
        counters=(INFERENCE_SECONDS, *MODEL_MEASURES),
    )


def eyes_cell(settings: FaceCheckSettings) -> ModelCell:
    """The child, not started yet."""
    return ModelCell(eyes_spec(settings), FAILURES, settings.models_retry_s)


class CellEyes:
    """See Eyes and TemplateMaker. One look at a time."""

    def __init__(self, cell: ModelCell) -> None:
        """`cell` is kept by somebody else."""
        self._cell = cell

    @property
    def models(self) -> Sequence[LoadedModel]:
        """See Eyes."""
        return self._cell.models

    @property
    def model(self) -> str:
        """See TemplateMaker."""
        return self._cell.models[-1].version

    async def examine(self, data: bytes, points_ms: Sequence[int], templates: Templates) -> tuple[SeenFrame, ...]:
        """See Eyes."""
        frames: tuple[SeenFrame, ...] = await self._cell.call(
            "examine", data, points_ms, templates.id_photo, templates.reference, returns=tuple[SeenFrame, ...]
        )
        return frames

    async def from_photo(self, data: bytes) -> Embedding | None:
        """See TemplateMaker."""
        embedding: Embedding | None = await self._cell.call("from_photo", data, returns=Embedding | None)
        return embedding

    async def from_segment(self, data: bytes) -> Embedding | None:
        """See TemplateMaker."""
        embedding: Embedding | None = await self._cell.call("from_segment", data, returns=Embedding | None)
        return embedding
