"""The part of the work that keeps a processor busy: decode, find, compare. Called in threads; keeps no state."""

from collections.abc import Sequence
from dataclasses import dataclass

from shuanglu_common.model_files import ModelFiles, verified
from shuanglu_face_check.av_pictures import read_samples
from shuanglu_face_check.domain.embedding import Embedding
from shuanglu_face_check.domain.examiner import Examiner, Templates
from shuanglu_face_check.domain.faces import SeenFrame
from shuanglu_face_check.photo import read_photo
from shuanglu_face_check.pixels import LumaMotion, PixelPicture
from shuanglu_face_check.settings import FaceCheckSettings
from shuanglu_face_check.sface import SFace
from shuanglu_face_check.yunet import YuNet


@dataclass(frozen=True, slots=True)
class Worker:
    """Eyes and memory of faces. Is a TemplateMaker."""

    examiner: Examiner[PixelPicture]
    models: tuple[ModelFiles, ...]
    model: str

    def examine(self, data: bytes, points_ms: Sequence[int], templates: Templates) -> tuple[SeenFrame, ...]:
        """What is seen at the points of a segment. Raises SegmentUnreadable."""
        return self.examiner.examine(read_samples(data, points_ms), templates)

    def from_segment(self, data: bytes) -> Embedding | None:
        """See TemplateMaker."""
        first = next(read_samples(data, (0,)), None)
        return self.examiner.reference(first.picture) if first else None

    def from_photo(self, data: bytes) -> Embedding | None:
        """See TemplateMaker. Scans of cards often lie on their side, so the photo is looked at each way up."""
        photo = read_photo(data)
        return self.examiner.portrait(photo.turned(quarters) for quarters in range(4))


def open_worker(settings: FaceCheckSettings) -> Worker:
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
