"""The customer's network is cut: the call waits, they come back as the same participant, and no more is missing."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.integration.live_faults.conftest import Rig
from tests.integration.live_faults.far_customer import attend
from tests.integration.live_faults.recorded import recorded
from tests.integration.live_faults.stage import booked, end, everybody_live, on_stage, proven

from shuanglu_caller.network import Shape, may_shape

# A home's way to a city not far away.
WAY = Shape(delay_s=0.02, loss=0.005)
AFTER_S = 5.0
MOST_LOST_S = 2.0
# Behind a long cut the customer has to notice it, to come in anew and to send a key frame. TCP doubles its pauses: what
# it sent when the cut began may be sent again as long behind the cut as that lasted, and more.
BACK_WITHIN_S = 120
STAYS_S = 2 * BACK_WITHIN_S + 60


@pytest.mark.skipif(not may_shape(), reason="only root may make network namespaces and TUN devices")
@pytest.mark.parametrize("seconds", [8, 60])
@pytest.mark.timeout(480)
async def test_a_cut_network_loses_hardly_more_than_the_cut(
    rig: Rig, tmp_path: Path, say: Callable[[str], None], seconds: int
) -> None:
    stack, line = rig.stack, rig.line
    assert line is not None
    port = urlsplit(stack.gateway_url).port
    assert port is not None
    if port not in rig.opened:
        line.open_tcp(port)
        rig.opened.add(port)
    line.shape(WAY)
    seats = await booked(stack)
    with line.workers() as far:
        there = asyncio.get_running_loop().run_in_executor(
            far, attend, stack.gateway_url, stack.ca, seats["customer"], seconds + STAYS_S
        )
        async with on_stage(stack, seats, customer_here=False) as stage:
            await stage.until(lambda view: everybody_live(view) and proven(view), 40)
            await asyncio.sleep(4)
            cut_s = stage.position_s()
            line.shape(Shape(cut=True))
            await asyncio.sleep(seconds)
            line.shape(WAY)
            # What had been asked for during a long cut may arrive late and take over once more.
            for _ in range(2):
                await stage.until(lambda view: everybody_live(view) and proven(view), BACK_WITHIN_S)
                await asyncio.sleep(AFTER_S)
            await end(stage)
        published = await there
    found = await asyncio.to_thread(recorded, stack, stage.session_id)
    for track_id in ("customer-audio", "customer-video"):
        gaps = found.gaps(track_id)
        assert gaps, f"{track_id} never came back"
        before_s = cut_s - min(gap.start_ms for gap in gaps) / 1000
        behind_s = max(gap.end_ms for gap in gaps) / 1000 - cut_s - seconds
        say(
            f"network cut for {seconds} s: {track_id} lost {found.missing_s(track_id):.1f} s,"
            f" {before_s:.1f} s before and {behind_s:.1f} s behind the cut, {found.causes(track_id)},"
            f" published {published} times"
        )
        assert before_s <= MOST_LOST_S
    await asyncio.to_thread(found.assert_whole, tmp_path)
    assert found.missing_s("agent-audio") == found.missing_s("agent-video") == 0
