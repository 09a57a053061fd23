"""The services' clock jumps by an hour, there and back, in the middle of imports."""

import time

import httpx
import pytest
from tests.integration.faults.outages import Rig

from shuanglu_stack import EmbeddedStack

HOUR_S = 3600
# Long enough for an import or two.
STEP_S = 4


def judged_overdue(stack: EmbeddedStack) -> float:
    """Sessions that were judged without all observations."""
    answer = httpx.get(f"{stack.ops_url('quality')}/metrics").text
    line = next(line for line in answer.splitlines() if line.startswith("shuanglu_quality_deadlines_total "))
    return float(line.rpartition(" ")[2])


@pytest.mark.timeout(600)
def test_a_clock_that_jumps_makes_nothing_overdue_and_changes_no_report(rig: Rig) -> None:
    stack = rig.trial.stack
    pids = stack.service_pids()

    def step() -> None:
        for offset_s in (HOUR_S, -HOUR_S, 0):
            rig.clock.set(offset_s)
            time.sleep(STEP_S)

    outcome = rig.trial.import_while(step, at_once=2)
    assert outcome.differences == []
    assert outcome.reports >= 2
    assert judged_overdue(stack) == 0, "a session was judged overdue"
    assert stack.service_pids() == pids
