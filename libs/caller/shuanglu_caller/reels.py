"""Reels of a film as media tracks: samples leave when they are due, on one clock for picture and sound."""

import asyncio
import time
from fractions import Fraction
from typing import Any

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from shuanglu_caller.film import Reel


class Projector:
    """When the film began. One for picture and sound of a participant, and for all connections of it one by one.

    A connection that is made while it runs joins in where the film is, as a camera would. The film repeats.
    """

    def __init__(self, *, repeat: bool = True) -> None:
        self.repeat = repeat
        self._began_at_s = 0.0
        self._begun = asyncio.Event()

    def begin(self, at_s: float | None = None) -> None:
        """Begin at a time of the event loop's clock; default: now."""
        self._began_at_s = asyncio.get_running_loop().time() if at_s is None else at_s
        self._begun.set()

    async def position_s(self) -> float:
        """Seconds since the beginning; waits for it."""
        await self._begun.wait()
        return max(0.0, asyncio.get_running_loop().time() - self._began_at_s)

    async def until(self, position_s: float) -> None:
        """Wait until the film is there."""
        await self._begun.wait()
        wait_s = self._began_at_s + position_s - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, wait_s))


class ReelTrack(MediaStreamTrack):
    """One reel as a track. `muted`: time goes on and nothing is sent, as with a track that was taken off its sender.

    `late_s` delays the samples without touching their RTP times: a bad path for one of the two.
    """

    def __init__(self, reel: Reel, length_s: float, projector: Projector) -> None:
        """`length_s`: after so long the film begins again."""
        super().__init__()
        self.kind = reel.kind
        self.muted = False
        self.late_s = 0.0
        self.sent = 0
        self.first_at_s = 0.0  # time.time() when the first sample left.
        self._reel, self._length_s, self._projector = reel, length_s, projector
        self._index: int | None = None
        self._round = 0
        self._needs_key = reel.kind == "video"

    async def recv(self) -> "av.Packet[Any]":
        """The next sample when it is due. Raises MediaStreamError at the end."""
        while True:
            if self._index is None:
                rounds, position_s = divmod(await self._projector.position_s(), self._length_s)
                self._round = int(rounds)
                self._index = self._reel.first_from(position_s, key=self._needs_key)
            if self._index >= len(self._reel.samples):
                self._index, self._round = 0, self._round + 1
            if self.readyState != "live" or not self._reel.samples or (self._round and not self._projector.repeat):
                self.stop()
                raise MediaStreamError
            sample = self._reel.samples[self._index]
            self._index += 1
            start_s = self._round * self._length_s
            await self._projector.until(start_s + sample.at / self._reel.clock + self.late_s)
            if self.muted:
                self._needs_key = self.kind == "video"
                continue
            if self._needs_key and not sample.key:
                continue
            self._needs_key = False
            packet: av.Packet[Any] = av.Packet(sample.data)
            packet.time_base = Fraction(1, self._reel.clock)
            packet.pts = round(start_s * self._reel.clock) + sample.at
            self.first_at_s = self.first_at_s or time.time()
            self.sent += 1
            return packet
