"""The child that opens recordings (`shuanglu_common.cell`): nothing of libav or Pillow runs in the service itself."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from av.error import ExternalError

from shuanglu_media_ingest.domain import sound
from shuanglu_media_ingest.domain.imports import Plan
from shuanglu_media_ingest.domain.sound import Part
from shuanglu_media_ingest.domain.survey import Survey
from shuanglu_media_ingest.errors import RecordingRefused
from shuanglu_media_ingest.memory import keep_little
from shuanglu_media_ingest.reading import av_files
from shuanglu_media_ingest.reading.id_photo import require_photo
from shuanglu_media_ingest.reading.segmenter import Piece, Segmenter, TrackInHand

TRACK, PIECE, ENDED = "track", "piece", "ended"


def open_cell(arguments: Any) -> tuple[Mapping[str, Callable[..., Any]], None]:
    """See shuanglu_common.cell.child; takes no arguments."""
    del arguments
    keep_little()
    files = Files()
    return {"probe": probe, "photo": photo, "examine": files.examine, "pieces": files.pieces}, None


def probe(path: str) -> dict[str, Any]:
    """A Probed. Raises RecordingRefused."""
    return {"duration_ms": av_files.probe(Path(path)).duration_ms}


def photo(path: str) -> None:
    """Raises IdPhotoInvalid."""
    require_photo(Path(path))


class Files:
    """The files of one import; each is looked through once."""

    def __init__(self) -> None:
        """None is known yet."""
        self.plan: Plan | None = None
        self.paths: list[Path] = []
        self.surveys: list[Survey] = []
        self.parts: list[tuple[Part, ...]] = []
        self.names: list[list[str]] = []

    def examine(self, plan: Mapping[str, Any], paths: list[str]) -> dict[str, Any]:
        """An Examined. `paths`: of the plan's files, in their order. Raises RecordingRefused."""
        self.plan, self.paths = Plan.from_json(plan), [Path(path) for path in paths]
        self.surveys = []
        for path in self.paths:
            self.surveys.append(av_files.require_decodable(path, av_files.survey(path)))
        files = list(zip(self.plan.files, self.surveys, strict=True))
        self.parts = [sound.parts(found, file.audio) for file, found in files]
        self.names = sound.track_ids([(file.roles, parts) for (file, _), parts in zip(files, self.parts, strict=True)])
        return {
            "end_ms": max(found.end_ms(file.offset_ms) for file, found in files),
            "segment_bytes": sum(stream.size_bytes for found in self.surveys for stream in found.streams),
        }

    def pieces(self, index: int) -> Iterator[list[Any]]:
        """All segments of a file that was examined, each track before its first one, at last what ended how."""
        assert self.plan is not None  # noqa: S101 - examined before
        offset_ms = self.plan.files[index].offset_ms
        segmenter = Segmenter(self.paths[index], self.surveys[index], self.parts[index], self.names[index], offset_ms)
        with hunger_told():
            for piece in segmenter.pieces():
                if piece.index == 1:
                    yield [TRACK, track_values(piece)]
                yield [PIECE, piece.track.track_id, piece.index, piece.data, piece.start_ms, piece.end_ms]
        yield [ENDED, [end_values(segmenter, track) for track in segmenter.tracks if track.cuts]]


@contextmanager
def hunger_told() -> Iterator[None]:
    """x264 has one error for everything; with our settings and sane sizes what it lacks is memory."""
    try:
        yield
    except (ExternalError, RecordingRefused) as error:
        if isinstance(error, ExternalError) or isinstance(error.__cause__, ExternalError):
            raise MemoryError from error  # noqa: TRY004 - the classes only tell where it comes from
        raise


def track_values(piece: Piece) -> dict[str, Any]:
    """A ReadTrack that has begun."""
    track = piece.track
    return {
        "track_id": track.track_id,
        "medium": str(track.stream.medium),
        "codec": track.codec,
        "init": track.init,
        "start_ms": track.start_ms,
        "width": track.source.width,
        "height": track.source.height,
        "sample_rate": track.sample_rate,
        "derived": track.source.derived,
        "speaker": track.part.speaker,
    }


def end_values(segmenter: Segmenter, track: TrackInHand) -> dict[str, Any]:
    """What a ReadTrack lacks until its end."""
    return {
        "track_id": track.track_id,
        "end_ms": track.end_ms,
        "segment_count": track.cuts,
        "gaps": [asdict(gap) for gap in track.gaps(segmenter.whole)],
    }
