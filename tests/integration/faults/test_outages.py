"""What the services rest on is away, slow or wrong for a while: the reports are the same, nothing is left behind."""

import pytest
from tests.integration.faults.outages import SHORT, Rig, carry_out_outages


@pytest.mark.timeout(600)
def test_outages_of_bus_database_and_store_change_no_report(rig: Rig) -> None:
    stack = rig.trial.stack
    pids = stack.service_pids()
    outcome = rig.trial.import_while(lambda: carry_out_outages(stack, rig.proxies, SHORT, lambda _: None), at_once=2)
    assert outcome.differences == []
    assert outcome.reports >= 2
    assert rig.proxies["s3"].struck > 0
    assert stack.service_pids() == pids, "a service ended in an outage that it should have waited out"
