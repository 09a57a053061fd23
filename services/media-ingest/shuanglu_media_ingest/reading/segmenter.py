"""A file becomes tracks, and tracks become segments. Streaming: about one segment of each track is in memory."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from av.error import FFmpegError

from shuanglu_media_ingest.domain import codecs, gaps
from shuanglu_media_ingest.domain.boxes import BoxError
from shuanglu_media_ingest.domain.cutting import Cut, Cutter, Unit
from shuanglu_media_ingest.domain.gaps import Cause, Ends, Faults, Gap
from shuanglu_media_ingest.domain.sound import Part
from shuanglu_media_ingest.domain.survey import Medium, Stream, Survey
from shuanglu_media_ingest.domain.timeline import Clock, Stretch
from shuanglu_media_ingest.reading import av_files
from shuanglu_media_ingest.reading.av_carried import CarriedAudio, CarriedVideo
from shuanglu_media_ingest.reading.av_mix import MixedAudio
from shuanglu_media_ingest.reading.av_packets import Packets
from shuanglu_media_ingest.reading.av_sound import SoundDecoder, WorkingAudio
from shuanglu_media_ingest.reading.av_working_copy import WorkingVideo

if TYPE_CHECKING:
    from array import array

    import av


class Source(Protocol):
    """Where a track's packets come from."""

    derived: bool
    width: int
    height: int
    shown: "array[int]"  # when each unit is presented
    undecodable: int  # packets that a decoder did not take

    @property
    def init(self) -> bytes | None:
        """The init segment; known when the first unit is out."""
        ...

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
    part: Part
    clock: Clock
    source: Source
    cutter: Cutter
    cuts: int = 0
    start_ms: int = 0
    end_ms: int = 0
    codec: str = ""
    usual_duration: int = 1
    faults: dict[int, Faults] = field(default_factory=dict)  # by stream, in its ticks
    promised_ms: int | None = None
    breaks_off: bool = False
    joints_ms: tuple[int, ...] = ()

    @property
    def stream(self) -> Stream:
        """The stream that the track is made of, the first if there are several."""
        return self.part.streams[0]

    def take(self, packet: "av.Packet[Any]") -> list[Unit]:
        """Units that the packet gives; what cannot be decoded is noted."""
        before = self.source.undecodable
        units = self.source.take(packet)
        if packet.pts is not None:
            faults = self.faults[packet.stream_index]
            if self.source.undecodable > before:
                faults.bad(packet.pts)
            elif units:
                faults.good(packet.pts, key=True)
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
        faults = Faults(pictures=self.stream.medium is Medium.VIDEO)
        for stream in self.part.streams:
            faults.add(self.faults[stream.index], stream.time_base / self.stream.time_base)
        found = gaps.gaps(self.source.shown, self.usual_duration, self.clock, faults, ends)
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
    """Cuts one file. The same file, parts, names and offset give the same bytes."""

    def __init__(
        self, path: Path, survey: Survey, parts: Sequence[Part], track_ids: Sequence[str], offset_ms: int
    ) -> None:
        """`parts`: what becomes a track, of the survey's streams. `track_ids`: one for each."""
        self._path, self._survey, self._parts, self._names = path, survey, parts, track_ids
        self._offset_ms = offset_ms
        self._decoders: dict[int, SoundDecoder] = {}
        self.tracks: list[TrackInHand] = []

    def pieces(self) -> Generator[Piece]:
        """All segments of all tracks, each track's in order. Blocks; raises RecordingRefused."""
        with av_files.opened(self._path) as container:
            self.tracks = [
                self._track([container.streams[stream.index] for stream in part.streams], part, name)
                for part, name in zip(self._parts, self._names, strict=True)
            ]
            by_stream: dict[int, list[TrackInHand]] = {}
            for track in self.tracks:
                for stream in track.part.streams:
                    by_stream.setdefault(stream.index, []).append(track)
            packets = Packets(container, av_files.media_streams(container))
            for packet in packets:
                for track in by_stream.get(packet.stream_index, ()):
                    yield from self._cut(track, track.take(packet))
            for track in self.tracks:
                yield from self._cut(track, track.source.finish())
                last = track.cutter.finish()
                if last is not None:
                    yield self._piece(track, last)
                self._note_faults(track, packets)

    def _note_faults(self, track: TrackInHand, packets: Packets) -> None:
        promised = [self._survey.promised_end_s(stream) for stream in track.part.streams]
        for stream in track.part.streams:
            track.faults[stream.index].add(packets.faults[stream.index])
        known = [end_s for end_s in promised if end_s is not None]
        if known:
            track.promised_ms = self._ms(max(known))
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

    def _track(self, sources: list[Any], part: Part, name: str) -> TrackInHand:
        stream = part.streams[0]
        carried = stream.carried and len(sources) == 1 and not part.channel
        clock = self._survey.clock(stream, self._offset_ms, carried=carried)
        chosen: Source
        try:
            chosen = self._carried(sources[0], stream, clock) if carried else self._copy(sources, part)
            if chosen.init:
                codecs.codec_string(chosen.init)
        except (FFmpegError, ValueError, BoxError):
            # The codec is known but this stream's configuration does not fit MP4.
            chosen, carried = self._copy(sources, part), False
        if not carried:
            clock = self._copy_clock(part, stream)
        return TrackInHand(
            name,
            part,
            clock,
            chosen,
            Cutter(clock.timescale),
            usual_duration=clock.length(stream.usual_duration),
            faults={each.index: Faults(pictures=each.medium is Medium.VIDEO) for each in part.streams},
        )

    @staticmethod
    def _carried(source: Any, stream: Stream, clock: Clock) -> Source:
        return (CarriedVideo if stream.medium is Medium.VIDEO else CarriedAudio)(source, stream, clock)

    def _copy(self, sources: list[Any], part: Part) -> Source:
        clocks = [self._copy_clock(part, stream) for stream in part.streams]
        stream = part.streams[0]
        if stream.medium is Medium.VIDEO:
            return WorkingVideo(sources[0], stream, clocks[0])
        if len(sources) > 1:
            return MixedAudio(sources, clocks, max(each.channels for each in part.streams))
        decoder = self._decoders.setdefault(stream.index, SoundDecoder(sources[0]))
        return WorkingAudio(decoder, clocks[0], stream.channels, part.channel)

    def _copy_clock(self, part: Part, stream: Stream) -> Clock:
        """All streams of a part have one timescale, the finest of theirs."""
        timescale = max(each.timescale(carried=False) for each in part.streams)
        return Clock(stream.time_base, self._survey.origin, self._offset_ms, timescale)

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
