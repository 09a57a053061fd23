"""The part of the work that keeps a processor busy: decode, find, compare. Runs in a cell; keeps no state."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shuanglu_common.model_files import ModelFiles, verified
from shuanglu_face_check.av_pictures import read_samples
from shuanglu_face_check.domain.embedding import Embedding
from shuanglu_face_check.domain.examiner import Examiner, Templates
from shuanglu_face_check.domain.faces import SeenFrame
from shuanglu_face_check.photo import read_photo
from shuanglu_face_check.pixels import LumaMotion, PixelPicture
from shuanglu_face_check.sface import SFace
from shuanglu_face_check.yunet import YuNet


class EyeSettings(Protocol):
    """What FaceCheckSettings say of the models; a child has them without the rest."""

    @property
    def models_dir(self) -> Path:
        """See FaceCheckSettings."""
        ...

    @property
    def face_check_provider(self) -> str:
        """See FaceCheckSettings."""
        ...

    @property
    def face_check_threads(self) -> int:
        """See FaceCheckSettings."""
        ...

    @property
    def face_check_longest_edge(self) -> int:
        """See FaceCheckSettings."""
        ...

    @property
    def face_check_min_score(self) -> float:
        """See FaceCheckSettings."""
        ...


@dataclass(frozen=True, slots=True)
class Worker:
    """Eyes and memory of faces."""

    examiner: Examiner[PixelPicture]
    models: tuple[ModelFiles, ...]
    model: str

    def examine(self, data: bytes, points_ms: Sequence[int], templates: Templates) -> tuple[SeenFrame, ...]:
        """What is seen at the points of a segment. Raises SegmentUnreadable."""
        return self.examiner.examine(read_samples(data, points_ms), templates)

    def from_segment(self, data: bytes) -> Embedding | None:
        """The reference face in a segment's first frame; None if there is none. Raises SegmentUnreadable."""
        first = next(read_samples(data, (0,)), None)
        return self.examiner.reference(first.picture) if first else None

    def from_photo(self, data: bytes) -> Embedding | None:
        """The face of an ID photo; None if there is none. Raises PhotoUnreadable.

        Scans of cards often lie on their side, so the photo is looked at each way up.
        """
        photo = read_photo(data)
        return self.examiner.portrait(photo.turned(quarters) for quarters in range(4))


def open_worker(settings: EyeSettings) -> Worker:
    """Verify and load the models. Raises ModelUnusable."""
    faces = verified(settings.models_dir, "yunet")
    likeness = verified(settings.models_dir, "sface")
    provider, threads = settings.face_check_provider, settings.face_check_threads
    finder = YuNet(
        faces.path,
        provider,
        threads,
        longest_edge=settings.face_check_longest_edge,
        min_score=settings.face_check_min_score,
    )
    examiner: Examiner[PixelPicture] = Examiner(finder, SFace(likeness.path, provider, threads), LumaMotion())
    return Worker(examiner, (faces, likeness), likeness.version)
