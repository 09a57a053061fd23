"""One clock for all: from a sender's RTP time to positions on the session's timeline.

A packet's arrival minus its RTP time is the distance of the two clocks plus what the packet was delayed on its way.
Delay is never negative, so a low percentile of that difference over a window is the distance. It is looked at over
time: the sender's clock drifts by up to some hundred ppm, and the position follows by at most SLEW_PPM, so that it
never jumps.

Where the difference leaps by more than JUMP_MS from one packet to the next, they are held back until it is clear what
happened:

* the next ones fit again: a time that lay ahead was garbage, what was late lies where it belongs;
* the difference falls: the network had stalled, and gives back what it held;
* it stays: the sender's clock was paused (Chrome does so when a track is taken away) or set: from here on a new
  distance counts.

Where it grows packet by packet, a queue grows on the way (Chrome sends a large picture over seconds): nothing changes.

Integers only; the same packets give the same positions.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from shuanglu_media_ingest.domain.live.rtp import Packet

# The first packets, and those after a leap, are judged together: a percentile of one packet is that packet's delay.
ANCHOR_MS = 1000
# While the difference still moves, it is waited for no longer than this.
ANCHOR_MAX_MS = 5000
STEADY_MS = 100
JUMP_MS = 500
# No queue is so long: the sender's clock runs at another speed.
FAR_MS = 10_000
BLOCK_MS = 1000
BLOCKS = 10
SLEW_PPM = 5000
# A distance that is so wrong is followed ten times as fast.
WRONG_MS = 200
MAX_HELD = 4096
_LOW = 10  # the lowest tenth
_FEW = 3
_FINE = 1000  # the distance is kept in thousandths of a tick
_SLEW = SLEW_PPM * _FINE // 1_000_000


class Placed(NamedTuple):
    """A packet on the timeline."""

    packet: Packet
    at: int  # ticks from the session's start; may be negative by the delay of the session's first packet
    epoch: int  # grows where the distance was taken anew: positions may then step back


class Block(NamedTuple):
    """The smallest difference within a second of arrival."""

    second: int
    least: int


@dataclass(slots=True)
class RtpClock:
    """Places the packets of one file, given in the sender's order. Its clock and the track's have the same rate."""

    rate: int  # ticks a second
    first_us: int  # arrival of the file's first record, microseconds from the session's start
    epoch: int = 0
    garbage: int = 0  # packets whose time cannot be
    _distance: int | None = None  # thousandths of a tick
    _target: int = 0  # ticks
    _timestamp: int = 0
    _off: int = 0  # by how much the latest packet was later than the distance says, in ticks
    _blocks: list[Block] = field(default_factory=list)
    _held: list[Packet] = field(default_factory=list)
    _after_garbage: bool = False

    def take(self, packet: Packet) -> list[Placed]:
        """Takes the next packet; returns those that can be placed, in order."""
        if packet.restarted:
            out, self._distance, self._held = self.flush(), None, [packet]
            return out
        if self._distance is None:
            self._held.append(packet)
            return self._settled() if self._is_ripe() else []
        off = self._lateness(packet)
        if not self._held and (self._fits(off) or (self._fits(off - self._off) and not self._is_far(off))):
            return [self._place(packet)]
        self._held.append(packet)
        if self._fits(off):
            return self._released(sift=True)
        if not self._is_ripe():
            return []
        return self._settled() if self._is_steady() or self._is_far(off) else self._released(sift=False)

    def flush(self) -> list[Placed]:
        """Places what is held: nothing more comes."""
        return self._settled() if self._held else []

    def _ticks(self, milliseconds: int) -> int:
        return self.rate * milliseconds // 1000

    def _fits(self, off: int) -> bool:
        return abs(off) <= self._ticks(JUMP_MS)

    def _is_far(self, off: int) -> bool:
        return abs(off) > self._ticks(FAR_MS)

    def _difference(self, packet: Packet) -> int:
        return (self.first_us + packet.arrived_ms * 1000) * self.rate // 1_000_000 - packet.timestamp

    def _lateness(self, packet: Packet) -> int:
        """By how much a packet is later than the distance says, in ticks."""
        return self._difference(packet) - (self._distance or 0) // _FINE

    def _is_ripe(self) -> bool:
        """True if it is time to decide about what is held."""
        elapsed_ms = self._held[-1].arrived_ms - self._held[0].arrived_ms
        if len(self._held) >= MAX_HELD or elapsed_ms >= ANCHOR_MAX_MS:
            return True
        return elapsed_ms >= ANCHOR_MS and (self._distance is None or self._is_steady())

    def _is_steady(self) -> bool:
        """True if the difference of what is held stays as it is, by its least in two halves of a second."""
        half = self._held[-1].arrived_ms - ANCHOR_MS // 2
        later = [self._difference(each) for each in self._held if each.arrived_ms >= half]
        earlier = [
            self._difference(each) for each in self._held if half - ANCHOR_MS // 2 <= each.arrived_ms < half
        ] or later
        return abs(min(earlier) - min(later)) <= self._ticks(STEADY_MS)

    def _settled(self) -> list[Placed]:
        """Takes the distance anew from what is held."""
        differences = sorted(self._difference(each) for each in self._held)
        distance = differences[len(differences) // _LOW]
        self.epoch += 1
        self._distance, self._target, self._blocks = distance * _FINE, distance, []
        self._timestamp = self._held[0].timestamp
        return self._released(sift=True)

    def _released(self, *, sift: bool) -> list[Placed]:
        """Places what is held by the distance as it is. `sift`: a packet that came long before its time is garbage."""
        held, self._held = self._held, []
        placed: list[Placed] = []
        for packet in held:
            if sift and self._lateness(packet) < -self._ticks(JUMP_MS):
                self.garbage += 1
                self._after_garbage = True
            else:
                placed.append(self._place(packet))
        return placed

    def _place(self, packet: Packet) -> Placed:
        self._observe(packet)
        ahead = packet.timestamp - self._timestamp
        distance = self._distance or 0
        if ahead > 0:
            wrong = self._target * _FINE - distance
            limit = ahead * _SLEW * (1 if abs(wrong) <= self._ticks(WRONG_MS) * _FINE else 10)
            distance += max(-limit, min(limit, wrong))
            self._distance, self._timestamp = distance, packet.timestamp
        self._off = self._lateness(packet)
        if self._after_garbage:
            packet, self._after_garbage = packet._replace(after_loss=True), False
        return Placed(packet, packet.timestamp + (distance + _FINE // 2) // _FINE, self.epoch)

    def _observe(self, packet: Packet) -> None:
        difference, second = self._difference(packet), packet.arrived_ms // BLOCK_MS
        blocks = self._blocks
        if not blocks or blocks[-1].second < second:
            if blocks:
                # The lowest but one: a single packet that lies does not count.
                lowest = sorted(block.least for block in blocks)
                self._target = lowest[1 if len(lowest) >= _FEW else 0]
            blocks.append(Block(second, difference))
            del blocks[:-BLOCKS]
        elif difference < blocks[-1].least:
            blocks[-1] = Block(blocks[-1].second, difference)
