"""A flood of imports: it waits in queues, the services tell, nothing is lost, and they catch up by themselves."""

import pytest
from tests.integration.faults.outages import Rig
from tests.integration.faults.overload import capacity_per_s, flood

# Together about a quarter of a minute of work for the workers; `make soak` floods them for five.
MEASURED_S = 4
FLOODED_S = 5
TIMES = 3


@pytest.mark.timeout(600)
def test_three_times_what_the_workers_can_do_is_done_in_the_end(rig: Rig) -> None:
    rate = TIMES * capacity_per_s(rig.trial, MEASURED_S)
    result = flood(rig.trial, rate, FLOODED_S, rig.trial.shapes.names)
    assert result.differences == []
    assert result.sent >= TIMES
    assert result.watch.strained, "a long queue was not told"
    assert result.watch.unready == set(), "who has much to do is ready all the same"
    assert max(result.watch.peak_pending.values()) > 0
