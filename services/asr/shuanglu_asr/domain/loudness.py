"""How loud each second is."""

import math
from dataclasses import dataclass, field

FLOOR_DBFS = -120.0
SECOND_MS = 1000


@dataclass(frozen=True, slots=True)
class Loudness:
    """Level of a stretch, milliseconds from the session's start; levels in dBFS, -120..0, digital silence is -120."""

    start_ms: int
    end_ms: int
    rms_dbfs: float
    peak_dbfs: float


@dataclass(slots=True)
class Power:
    """What a stretch of sound adds up to. `square_sum` and `peak` are of samples in -1..1."""

    samples: int = 0
    square_sum: float = 0.0
    peak: float = 0.0

    def add(self, samples: int, square_sum: float, peak: float) -> None:
        """More sound of the same stretch."""
        self.samples += samples
        self.square_sum += square_sum
        self.peak = max(self.peak, peak)


def dbfs(amplitude: float) -> float:
    """An amplitude, 0..1 of full scale, in dBFS. Clipped sound may decode above 1 and is 0 dBFS."""
    if not amplitude > 0:
        return FLOOR_DBFS
    return min(0.0, max(FLOOR_DBFS, 20 * math.log10(amplitude)))


@dataclass(slots=True)
class LoudnessMeter:
    """Adds up power by whole seconds of the session; the first and last may be shorter."""

    rate: int
    seconds: dict[int, Power] = field(default_factory=dict)
    first: int | None = None
    end: int = 0

    def add(self, start: int, samples: int, square_sum: float, peak: float) -> None:
        """`samples` from position `start`, both in samples, all within one second. Stretches follow one another."""
        self.first = start if self.first is None else self.first
        self.end = start + samples
        self.seconds.setdefault(start // self.rate, Power()).add(samples, square_sum, peak)

    def finish(self) -> tuple[Loudness, ...]:
        """All seconds in time order."""
        return tuple(self._level(second, power) for second, power in sorted(self.seconds.items()))

    def _level(self, second: int, power: Power) -> Loudness:
        start = max(second * self.rate, self.first or 0)
        end = min((second + 1) * self.rate, self.end)
        rms = math.sqrt(power.square_sum / power.samples) if power.samples else 0.0
        return Loudness(
            start * SECOND_MS // self.rate,
            end * SECOND_MS // self.rate,
            round(dbfs(rms), 2),
            round(dbfs(power.peak), 2),
        )
