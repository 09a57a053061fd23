"""The reader without a child process: fast, for tests of what is around it. test_reader.py has the real one."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from shuanglu_media_ingest.domain.gaps import Gap
from shuanglu_media_ingest.domain.imports import Plan
from shuanglu_media_ingest.domain.reading import Examined, Probed, ReadPiece, ReadTrack
from shuanglu_media_ingest.reading import reader_cell
from shuanglu_media_ingest.reading.reader import Reader, ReaderLimits


class InlineReading:
    def __init__(self, files: reader_cell.Files, examined: Examined) -> None:
        self._files, self.examined = files, examined
        self.tracks: dict[int, list[ReadTrack]] = {}

    async def pieces(self, index: int) -> AsyncGenerator[ReadPiece]:
        found: dict[str, ReadTrack] = {}
        for kind, *values in await asyncio.to_thread(list, self._files.pieces(index)):
            if kind == reader_cell.TRACK:
                found[values[0]["track_id"]] = ReadTrack(**values[0])
            elif kind == reader_cell.PIECE:
                yield ReadPiece(found[values[0]], *values[1:])
            else:
                for end in values[0]:
                    track = found[end["track_id"]]
                    track.end_ms, track.segment_count = end["end_ms"], end["segment_count"]
                    track.gaps = tuple(Gap(**gap) for gap in end["gaps"])
                self.tracks[index] = [found[end["track_id"]] for end in values[0]]


class InlineReader(Reader):
    def __init__(self) -> None:
        super().__init__(ReaderLimits())

    async def probe(self, path: Path) -> Probed:
        return Probed(**await asyncio.to_thread(reader_cell.probe, str(path)))

    async def require_photo(self, path: Path) -> None:
        await asyncio.to_thread(reader_cell.photo, str(path))

    @asynccontextmanager
    async def reading(self, plan: Plan, paths: Sequence[Path]) -> AsyncIterator[InlineReading]:  # type: ignore[override]
        files = reader_cell.Files()
        examined = await asyncio.to_thread(files.examine, plan.to_json(), [str(path) for path in paths])
        yield InlineReading(files, Examined(**examined))
