"""RTP packets (RFC 3550) in the sender's order: numbers unwrapped, repeats dropped, the late ones waited for."""

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

# A lost packet is asked for again (NACK) at most twice by Janus, 12 and 167 ms after it was missed: at a round trip of
# 400 ms the second answer comes within 600 ms.
WAIT_MS = 1000
# Before the first packet is let out, those that it overtook may come.
START_MS = 100
# Bounds of RFC 3550, A.1: a larger leap counts only when the packet after it follows.
MAX_LEAP = 3000
MAX_HELD = 4096
LOSS_WINDOW_S = 5

_HEADER = struct.Struct("!BBHII")
_VERSION = 2
_HALF_32, _ALL_32 = 1 << 31, 1 << 32
_HALF_16, _ALL_16 = 1 << 15, 1 << 16


class Packet(NamedTuple):
    """One packet of the stream. Numbers and times are unwrapped: they go on where 16 and 32 bits end."""

    sequence: int
    timestamp: int  # ticks of the sender's clock
    marker: bool
    payload: bytes  # may be empty: padding that probes the network
    arrived_ms: int  # since the file's first record
    after_loss: bool = False  # at least one packet before it is missing
    restarted: bool = False  # first one of another sender's clock


class Bare(NamedTuple):
    """A packet as it came, its numbers not unwrapped."""

    sequence: int
    timestamp: int
    marker: bool
    payload: bytes
    source: int  # SSRC


def parse(data: bytes) -> Bare | None:
    """A packet without CSRCs, header extension and padding; None if the bytes are no RTP packet."""
    if len(data) < _HEADER.size:
        return None
    first, second, sequence, timestamp, source = _HEADER.unpack_from(data)
    start, end = _HEADER.size + 4 * (first & 0x0F), len(data)
    if first >> 6 != _VERSION:
        return None
    if first & 0x10:
        if end < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if first & 0x20:
        padding = data[-1]
        if padding == 0:
            return None
        end -= padding
    if end < start:
        return None
    return Bare(sequence, timestamp, bool(second & 0x80), data[start:end], source)


def _nearest(value: int, reference: int, half: int, whole: int) -> int:
    """The number that ends in `value` and is nearest to the reference."""
    return reference + (value - reference + half) % whole - half


class Loss(NamedTuple):
    """What came and what did not within one second."""

    second: int
    received: int
    lost: int


@dataclass(slots=True)
class Sequencer:
    """Puts the packets of one file in order.

    A packet that is missing is waited for WAIT_MS of arrival time; only then those behind it come out, the first of
    them marked `after_loss`. Another sender (SSRC), or a leap of more than MAX_LEAP, counts when two packets in a row
    say so.
    """

    refused: int = 0  # no RTP, or a leap that nothing followed
    repeated: int = 0
    late: int = 0  # came after they had been given up
    lost: int = 0
    losses: list[Loss] = field(default_factory=list)
    _source: int = -1
    _next: int = 0
    _timestamp: int = 0
    _starting: bool = True
    _after_loss: bool = False
    _restarted: bool = False
    _held: dict[int, Packet] = field(default_factory=dict)
    _stray: Bare | None = None
    _stray_ms: int = 0

    def add(self, data: bytes, arrived_ms: int) -> list[Packet]:
        """Takes the next packet as it arrived; returns those whose turn has come."""
        bare = parse(data)
        if bare is None:
            self.refused += 1
            return []
        out: list[Packet] = []
        sequence = _nearest(bare.sequence, self._next, _HALF_16, _ALL_16)
        if bare.source != self._source or abs(sequence - self._next) > MAX_LEAP:
            if self._source >= 0 and not self._follows_stray(bare, arrived_ms):
                return out
            out = self._restart(bare)
            if self._stray is not None:
                self._hold(self._stray, self._stray_ms)
                self._stray = None
        self.refused += self._stray is not None
        self._stray = None
        sequence = self._hold(bare, arrived_ms)
        if sequence == self._next and len(self._held) == 1 and not self._starting and not self._after_loss:
            self._next += 1
            out.append(self._held.pop(sequence))
            return out
        return out + self._due(arrived_ms)

    def flush(self) -> list[Packet]:
        """All that is held, in order: nothing more comes."""
        self._starting = False
        out: list[Packet] = []
        while self._held:
            out += self._run()
        return out

    def lost_permille(self) -> int:
        """Packets lost within the last seconds before the latest one, per 1000."""
        lost, received = sum(each.lost for each in self.losses), sum(each.received for each in self.losses)
        return 1000 * lost // (lost + received) if lost else 0

    def _follows_stray(self, bare: Bare, arrived_ms: int) -> bool:
        stray = self._stray
        if stray and stray.source == bare.source and (stray.sequence + 1) % _ALL_16 == bare.sequence:
            return True
        self.refused += stray is not None
        self._stray, self._stray_ms = bare, arrived_ms
        return False

    def _restart(self, bare: Bare) -> list[Packet]:
        """From here on another numbering counts."""
        out = self.flush()
        first = self._stray or bare
        if self._source >= 0:
            self._after_loss = True
            if bare.source != self._source:
                self._restarted = True
            elif (missing := (first.sequence - self._next) % _ALL_16) < _HALF_16:
                self.lost += missing
                self._note(self._stray_ms, lost=missing)
        if bare.source != self._source:
            self._timestamp = first.timestamp
        self._source, self._next, self._starting = bare.source, first.sequence, True
        return out

    def _hold(self, bare: Bare, arrived_ms: int) -> int:
        """Unwraps a packet and puts it among those that are held, if it is new; returns its number."""
        sequence = _nearest(bare.sequence, self._next, _HALF_16, _ALL_16)
        self._timestamp = _nearest(bare.timestamp, self._timestamp, _HALF_32, _ALL_32)
        if self._starting:
            self._next = min(self._next, sequence)
        if sequence in self._held:
            self.repeated += 1
        elif sequence < self._next:
            self.late += 1
        else:
            self._held[sequence] = Packet(sequence, self._timestamp, bare.marker, bare.payload, arrived_ms)
            self._note(arrived_ms, received=1)
        return sequence

    def _due(self, now_ms: int) -> list[Packet]:
        out: list[Packet] = []
        if self._starting and self._held:
            if now_ms - next(iter(self._held.values())).arrived_ms < START_MS:
                return out
            self._starting = False
        while self._held:
            # All that is held came after the packet that is missing.
            waited_ms = now_ms - next(iter(self._held.values())).arrived_ms
            if self._next not in self._held and waited_ms < WAIT_MS and len(self._held) < MAX_HELD:
                break
            out += self._run()
        return out

    def _run(self) -> list[Packet]:
        """The held packets up to the next missing one."""
        out: list[Packet] = []
        first = min(self._held)
        missing = first - self._next
        if missing > 0:
            self.lost += missing
            self._note(self._held[first].arrived_ms, lost=missing)
        self._next = first
        while (packet := self._held.pop(self._next, None)) is not None:
            if not out and (missing > 0 or self._after_loss):
                packet = packet._replace(after_loss=True, restarted=self._restarted)
                self._after_loss = self._restarted = False
            out.append(packet)
            self._next += 1
        return out

    def _note(self, at_ms: int, received: int = 0, lost: int = 0) -> None:
        second = at_ms // 1000
        if self.losses and self.losses[-1].second >= second:
            last = self.losses[-1]
            self.losses[-1] = Loss(last.second, last.received + received, last.lost + lost)
            return
        self.losses.append(Loss(second, received, lost))
        self.losses = [each for each in self.losses if each.second > second - LOSS_WINDOW_S]
