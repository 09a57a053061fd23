"""A file's segments into the store, each told to the bus as soon as the store has confirmed it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from shuanglu.common.v1.types_pb2 import Inspection, ObjectRef
from shuanglu.media.v1.media_events_pb2 import SegmentStored
from shuanglu.media.v1.track_pb2 import Gap, Segment, Track
from shuanglu_common import cmaf
from shuanglu_common.bus.events import NewEvent
from shuanglu_common.bus.subjects import Lane
from shuanglu_common.store import ObjectStore
from shuanglu_media_ingest import metrics
from shuanglu_media_ingest.domain.imports import Import, SourceFile
from shuanglu_media_ingest.domain.reading import ReadPiece
from shuanglu_media_ingest.messages import gap_messages, segment_message, track_message
from shuanglu_media_ingest.reading.reader import Reading

# Segments that are stored at a time, while the next one is cut. Few, so that memory stays flat; large ones alone.
MOST_PIECES = 4
MOST_BYTES = 4 << 20
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


async def store_file(
    context: Context, file: SourceFile, reading: Reading, index: int, original: ObjectRef
) -> FileTracks:
    """Stores all segments of the import's file `index`. Raises RecordingRefused, StoreUnavailable, BusUnavailable."""
    growing: dict[str, Track] = {}
    result = FileTracks()
    under_way = UnderWay()
    pieces = reading.pieces(index)
    try:
        async for piece in pieces:
            track_id = piece.track.track_id
            if track_id not in growing:
                growing[track_id] = await _begin(context, file, piece, original)
                result.segments[track_id] = []
            await under_way.add(len(piece.data), _stored(context, growing[track_id], piece, result))
            del piece  # a large one must not stay until the next is cut
        await under_way.finish()
    finally:
        await under_way.cancel()
        await pieces.aclose()
    for track in reading.tracks[index]:
        whole = growing[track.track_id]
        whole.end_ms, whole.segment_count = track.end_ms, track.segment_count
        result.segments[track.track_id].sort(key=lambda segment: segment.index)
        result.tracks.append(whole)
        result.gaps += gap_messages(track.track_id, track.gaps)
        metrics.RECORDED_SECONDS.labels(track.medium).inc((track.end_ms - track.start_ms) / 1000)
        if track.derived:
            metrics.DERIVED_TRACKS.labels(track.medium).inc()
    return result


class UnderWay:
    """Segments that are being stored: few at a time, and few bytes."""

    def __init__(self) -> None:
        """None yet."""
        self._tasks: dict[asyncio.Task[None], int] = {}

    async def add(self, size_bytes: int, storing: Coroutine[Any, Any, None]) -> None:
        """Begin, and return when there is room for another one. Raises what an earlier one raised."""
        self._tasks[asyncio.create_task(storing)] = size_bytes
        while len(self._tasks) >= MOST_PIECES or sum(self._tasks.values()) >= MOST_BYTES:
            await self._some()

    async def finish(self) -> None:
        """Returns when all are stored. Raises what one raised."""
        while self._tasks:
            await self._some()

    async def cancel(self) -> None:
        """Give up those that are left."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _some(self) -> None:
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            del self._tasks[task]
        for error in [error for task in done if (error := task.exception())]:
            raise error


async def _begin(context: Context, file: SourceFile, piece: ReadPiece, original: ObjectRef) -> Track:
    """Stores a track's init segment; returns the track as it is told with each segment."""
    record = context.record
    key = cmaf.init_key(record.tenant, record.session_id, piece.track.track_id)
    init = await context.store.put(key, piece.track.init, _content_type(piece))
    return track_message(piece.track, file.people_of(piece.track.speaker), init, original)


async def _stored(context: Context, track: Track, piece: ReadPiece, result: FileTracks) -> None:
    record = context.record
    key = cmaf.segment_key(record.tenant, record.session_id, track.track_id, piece.index)
    ref = await context.store.put(key, piece.data, _content_type(piece))
    segment = segment_message(piece, ref)
    event = SegmentStored(track=track, segment=segment, inspection=context.inspection, id_photo=context.photo)
    # The run's id is in the key: after a failed import the session's next one must be told, not taken for a repeat.
    key = f"{record.run_id}/{track.track_id}/{piece.index}"
    await context.publish(NewEvent(record.tenant, record.session_id, event, key, Lane.OFFLINE))
    context.progress(len(piece.data))
    metrics.SEGMENTS.labels(piece.track.medium).inc()
    metrics.SEGMENT_BYTES.inc(len(piece.data))
    result.segments[track.track_id].append(segment)


def _content_type(piece: ReadPiece) -> str:
    return VIDEO_TYPE if piece.track.width else AUDIO_TYPE
