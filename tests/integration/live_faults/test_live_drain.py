"""A media node that is taken away: its calls go on to their end, new ones go elsewhere, and what is left is resumed."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.integration.live_faults.recorded import TENANT, TRACKS, recorded
from tests.integration.live_faults.stage import (
    PROVEN_WITHIN_S,
    RESTART_PAUSES_S,
    ROOT,
    SERVICES,
    booked,
    end,
    everybody_live,
    on_stage,
    proven,
    stored_since,
)

from shuanglu.session.v1.call_pb2 import CallView, ProofState
from shuanglu_stack import EmbeddedStack, StackOptions

NODES = (1, 2)
DRAIN = (sys.executable, "-m", "shuanglu_media_ingest.live", "drain")
JANUS_START = ROOT / "deploy" / "images" / "janus-start.sh"
WAIT_S = 60


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    options = StackOptions(
        data_dir=tmp_path_factory.mktemp("live-drain"),
        root=ROOT,
        services=SERVICES,
        replicas={"media-ingest-live": len(NODES)},
        restart_pauses_s=RESTART_PAUSES_S,
    )
    with EmbeddedStack(options) as running:
        yield running


class Pod:
    """A media node as the kubelet sees it: two containers, of which each has its preStop before it is told to stop."""

    def __init__(self, stack: EmbeddedStack, number: int) -> None:
        self.stack, self.number = stack, number
        self.spool = stack.spool_dir(number)
        tail = "" if number == 1 else f"-{number}"
        self.recorder, self.janus = f"media-ingest-live{tail}", f"janus{tail}"

    async def pre_stop(self, *argv: str | Path) -> Process:
        """Run in the container's environment, and go on while it waits."""
        env = {
            **os.environ,
            "SHUANGLU_LIVE_SPOOL_DIR": str(self.spool),
            "SHUANGLU_JANUS_SPOOL_DIR": str(self.spool),
        }
        return await asyncio.create_subprocess_exec(*map(str, argv), env=env, stdout=PIPE, stderr=STDOUT)

    async def terminate(self, name: str) -> None:
        """SIGTERM; returns when there is another one in its place."""
        pid = self.stack.pids()[name]
        os.kill(pid, signal.SIGTERM)
        await until(lambda: self.stack.pids().get(name, pid) != pid, f"{name} did not end and come back")


async def until(what: Callable[[], bool], otherwise: str) -> None:
    """Wait until it is so."""
    deadline_s = time.monotonic() + WAIT_S
    while not what():
        assert time.monotonic() < deadline_s, otherwise
        await asyncio.sleep(0.1)


async def output(process: Process) -> str:
    """All that it has said, when it has ended."""
    told, _ = await asyncio.wait_for(process.communicate(), WAIT_S)
    return told.decode()


def pod_of(stack: EmbeddedStack, session_id: str) -> Pod:
    """The node that a session is recorded on."""
    (number,) = (each for each in NODES if (stack.spool_dir(each) / TENANT / session_id).exists())
    return Pod(stack, number)


def well(view: CallView) -> bool:
    """Everybody is there and recorded."""
    return everybody_live(view) and proven(view)


@pytest.mark.timeout(300)
async def test_a_node_told_to_stop_in_a_call_ends_with_the_whole_recording_while_new_calls_go_elsewhere(
    stack: EmbeddedStack, tmp_path: Path, say: Callable[[str], None]
) -> None:
    async with on_stage(stack, await booked(stack)) as stage:
        await stage.until(well, PROVEN_WITHIN_S)
        pod = pod_of(stack, stage.session_id)
        drain, janus = await pod.pre_stop(*DRAIN), await pod.pre_stop(JANUS_START, "wait")
        await until((pod.spool / ".draining").exists, "the recorder does not drain")
        async with on_stage(stack, await booked(stack)) as later:
            await later.until(well, PROVEN_WITHIN_S)
            assert pod_of(stack, later.session_id).number != pod.number
            await end(later)
        reached_ms = stage.position_s() * 1000
        await stage.until(lambda view: well(view) and stored_since(view, reached_ms), PROVEN_WITHIN_S)
        assert drain.returncode is None
        assert janus.returncode is None
        await end(stage)
        told, _ = await asyncio.gather(output(drain), output(janus))
    assert (drain.returncode, janus.returncode) == (0, 0)
    assert "waits for 1 open" in told
    await asyncio.gather(pod.terminate(pod.recorder), pod.terminate(pod.janus))
    found = await asyncio.to_thread(recorded, stack, stage.session_id, pod.number)
    say(f"drained: {found.completed.duration_ms / 1000:.0f} s recorded, " + told.splitlines()[-1])
    await asyncio.to_thread(found.assert_whole, tmp_path)
    assert {found.missing_s(track_id) for track_id in TRACKS} == {0}
    await until(lambda: not stack.unready(), "the node did not come back")
    assert not (pod.spool / ".drained").exists()


@pytest.mark.timeout(300)
async def test_when_time_is_up_the_call_stalls_and_goes_on_where_the_restarted_node_resumes_its_spool(
    stack: EmbeddedStack, tmp_path: Path, say: Callable[[str], None]
) -> None:
    async with on_stage(stack, await booked(stack)) as stage:
        await stage.until(well, PROVEN_WITHIN_S)
        pod = pod_of(stack, stage.session_id)
        drain = await pod.pre_stop(*DRAIN, "--seconds", "3")
        told = await output(drain)
        assert drain.returncode == 3
        assert "time is up; left: 1 open" in told
        await stage.until(well, PROVEN_WITHIN_S)
        assert await asyncio.to_thread(stack.stop_service, pod.recorder), "it had to be killed"
        await stage.until(lambda view: view.recording.state == ProofState.PROOF_STATE_STALLED, WAIT_S)
        await pod.terminate(pod.janus)
        await asyncio.to_thread(stack.start_service, pod.recorder)
        again_ms = stage.position_s() * 1000
        await stage.until(lambda view: well(view) and stored_since(view, again_ms), WAIT_S)
        await end(stage)
    found = await asyncio.to_thread(recorded, stack, stage.session_id, pod.number)
    lost = ", ".join(f"{track_id} {found.missing_s(track_id):.1f} s" for track_id in sorted(TRACKS))
    say(f"time up and started again: {lost} lost of {found.completed.duration_ms / 1000:.0f} s")
    # All that Janus wrote before and after is stored, and only its own absence is missing.
    await asyncio.to_thread(found.assert_whole, tmp_path)
    assert {cause for track_id in TRACKS for cause in found.causes(track_id)} <= {"RECORDER", "AWAY"}
    async with on_stage(stack, await booked(stack)) as next_one:
        await next_one.until(well, PROVEN_WITHIN_S)
        await end(next_one)
