"""Stored tracks and their events for tests of the handler, over a store in memory."""

from face_check_media import PORTRAITS, SAMPLE, Cmaf
from local_eyes import LocalEyes

from shuanglu.common.v1.types_pb2 import (
    PARTICIPANT_ROLE_AGENT,
    PARTICIPANT_ROLE_CUSTOMER,
    TRACK_KIND_VIDEO,
    Inspection,
    ObjectRef,
    Participant,
)
from shuanglu.media.v1.media_events_pb2 import SegmentStored
from shuanglu.media.v1.track_pb2 import Segment, Track
from shuanglu_common.bus.events import Event
from shuanglu_common.clock import SystemClock
from shuanglu_common.cmaf import segment_key, track_prefix
from shuanglu_common.sealing import Sealer
from shuanglu_common.store import MemoryStore, SealedStore
from shuanglu_face_check.handlers import FaceCheck
from shuanglu_face_check.segments import SegmentReader
from shuanglu_face_check.templates import TemplateKeeper
from shuanglu_face_check.worker import Worker

TENANT, SESSION = "bank", "s1"
ROLES = {"customer": PARTICIPANT_ROLE_CUSTOMER, "agent": PARTICIPANT_ROLE_AGENT}


class Bench:
    """Stored tracks, and the events that tell of them."""

    def __init__(self, worker: Worker) -> None:
        self.eyes = LocalEyes(worker)
        self.store = MemoryStore()
        self.sealed = SealedStore(self.store, Sealer(b"k" * 32), SystemClock())

    def handler(self) -> FaceCheck:
        """A worker of its own: nothing in memory."""
        segments = SegmentReader(self.store)
        return FaceCheck(segments, TemplateKeeper(self.sealed, segments, self.eyes, SystemClock(), 3600), self.eyes)

    async def photo(self, name: str) -> ObjectRef:
        folder = SAMPLE if name == "id_photo.jpg" else PORTRAITS
        return await self.sealed.put(TENANT, SESSION, "id-photo", (folder / name).read_bytes())

    async def track(self, media: Cmaf, *people: str, kind: int = TRACK_KIND_VIDEO) -> Track:
        track_id = f"{people[0]}-video"
        init = await self.store.put(track_prefix(TENANT, SESSION, track_id) + "init.mp4", media.init)
        participants = [Participant(participant_id=who, role=ROLES[who]) for who in people]
        return Track(track_id=track_id, kind=kind, participants=participants, init=init, width=640, height=480)

    async def events(
        self, media: Cmaf, *people: str, count: int = 4, photo: ObjectRef | None = None, rate: int = 2000
    ) -> list[Event[SegmentStored]]:
        track = await self.track(media, *people)
        return [await self.event(track, media, index, photo, rate) for index in range(1, count + 1)]

    async def event(
        self, track: Track, media: Cmaf, index: int, photo: ObjectRef | None, rate: int = 2000
    ) -> Event[SegmentStored]:
        cut = media.segments[index - 1]
        ref = await self.store.put(segment_key(TENANT, SESSION, track.track_id, index), cut.data)
        segment = Segment(track_id=track.track_id, index=index, object=ref, start_ms=cut.start_ms, end_ms=cut.end_ms)
        inspection = Inspection(face_frames_per_kilosecond=rate, languages=["zh"])
        stored = SegmentStored(track=track, segment=segment, inspection=inspection, id_photo=photo)
        return Event(f"e{index}", TENANT, SESSION, 1, "media-ingest", stored)
