"""The lifecycle of a session.

What happens arrives as events, in any order and more than once. So nothing moves from state to state: facts are
collected, and the state is read off them by the first line of a table that holds. A late event can add a fact, but
never takes one away, and so never leads backwards. The one way back is wanted: another import opens a FAILED session.

    REPORTED     a report exists
    INSPECTING   a recording is complete
    RECORDING    an import was accepted and has not failed
    FAILED       a call is over of which nothing was recorded
    RECORDING    the first byte of a call is on disk
    FAILED       every import has failed
    CREATED      nothing has happened
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from shuanglu_signaling.domain.words import SessionState

NOTHING_RECORDED = "NOTHING_RECORDED"
"""Failure reason of a session whose call is over without a byte recorded."""


@dataclass(frozen=True, slots=True, order=True)
class Failure:
    """An import that could not be taken in. Ordered by time, so that the newest tells why."""

    failed_at_us: int
    import_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Progress:
    """The facts of one session; adding them commutes and repeats change nothing."""

    requested: frozenset[str] = frozenset()  # ids of imports that were accepted
    failures: frozenset[Failure] = frozenset()  # at most one for each import
    live: bool = False  # a byte of a call was recorded
    nothing: bool = False  # a call is over, and not one byte of it was recorded
    completed: bool = False
    reported: bool = False
    updated_at_us: int = 0

    @property
    def state(self) -> SessionState:
        """Where the session stands."""
        return next(state for state, holds in TABLE if holds(self))

    @property
    def failure_reason(self) -> str:
        """Why it is FAILED: reason of the newest failure of an import, NOTHING_RECORDED without one; else empty."""
        if self.state is not SessionState.FAILED:
            return ""
        return max(self.failures).reason if self.failures else NOTHING_RECORDED

    def at(self, now_us: int) -> "Progress":
        """The newest fact's time, whatever order they come in."""
        return replace(self, updated_at_us=max(self.updated_at_us, now_us))

    def import_requested(self, import_id: str, at_us: int) -> "Progress":
        """An import was accepted."""
        return replace(self, requested=self.requested | {import_id}).at(at_us)

    def import_failed(self, import_id: str, reason: str, at_us: int) -> "Progress":
        """An import could not be taken in. Told twice at different times, the newest counts."""
        same = {failure for failure in self.failures if failure.import_id == import_id}
        newest = max(same | {Failure(at_us, import_id, reason)})
        return replace(self, failures=self.failures - same | {newest}).at(at_us)

    def recording_completed(self, at_us: int) -> "Progress":
        """All tracks are stored."""
        return replace(self, completed=True).at(at_us)

    def call_recording(self, at_us: int) -> "Progress":
        """The first byte of a call is on disk."""
        return self if self.live else replace(self, live=True).at(at_us)

    def call_empty(self, at_us: int) -> "Progress":
        """A call is over of which nothing was recorded, or nobody came."""
        return self if self.nothing else replace(self, nothing=True).at(at_us)

    def report_ready(self, at_us: int) -> "Progress":
        """A report can be read."""
        return replace(self, reported=True).at(at_us)


def is_open(progress: Progress) -> bool:
    """Whether an import goes on."""
    return bool(progress.requested - {failure.import_id for failure in progress.failures})


TABLE: tuple[tuple[SessionState, Callable[[Progress], bool]], ...] = (
    (SessionState.REPORTED, lambda progress: progress.reported),
    (SessionState.INSPECTING, lambda progress: progress.completed),
    (SessionState.RECORDING, is_open),
    (SessionState.FAILED, lambda progress: progress.nothing),
    (SessionState.RECORDING, lambda progress: progress.live),
    (SessionState.FAILED, lambda progress: bool(progress.failures)),
    (SessionState.CREATED, lambda _: True),
)
