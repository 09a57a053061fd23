"""A call between two people on the real stack, something that goes wrong meanwhile, and what was recorded of it."""

import asyncio
import hashlib
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from shuanglu.session.v1.call_pb2 import CallParticipant, CallView, Presence, ProofState
from shuanglu_caller.booking import book, people_of, seats_of
from shuanglu_caller.desk import CallDesk, Place, Seat
from shuanglu_caller.film import Film, read_film
from shuanglu_caller.participant import Manner, Participant
from shuanglu_caller.reels import Projector
from shuanglu_stack import EmbeddedStack
from shuanglu_stack.sampling import as_another_order, client_of, sample_recording

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = ROOT / "samples" / "personal-loan"
SERVICES = ("signaling", "media-ingest-live", "media-ingest", "quality")
# Started again at once: a test measures what is lost, not the patience of a supervisor.
RESTART_PAUSES_S = (0.3, 0.5, 1.0)
LIVE_WITHIN_S = 30
PROVEN_WITHIN_S = 30
KILLED_WITHIN_S = 30
# Watching is tried elsewhere; here it would only cost.
BLIND = Manner(watches=False)


@dataclass
class Stage:
    """A call under way."""

    stack: EmbeddedStack
    session_id: str
    agent: Participant
    seats: dict[str, Seat]
    customer: Participant | None = None  # None: somewhere else
    killed_at_s: dict[str, float] = field(default_factory=dict)

    @property
    def view(self) -> CallView:
        """As the agent sees it."""
        return self.agent.call

    def position_s(self, at_s: float | None = None) -> float:
        """Seconds from the session's start, now or at a moment of this machine's clock."""
        return (time.time() if at_s is None else at_s) - self.view.started_at_us / 1e6

    async def until(self, what: Callable[[CallView], bool], timeout_s: float) -> None:
        """Wait until the call is so. Raises TimeoutError."""
        await self.agent.until(what, timeout_s)

    async def kill(self, name: str) -> None:
        """`kill -9`; returns when it runs again."""
        pid = self.stack.pids()[name]
        self.killed_at_s[name] = time.time()
        os.kill(pid, signal.SIGKILL)
        deadline_s = time.monotonic() + KILLED_WITHIN_S
        while self.stack.pids().get(name, pid) == pid:
            assert time.monotonic() < deadline_s, f"{name} did not come back by itself"
            await asyncio.sleep(0.1)


Happening = Callable[[Stage], Awaitable[None]]


def everybody_live(view: CallView) -> bool:
    """Everybody's media flows."""
    return bool(view.participants) and all(each.presence == Presence.PRESENCE_LIVE for each in view.participants)


def proven(view: CallView) -> bool:
    """Every required track is on disk and in the store, and grows."""
    return view.recording.state == ProofState.PROOF_STATE_PROVEN


def stored_since(view: CallView, position_ms: float) -> bool:
    """The store has of every required track something that was recorded after that position."""
    required = [track for track in view.recording.tracks if track.required]
    return bool(required) and all(track.stored_ms > position_ms for track in required)


def one_of(view: CallView, participant_id: str) -> CallParticipant:
    """A participant as the call has it."""
    return next(each for each in view.participants if each.participant.participant_id == participant_id)


def films() -> dict[str, Film]:
    """The sample's two people."""
    return {who: read_film(SAMPLE / f"{who}.mp4") for who in ("customer", "agent")}


async def booked(stack: EmbeddedStack) -> dict[str, Seat]:
    """A session of its own, and a seat for each."""
    recording = as_another_order(sample_recording(SAMPLE))

    def order() -> str:
        with client_of(stack) as client:
            return book(client.gateway, None, recording)

    session_id = await asyncio.to_thread(order)
    return await seats_of(Place(stack.gateway_url, stack.ca), stack.token(), session_id, people_of(recording))


@asynccontextmanager
async def on_stage(stack: EmbeddedStack, seats: dict[str, Seat], *, customer_here: bool = True) -> AsyncIterator[Stage]:
    """The participants are in and recorded; leaving it does not end the call."""
    place, shown, projector = Place(stack.gateway_url, stack.ca), films(), Projector()
    projector.begin()
    async with AsyncExitStack() as people:
        agent = await people.enter_async_context(Participant(place, seats["agent"], shown["agent"], projector, BLIND))
        stage = Stage(stack, seats["agent"].session_id, agent, seats)
        if customer_here:
            one = Participant(place, seats["customer"], shown["customer"], projector, BLIND)
            stage.customer = await people.enter_async_context(one)
        yield stage


async def hold(stack: EmbeddedStack, seconds_before: float, happening: Happening, seconds_after: float) -> Stage:
    """A call in which something happens; it is ended by the agent."""
    seats = await booked(stack)
    async with on_stage(stack, seats) as stage:
        await stage.until(lambda view: everybody_live(view) and proven(view), PROVEN_WITHIN_S)
        await asyncio.sleep(seconds_before)
        await happening(stage)
        await stage.until(everybody_live, LIVE_WITHIN_S)
        await asyncio.sleep(seconds_after)
        await end(stage)
        return stage


async def end(stage: Stage) -> None:
    """The agent ends the call."""
    place = Place(stage.stack.gateway_url, stage.stack.ca)
    async with CallDesk(place, stage.stack.token()) as bank:
        await bank.end(stage.session_id)


def digest(data: bytes) -> str:
    """As references have it."""
    return hashlib.sha256(data).hexdigest()
