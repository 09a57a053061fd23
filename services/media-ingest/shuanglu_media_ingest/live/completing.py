"""The end of a recording: what every track came to is stored and told, then the recording as a whole."""

import asyncio
from collections.abc import Iterable, Sequence

import structlog

from shuanglu.common.v1.types_pb2 import Inspection, Participant, TrackKind
from shuanglu.media.v1.media_events_pb2 import RecordingCompleted, TrackStored
from shuanglu.media.v1.recorder_service_pb2 import CloseRecordingRequest, NodeMark
from shuanglu.media.v1.recorder_service_pb2 import Mark as MarkProto
from shuanglu.media.v1.track_pb2 import GapCause, Segment, TimelineNode, Track
from shuanglu_common import cmaf
from shuanglu_media_ingest.domain.gaps import Cause
from shuanglu_media_ingest.domain.live import marks
from shuanglu_media_ingest.domain.survey import Medium
from shuanglu_media_ingest.live.journal import read_entries
from shuanglu_media_ingest.live.record import segments_by_track
from shuanglu_media_ingest.live.storing import Keeping
from shuanglu_media_ingest.live.tail import TrackTail
from shuanglu_media_ingest.live.telling import Telling
from shuanglu_media_ingest.messages import gap_messages

INDEX = "track.binpb"
_MEDIA = {TrackKind.TRACK_KIND_AUDIO: Medium.AUDIO, TrackKind.TRACK_KIND_VIDEO: Medium.VIDEO}
_CAUSE = "GAP_CAUSE_"

log = structlog.get_logger()


def index_key(tenant: str, session_id: str, track_id: str) -> str:
    """Where the list of a live track's segments stands: a serialised TrackStored."""
    return cmaf.track_prefix(tenant, session_id, track_id) + INDEX


def call_marks(given: Iterable[MarkProto]) -> list[marks.CallMark]:
    """Marks as the call desk gave them; those whose cause nobody here knows are left out."""
    known = {cause.value for cause in Cause}
    return [
        marks.CallMark(Cause(name), mark.start_at_us, mark.end_at_us, mark.participant_id, _MEDIA.get(mark.kind))
        for mark in given
        if mark.cause in GapCause.values() and (name := GapCause.Name(mark.cause).removeprefix(_CAUSE)) in known
    ]


def timeline_of(nodes: Iterable[NodeMark], origin_us: int, duration_ms: int) -> list[TimelineNode]:
    """Nodes on the session's timeline; what lies outside of it is cut off, or left out if nothing remains."""
    found: list[TimelineNode] = []
    for node in nodes:
        start_ms = min(max(0, (node.start_at_us - origin_us) // 1000), duration_ms)
        end_ms = min((node.end_at_us - origin_us) // 1000, duration_ms)
        if end_ms > start_ms:
            found.append(TimelineNode(node_id=node.node_id, start_ms=start_ms, end_ms=end_ms, take=node.take or 1))
    return found


def tracks_stored(
    tails: Sequence[TrackTail],
    segments: dict[str, list[Segment]],
    people: dict[str, Participant],
    inspection: Inspection,
    close: CloseRecordingRequest,
    origin_us: int,
) -> tuple[list[TrackStored], int]:
    """What is told of each track, and the session's length in milliseconds."""
    recorded = [tail for tail in tails if tail.record.track is not None and segments.get(tail.track_id)]
    duration_ms = max([tail.track.end_ms for tail in recorded] + [(close.ended_at_us - origin_us) // 1000])
    given = call_marks(close.marks)
    events: list[TrackStored] = []
    for tail in recorded:
        own = segments[tail.track_id]
        track = Track()
        track.CopyFrom(tail.record.track or track)
        track.end_ms, track.segment_count = own[-1].end_ms, len(own)
        if tail.participant_id in people:
            track.participants[0].CopyFrom(people[tail.participant_id])
        gaps = tail.track.gaps(marks.of(given, tail.participant_id, tail.medium, origin_us), duration_ms)
        events.append(
            TrackStored(track=track, segments=own, gaps=gap_messages(tail.track_id, gaps), inspection=inspection)
        )
    return events, duration_ms


async def complete(
    keeping: Keeping,
    telling: Telling,
    tails: Sequence[TrackTail],
    people: dict[str, Participant],
    inspection: Inspection,
    close: CloseRecordingRequest,
) -> bool:
    """Stores and tells what every track came to, then of the recording. False if there is nothing to tell."""
    origin_us = keeping.record.origin_us
    if origin_us is None:
        return False
    entries = await asyncio.to_thread(read_entries, keeping.folder.journal)
    events, duration_ms = tracks_stored(tails, segments_by_track(entries), people, inspection, close, origin_us)
    if not events:
        return False
    tenant, session_id = keeping.folder.tenant, keeping.folder.session_id
    photo = await telling.find_photo()
    for event in events:
        data = event.SerializeToString(deterministic=True)
        await keeping.pool.put(index_key(tenant, session_id, event.track.track_id), data, "application/x-protobuf")
    for event in events:
        await telling.tell(event, f"live/{event.track.track_id}")
    whole = RecordingCompleted(
        tracks=[event.track for event in events],
        gaps=[gap for event in events for gap in event.gaps],
        timeline=timeline_of(close.nodes, origin_us, duration_ms),
        duration_ms=duration_ms,
        has_id_photo=photo is not None,
    )
    await telling.tell(whole, "live/completed")
    log.info("live.complete", session_id=session_id, tracks=len(events), duration_ms=duration_ms)
    return True
