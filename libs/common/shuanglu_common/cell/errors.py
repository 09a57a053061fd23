"""How a call into a cell can end, beside the function's own typed errors.

CellFailed            the child is gone; the next call has a new one
├── CellCrashed       it died, was killed, answered rubbish, or raised what nobody foresaw
├── CellTimeout       it gave no sign of life in time, or used up its core-seconds
├── CellMemory        it needed more memory than it may have, or than the machine has
├── CellKilled        somebody killed it from outside: an operator, or the kernel of a machine without memory
└── CellLost          the child that somebody kept something in has ended meanwhile, over other work
"""

from typing import ClassVar

from shuanglu_common.errors import InternalError


class CellFailed(InternalError):
    """Base. `cause` is the label of the metric."""

    reason = "CELL_FAILED"
    cause: ClassVar[str] = "crashed"


class CellCrashed(CellFailed):
    """The child died over the call, or its answer cannot be believed."""

    reason = "CELL_CRASHED"


class CellTimeout(CellFailed):
    """The child was killed because it took too long."""

    reason = "CELL_TIMEOUT"
    cause = "timeout"


class CellMemory(CellFailed):
    """The child ran out of memory."""

    reason = "CELL_OUT_OF_MEMORY"
    cause = "memory"


class CellKilled(CellFailed):
    """The child was killed by SIGKILL, and neither by us nor, as far as can be told, for its memory."""

    reason = "CELL_KILLED"
    cause = "killed"


class CellLost(CellFailed):
    """Not the fault of the work that finds out: it begins again."""

    reason = "CELL_LOST"


class Attempts:
    """How often one piece of work may end its child before it is given up.

    A crash may be the machine's fault, so each work has a second try. Who was only hit by something else, an operator's
    kill or another work's crash, gets more of them, but not without end.
    """

    MOST = 2
    MOST_BYSTANDER = 6

    def __init__(self) -> None:
        """Nothing has failed yet."""
        self.own = self.bystander = 0

    def again(self, error: CellFailed) -> bool:
        """Whether there is another try after this failure."""
        if isinstance(error, CellKilled | CellLost):
            self.bystander += 1
        else:
            self.own += 1
        return self.own < self.MOST and self.bystander < self.MOST_BYSTANDER
