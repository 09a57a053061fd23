"""Reads recordings in child processes, so that a file that crashes, hangs or bloats a decoder hurts nobody else.

Each import has a child of its own. A child that dies is replaced once and goes on where it was: the same file gives the
same segments. A file that ends it twice is refused, and told why.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from shuanglu_common.cell.cell import Cell, Cells, checked
from shuanglu_common.cell.confine import CellLimits
from shuanglu_common.cell.errors import Attempts, CellCrashed, CellFailed, CellMemory, CellTimeout
from shuanglu_common.cell.process import CellProcess, CellSpec
from shuanglu_common.errors import ShuangluError
from shuanglu_media_ingest import errors, metrics
from shuanglu_media_ingest.domain.gaps import Gap
from shuanglu_media_ingest.domain.imports import Plan
from shuanglu_media_ingest.domain.reading import Examined, Probed, ReadPiece, ReadTrack

log = structlog.get_logger()

MODULE = "shuanglu_media_ingest.reading.reader_cell"
MIB = 1 << 20
# A segment is at least one group of pictures; survey.MAX_GROUP_BYTES bounds those that are carried.
LARGEST_PIECE_BYTES = 64 * MIB
# Looking through a file is one step however long it is: so many bytes a second are expected of the spool's disk.
LEAST_DISK_SPEED = 20 * MIB
# Part of the time of a look that one child may use; the rest is for the answer.
PROBE_SHARE = 0.6
_TRACK_ID = re.compile(r"[a-z0-9-]{1,64}")
_MOST_TRACKS = 128


@dataclass(frozen=True, slots=True)
class ReaderLimits:
    """Bounds of a child: private memory, seconds without a segment, seconds of a look at a file's head."""

    memory_bytes: int = 700 * MIB
    stall_s: float = 120
    probe_s: float = 10


class Reader:
    """The only door to the bytes of a recording."""

    def __init__(self, limits: ReaderLimits) -> None:
        """Starts nothing yet."""
        self._limits = limits
        self._cells = Cells(self._spec("reader", limits.stall_s))
        self._probing = Cell(self._spec("probe", limits.probe_s * PROBE_SHARE))

    async def prepare(self) -> None:
        """Have a child ready, so that the first import does not wait for it."""
        self._cells.prepare()

    async def close(self) -> None:
        """End all children that wait for work."""
        await self._cells.close()
        await self._probing.close()

    async def probe(self, path: Path) -> Probed:
        """A quick look at the file's head; it says nothing if it takes too long. Raises RecordingRefused."""
        try:
            found: Probed = await self._looked(path, "probe", Probed)
        except errors.ReaderTooSlow:
            return Probed(None)
        return found

    async def require_photo(self, path: Path) -> None:
        """Raises IdPhotoInvalid, RecordingRefused."""
        await self._looked(path, "photo", None)

    @asynccontextmanager
    async def reading(self, plan: Plan, paths: Sequence[Path]) -> AsyncIterator["Reading"]:
        """The files of an import, looked through. Raises RecordingRefused, ReaderUnavailable; also inside."""
        reading = Reading(self._cells, self._limits, plan, paths)
        try:
            await reading.examine()
            yield reading
        finally:
            await reading.close()

    async def _looked(self, path: Path, function: str, returns: Any) -> Any:
        attempts = Attempts()
        while True:
            await opened(self._probing.open())
            try:
                return await self._probing.call(function, str(path), returns=returns)
            except CellFailed as error:
                if isinstance(error, CellTimeout) or not attempts.again(error):
                    raise refusal(error) from error

    def _spec(self, name: str, timeout_s: float) -> CellSpec:
        return CellSpec(
            name=name,
            module=MODULE,
            limits=CellLimits(memory_bytes=self._limits.memory_bytes),
            timeout_s=timeout_s,
            errors=tuple(typed_errors()),
            largest_frame_bytes=LARGEST_PIECE_BYTES,
        )


class Reading:
    """One import's files in one child at a time."""

    def __init__(self, cells: Cells, limits: ReaderLimits, plan: Plan, paths: Sequence[Path]) -> None:
        """`paths`: of the plan's files, in their order."""
        self._cells, self._limits, self._plan = cells, limits, plan
        self._paths = [str(path) for path in paths]
        self._examine_s = limits.stall_s + sum(path.stat().st_size for path in paths) / LEAST_DISK_SPEED
        self._attempts = Attempts()
        self._open = AsyncExitStack()
        self._child: CellProcess | None = None
        self.examined = Examined(0, 0)
        self.tracks: dict[int, list[ReadTrack]] = {}

    @property
    def pid(self) -> int | None:
        """Process id of the child, while there is one."""
        return self._child.pid if self._child and not self._child.ended else None

    async def examine(self) -> Examined:
        """Look through all files. Raises RecordingRefused, ReaderUnavailable."""
        while self._child is None:
            await self._begin()
        return self.examined

    async def pieces(self, index: int) -> AsyncGenerator[ReadPiece]:
        """All segments of all tracks of a file, each track's in order; then `tracks` tells how they ended.

        Raises RecordingRefused, ReaderUnavailable.
        """
        given = 0
        while True:
            await self.examine()
            assert self._child is not None  # noqa: S101 - examined
            try:
                again = 0
                async for piece in _Stream(self._child, index).pieces(self.tracks):
                    again += 1
                    if again > given:
                        given = again
                        yield piece
            except CellFailed as error:
                await self._failed(error)
            else:
                return

    async def close(self) -> None:
        """End the child."""
        self._child = None
        await self._open.aclose()

    async def _begin(self) -> None:
        child = await opened(self._open.enter_async_context(self._cells.fresh()))
        try:
            values = await child.call("examine", self._plan.to_json(), self._paths, timeout_s=self._examine_s)
            self.examined = checked(Examined, values)
        except CellFailed as error:
            await self._failed(error)
        else:
            self._child = child

    async def _failed(self, error: CellFailed) -> None:
        """Another child, or the end of it. Raises RecordingRefused."""
        await self.close()
        if not self._attempts.again(error):
            raise refusal(error) from error


class _Stream:
    """What a child says of one file, believed only as far as it makes sense."""

    def __init__(self, child: CellProcess, index: int) -> None:
        self._child, self._index = child, index
        self._tracks: dict[str, ReadTrack] = {}

    async def pieces(self, ended: dict[int, list[ReadTrack]]) -> AsyncGenerator[ReadPiece]:
        """Raises CellFailed, RecordingRefused."""
        await self._child.begin("pieces", self._index)
        while True:
            more, item = await self._child.following()
            if not more:
                break
            kind, *values = checked(list[Any], item)
            if kind == "piece":
                yield self._piece(values)
            elif kind == "track":
                self._begun(values)
            else:
                ended[self._index] = [self._ended(each) for each in checked(list[dict[str, Any]], values[0])]

    def _begun(self, values: list[Any]) -> None:
        track: ReadTrack = checked(ReadTrack, values[0])
        # The name becomes part of keys in the store.
        if not _TRACK_ID.fullmatch(track.track_id) or len(self._tracks) == _MOST_TRACKS:
            raise CellCrashed("a track has an impossible name")
        track.end_ms = track.segment_count = 0
        self._tracks[track.track_id] = track

    def _piece(self, values: list[Any]) -> ReadPiece:
        track_id, index, data, start_ms, end_ms = checked(tuple[str, int, bytes, int, int], values)
        track = self._tracks.get(track_id)
        if track is None or index != track.segment_count + 1 or not 0 <= start_ms <= end_ms:
            raise CellCrashed("a segment comes out of order")
        track.segment_count = index
        return ReadPiece(track, index, data, start_ms, end_ms)

    def _ended(self, values: dict[str, Any]) -> ReadTrack:
        track = self._tracks.get(str(values.get("track_id")))
        if track is None or not 0 < track.segment_count == values.get("segment_count"):
            raise CellCrashed("a track ends that was never begun")
        track.end_ms = checked(int, values.get("end_ms"))
        track.gaps = checked(tuple[Gap, ...], values.get("gaps"))
        return track


async def opened(opening: Any) -> Any:
    """A child that does not even start is no file's fault. Raises ReaderUnavailable."""
    try:
        return await opening
    except CellFailed as error:
        log.error("reader.away", reason=error.reason, error=str(error))
        raise errors.ReaderUnavailable from error


def refusal(error: CellFailed) -> errors.RecordingRefused:
    """What is told of a file that ended its reader."""
    kind: type[errors.RecordingRefused] = errors.ReaderCrashed
    if isinstance(error, CellTimeout):
        kind = errors.ReaderTooSlow
    elif isinstance(error, CellMemory):
        kind = errors.ReaderOutOfMemory
    metrics.READER_FAILURES.labels(kind.reason).inc()
    return kind(kind.help)


def typed_errors() -> Iterator[type[ShuangluError]]:
    """Errors that the child may raise on purpose."""
    waiting: list[type[ShuangluError]] = [errors.RecordingRefused, errors.IdPhotoInvalid, errors.TimelineInvalid]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        yield kind
