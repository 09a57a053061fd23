"""Errors of quality.

CallerError
├── StrategyInvalid        the text has problems; each is listed with path and line
├── StrategyNotFound       no such strategy or version in this tenant
├── StrategyAmbiguous      several strategies fit an order; name one
├── StrategyNotApplicable  the named strategy is not for such orders
├── PageSizeInvalid        the page size is out of range
└── PageTokenInvalid       the page token is not one of ours
DependencyError
├── FoldConflict           another owner has moved the fold on; reload and do it again
└── FoldsUnavailable       the bus's key-value store is away
DamagedData
└── SnapshotDamaged        a stored fold cannot be read
"""

from collections.abc import Sequence

from shuanglu_common.errors import DamagedData, DependencyError, InvalidInput, NotAllowedNow, NotFound
from shuanglu_quality.yaml_text import Problem

_SHOWN = 20


class StrategyInvalid(InvalidInput):
    """The strategy's text has problems."""

    reason = "STRATEGY_INVALID"
    help = "Mend what is listed and try again; ValidateStrategy checks a text without storing it."

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Lists every problem in the text and as details `problem_1`, `problem_2`, …."""
        lines = [
            f"{one.path or 'strategy'}{f' (line {one.line})' if one.line else ''}: {one.message}" for one in problems
        ]
        details = {f"problem_{at}": line for at, line in enumerate(lines[:_SHOWN], 1)}
        super().__init__("The strategy is not valid. " + "; ".join(lines[:_SHOWN]) + ".", **details)
        self.problems = tuple(problems)


class StrategyNotFound(NotFound):
    """There is no such strategy, or it is another tenant's."""

    reason = "STRATEGY_NOT_FOUND"
    help = "ListStrategies shows what there is."


class StrategyAmbiguous(NotAllowedNow):
    """Several strategies fit."""

    reason = "STRATEGY_AMBIGUOUS"
    help = "Name one of them as strategy_id."


class StrategyNotApplicable(NotAllowedNow):
    """The strategy is not for such an order."""

    reason = "STRATEGY_NOT_APPLICABLE"
    help = "Leave strategy_id empty to have the strategy chosen, or name one that is for this product and channel."


class PageSizeInvalid(InvalidInput):
    """The page size is out of range."""

    reason = "PAGE_SIZE_INVALID"
    help = "Ask for 1 to 200 strategies, or 0 for 50."


class PageTokenInvalid(InvalidInput):
    """The page token is not one of ours."""

    reason = "PAGE_TOKEN_INVALID"
    help = "Use next_page_token of the last answer unchanged, or leave it empty."


class FoldConflict(DependencyError):
    """The stored fold has changed since it was read."""

    outage = False
    reason = "FOLD_CONFLICT"


class FoldsUnavailable(DependencyError):
    """The key-value store of the bus does not answer."""

    reason = "FOLDS_UNAVAILABLE"


class SnapshotDamaged(DamagedData):
    """A stored fold cannot be read."""

    reason = "FOLD_SNAPSHOT_DAMAGED"
    help = "Delete the session's key from the bucket quality_folds and replay its events."
