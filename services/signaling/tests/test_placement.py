import asyncio
from random import Random

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_database import free_port
from recorder_double import RecorderDouble

from shuanglu_common.clock import SystemClock
from shuanglu_signaling import recorders as recorders_module
from shuanglu_signaling.domain.placement import Candidate, Standing, choose
from shuanglu_signaling.domain.session import Inspection
from shuanglu_signaling.errors import MediaNodesDraining, RecorderUnavailable
from shuanglu_signaling.recorders import GrpcRecorders

ZONES = st.sampled_from(["", "a", "b"])
STANDINGS = st.builds(Standing, draining=st.booleans(), zone=ZONES, refused=st.booleans())
NODES = st.lists(
    st.builds(
        Candidate,
        name=st.integers(0, 30).map(lambda number: f"media-{number}"),
        load=st.integers(0, 5),
        well=st.booleans(),
        standing=STANDINGS,
    ),
    unique_by=lambda each: each.name,
    max_size=8,
)


@given(NODES, ZONES)
def test_a_call_goes_to_a_node_that_is_well_and_stays_the_best_of_them(nodes: list[Candidate], zone: str):
    well = [each for each in nodes if each.well]
    staying = [each for each in well if not each.standing.draining]
    if not staying:
        with pytest.raises(MediaNodesDraining if well else RecorderUnavailable) as refused:
            choose(nodes, zone)
        assert isinstance(refused.value, MediaNodesDraining) is bool(well)
        return
    chosen = next(each for each in nodes if each.name == choose(nodes, zone))
    assert chosen in staying
    eager = [each for each in staying if not each.standing.refused]
    assert chosen in eager or not eager
    rivals = [each for each in staying if each.standing.refused == chosen.standing.refused]
    near = [each for each in rivals if not zone or each.standing.zone == zone]
    assert chosen in near or not near
    assert chosen.load == min(each.load for each in near or rivals)


@given(NODES, ZONES, st.randoms())
def test_the_order_in_which_nodes_are_known_does_not_matter(nodes: list[Candidate], zone: str, random: Random):
    nodes = [*nodes, Candidate("media-99", 3)]
    shuffled = random.sample(nodes, len(nodes))
    assert choose(nodes, zone) == choose(shuffled, zone)


def test_the_own_zone_comes_before_the_load_and_another_zone_before_none():
    near, far = Candidate("near", 5, True, Standing(zone="a")), Candidate("far", 0, True, Standing(zone="b"))
    assert choose([near, far], "a") == "near"
    assert choose([near, far]) == "far"
    assert choose([Candidate("near", 5, True, Standing(True, "a")), far], "a") == "far"


def test_when_all_are_draining_the_error_says_so():
    with pytest.raises(MediaNodesDraining) as refused:
        choose([Candidate("media-0", 0, True, Standing(draining=True)), Candidate("media-1", 0, well=False)])
    assert refused.value.reason == "MEDIA_NODES_DRAINING"


async def test_what_a_recorder_tells_of_its_node_is_what_placement_sees(monkeypatch: pytest.MonkeyPatch):
    recorder, port, stopping = RecorderDouble(draining=True, zone="a"), free_port(), asyncio.Event()
    await recorder.start(port)
    recorders = GrpcRecorders({}, grpc.aio.insecure_channel, lambda _: (), SystemClock())
    node = recorders.add("media-0", f"127.0.0.1:{port}", zone="of the settings")
    assert recorders.standing("media-0") == Standing(zone="of the settings")
    watching = asyncio.create_task(recorders.watch(node, stopping))
    async with asyncio.timeout(20):
        while not recorders.standing("media-0").draining:  # noqa: ASYNC110 - another task tells
            await asyncio.sleep(0.01)
    assert recorders.standing("media-0") == Standing(draining=True, zone="a")
    stopping.set()
    await watching
    await recorder.stop()
    monkeypatch.setattr(recorders_module, "CALL_TIMEOUT_S", 0.3)
    with pytest.raises(RecorderUnavailable):
        await recorders.open("media-0", "demo", "session-1", [], Inspection(2000, ("zh",)))
    assert recorders.standing("media-0").refused
    assert recorders.standing("media-9") == Standing()
