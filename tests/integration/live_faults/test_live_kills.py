"""Whatever is killed while a call is recorded: nothing that was sent is missing afterwards."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.live_faults.conftest import Rig
from tests.integration.live_faults.recorded import TRACKS, recorded
from tests.integration.live_faults.stage import Stage, hold, proven, stored_since

# Everything that a call needs but the media server itself.
KILLED = ("media-ingest-live", "nats", "s3", "postgres", "signaling")
REST_S = 2.0


@pytest.mark.timeout(300)
async def test_kills_of_all_but_the_media_server_lose_nothing(
    rig: Rig, tmp_path: Path, say: Callable[[str], None]
) -> None:
    async def kill_one_by_one(stage: Stage) -> None:
        for name in KILLED:
            await stage.kill(name)
            await asyncio.sleep(REST_S)

    stage = await hold(rig.stack, 2, kill_one_by_one, 3)
    found = await asyncio.to_thread(recorded, rig.stack, stage.session_id)
    say(
        f"kill -9 of {', '.join(KILLED)}: "
        + ", ".join(f"{track_id} lost {found.missing_s(track_id):.1f} s" for track_id in sorted(TRACKS))
        + f" of {found.completed.duration_ms / 1000:.0f} s"
    )
    await asyncio.to_thread(found.assert_whole, tmp_path)
    assert {found.missing_s(track_id) for track_id in TRACKS} == {0}


@pytest.mark.timeout(300)
async def test_after_a_kill_of_the_media_server_the_call_comes_back_in_the_same_session(
    rig: Rig, tmp_path: Path, say: Callable[[str], None]
) -> None:
    async def kill(stage: Stage) -> None:
        await stage.kill("janus")
        # Back within a second or two, it may never have been told as stalled: what counts is what came after.
        again_ms = stage.position_s() * 1000
        await stage.until(lambda view: proven(view) and stored_since(view, again_ms), 40)

    stage = await hold(rig.stack, 4, kill, 4)
    found = await asyncio.to_thread(recorded, rig.stack, stage.session_id)
    killed_ms = stage.position_s(stage.killed_at_s["janus"]) * 1000
    lost_ms = {}
    for track_id in sorted(TRACKS):
        (gap,) = found.gaps(track_id)
        # What the media server had received and not yet written.
        lost_ms[track_id] = killed_ms - gap.start_ms
        back_ms = gap.end_ms - killed_ms
        say(f"kill -9 of janus: {track_id} lost the last {lost_ms[track_id]:.0f} ms, back after {back_ms:.0f} ms")
        assert found.causes(track_id) == {"RECORDER"}
    await asyncio.to_thread(found.assert_whole, tmp_path)
    assert max(lost_ms.values()) <= 2000
