"""How a call into a cell can end, beside the function's own typed errors.

CellFailed            the child is gone; the next call has a new one
├── CellCrashed       it died, was killed, answered rubbish, or raised what nobody foresaw
├── CellTimeout       it gave no sign of life in time, or used up its core-seconds
├── CellMemory        it needed more memory than it may have, or than the machine has
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


class CellLost(CellFailed):
    """Not the fault of the work that finds out: it begins again."""

    reason = "CELL_LOST"
