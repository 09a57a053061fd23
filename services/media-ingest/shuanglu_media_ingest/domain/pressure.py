"""Back pressure: may more be told to the workers, judged by how much waits for them.

Consumers that are behind hold us up while they move. One that stands still holds nobody up for ever, a missing worker
must not keep recordings out of the store; it only slows us down, so that its queue grows by a trickle.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

STALL_S = 30.0


class Gate(StrEnum):
    """What may be told now."""

    OPEN = "open"
    TRICKLE = "trickle"
    """A little at a time: a consumer is behind and stands still."""
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Lag:
    """How far one consumer is behind: messages that wait or are in hand, and how many it was ever given."""

    consumer: str
    waiting: int
    delivered: int


@dataclass(frozen=True, slots=True)
class _Seen:
    delivered: int
    since_s: float


class Judge:
    """Remembers when consumers last moved."""

    def __init__(self, limits: Mapping[str, int], stall_s: float = STALL_S) -> None:
        """`limits`: messages that may wait, by consumer; one without a limit is not asked about."""
        self._limits, self._stall_s = limits, stall_s
        self._seen: dict[str, _Seen] = {}

    def judge(self, lags: Iterable[Lag], now_s: float) -> Gate:
        """The gate for all consumers together. `now_s` is monotonic."""
        gates = {self._one(lag, now_s) for lag in lags}
        return next((gate for gate in (Gate.CLOSED, Gate.TRICKLE) if gate in gates), Gate.OPEN)

    def _one(self, lag: Lag, now_s: float) -> Gate:
        if lag.waiting < self._limits[lag.consumer]:
            self._seen.pop(lag.consumer, None)
            return Gate.OPEN
        seen = self._seen.get(lag.consumer)
        if seen is None or seen.delivered != lag.delivered:
            seen = self._seen[lag.consumer] = _Seen(lag.delivered, now_s)
        return Gate.TRICKLE if now_s - seen.since_s >= self._stall_s else Gate.CLOSED
