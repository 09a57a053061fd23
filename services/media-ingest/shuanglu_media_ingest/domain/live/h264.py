"""H.264 in RTP (RFC 6184, packetization modes 0 and 1): pictures out of packets.

A picture that lacks a packet is dropped, and with it all that build on it, up to the next key frame: a player would
show smeared rests of them, and a check would look at faces that nobody had. Janus asks the sender for a key frame at
least once a second.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from shuanglu_media_ingest.domain.live import sps as sequence_parameters
from shuanglu_media_ingest.domain.live.clock import Placed

MAX_PICTURE_BYTES = 4 << 20
_IDR, _SPS, _PPS, _AUD, _FILLER = 5, 7, 8, 9, 12
_LAST_SINGLE, _STAP_A, _FU_A = 23, 24, 28
_TYPE = 0x1F
_STARTS = frozenset({_SPS, _AUD})


class Picture(NamedTuple):
    """One whole picture."""

    data: bytes  # NAL units with lengths of 4 bytes; a key frame has its parameter sets with it
    at: int  # ticks
    epoch: int
    key: bool


@dataclass(slots=True)
class Pictures:
    """Collects the pictures of one track, over all its files.

    `dropped` counts pictures that were not whole or built on such.
    """

    sps: bytes = b""
    pps: bytes = b""
    dropped: int = 0
    malformed: int = 0  # packets that are no H.264
    _needs_key: bool = True
    _at: int = 0
    _epoch: int = 0
    _timestamp: int | None = None  # of the picture in hand
    _units: list[bytes] = field(default_factory=list)
    _size_bytes: int = 0
    _fragments: list[bytes] | None = None
    _damaged: bool = False

    def add(self, placed: Placed) -> list[Picture]:
        """Takes the next packet; returns pictures that it ends, at most two."""
        packet, out = placed.packet, list[Picture]()
        if packet.after_loss:
            self._lose(packet.timestamp)
        if not packet.payload:
            return out
        if self._timestamp is not None and packet.timestamp != self._timestamp:
            out += self._end()
        if self._timestamp is None:
            self._timestamp, self._at, self._epoch = packet.timestamp, placed.at, placed.epoch
            if packet.after_loss and not _begins_picture(packet.payload):
                self._damaged = True
        if not self._take(packet.payload):
            self.malformed += 1
            self._damaged = True
        if packet.marker:
            out += self._end()
        return out

    def lose(self) -> None:
        """What is in hand will not be finished, and what follows may lack something."""
        self._lose(None)
        self._end()

    def _lose(self, timestamp: int | None) -> None:
        """Packets are missing before the next one, which has this time."""
        self._needs_key = True
        if self._timestamp is not None:
            self._damaged = True
            if timestamp != self._timestamp:
                self._end()

    def _take(self, payload: bytes) -> bool:
        kind = payload[0] & _TYPE
        if payload[0] & 0x80:
            return False
        if kind == _FU_A:
            return self._take_fragment(payload)
        if self._fragments is not None:
            return False
        if kind == _STAP_A:
            return self._take_several(payload)
        return 0 < kind <= _LAST_SINGLE and self._keep(payload)

    def _take_several(self, payload: bytes) -> bool:
        at = 1
        while at + 2 < len(payload):
            end = at + 2 + int.from_bytes(payload[at : at + 2], "big")
            if end > len(payload) or end == at + 2 or not self._keep(payload[at + 2 : end]):
                return False
            at = end
        return at == len(payload)

    def _take_fragment(self, payload: bytes) -> bool:
        if len(payload) < 3:  # noqa: PLR2004 - indicator, header, a byte
            return False
        header = payload[1]
        if header & 0x80:
            if self._fragments is not None:
                return False
            self._fragments = [bytes([payload[0] & 0xE0 | header & _TYPE])]
        if self._fragments is None:
            return False
        self._fragments.append(payload[2:])
        if header & 0x40:
            unit, self._fragments = b"".join(self._fragments), None
            return self._keep(unit)
        self._size_bytes += len(payload)
        return self._size_bytes <= MAX_PICTURE_BYTES

    def _keep(self, unit: bytes) -> bool:
        kind = unit[0] & _TYPE
        if kind in (_AUD, _FILLER):
            return True
        if kind == _SPS and unit != self.sps:
            try:
                sequence_parameters.size(unit)
            except sequence_parameters.SpsDamaged:
                return False
            self.sps = unit
        elif kind == _PPS:
            self.pps = unit
        self._size_bytes += len(unit)
        self._units.append(unit)
        return self._size_bytes <= MAX_PICTURE_BYTES

    def _end(self) -> list[Picture]:
        """The picture in hand is at its end."""
        units, damaged = self._units, self._damaged or self._fragments is not None
        at, epoch, had = self._at, self._epoch, self._timestamp is not None
        self._timestamp, self._units, self._fragments, self._damaged, self._size_bytes = None, [], None, False, 0
        if not had:
            return []
        kinds = {unit[0] & _TYPE for unit in units}
        key = _IDR in kinds
        if damaged or (key and not (self.sps and self.pps)) or (self._needs_key and not key):
            self._needs_key = True
            self.dropped += 1
            return []
        if not any(0 < kind <= _IDR for kind in kinds):
            return []  # parameter sets or notes alone
        self._needs_key = False
        if key:
            units = [*(one for one in (self.sps, self.pps) if one[0] & _TYPE not in kinds), *units]
        return [Picture(b"".join(len(unit).to_bytes(4, "big") + unit for unit in units), at, epoch, key)]


def _begins_picture(payload: bytes) -> bool:
    """True if nothing of this picture can lie before this packet: it begins with its parameter sets."""
    kind = payload[0] & _TYPE
    if kind == _STAP_A and len(payload) > 3:  # noqa: PLR2004 - its first unit's header
        kind = payload[3] & _TYPE
    return kind in _STARTS
