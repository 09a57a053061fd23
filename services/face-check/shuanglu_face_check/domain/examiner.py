"""Looks at the samples of one segment and says what is seen."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Generic

from shuanglu_face_check.domain.embedding import Embedding, cosine
from shuanglu_face_check.domain.faces import FoundFace, SeenFace, SeenFrame, largest_first
from shuanglu_face_check.domain.following import FollowedFace, follow
from shuanglu_face_check.domain.geometry import all_finite
from shuanglu_face_check.domain.ports import FaceEmbedder, FaceFinder, MotionMeter, P, Sample
from shuanglu_face_check.domain.reference import reference_face


@dataclass(frozen=True, slots=True)
class Templates:
    """What faces are compared with; None: there is nothing to compare with."""

    id_photo: Embedding | None = None
    reference: Embedding | None = None

    @property
    def empty(self) -> bool:
        """True if no embedding is worth its cost."""
        return self.id_photo is None and self.reference is None


@dataclass(frozen=True, slots=True)
class Examiner(Generic[P]):
    """Finds and compares faces; keeps nothing between segments, so segments may come in any order, to any worker."""

    finder: FaceFinder[P]
    embedder: FaceEmbedder[P]
    meter: MotionMeter[P]

    def examine(self, samples: Iterable[Sample[P]], templates: Templates) -> tuple[SeenFrame, ...]:
        """What is seen in the samples of one segment, which come in time order."""
        seen: list[SeenFrame] = []
        before: Sample[P] | None = None
        followed: tuple[FollowedFace, ...] = ()
        for sample in samples:
            if before is not None and before.picture is sample.picture:
                # One long frame under two points: nothing new to see, and no motion, which is how a freeze shows.
                seen.append(replace(seen[-1], at_ms=sample.at_ms, motion=0.0))
                before = sample
                continue
            frame, followed = self.look(sample, before, followed, templates)
            seen.append(frame)
            before = sample
        return tuple(seen)

    def look(
        self, sample: Sample[P], before: Sample[P] | None, known: tuple[FollowedFace, ...], templates: Templates
    ) -> tuple[SeenFrame, tuple[FollowedFace, ...]]:
        """One frame, and its faces for the next frame to follow."""
        picture = sample.picture
        faces = largest_first(self.finder.find(picture))
        followed = follow(faces, known, sample.at_ms)
        seen = []
        for face, entry in zip(faces, followed, strict=True):
            this = SeenFace(face, picture.look(face.box))
            if entry.compared_at_ms == sample.at_ms and not templates.empty:
                embedding = self.embedder.embed(picture, face)
                this = replace(
                    this,
                    id_photo_similarity=cosine(embedding, templates.id_photo) if templates.id_photo else None,
                    reference_similarity=cosine(embedding, templates.reference) if templates.reference else None,
                )
            seen.append(this)
        brightness, contrast = picture.light()
        motion = self.meter.motion(picture, before.picture) if before is not None else None
        size = (picture.width, picture.height)
        return SeenFrame(sample.at_ms, tuple(seen), brightness, contrast, motion, *size), followed

    def reference(self, picture: P) -> Embedding | None:
        """The embedding of the picture's reference face; None if no face is good enough."""
        face = reference_face(largest_first(self.finder.find(picture)))
        return self.embedding(picture, face) if face else None

    def portrait(self, pictures: Iterable[P]) -> Embedding | None:
        """The embedding of the largest face of an ID photo, given each way up; None if there is no face.

        The way up that the detector is surest of is taken.
        """
        best: tuple[P, FoundFace] | None = None
        for picture in pictures:
            faces = largest_first(self.finder.find(picture))
            if faces and (best is None or faces[0].score > best[1].score):
                best = picture, faces[0]
        return self.embedding(*best) if best else None

    def embedding(self, picture: P, face: FoundFace) -> Embedding | None:
        """An embedding that may be kept as a template; None if a number is not finite."""
        embedding = self.embedder.embed(picture, face)
        return embedding if all_finite(embedding) else None
