"""Looks after calls: what time brings, and what must be done until it is done.

Runs in every replica at once. Each finding is written under the call's lock and changes nothing a second time, so no
replica needs to be the one that does it, and none is missed when it dies.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial

import structlog

from shuanglu_common.errors import DependencyError
from shuanglu_signaling import call_metrics
from shuanglu_signaling.domain import call_course
from shuanglu_signaling.domain.call import Call
from shuanglu_signaling.domain.call_ports import MediaPlane
from shuanglu_signaling.domain.call_proof import prove
from shuanglu_signaling.domain.call_stores import CallStore, Recorders
from shuanglu_signaling.domain.call_table import OVER, CallState, Presence
from shuanglu_signaling.domain.call_watch import Limits, tick
from shuanglu_signaling.errors import RecordingGone

ROUND_S = 1.0
PAUSE_S = 0.2
RETRY_S = 2.0
MOST_FINISHING = 32
GONE_US = 60_000_000
"""A recorder that has not known of an ended call for so long will not."""

log = structlog.get_logger()


class CallKeeper:
    """The loop."""

    def __init__(
        self,
        store: CallStore,
        recorders: Recorders,
        media: MediaPlane,
        limits: Limits,
        woken: asyncio.Event,
        catch_up: Callable[[], Awaitable[None]],
    ) -> None:
        """`woken` is set when a call has changed; `catch_up` writes what could not be written before."""
        self.store = store
        self.recorders = recorders
        self.media = media
        self.limits = limits
        self.woken = woken
        self.catch_up = catch_up
        self.retry_at: dict[tuple[str, str], float] = {}
        self.finishing: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def run(self, stopping: asyncio.Event) -> None:
        """Until told to stop; the database may be away for any time."""
        while not stopping.is_set():
            self.woken.clear()
            try:
                await self.catch_up()
                await self.round()
            except DependencyError as error:
                log.warning("calls.waiting", error=error)
            # Not more often than five times a second, however much changes.
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), PAUSE_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.woken.wait(), ROUND_S - PAUSE_S)
        # Both servers have a timeout; what is not done by then another replica does.
        await asyncio.gather(*self.finishing.values(), return_exceptions=True)

    async def round(self) -> None:
        """Every call that has not ended, once. Raises DatabaseUnavailable."""
        going_on = await self.store.going_on()
        self.show(going_on)
        known = {(tenant, call.session_id) for tenant, call in going_on}
        self.retry_at = {key: at for key, at in self.retry_at.items() if key in known}
        for tenant, call in going_on:
            await self.look(tenant, call)

    async def look(self, tenant: str, call: Call) -> None:
        """One call."""
        if call.state is CallState.ENDING and not call.closed:
            self.finish(tenant, call)
            return
        sight = self.recorders.sight(call.node, tenant, call.session_id)
        step = partial(tick, sight=sight, limits=self.limits, now_us=self.recorders.now_us(call.node))
        # Looked at without the lock first: most of the time there is nothing to write.
        if step(call).call == call:
            return
        changed = await self.store.change(tenant, call.session_id, step)
        if changed is None:
            return
        after = changed.after
        if after.state is CallState.ENDING and not after.closed:
            self.finish(tenant, after)
            return
        before = {person.participant_id: person.presence for person in changed.before.people}
        for person in after.people:
            if person.presence is Presence.LEFT and before.get(person.participant_id) is Presence.AWAY:
                await self.media.drop(after.node, tenant, after.session_id, person.participant_id)

    def finish(self, tenant: str, call: Call) -> None:
        """Close a call beside the round: a server that does not answer must not hold it up. Later again if it fails."""
        key, now = (tenant, call.session_id), asyncio.get_running_loop().time()
        if key in self.finishing or self.retry_at.get(key, 0) > now or len(self.finishing) >= MOST_FINISHING:
            return
        self.retry_at[key] = now + RETRY_S
        task = asyncio.create_task(self.close(tenant, call))
        self.finishing[key] = task
        task.add_done_callback(lambda _: self.finishing.pop(key, None))

    async def close(self, tenant: str, call: Call) -> None:
        """End every connection, then tell the recorder that nothing more comes.

        A media server that does not answer must not keep a recording open: it writes nothing more, or what it writes
        comes after the end.
        """
        try:
            await self.media.close_room(call.node, tenant, call.session_id)
        except DependencyError as error:
            log.warning("call.room_stays", node=call.node, error=error)
        try:
            await self.recorders.close(call.node, tenant, call)
            await self.store.change(tenant, call.session_id, call_course.closed)
        except DependencyError as error:
            log.warning("call.close_waits", node=call.node, error=error)
        except RecordingGone as error:
            # A recorder that has just started may not have looked at its whole spool yet.
            if self.recorders.now_us(call.node) - call.ended_at_us > GONE_US:
                log.error("call.recording_gone", node=call.node, session_id=call.session_id, error=error)
                gone = partial(call_course.completed, empty=True)
                with suppress(DependencyError):
                    await self.store.change(tenant, call.session_id, gone)
        else:
            log.info("call.closed", session_id=call.session_id, reason=call.end_reason)

    def show(self, going_on: Sequence[tuple[str, Call]]) -> None:
        """Set the gauges."""
        proofs = []
        for tenant, call in going_on:
            if call.opened and call.state not in OVER:
                sight = self.recorders.sight(call.node, tenant, call.session_id)
                proofs.append(prove(call, sight, self.recorders.now_us(call.node)).state)
        call_metrics.show((call for _, call in going_on), proofs)
