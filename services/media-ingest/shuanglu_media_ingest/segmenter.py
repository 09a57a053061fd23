"""A file becomes tracks, and tracks become segments. Streaming: about one segment of each track is in memory."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from av.error import FFmpegError

from shuanglu_media_ingest import av_files
from shuanglu_media_ingest.av_carried import CarriedAudio, CarriedVideo
from shuanglu_media_ingest.av_packets import Packets
from shuanglu_media_ingest.av_working_copy import WorkingAudio, WorkingVideo
from shuanglu_media_ingest.domain import codecs, gaps
from shuanglu_media_ingest.domain.boxes import BoxError
from shuanglu_media_ingest.domain.cutting import Cut, Cutter, Unit
from shuanglu_media_ingest.domain.gaps import Cause, Ends, Faults, Gap
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
    undecodable: int  # packets that a decoder did not take

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
    faults: Faults = field(default_factory=lambda: Faults(pictures=False))
    promised_ms: int | None = None
    breaks_off: bool = False
    joints_ms: tuple[int, ...] = ()

    def take(self, packet: "av.Packet[Any]") -> list[Unit]:
        """Units that the packet gives; what cannot be decoded is noted."""
        before = self.source.undecodable
        units = self.source.take(packet)
        if packet.pts is not None:
            if self.source.undecodable > before:
                self.faults.bad(packet.pts)
            elif units:
                self.faults.good(packet.pts, key=True)
        return units

    @property
    def init(self) -> bytes:
        """The init segment; there is one once a segment was cut."""
        return self.source.init or b""

    @property
    def sample_rate(self) -> int:
        """Samples a second; 0 for pictures."""
        return self.clock.timescale if self.stream.medium is Medium.AUDIO else 0

    def gaps(self, whole: Stretch) -> list[Gap]:
        """Where the track has no media within its file's stretch, and where its clock jumped."""
        ends = Ends(Stretch(self.start_ms, self.end_ms), whole, self.promised_ms, self.breaks_off)
        found = gaps.gaps(self.source.shown, self.usual_duration, self.clock, self.faults, ends)
        joints = [Gap(at_ms, at_ms, Cause.DISCONTINUITY) for at_ms in self.joints_ms]
        return sorted([*found, *joints])


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
            packets = Packets(container, av_files.media_streams(container))
            for packet in packets:
                track = by_stream.get(packet.stream_index)
                if track is not None:
                    yield from self._cut(track, track.take(packet))
            for track in self.tracks:
                yield from self._cut(track, track.source.finish())
                last = track.cutter.finish()
                if last is not None:
                    yield self._piece(track, last)
                self._note_faults(track, packets)

    def _note_faults(self, track: TrackInHand, packets: Packets) -> None:
        track.faults.add(packets.faults[track.stream.index])
        promised_s = self._survey.promised_end_s(track.stream)
        if promised_s is not None:
            track.promised_ms = self._ms(promised_s)
        track.breaks_off = self._survey.breaks_off
        track.joints_ms = tuple(self._ms(at_s) for at_s in packets.joints.at_s)

    def _ms(self, at_s: Fraction) -> int:
        """A moment of the file's clock, in milliseconds from the session's start."""
        return self._offset_ms + round((at_s - self._survey.origin) * 1000)

    @property
    def whole(self) -> Stretch:
        """From the first to the last moment of the file, on the session's timeline; known after `pieces`."""
        cut = [track for track in self.tracks if track.cuts]
        ends_ms = [max(track.end_ms, track.promised_ms or 0) for track in cut]
        return Stretch(min(track.start_ms for track in cut), max(ends_ms))

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
        faults = Faults(pictures=stream.medium is Medium.VIDEO)
        return TrackInHand(name, stream, clock, chosen, Cutter(clock.timescale), usual_duration=usual, faults=faults)

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
