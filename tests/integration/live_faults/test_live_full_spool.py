"""The spool's disk is full in the middle of a call: it is told early, and what was written is kept."""

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.integration.live_faults.recorded import recorded
from tests.integration.live_faults.stage import (
    RESTART_PAUSES_S,
    ROOT,
    SERVICES,
    Stage,
    booked,
    end,
    everybody_live,
    on_stage,
    proven,
)

from shuanglu_caller.network import may_shape
from shuanglu_stack import EmbeddedStack, StackOptions

MIB = 1 << 20
DISK_BYTES = 32 * MIB
FULL_S = 6


@pytest.fixture
def small_spool(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own at the place of the first media node's spool."""
    folder = tmp_path / "stack" / "live" / "media-1"
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.skipif(not may_shape(), reason="only root may mount a disk")
@pytest.mark.timeout(300)
async def test_a_full_disk_is_told_and_the_call_goes_on_when_there_is_room(
    small_spool: Path, tmp_path: Path, say: Callable[[str], None]
) -> None:
    options = StackOptions(
        data_dir=tmp_path / "stack",
        root=ROOT,
        services=SERVICES,
        restart_pauses_s=RESTART_PAUSES_S,
        # While the alarm is on, complete sessions leave the spool at once, and nothing could be compared.
        service_env={
            "media-ingest-live": {"SHUANGLU_LIVE_MIN_FREE_BYTES": "0", "SHUANGLU_LIVE_ALARM_FREE_BYTES": str(MIB)}
        },
    )
    with EmbeddedStack(options) as stack:
        seats = await booked(stack)
        async with on_stage(stack, seats) as stage:
            await stage.until(lambda view: everybody_live(view) and proven(view), 30)
            await asyncio.sleep(3)
            full_s, room_s = await fill(stage, small_spool / "ballast")
            await end(stage)
        found = await asyncio.to_thread(recorded, stack, stage.session_id)
        for track_id in sorted(found.tracks):
            say(
                f"disk full for {room_s - full_s:.1f} s: {track_id} lost {found.missing_s(track_id):.1f} s,"
                f" {found.causes(track_id)}"
            )
            # The write buffer may have been lost with what did not fit; nothing else.
            assert found.missing_s(track_id) <= room_s - full_s + 2
        await asyncio.to_thread(found.assert_whole, tmp_path)


async def fill(stage: Stage, ballast: Path) -> tuple[float, float]:
    """Take all room for a while; when it was full and when there was room again, seconds of the session."""
    with pytest.raises(OSError, match="No space left"):
        ballast.write_bytes(bytes(2 * DISK_BYTES))
    full_s = stage.position_s()
    await stage.until(lambda view: not proven(view), 20)
    await asyncio.sleep(FULL_S)
    ballast.unlink()
    room_s = stage.position_s()
    await stage.until(proven, 30)
    await asyncio.sleep(4)
    return full_s, room_s
