"""Stored tracks and their events for tests of the handlers, over a store in memory."""

from asr_media import Cmaf
from local_ears import LocalEars

from shuanglu.common.v1.types_pb2 import (
    PARTICIPANT_ROLE_AGENT,
    PARTICIPANT_ROLE_CUSTOMER,
    TRACK_KIND_AUDIO,
    Inspection,
    Participant,
)
from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu.media.v1.track_pb2 import Segment, Track
from shuanglu.observation.v1.observations_pb2 import (
    SpeechFound,
    SpeechTranscribed,
    Transcript,
    Utterance,
    WindowFound,
)
from shuanglu_asr.ears import Ears
from shuanglu_asr.handlers import Asr
from shuanglu_asr.worker import Worker
from shuanglu_common.bus.events import Event, NewEvent
from shuanglu_common.clock import SystemClock
from shuanglu_common.cmaf import segment_key, track_prefix
from shuanglu_common.sealing import Sealer
from shuanglu_common.store import MemoryStore, SealedStore

TENANT, SESSION = "bank", "s1"
ROLES = {"customer": PARTICIPANT_ROLE_CUSTOMER, "agent": PARTICIPANT_ROLE_AGENT}


class Bench:
    """Stored tracks, and the events that tell of them."""

    def __init__(self, worker: Worker) -> None:
        self.store = MemoryStore()
        self.sealed = SealedStore(self.store, Sealer(b"k" * 32), SystemClock())
        self.ears: Ears = LocalEars(worker)
        self.published: list[NewEvent] = []

    def handler(self) -> Asr:
        return Asr(self.store, self.sealed, self.ears, self.publish)

    async def publish(self, event: NewEvent) -> None:
        self.published.append(event)

    async def event(
        self, media: Cmaf, *people: str, kind: int = TRACK_KIND_AUDIO, until_ms: int = 10**9
    ) -> Event[TrackStored]:
        track_id = f"{people[0]}-audio"
        segments = [
            Segment(
                track_id=track_id,
                index=one.index,
                object=await self.store.put(segment_key(TENANT, SESSION, track_id, one.index), one.data),
                start_ms=one.start_ms,
                end_ms=one.end_ms,
            )
            for one in media.segments
            if one.start_ms < until_ms
        ]
        track = Track(
            track_id=track_id,
            kind=kind,
            participants=[Participant(participant_id=who, role=ROLES[who]) for who in people],
            init=await self.store.put(track_prefix(TENANT, SESSION, track_id) + "init.mp4", media.init),
            start_ms=segments[0].start_ms,
            end_ms=segments[-1].end_ms,
            segment_count=len(segments),
        )
        stored = TrackStored(track=track, segments=segments, inspection=Inspection(languages=["zh"]))
        return Event("e", TENANT, SESSION, 1, "media-ingest", stored)

    async def utterances(self, transcribed: SpeechTranscribed) -> list[Utterance]:
        data = await self.sealed.get(TENANT, SESSION, transcribed.transcript)
        return list(Transcript.FromString(data).utterances)


async def listen(handler: Asr, event: Event[TrackStored]) -> tuple[SpeechFound, list[Event[WindowFound]]]:
    found, *windows = await handler.track_stored(event)
    track_id = event.payload.track.track_id
    assert isinstance(found.payload, SpeechFound)
    assert [one.key for one in (found, *windows)] == [track_id, *(f"{track_id}/{at}" for at in range(len(windows)))]
    assert found.payload.window_count == len(windows)
    return found.payload, [Event("w", TENANT, SESSION, 1, "asr", one.payload) for one in windows]
