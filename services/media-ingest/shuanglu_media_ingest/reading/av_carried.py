"""Tracks whose packets are taken as they are: only their times are made anew."""

from array import array
from fractions import Fraction
from typing import Any

import av

from shuanglu_media_ingest.domain import boxes, payload
from shuanglu_media_ingest.domain.cutting import Unit
from shuanglu_media_ingest.domain.survey import Stream
from shuanglu_media_ingest.domain.timeline import SNAP_MS, Clock, PresentationOrder, SampleClock
from shuanglu_media_ingest.reading.av_init import carried_init


class CarriedVideo:
    """Pictures in decode order. Those before the first key frame are left out: nobody can decode them."""

    derived = False
    undecodable = 0  # nobody decodes here

    def __init__(self, source: Any, stream: Stream, clock: Clock) -> None:
        """`source` is the PyAV stream that `stream` was surveyed from."""
        self._clock = clock
        self._order = PresentationOrder(clock.ticks(at) for at in stream.present_at)
        self._duration = clock.length(stream.usual_duration)
        self._annex_b = stream.codec in {"h264", "hevc"} and payload.is_annex_b(source.codec_context.extradata or b"")
        self._hevc = stream.codec == "hevc"
        self._begun = False
        self.shown = array("q")
        self.init: bytes | None = carried_init(source, clock.timescale)
        shown = (stream.height, stream.width) if boxes.is_sideways(self.init) else (stream.width, stream.height)
        self.width, self.height = shown

    def take(self, packet: "av.Packet[Any]") -> list[Unit]:
        """The packet, placed on the session's timeline."""
        self._begun = self._begun or packet.is_keyframe
        if not self._begun or packet.pts is None:
            return []
        present_at = self._clock.ticks(packet.pts)
        decode_at, shown_from = self._order.next(present_at)
        self.shown.append(present_at)
        data = bytes(packet)
        if self._annex_b:
            data = payload.with_lengths(data, hevc=self._hevc)
        return [Unit(data, decode_at, max(present_at, decode_at), shown_from, self._duration, packet.is_keyframe)]

    def finish(self) -> list[Unit]:
        """Nothing is held back."""
        return []


class CarriedAudio:
    """Sound, packet by packet. An encoder's priming, before the file's start, is left out: players differ about it."""

    derived = False
    undecodable = 0  # nobody decodes here

    def __init__(self, source: Any, stream: Stream, clock: Clock) -> None:
        """`source` is the PyAV stream that `stream` was surveyed from."""
        self._source, self._stream, self._clock = source, stream, clock
        self._samples = SampleClock(clock.timescale)
        self._frame = source.codec_context.frame_size or 0
        self._usual = (-1, 0)  # the last packet's duration as the container says it, and in samples
        self.shown = array("q")
        self.width = self.height = 0
        # Without a configuration of its own the stream is ADTS: its first packet tells.
        self.init: bytes | None = None
        if stream.codec != "aac" or source.codec_context.extradata:
            self.init = carried_init(source, clock.timescale)

    def take(self, packet: "av.Packet[Any]") -> list[Unit]:
        """The packet, placed on the session's timeline."""
        if packet.is_discard or packet.pts is None:
            return []
        duration = self._duration(packet)
        at, floor = self._clock.ticks(packet.pts), self._clock.floor
        if at + duration <= floor + self._clock.timescale * SNAP_MS // 1000:
            return []
        if at < floor:
            at, duration = floor, at + duration - floor
        at = self._samples.place(at, duration)
        self.shown.append(at)
        data = bytes(packet)
        if self._stream.codec == "aac" and payload.is_adts(data):
            configuration, data = payload.adts_configuration(data), payload.without_adts(data)
            self.init = self.init or carried_init(self._source, self._clock.timescale, configuration)
        return [Unit(data, at, at, at, duration, key=True)]

    def finish(self) -> list[Unit]:
        """Nothing is held back."""
        return []

    def _duration(self, packet: "av.Packet[Any]") -> int:
        """In samples. Nearly all packets of a stream are equally long: that one is not computed again."""
        said = packet.duration or 0
        if said != self._usual[0]:
            self._usual = said, self._exact(said)
        return self._usual[1]

    def _exact(self, said: int) -> int:
        """Containers with a millisecond clock round it, the codec knows better."""
        exact = round(Fraction(said * self._clock.timescale) * self._clock.time_base)
        if self._frame and (not exact or abs(exact - self._frame) * 1000 <= self._clock.timescale):
            return int(self._frame)
        return exact or self._clock.length(self._stream.usual_duration)
