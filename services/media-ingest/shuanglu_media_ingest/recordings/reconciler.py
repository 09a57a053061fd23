"""Walks sessions and compares each with the store. It changes nothing."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog
from google.protobuf.message import DecodeError

from shuanglu.common.v1.types_pb2 import ObjectRef
from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu.media.v1.track_pb2 import Track
from shuanglu.session.v1.session_pb2 import Session, SessionState
from shuanglu_common import cmaf
from shuanglu_common.clock import Clock
from shuanglu_common.doctor import ahead
from shuanglu_common.store import ObjectMissing, ObjectStore
from shuanglu_media_ingest.domain.imports import Import, ImportState
from shuanglu_media_ingest.domain.reconciling import (
    INDEX,
    Compared,
    Difference,
    Expected,
    Found,
    IndexedTrack,
    Part,
    compare_call,
    compare_import,
)
from shuanglu_media_ingest.recordings.calls import Metadata, Wanted

# A page's answer holds at most so many; the rest of a session that is wrong all over says nothing new.
MOST_DIFFERENCES = 500
UNRECORDED = frozenset({SessionState.SESSION_STATE_CREATED, SessionState.SESSION_STATE_FAILED})

log = structlog.get_logger()


class Calls(Protocol):
    """What signaling knows. Raises SessionsUnavailable."""

    def sessions(self, metadata: Metadata, wanted: Wanted) -> AsyncIterator[list[Session]]:
        """A page at a time. Raises SessionNotFound."""
        ...

    async def expected(self, metadata: Metadata, session: Session, now_us: int) -> Expected | None:
        """What a session's call says; None if there was none."""
        ...


class ImportsOfSessions(Protocol):
    """What was imported. Raises DatabaseUnavailable."""

    async def of_sessions(self, tenant: str, session_ids: Sequence[str]) -> Mapping[str, Sequence[Import]]:
        """All imports of the sessions."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """A page of sessions that was compared."""

    differences: tuple[Difference, ...]
    sessions: int
    tracks: int
    seconds: int


class Reconciler:
    """Compares sessions that should have a recording with what the store holds."""

    def __init__(self, calls: Calls, imports: ImportsOfSessions, store: ObjectStore, clock: Clock) -> None:
        """Keeps what it asks."""
        self._calls, self._imports, self._store, self._clock = calls, imports, store, clock

    async def walk(self, tenant: str, metadata: Metadata, wanted: Wanted) -> AsyncIterator[Step]:
        """Raises SessionNotFound, SessionsUnavailable, StoreUnavailable, DatabaseUnavailable."""
        async for page in self._calls.sessions(metadata, wanted):
            imports = await self._imports.of_sessions(tenant, [session.session_id for session in page])
            found: list[Compared] = []
            work = (self._session(tenant, metadata, each, imports.get(each.session_id, ())) for each in page)
            async for compared in ahead(work):
                found.append(compared)  # noqa: PERF401 - an asynchronous comprehension would hide the order
            yield Step(
                tuple(difference for each in found for difference in each.differences[:MOST_DIFFERENCES]),
                len(page),
                sum(each.tracks for each in found),
                sum(each.seconds for each in found),
            )

    async def _session(self, tenant: str, metadata: Metadata, session: Session, imports: Sequence[Import]) -> Compared:
        stored = next((each for each in imports if each.state is ImportState.STORED), None)
        if stored is not None:
            tracks = tracks_of(stored)
            return compare_import(session.session_id, tracks, Found(await self._objects(tenant, session.session_id)))
        expected = await self._calls.expected(metadata, session, self._clock.now_us())
        if expected is None and (imports or session.state in UNRECORDED):
            return Compared()  # nobody has recorded anything yet, or an import goes on
        prefix = cmaf.track_prefix(tenant, session.session_id, "")[:-1]
        objects = await self._objects(tenant, session.session_id)
        found = Found(objects)
        indexes = await self._indexes(prefix, found.tracks(prefix), objects)
        return compare_call(session.session_id, prefix, expected, Found(objects, indexes))

    async def _objects(self, tenant: str, session_id: str) -> dict[str, int]:
        objects: dict[str, int] = {}
        async for page in self._store.pages(f"{tenant}/{session_id}/"):
            objects.update((each.key, each.size_bytes) for each in page)
        return objects

    async def _indexes(
        self, prefix: str, track_ids: Sequence[str], objects: Mapping[str, int]
    ) -> dict[str, IndexedTrack]:
        """Those that are there and can be read."""
        found: dict[str, IndexedTrack] = {}
        for track_id in track_ids:
            key = f"{prefix}{track_id}/{INDEX}"
            if key not in objects:
                continue
            try:
                told = TrackStored.FromString(await self._store.read(key))
            except (ObjectMissing, DecodeError):
                log.warning("index.unreadable", track_id=track_id)
                continue
            if told.track.track_id == track_id:
                found[track_id] = await asyncio.to_thread(indexed, told)
        return found


def indexed(told: TrackStored) -> IndexedTrack:
    """A live track's index."""
    track = told.track
    parts = [part_of(track.init), *(part_of(each.object, (each.start_ms, each.end_ms)) for each in told.segments)]
    gaps = tuple((gap.start_ms, gap.end_ms) for gap in told.gaps)
    return IndexedTrack(track.track_id, tuple(parts), gaps, (track.start_ms, track.end_ms))


def tracks_of(record: Import) -> list[IndexedTrack]:
    """An import's tracks: of segments only the keys are known here."""
    found = []
    for data in record.tracks:
        track = Track.FromString(data)
        keys = [
            cmaf.segment_key(record.tenant, record.session_id, track.track_id, index)
            for index in range(1, track.segment_count + 1)
        ]
        parts = (part_of(track.init), part_of(track.original), *map(Part, keys))
        span = (track.start_ms, track.end_ms)
        found.append(IndexedTrack(track.track_id, parts, span=span, whole=False))
    return found


def part_of(ref: ObjectRef, span: tuple[int, int] = (0, 0)) -> Part:
    """An object with its size."""
    return Part(ref.key, ref.size_bytes, span)
