"""Pictures that CMAF cannot carry: decoded and encoded anew as H.264. The original file is kept beside them.

The encoders run with a fixed number of threads and without look-ahead: the same file gives the same bytes on every
machine with the same libraries, and few pictures are in memory.
"""

import io
from array import array
from fractions import Fraction
from typing import Any

import av
from av.error import FFmpegError
from av.video.frame import PictureType

from shuanglu_media_ingest.domain import boxes, limits, payload
from shuanglu_media_ingest.domain.cutting import SEGMENT_MS, Unit
from shuanglu_media_ingest.domain.survey import Stream
from shuanglu_media_ingest.domain.timeline import Clock
from shuanglu_media_ingest.errors import FileDamaged
from shuanglu_media_ingest.reading.av_init import MUXER

X264 = {
    "preset": "veryfast",
    "crf": "21",
    "threads": "1",
    "forced-idr": "1",
    "x264-params": "bframes=0:rc-lookahead=0:sync-lookahead=0:mbtree=0:scenecut=0:keyint=infinite",
}
_TURNS = {90: "cclock", 270: "clock"}


class WorkingVideo:
    """Pictures as H.264, upright, with even sides, a key frame every 2 s, shown when the original's were."""

    derived = True

    def __init__(self, source: Any, stream: Stream, clock: Clock) -> None:
        """`source` is the PyAV stream that `stream` was surveyed from."""
        self._source, self._clock = source, clock
        self._duration = clock.length(stream.usual_duration)
        source.codec_context.thread_count = 1  # each thread more holds another few pictures
        self._encoder: Any = None
        self._container: Any = None
        self._last = self._key = -1
        self._turner: tuple[int, Any] | None = None
        self.shown = array("q")
        self.undecodable = 0
        self.width = self.height = 0
        self.init: bytes | None = None

    def take(self, packet: "av.Packet[Any]") -> list[Unit]:
        """Pictures that are ready now. What cannot be decoded is left out and counted."""
        frames = self._decoded(packet)
        return [unit for frame in frames for unit in self._encode(frame)]

    def _decoded(self, packet: "av.Packet[Any] | None") -> list[Any]:
        """Pictures of a sane size. A decoder that conceals damage shows what players show; it counts all the same."""
        try:
            frames = packet.decode() if packet is not None else self._source.decode(None)
        except MemoryError:  # the file's need, not its damage: the reader's limit is told
            raise
        except (FFmpegError, ValueError):
            self.undecodable += 1
            return []
        sane = [frame for frame in frames if frame.width * frame.height <= limits.MAX_PIXELS]
        self.undecodable += len(frames) - len(sane) + sum(frame.is_corrupt for frame in sane)
        return sane

    def finish(self) -> list[Unit]:
        """The rest. Raises FileDamaged if not a single picture could be decoded."""
        units = [unit for frame in self._decoded(None) for unit in self._encode(frame)]
        if self._encoder is None:
            raise FileDamaged
        units += self._units(self._encoder.encode(None))
        self._container.close()
        return units

    def _encode(self, frame: Any) -> list[Unit]:
        at = self._clock.ticks(frame.pts) if frame.pts is not None else self._last + self._duration
        at = max(at, self._clock.floor)
        if at <= self._last:
            return []
        if frame.rotation:
            frame = self._turn(frame)
        if self._encoder is None:
            self._open(frame)
        picture = frame.reformat(width=self.width, height=self.height, format="yuv420p")
        picture.pts, picture.time_base = at, Fraction(1, self._clock.timescale)
        due = self._key < 0 or (at - self._key) * 1000 >= SEGMENT_MS * self._clock.timescale
        picture.pict_type = PictureType.I if due else PictureType.NONE
        if due:
            self._key = at
        self._last = at
        return self._units(self._encoder.encode(picture))

    def _open(self, frame: Any) -> None:
        self.width, self.height = max(2, frame.width // 2 * 2), max(2, frame.height // 2 * 2)
        buffer = io.BytesIO()
        options = {**MUXER, "video_track_timescale": str(self._clock.timescale)}
        self._container = av.open(buffer, "w", format="mp4", options=options)
        rate = max(1, round(self._clock.timescale / self._duration))
        stream = self._container.add_stream("libx264", rate=min(rate, 120), options=X264)
        stream.width, stream.height, stream.pix_fmt = self.width, self.height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, self._clock.timescale)
        self._container.start_encoding()
        self._encoder, self.init = stream, boxes.cmaf_init(buffer.getvalue())

    def _turn(self, frame: Any) -> Any:
        """Upright: phones store turned pictures with a note."""
        degrees = round(frame.rotation / 90) * 90 % 360
        if self._turner is None or self._turner[0] != degrees:
            graph = av.filter.Graph()
            source = graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format.name, time_base=Fraction(1, 1000)
            )
            steps = (
                [graph.add("transpose", _TURNS[degrees])]
                if degrees in _TURNS
                else [graph.add("hflip"), graph.add("vflip")]
            )
            graph.link_nodes(source, *steps, graph.add("buffersink")).configure()
            self._turner = degrees, graph
        graph = self._turner[1]
        frame.time_base = Fraction(1, 1000)
        graph.push(frame)
        return graph.pull()

    def _units(self, packets: list[Any]) -> list[Unit]:
        units = []
        for packet in packets:
            self.shown.append(packet.pts)
            data = payload.with_lengths(bytes(packet))
            units.append(Unit(data, packet.pts, packet.pts, packet.pts, self._duration, packet.is_keyframe))
        return units
