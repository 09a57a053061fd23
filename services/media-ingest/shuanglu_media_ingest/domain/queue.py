"""The queue of imports, as its workers see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from shuanglu_media_ingest.domain.imports import Import
from shuanglu_media_ingest.domain.leases import Beat

# Starts of one try that were the import's own fault (a fault of ours, or a worker that died of it), before it is given
# up. A worker that dies takes several imports along, most of them innocent: those get more.
MAX_ATTEMPTS = 5
MAX_ABANDONED = 10
RETRY_DELAYS_S = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0)


class Answer(StrEnum):
    """What a beat hears."""

    GO_ON = "go_on"
    CANCEL = "cancel"
    """Somebody wants the import stopped."""
    LOST = "lost"
    """Another worker has it, or it has ended."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long one size class of the queue is, and since when its oldest import waits."""

    small: bool
    length: int
    oldest_s: float


@dataclass(frozen=True, slots=True)
class Sight:
    """What a look at the queue shows: beats of everything in work, also in other processes; whether anything waits."""

    beats: Sequence[Beat]
    waiting: bool
    to_cancel: bool


class Queue(Protocol):
    """Imports that wait and imports in work. Every method raises DatabaseUnavailable."""

    async def claim(self, lease: str, *, small_only: bool) -> Import | None:
        """Take the next one under this lease; None if none waits for us."""
        ...

    async def claim_cancelled(self, lease: str) -> Import | None:
        """Take one that waits and that somebody wants cancelled."""
        ...

    async def look(self) -> Sight:
        """What there is to do."""
        ...

    async def take_over(self, abandoned: Beat, lease: str) -> Import | None:
        """Take an import whose worker is gone; None if it lives after all or another one was quicker."""
        ...

    async def beat(self, record: Import) -> Answer:
        """Show that we still work on it."""
        ...

    async def give_back(self, record: Import, waiting_for: str, delay_s: float, *, excused: bool) -> bool:
        """Let it wait again, for `delay_s` at least. `excused`: this start does not count against it."""
        ...

    async def lengths(self) -> Sequence[Waiting]:
        """Size classes that anything waits in."""
        ...


def faults(record: Import) -> int:
    """Starts of this try that count against the import, the present one included."""
    return record.attempts - record.outages


def delay_s(times: int) -> float:
    """How long to wait after the `times`-th failure in a row, from 1."""
    return RETRY_DELAYS_S[min(times, len(RETRY_DELAYS_S)) - 1]
