"""A session that nobody ends: it is closed with its reason, and what was recorded is complete."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.live_faults.conftest import ABANDON_S, Rig
from tests.integration.live_faults.recorded import TRACKS, recorded
from tests.integration.live_faults.stage import booked, everybody_live, on_stage, proven

from shuanglu.session.v1.call_pb2 import CallState, EndReason
from shuanglu_caller.desk import CallDesk, Place
from shuanglu_caller.participant import Manner


@pytest.mark.timeout(300)
async def test_a_call_that_nobody_ends_is_closed_and_its_recording_is_complete(
    rig: Rig, tmp_path: Path, say: Callable[[str], None]
) -> None:
    stack = rig.stack
    seats = await booked(stack)
    async with on_stage(stack, seats) as stage:
        await stage.until(lambda view: everybody_live(view) and proven(view), 30)
        await asyncio.sleep(5)
        for one in (stage.agent, stage.customer):
            assert one is not None
            one.manner = Manner(watches=False, reconnects=False)
            # Both laptops are closed: not a word to anybody.
            await one.drop()
    found = await asyncio.to_thread(recorded, stack, stage.session_id)
    async with CallDesk(Place(stack.gateway_url, stack.ca), stack.token()) as bank:
        view = await bank.look(stage.session_id)
    assert (view.state, view.end_reason) == (CallState.CALL_STATE_ENDED, EndReason.END_REASON_ABANDONED)
    say(f"abandoned: closed after {ABANDON_S} s, {found.completed.duration_ms / 1000:.0f} s on the timeline")
    await asyncio.to_thread(found.assert_whole, tmp_path)
    assert {found.missing_s(track_id) for track_id in TRACKS} == {0}
