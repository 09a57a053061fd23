"""A file becomes tracks, and tracks become segments. Streaming: about one segment of each track is in memory."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from av.error import FFmpegError

from shuanglu_media_ingest import av_files
from shuanglu_media_ingest.av_carried import CarriedAudio, CarriedVideo
from shuanglu_media_ingest.av_working_copy import WorkingAudio, WorkingVideo
from shuanglu_media_ingest.domain import codecs, timeline
from shuanglu_media_ingest.domain.boxes import BoxError
from shuanglu_media_ingest.domain.cutting import Cut, Cutter, Unit
from shuanglu_media_ingest.domain.survey import Medium, Stream, Survey
from shuanglu_media_ingest.domain.timeline import Clock, Stretch

if TYPE_CHECKING:
    from array import array

    import av


class Source(Protocol):
    """Where a track's packets come from."""

    derived: bool
    init: bytes | None  # known when the first unit is out
    width: int
    height: int
    shown: "array[int]"  # when each unit is presented

    def take(self, packet: "av.Packet[Any]") -> list[Unit]:
        """Units that the packet gives, in decode order."""
        ...

    def finish(self) -> list[Unit]:
        """Units that were held back."""
        ...


@dataclass(slots=True)
class TrackInHand:
    """One track while its file is read."""

    track_id: str
    stream: Stream
    clock: Clock
    source: Source
    cutter: Cutter
    cuts: int = 0
    start_ms: int = 0
    end_ms: int = 0
    codec: str = ""
    usual_duration: int = 1

    @property
    def init(self) -> bytes:
        """The init segment; there is one once a segment was cut."""
        return self.source.init or b""

    @property
    def sample_rate(self) -> int:
        """Samples a second; 0 for pictures."""
        return self.clock.timescale if self.stream.medium is Medium.AUDIO else 0

    def gaps(self, whole: Stretch) -> list[Stretch]:
        """Holes of the track within its file's stretch."""
        own = Stretch(self.start_ms, self.end_ms)
        return timeline.gaps(self.source.shown, self.usual_duration, self.clock, own, whole)


@dataclass(frozen=True, slots=True)
class Piece:
    """A finished segment of a track."""

    track: TrackInHand
    index: int
    data: bytes
    start_ms: int
    end_ms: int


class Segmenter:
    """Cuts one file. The same file, names and offset give the same bytes."""

    def __init__(self, path: Path, survey: Survey, track_ids: Sequence[str], offset_ms: int) -> None:
        """`track_ids`: one for each stream of the survey."""
        self._path, self._survey, self._names, self._offset_ms = path, survey, track_ids, offset_ms
        self.tracks: list[TrackInHand] = []

    def pieces(self) -> Generator[Piece]:
        """All segments of all tracks, each track's in order. Blocks; raises RecordingRefused."""
        with av_files.opened(self._path) as container:
            self.tracks = [
                self._track(container.streams[stream.index], stream, name)
                for stream, name in zip(self._survey.streams, self._names, strict=True)
            ]
            by_stream = {track.stream.index: track for track in self.tracks}
            for packet in container.demux([container.streams[index] for index in by_stream]):
                if packet.size:
                    track = by_stream[packet.stream_index]
                    yield from self._cut(track, track.source.take(packet))
            for track in self.tracks:
                yield from self._cut(track, track.source.finish())
                last = track.cutter.finish()
                if last is not None:
                    yield self._piece(track, last)

    @property
    def whole(self) -> Stretch:
        """From the first to the last moment of the file, on the session's timeline; known after `pieces`."""
        return Stretch(min(track.start_ms for track in self.tracks), max(track.end_ms for track in self.tracks))

    def _track(self, source: Any, stream: Stream, name: str) -> TrackInHand:
        carried = stream.carried
        clock = self._survey.clock(stream, self._offset_ms, carried=carried)
        video = stream.medium is Medium.VIDEO
        chosen: Source
        try:
            chosen = (
                (CarriedVideo if video else CarriedAudio)(source, stream, clock)
                if carried
                else self._copy(source, stream)
            )
        except (FFmpegError, ValueError, BoxError):
            # The codec is known but this stream's configuration does not fit MP4.
            chosen, carried = self._copy(source, stream), False
            clock = self._survey.clock(stream, self._offset_ms, carried=False)
        usual = clock.length(stream.usual_duration)
        return TrackInHand(name, stream, clock, chosen, Cutter(clock.timescale), usual_duration=usual)

    def _copy(self, source: Any, stream: Stream) -> Source:
        clock = self._survey.clock(stream, self._offset_ms, carried=False)
        return (WorkingVideo if stream.medium is Medium.VIDEO else WorkingAudio)(source, stream, clock)

    def _cut(self, track: TrackInHand, units: list[Unit]) -> Iterator[Piece]:
        for unit in units:
            cut = track.cutter.add(unit)
            if cut is not None:
                yield self._piece(track, cut)

    @staticmethod
    def _piece(track: TrackInHand, cut: Cut) -> Piece:
        start_ms, end_ms = track.clock.ms(cut.start), track.clock.ms(cut.end)
        if not track.cuts:
            track.codec = codecs.codec_string(track.init)
            track.start_ms = start_ms
        track.cuts, track.end_ms = cut.index, max(track.end_ms, end_ms)
        return Piece(track, cut.index, cut.data, start_ms, end_ms)
