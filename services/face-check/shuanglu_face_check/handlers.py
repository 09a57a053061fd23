"""Bus in, bus out: SegmentStored becomes FacesObserved."""

import time
from collections.abc import Iterable, Sequence
from typing import Protocol

import structlog

from shuanglu.common.v1.types_pb2 import PARTICIPANT_ROLE_CUSTOMER, TRACK_KIND_VIDEO, Interval, ModelRef
from shuanglu.media.v1.media_events_pb2 import SegmentStored
from shuanglu.media.v1.track_pb2 import Track
from shuanglu.observation.v1.observations_pb2 import Box, Face, FacesObserved, Frame, Point
from shuanglu_common.bus.events import Event, NewEvent
from shuanglu_common.cell.models import InferenceFailed, LoadedModel
from shuanglu_common.errors import DamagedData
from shuanglu_common.store import ObjectMissing
from shuanglu_face_check.domain.examiner import Templates
from shuanglu_face_check.domain.faces import SeenFace, SeenFrame
from shuanglu_face_check.domain.grid import grid_points
from shuanglu_face_check.metrics import (
    COMPARISONS,
    EXAMINE_SECONDS,
    FACES,
    FAILURES,
    FRAMES,
    REAL_TIME_FACTOR,
    SEGMENTS,
)
from shuanglu_face_check.segments import SegmentReader
from shuanglu_face_check.templates import TemplateKeeper

log = structlog.get_logger()


class Eyes(Protocol):
    """Looks at segments."""

    @property
    def models(self) -> Sequence[LoadedModel]:
        """What looks."""
        ...

    async def examine(self, data: bytes, points_ms: Sequence[int], templates: Templates) -> tuple[SeenFrame, ...]:
        """What is seen at the points of a segment. Raises SegmentUnreadable, ModelsAway, InferenceFailed."""
        ...


class FaceCheck:
    """The handlers."""

    def __init__(self, segments: SegmentReader, templates: TemplateKeeper, eyes: Eyes) -> None:
        """Keeps what it works with."""
        self.segments = segments
        self.templates = templates
        self.eyes = eyes

    async def segment_stored(self, event: Event[SegmentStored]) -> Sequence[NewEvent]:
        """Look at a video segment; other tracks are not for us.

        A segment that cannot be read or looked at is reported as such, so that its stretch becomes UNSURE. Raises what
        a retry may cure: StoreUnavailable, EarlierSegmentMissing, ModelsAway.
        """
        stored = event.payload
        if stored.track.kind != TRACK_KIND_VIDEO:
            return ()
        observed = FacesObserved(
            track_id=stored.track.track_id,
            segment_index=stored.segment.index,
            participants=stored.track.participants,
            interval=Interval(start_ms=stored.segment.start_ms, end_ms=stored.segment.end_ms),
            models=[ModelRef(name=model.name, version=model.version) for model in self.eyes.models],
            frame_width=stored.track.width,
            frame_height=stored.track.height,
        )
        try:
            frames = await self.look(event)
        except (DamagedData, ObjectMissing, InferenceFailed) as error:
            log.warning(
                "segment.unreadable", track_id=observed.track_id, index=observed.segment_index, reason=error.reason
            )
            FAILURES.labels(error.reason).inc()
            observed.failure_reason = error.reason
        else:
            tell(observed, frames)
            count(frames)
        key = f"{observed.track_id}/{observed.segment_index}"
        return (NewEvent(event.tenant, event.session_id, observed, key),)

    async def look(self, event: Event[SegmentStored]) -> tuple[SeenFrame, ...]:
        """What is seen in it. Raises DamagedData, ObjectMissing, InferenceFailed, and what a retry may cure."""
        stored = event.payload
        segment = stored.segment
        data = await self.segments.fetch(stored.track, segment)
        points = grid_points(segment.start_ms, segment.end_ms, stored.inspection.face_frames_per_kilosecond)
        if not points:
            return ()
        templates = await self.templates_for(event)
        started = time.perf_counter()
        frames = await self.eyes.examine(data, points, templates)
        took_s = time.perf_counter() - started
        EXAMINE_SECONDS.observe(took_s)
        REAL_TIME_FACTOR.observe(took_s * 1000 / max(segment.end_ms - segment.start_ms, 1))
        return frames

    async def templates_for(self, event: Event[SegmentStored]) -> Templates:
        """What the faces of this track are compared with.

        The ID photo where the customer may be seen, the track's own reference where it belongs to one person.
        """
        stored, tenant, session_id = event.payload, event.tenant, event.session_id
        id_photo = reference = None
        if stored.HasField("id_photo") and may_show_customer(stored.track):
            id_photo = await self.templates.id_photo(tenant, session_id, stored.id_photo)
        if len(stored.track.participants) == 1:
            reference = await self.templates.reference(tenant, session_id, stored.track, stored.segment.index)
        return Templates(id_photo, reference)


def may_show_customer(track: Track) -> bool:
    """The ID photo is the customer's: nobody else's face needs to be compared with it."""
    roles = {participant.role for participant in track.participants}
    return not roles or PARTICIPANT_ROLE_CUSTOMER in roles


def count(frames: Iterable[SeenFrame]) -> None:
    """Tell the metrics."""
    SEGMENTS.inc()
    for frame in frames:
        FRAMES.inc()
        FACES.inc(len(frame.faces))
        for face in frame.faces:
            COMPARISONS.labels("id_photo").inc(face.id_photo_similarity is not None)
            COMPARISONS.labels("reference").inc(face.reference_similarity is not None)


def tell(observed: FacesObserved, frames: Sequence[SeenFrame]) -> None:
    """Add the frames. The picture itself says how large it is: in a call that changes, also within a segment."""
    if frames:
        observed.frame_width, observed.frame_height = frames[0].width, frames[0].height
    for frame in frames:
        message = frame_message(frame)
        if (frame.width, frame.height) != (observed.frame_width, observed.frame_height):
            message.width, message.height = frame.width, frame.height
        observed.frames.append(message)


def frame_message(frame: SeenFrame) -> Frame:
    """A frame for the bus."""
    return Frame(
        at_ms=frame.at_ms,
        faces=[face_message(face) for face in frame.faces],
        brightness=frame.brightness,
        contrast=frame.contrast,
        motion=frame.motion,
    )


def face_message(face: SeenFace) -> Face:
    """A face for the bus."""
    box = face.found.box
    return Face(
        box=Box(x=box.x, y=box.y, width=box.width, height=box.height),
        landmarks=[Point(x=point.x, y=point.y) for point in face.found.landmarks],
        score=face.found.score,
        sharpness=face.look.sharpness,
        brightness=face.look.brightness,
        id_photo_similarity=face.id_photo_similarity,
        reference_similarity=face.reference_similarity,
    )
