"""The verdict: what all findings amount to under the strategy's own condition.

The condition says when a session may pass. Whatever it says, a critical FAIL fails the session and an UNSURE or a
FAIL that is not minor keeps it from passing: a condition can make a strategy stricter, never laxer.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from shuanglu_quality.domain.findings import Finding
from shuanglu_quality.domain.words import Outcome, Severity


class VerdictCondition(Protocol):
    """The strategy's condition, compiled."""

    def holds(self, findings: tuple[Finding, ...]) -> bool | None:
        """Whether the session may pass; None if the condition came to an error."""


def reach(findings: Iterable[Finding], condition: VerdictCondition) -> Outcome:
    """FAIL if it fails whatever a person decides about what is unsure; else UNSURE if anything is open; else PASS."""
    known = tuple(findings)
    if not known:
        return Outcome.UNSURE
    if any(one.outcome is Outcome.FAIL and one.severity is Severity.CRITICAL for one in known):
        return Outcome.FAIL
    hopeful = tuple(replace(one, outcome=Outcome.PASS) if one.outcome is Outcome.UNSURE else one for one in known)
    if condition.holds(hopeful) is False:
        return Outcome.FAIL
    open_ones = any(one.outcome is not Outcome.PASS and one.severity is not Severity.MINOR for one in known)
    return Outcome.PASS if condition.holds(known) is True and not open_ones else Outcome.UNSURE
