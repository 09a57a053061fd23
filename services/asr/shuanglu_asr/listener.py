"""Listens to a track: turns and loudness. Blocking; runs in a cell."""

from collections.abc import Iterable

import numpy as np

from shuanglu_asr.av_sound import Block, SoundReader
from shuanglu_asr.domain.listened import Listened
from shuanglu_asr.domain.loudness import LoudnessMeter
from shuanglu_asr.domain.placing import RATE
from shuanglu_asr.domain.turns import Turn, TurnFinder, TurnRules
from shuanglu_asr.silero import Ear, Silero
from shuanglu_common.errors import DamagedData


class Listener:
    """Give it the segments of a track in order, then `finish`."""

    def __init__(self, silero: Silero, rules: TurnRules) -> None:
        """Knows nothing of the track yet."""
        self.reader = SoundReader()
        self.ear = Ear(silero)
        self.meter = LoudnessMeter(RATE)
        self.rules = rules
        self.finder: TurnFinder | None = None
        self.turns: list[Turn] = []
        self.segments = 0
        self.unread: list[int] = []
        self.last_error: DamagedData | None = None

    def add(self, data: bytes) -> None:
        """The next segment, init plus media. One that cannot be read is told of in the end."""
        number, self.segments = self.segments, self.segments + 1
        try:
            self.hear(self.reader.read(data))
        except DamagedData as error:
            self.unread.append(number)
            self.last_error = error

    def finish(self) -> Listened:
        """The end of the track. Raises SoundUnreadable, SegmentUnreadable if not a single segment could be read."""
        if self.last_error is not None and len(self.unread) == self.segments:
            raise self.last_error
        self.hear(self.reader.finish())
        if self.finder is not None:
            self.turns += self.finder.add_all(self.ear.finish())
            if (last := self.finder.finish()) is not None:
                self.turns.append(last)
        samples = sum(power.samples for power in self.meter.seconds.values())
        unheard, unread = tuple(sorted(self.reader.lost)), tuple(self.unread)
        return Listened(tuple(self.turns), self.meter.finish(), samples / RATE, unheard, unread)

    def hear(self, blocks: Iterable[Block]) -> None:
        """A stretch of sound, all at once: the model is quicker with many frames."""
        pieces = []
        for block in blocks:
            if self.finder is None:
                self.finder = TurnFinder(block.start * 1000 // RATE, self.rules)
            self.measure(block)
            pieces.append(block.samples)
        if pieces and self.finder is not None:
            self.turns += self.finder.add_all(self.ear.listen(np.concatenate(pieces)))

    def measure(self, block: Block) -> None:
        """Loudness, cut at whole seconds of the session."""
        at, end = block.start, block.start + len(block.samples)
        while at < end:
            until = min(end, (at // RATE + 1) * RATE)
            part = block.samples[at - block.start : until - block.start].astype(np.float64)
            self.meter.add(at, len(part), float(part @ part), float(np.abs(part).max()))
            at = until
