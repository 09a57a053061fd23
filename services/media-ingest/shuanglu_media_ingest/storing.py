"""A file's segments into the store, each told to the bus as soon as the store has confirmed it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field

from shuanglu.common.v1.types_pb2 import Inspection, ObjectRef
from shuanglu.media.v1.media_events_pb2 import SegmentStored
from shuanglu.media.v1.track_pb2 import Gap, Segment, Track
from shuanglu_common import cmaf
from shuanglu_common.bus.events import NewEvent
from shuanglu_common.store import ObjectStore
from shuanglu_media_ingest import metrics
from shuanglu_media_ingest.domain.imports import Import, SourceFile
from shuanglu_media_ingest.messages import gap_messages, segment_message, track_message
from shuanglu_media_ingest.segmenter import Piece, Segmenter

# A batch is cut while the one before it is stored. Small, so that memory stays flat and a stop does not wait long.
BATCH_PIECES = 4
BATCH_BYTES = 4 << 20
BATCH_S = 0.5
VIDEO_TYPE, AUDIO_TYPE = "video/mp4", "audio/mp4"


@dataclass(frozen=True, slots=True)
class Context:
    """What all files of an import share."""

    record: Import
    inspection: Inspection
    photo: ObjectRef | None
    store: ObjectStore
    publish: Callable[[NewEvent], Awaitable[None]]
    progress: Callable[[int], None]


@dataclass(slots=True)
class FileTracks:
    """What became of one file."""

    tracks: list[Track] = field(default_factory=list)
    segments: dict[str, list[Segment]] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)


async def store_file(context: Context, file: SourceFile, segmenter: Segmenter, original: ObjectRef) -> FileTracks:
    """Stores all segments of a file. Raises RecordingRefused, StoreUnavailable, BusUnavailable."""
    growing: dict[str, Track] = {}
    result = FileTracks()
    pieces = segmenter.pieces()
    pulling = asyncio.create_task(asyncio.to_thread(_pull, pieces))
    try:
        while batch := await pulling:
            # Large segments are not cut ahead.
            ahead = sum(len(piece.data) for piece in batch) < BATCH_BYTES
            if ahead:
                pulling = asyncio.create_task(asyncio.to_thread(_pull, pieces))
            for piece in batch:
                if piece.track.track_id not in growing:
                    growing[piece.track.track_id] = await _begin(context, file, piece, original)
            stored = await asyncio.gather(*(_store(context, growing[each.track.track_id], each) for each in batch))
            for segment in stored:
                result.segments.setdefault(segment.track_id, []).append(segment)
            if not ahead:
                batch.clear()
                del piece
                pulling = asyncio.create_task(asyncio.to_thread(_pull, pieces))
    finally:
        # The generator must not be closed under a thread that runs it.
        await asyncio.gather(pulling, return_exceptions=True)
        pieces.close()
    for track in segmenter.tracks:
        if track.track_id not in growing:
            continue
        whole = growing[track.track_id]
        whole.end_ms, whole.segment_count = track.end_ms, track.cuts
        result.tracks.append(whole)
        result.gaps += gap_messages(track.track_id, track.gaps(segmenter.whole))
        metrics.RECORDED_SECONDS.labels(track.stream.medium).inc((track.end_ms - track.start_ms) / 1000)
        if track.source.derived:
            metrics.DERIVED_TRACKS.labels(track.stream.medium).inc()
    return result


async def _begin(context: Context, file: SourceFile, piece: Piece, original: ObjectRef) -> Track:
    """Stores a track's init segment; returns the track as it is told with each segment."""
    record = context.record
    key = cmaf.init_key(record.tenant, record.session_id, piece.track.track_id)
    init = await context.store.put(key, piece.track.init, _content_type(piece))
    return track_message(piece.track, file.people, init, original)


async def _store(context: Context, track: Track, piece: Piece) -> Segment:
    record = context.record
    key = cmaf.segment_key(record.tenant, record.session_id, track.track_id, piece.index)
    ref = await context.store.put(key, piece.data, _content_type(piece))
    segment = segment_message(piece, ref)
    event = SegmentStored(track=track, segment=segment, inspection=context.inspection, id_photo=context.photo)
    # The import's id is in the key: after a failed import the session's next one must be told, not taken for a repeat.
    key = f"{record.import_id}/{track.track_id}/{piece.index}"
    await context.publish(NewEvent(record.tenant, record.session_id, event, key))
    context.progress(len(piece.data))
    metrics.SEGMENTS.labels(piece.track.stream.medium).inc()
    metrics.SEGMENT_BYTES.inc(len(piece.data))
    return segment


def _pull(pieces: Generator[Piece]) -> list[Piece]:
    """The next few segments; empty at the end. Blocks."""
    batch: list[Piece] = []
    size_bytes, until = 0, time.monotonic() + BATCH_S
    for piece in pieces:
        batch.append(piece)
        size_bytes += len(piece.data)
        if len(batch) == BATCH_PIECES or size_bytes >= BATCH_BYTES or time.monotonic() > until:
            break
    return batch


def _content_type(piece: Piece) -> str:
    return VIDEO_TYPE if piece.track.source.width else AUDIO_TYPE
