"""Bus in, bus out: TrackStored becomes SpeechFound and its windows, WindowFound becomes SpeechTranscribed."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import structlog
from google.protobuf.message import DecodeError

from shuanglu.common.v1.types_pb2 import TRACK_KIND_AUDIO, Interval
from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu.observation.v1.observations_pb2 import (
    SpeechFound,
    SpeechTranscribed,
    Transcript,
    WindowFound,
    WindowPlan,
)
from shuanglu_asr.domain.listened import Listened
from shuanglu_asr.domain.turns import Turn
from shuanglu_asr.domain.windows import needed, next_of, told_at_once, windows
from shuanglu_asr.ears import Ears
from shuanglu_asr.errors import RecognitionFailed, SoundUnreadable
from shuanglu_asr.messages import (
    loudness_messages,
    model_message,
    only_role,
    spans_of,
    turn_messages,
    turns_of,
    unheard_messages,
    utterance_message,
    whole,
)
from shuanglu_asr.metrics import FAILURES, TURNS, UTTERANCES, WINDOWS
from shuanglu_common.bus.events import Event, NewEvent
from shuanglu_common.cell.models import InferenceFailed
from shuanglu_common.cmaf import fetch
from shuanglu_common.errors import DamagedData
from shuanglu_common.store import ObjectMissing, ObjectStore, SealedStore

log = structlog.get_logger()


class Asr:
    """The handlers."""

    def __init__(
        self, store: ObjectStore, sealed: SealedStore, ears: Ears, publish: Callable[[NewEvent], Awaitable[None]]
    ) -> None:
        """Keeps what it works with; `publish` returns when the bus has the event."""
        self.store = store
        self.sealed = sealed
        self.ears = ears
        self.publish = publish

    async def track_stored(self, event: Event[TrackStored]) -> Sequence[NewEvent]:
        """Listen to an audio track; other tracks are not for us.

        A track that cannot be read or listened to is reported as such and has no windows. Raises StoreUnavailable,
        ModelsAway.
        """
        stored = event.payload
        track = stored.track
        if track.kind != TRACK_KIND_AUDIO:
            return ()
        found = SpeechFound(
            track_id=track.track_id,
            participants=track.participants,
            interval=Interval(start_ms=track.start_ms, end_ms=track.end_ms),
            models=[model_message(self.ears.ear_model)],
        )
        groups: tuple[tuple[Turn, ...], ...] = ()
        try:
            listened = await self.listen(stored)
        except (DamagedData, ObjectMissing, InferenceFailed) as error:
            log.warning("track.unreadable", track_id=track.track_id, reason=error.reason)
            FAILURES.labels(error.reason).inc()
            found.failure_reason = error.reason
        else:
            TURNS.inc(len(listened.turns))
            groups = windows(listened.turns)
            found.turns.extend(turn_messages(listened.turns))
            found.loudness.extend(loudness_messages(listened.loudness))
            found.window_count = len(groups)
            found.unheard.extend(unheard_messages(stored.segments, listened))
            if found.unheard:
                log.warning("track.partly_unreadable", track_id=track.track_id, stretches=len(found.unheard))
                FAILURES.labels(SoundUnreadable.reason).inc()
        plan = WindowPlan(windows=[self.window(stored, index, turns) for index, turns in enumerate(groups)])
        jobs = [plan.windows[index] for index in told_at_once(len(groups))]
        if len(jobs) < len(groups):
            data = plan.SerializeToString(deterministic=True)
            ref = await self.sealed.put(event.tenant, event.session_id, f"windows/{track.track_id}", data)
            for job in jobs:
                job.plan.CopyFrom(ref)
        return (
            NewEvent(event.tenant, event.session_id, found, track.track_id),
            *(window_event(event, job) for job in jobs),
        )

    async def listen(self, stored: TrackStored) -> Listened:
        """The whole track. Raises DamagedData, InferenceFailed, ModelsAway, and what the store raises."""

        async def segments() -> AsyncIterator[bytes]:
            init = await self.store.get(stored.track.init)
            for segment in stored.segments:
                yield init + await self.store.get(segment.object)

        return await self.ears.listen(segments)

    @staticmethod
    def window(stored: TrackStored, index: int, turns: Sequence[Turn]) -> WindowFound:
        """The job for one window."""
        wanted = set(needed(spans_of(stored.segments), turns))
        return WindowFound(
            track=stored.track,
            window_index=index,
            turns=turn_messages(turns),
            segments=[segment for segment in stored.segments if segment.index in wanted],
            inspection=stored.inspection,
        )

    async def window_found(self, event: Event[WindowFound]) -> Sequence[NewEvent]:
        """Recognise a window; the words are sealed.

        A window that cannot be recognised is reported as such. Raises StoreUnavailable, ModelsAway.
        """
        window = event.payload
        track_id, index = window.track.track_id, window.window_index
        if window.HasField("plan"):
            await self.tell_next(event)
        transcribed = SpeechTranscribed(
            track_id=track_id,
            window_index=index,
            interval=whole(turns_of(window.turns)),
            models=[model_message(self.ears.word_model)],
        )
        key = f"{track_id}/{index}"
        try:
            transcript = await self.transcribe(window)
        except (DamagedData, ObjectMissing, RecognitionFailed, InferenceFailed) as error:
            log.warning("window.failed", track_id=track_id, index=index, reason=error.reason)
            FAILURES.labels(error.reason).inc()
            WINDOWS.labels("failed").inc()
            transcribed.failure_reason = error.reason
        else:
            data = transcript.SerializeToString(deterministic=True)
            ref = await self.sealed.put(event.tenant, event.session_id, f"transcripts/{key}", data)
            WINDOWS.labels("recognised").inc()
            transcribed.transcript.CopyFrom(ref)
        return (NewEvent(event.tenant, event.session_id, transcribed, key),)

    async def tell_next(self, event: Event[WindowFound]) -> None:
        """Before the work, so that a window that brings its worker down does not end its row.

        A repeat tells again only what was not recognised meanwhile. Raises StoreUnavailable, BusUnavailable.
        """
        window, tenant, session_id = event.payload, event.tenant, event.session_id
        try:
            plan = WindowPlan.FromString(await self.sealed.get(tenant, session_id, window.plan))
        except (DamagedData, ObjectMissing, DecodeError) as error:
            # The windows that are never told are missing in the end: the session is unsure, which it should be.
            log.error("plan.unreadable", track_id=window.track.track_id, error=error)
            FAILURES.labels("PLAN_UNREADABLE").inc()
            return
        following = next_of(window.window_index, len(plan.windows))
        if following is None:
            return
        key = SealedStore.key(tenant, session_id, f"transcripts/{window.track.track_id}/{following}")
        if await self.store.head(key) is None:
            job = plan.windows[following]
            job.plan.CopyFrom(window.plan)
            await self.publish(window_event(event, job))

    async def transcribe(self, window: WindowFound) -> Transcript:
        """The words. Raises DamagedData, RecognitionFailed, InferenceFailed, ModelsAway, and what the store raises."""
        data = await fetch(self.store, window.track, window.segments)
        turns, languages = turns_of(window.turns), tuple(window.inspection.languages)
        said = await self.ears.recognise(data, turns, languages)
        role = only_role(window.track.participants)
        for utterance in said:
            UTTERANCES.labels("text" if utterance.text else "unintelligible").inc()
        return Transcript(
            track_id=window.track.track_id,
            window_index=window.window_index,
            utterances=[utterance_message(utterance, role) for utterance in said],
        )


def window_event(event: Event[TrackStored] | Event[WindowFound], job: WindowFound) -> NewEvent:
    """Tells of a window, in the lane of the event that it follows; the same window has the same id, whoever tells."""
    return NewEvent(event.tenant, event.session_id, job, f"{job.track.track_id}/{job.window_index}", event.lane)
