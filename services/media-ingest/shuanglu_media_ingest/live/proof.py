"""What is recorded and what of it is safe: for signaling, which shows it to those who are recorded, and as metrics."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass

from shuanglu.media.v1.recorder_service_pb2 import (
    Recording,
    RecordingState,
    TrackGrowth,
    WatchRecordingsResponse,
)
from shuanglu_media_ingest.live import metrics
from shuanglu_media_ingest.live.desk import UNFINISHED, Recorder
from shuanglu_media_ingest.live.record import TrackRecord
from shuanglu_media_ingest.live.session import LiveRecording, Phase
from shuanglu_media_ingest.live.storing import KINDS
from shuanglu_media_ingest.live.tail import TrackTail

EVERY_S = 0.5
STALLED_US = 2_000_000


def recording_message(recording: LiveRecording) -> Recording:
    """What is known of one session."""
    tails, known = recording.tails, recording.record.tracks
    tracks = [
        growth_message(tails[track_id]) if track_id in tails else stored_message(known[track_id])
        for track_id in sorted({*tails, *known})
    ]
    return Recording(
        tenant=recording.folder.tenant,
        session_id=recording.folder.session_id,
        state=RecordingState.Value(f"RECORDING_STATE_{recording.phase}"),
        started_at_us=recording.record.origin_us or 0,
        tracks=[track for track in tracks if track.track_id],
    )


def stored_message(record: TrackRecord) -> TrackGrowth:
    """Of a track that is not read any more: complete before a restart. Empty if nothing of it was stored."""
    track = record.track
    if track is None:
        return TrackGrowth()
    return TrackGrowth(
        track_id=track.track_id,
        participant_id=track.participants[0].participant_id,
        kind=track.kind,
        seen_ms=record.stored_ms,
        stored_ms=record.stored_ms,
        stored_duration_ms=record.stored_duration_ms,
        stored_segments=record.stored,
    )


def growth_message(tail: TrackTail) -> TrackGrowth:
    """How far one track is."""
    return TrackGrowth(
        track_id=tail.track_id,
        participant_id=tail.participant_id,
        kind=KINDS[tail.medium],
        connection=tail.connection,
        seen_ms=tail.seen_ms,
        stored_ms=tail.record.stored_ms,
        stored_duration_ms=tail.record.stored_duration_ms,
        grown_at_us=tail.grown_at_us,
        lost_permille=tail.track.lost_permille,
        stored_segments=tail.record.stored,
    )


@dataclass(frozen=True, slots=True)
class Pulse:
    """How the recorder as a whole is."""

    now_us: int
    free_bytes: int
    unconfirmed_bytes: int
    oldest_s: float  # that a finished segment waits for the store
    alarm: bool
    open_recordings: int
    stalled_tracks: int
    untold: int
    draining: bool
    zone: str

    def message(self, changed: list[Recording]) -> WatchRecordingsResponse:
        """With the sessions that changed."""
        return WatchRecordingsResponse(
            recordings=changed,
            now_us=self.now_us,
            free_bytes=self.free_bytes,
            unconfirmed_bytes=self.unconfirmed_bytes,
            alarm=self.alarm,
            open_recordings=self.open_recordings,
            draining=self.draining,
            zone=self.zone,
        )


class Proof:
    """Takes the recorder's pulse."""

    def __init__(self, recorder: Recorder, alarm_unconfirmed_s: float, zone: str = "") -> None:
        """`alarm_unconfirmed_s`: how long a segment may wait for the store. `zone`: where this node stands."""
        self._recorder, self._alarm_unconfirmed_s, self._zone = recorder, alarm_unconfirmed_s, zone

    def pulse(self) -> Pulse:
        """Now."""
        recorder, now = self._recorder, time.monotonic()
        free_bytes = recorder.spool.free_bytes()
        now_us = recorder.means.clock.now_us()
        unfinished = [each for each in recorder.recordings.values() if each.phase in UNFINISHED]
        tails = [tail for each in unfinished for tail in each.tails.values()]
        growing = [tail for each in unfinished if each.phase is Phase.OPEN for tail in each.tails.values()]
        oldest_s = max((now - tail.in_hand[0].ready_at for tail in tails if tail.in_hand), default=0.0)
        return Pulse(
            now_us=now_us,
            free_bytes=free_bytes,
            unconfirmed_bytes=sum(tail.unconfirmed_bytes for tail in tails),
            oldest_s=oldest_s,
            alarm=free_bytes < recorder.manners.alarm_free_bytes or oldest_s > self._alarm_unconfirmed_s,
            open_recordings=sum(each.phase is Phase.OPEN for each in unfinished),
            stalled_tracks=sum(now_us - tail.grown_at_us > STALLED_US for tail in growing),
            untold=sum(len(each.record.untold) for each in unfinished),
            draining=recorder.draining,
            zone=self._zone,
        )

    async def measure(self, stopping: asyncio.Event) -> None:
        """Keeps the metrics up to date."""
        while not stopping.is_set():
            pulse = self.pulse()
            metrics.OPEN_RECORDINGS.set(pulse.open_recordings)
            metrics.FREE_BYTES.set(pulse.free_bytes)
            metrics.UNCONFIRMED_BYTES.set(pulse.unconfirmed_bytes)
            metrics.OLDEST_SECONDS.set(pulse.oldest_s)
            metrics.STALLED.set(pulse.stalled_tracks)
            metrics.ALARM.set(pulse.alarm)
            metrics.UNTOLD.set(pulse.untold)
            metrics.DRAINING.set(pulse.draining)
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), EVERY_S)
