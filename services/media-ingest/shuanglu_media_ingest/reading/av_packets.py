"""A file's packets through PyAV, on one clock that never runs back; what cannot be used is left out and remembered.

The same file always gives the same packets and the same faults: the survey and the segmenter both read through here.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from av.error import FFmpegError

from shuanglu_media_ingest.domain import payload
from shuanglu_media_ingest.domain.gaps import Faults
from shuanglu_media_ingest.domain.joints import Joints, TooManyJoints
from shuanglu_media_ingest.domain.limits import MAX_PACKETS, require_packets
from shuanglu_media_ingest.errors import TimestampsBroken

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

# A demuxer that finds nothing more after so many errors in a row has reached the end of what is readable.
MAX_ERRORS = 20
# Reordering of pictures and sane packets stay far below; what lies beyond is a damaged time.
MAX_REORDER_S = 10
MAX_PACKET_S = 10
# More bytes than this between two packets are no container's overhead.
SKIPPED_BYTES = 1024
LOST_S = Fraction(5, 1000)
# Where pictures are reordered it takes some until a hole shows in the decode times.
SUSPECT_PACKETS = 16
# Containers that write packets one behind the other with their times, and those that only count.
_TIMED = ("matroska", "flv", "ogg")
_COUNTED = ("avi", "mp3", "aac", "amr")


class Packets:
    """Iterate once; then `faults`, `joints` and `breaks_off` are complete."""

    def __init__(self, container: "InputContainer", sources: Sequence[Any]) -> None:
        """`sources`: the streams to read."""
        self._container, self._sources = container, list(sources)
        names = container.format.name.split(",")
        self._timed = any(name in _TIMED for name in names)
        self._counted = any(name in _COUNTED for name in names)
        self.faults = {source.index: Faults(source.type == "video") for source in sources}
        self.joints = Joints({source.index: source.time_base for source in sources})
        self.breaks_off = False
        self._nal_sizes = {source.index: _nal_size(source) for source in sources}
        self._adts = {
            source.index
            for source in sources
            if source.codec_context.name == "aac" and not source.codec_context.extradata
        }
        self._plain = {source.index for source in sources if source.codec_context.name.startswith("pcm_")}
        self._longest = {source.index: int(MAX_PACKET_S / source.time_base) for source in sources}
        self._reorder = {source.index: int(MAX_REORDER_S / source.time_base) for source in sources}
        self._lost = {source.index: int(LOST_S / source.time_base) for source in sources}
        self._high: dict[int, int] = {}
        # Ogg has no pauses: where its clock leaps, a page is gone.
        self._always_suspect = "ogg" in names
        # How many more packets of each stream may show that some were lost.
        self._suspect = dict.fromkeys(self.faults, 0)
        self._end_pos: int | None = None

    def __iter__(self) -> "Iterator[av.Packet[Any]]":
        """Usable packets in the file's order. Raises TimestampsBroken, RecordingTooLarge."""
        count = 0
        for packet in self._demuxed():
            if not packet.size:
                continue
            count += 1
            if count > MAX_PACKETS:
                require_packets(count)
            self._look_for_lost_bytes(packet)
            try:
                usable = self._place(packet)
            except TooManyJoints as error:
                raise TimestampsBroken from error
            self.breaks_off = not usable
            if usable:
                yield packet

    def _demuxed(self) -> "Iterator[av.Packet[Any]]":
        errors = 0
        while True:
            try:
                for packet in self._container.demux(self._sources):
                    errors = 0
                    yield packet
            # IndexError: a damaged byte names a stream that was not there before. FFmpeg's MemoryError is among them: a
            # damaged count asks for more than any packet can need.
            except (FFmpegError, IndexError):
                errors += 1
                self._suspect_all()
                if errors == MAX_ERRORS:
                    self.breaks_off = True
                    return
            else:
                # Nothing came after an error: there may have been more.
                self.breaks_off = self.breaks_off or errors > 0
                return

    def _place(self, packet: "av.Packet[Any]") -> bool:
        """Gives the packet its place on the line; False if it is of no use."""
        index, pts, dts = packet.stream_index, packet.pts, packet.dts
        if self._is_broken(packet):
            due = self.joints.due(index)
            self.faults[index].bad(self._high.get(index, due or 0))
            self._suspect_all()
            return False
        at = dts if dts is not None else pts
        if at is None:
            return True
        duration = packet.duration if packet.duration and packet.duration <= self._longest[index] else 0
        due = self.joints.due(index)
        shift = self.joints.shift(index, at, pts if pts is not None else at, duration)
        high = self._high.get(index)
        if self._suspect[index] or self._always_suspect:
            self._suspect[index] = max(0, self._suspect[index] - 1)
            if due is not None and high is not None and at + shift - due > max(self._lost[index], duration // 2):
                self.faults[index].bad(high)
                self._suspect[index] = 0
        packet.dts = at + shift
        packet.duration = duration
        if pts is None:
            return True
        packet.pts = pts + shift
        self._high[index] = max(high if high is not None else packet.pts, packet.pts + duration)
        self.faults[index].good(packet.pts, key=packet.is_keyframe)
        return True

    def _is_broken(self, packet: "av.Packet[Any]") -> bool:
        """True if the demuxer got only a part of it, its times are nonsense, or its structure is."""
        index, pts, dts = packet.stream_index, packet.pts, packet.dts
        if packet.is_corrupt and index not in self._plain:
            return True
        if pts is not None and dts is not None and abs(pts - dts) > self._reorder[index]:
            return True
        at = pts if pts is not None else dts
        if at is not None and abs(at) > 1 << 60:
            return True
        size = self._nal_sizes[index]
        if size:
            return not payload.has_whole_units(memoryview(packet), size)
        return index in self._adts and not payload.is_whole_adts(bytes(packet))

    def _suspect_all(self) -> None:
        self._suspect = dict.fromkeys(self.faults, SUSPECT_PACKETS)

    def _look_for_lost_bytes(self, packet: "av.Packet[Any]") -> None:
        """Demuxers pass over what they do not understand; the positions of the packets tell."""
        if packet.pos is None or not (self._timed or self._counted):
            return
        if self._end_pos is not None and packet.pos - self._end_pos > SKIPPED_BYTES:
            if self._timed:
                self._suspect_all()
            else:
                for index, faults in self.faults.items():
                    faults.mark(self._high.get(index, 0))
        self._end_pos = max(self._end_pos or 0, packet.pos + packet.size)


def _nal_size(source: Any) -> int:
    """Bytes of a NAL unit's length, where the stream has them (ISO/IEC 14496-15, avcC and hvcC); else 0."""
    extradata = source.codec_context.extradata or b""
    return payload.length_size(source.codec_context.codec.canonical_name, bytes(extradata[:23]))
