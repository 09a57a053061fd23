"""Events move sessions, in any order and more than once."""

from itertools import permutations
from typing import Any

import pytest
from call_doubles import MemoryCalls

from shuanglu.media.v1.media_events_pb2 import ImportFailed, ImportRequested, RecordingCompleted
from shuanglu.report.v1.report_events_pb2 import ReportReady
from shuanglu_common.bus.events import Event
from shuanglu_common.bus.subjects import Stream
from shuanglu_signaling.domain.words import SessionState
from shuanglu_signaling.errors import SessionNotFound
from shuanglu_signaling.handlers import SessionHandlers

SESSION = "session-0001"


def event(payload: Any, at_us: int, tenant: str = "demo") -> Event[Any]:
    return Event("id", tenant, SESSION, at_us, "somebody", payload)


TOLD = (
    event(ImportRequested(import_id="a"), 10),
    event(ImportFailed(import_id="a", reason="FILE_DAMAGED"), 20),
    event(ImportRequested(import_id="b"), 30),
    event(RecordingCompleted(), 40),
    event(ReportReady(), 50),
)


class Harness:
    def __init__(self, store: Any) -> None:
        self.store = store
        self.calls = MemoryCalls(store)
        subscriptions = SessionHandlers(store, self.calls).subscriptions()
        self.handlers = {kind: run for each in subscriptions for kind, run in each.handlers.items()}
        self.streams = {each.durable: each.stream for each in subscriptions}

    async def tell(self, told: Event[Any]) -> SessionState:
        assert await self.handlers[type(told.payload)](told) == ()
        row = await self.store.get("demo", SESSION)
        state: SessionState = row.progress.state
        return state


@pytest.fixture
async def harness(desk: Any, build: Any) -> Harness:
    await desk.session_rows.add("demo", build.session(1), "", "")
    return Harness(desk.session_rows)


async def test_states_follow_the_events(harness: Harness) -> None:
    states = [await harness.tell(told) for told in TOLD]
    assert [state.value for state in states] == ["RECORDING", "FAILED", "RECORDING", "INSPECTING", "REPORTED"]


async def test_any_order_ends_in_the_same_place(desk: Any, build: Any) -> None:
    ends = set()
    for order in permutations(TOLD[:4]):
        desk.session_rows.rows.clear()
        await desk.session_rows.add("demo", build.session(1, created_at_us=1), "", "")
        harness = Harness(desk.session_rows)
        for told in (*order, order[0]):
            await harness.tell(told)
        ends.add((await desk.session_rows.get("demo", SESSION)).progress)
    assert len(ends) == 1
    assert ends.pop().state is SessionState.INSPECTING


async def test_an_event_for_no_session_is_an_error(harness: Harness) -> None:
    stranger = event(ReportReady(), 1, tenant="other")
    with pytest.raises(SessionNotFound):
        await harness.handlers[ReportReady](stranger)


def test_there_is_a_durable_for_each_stream(harness: Harness) -> None:
    assert harness.streams == {"signaling-media": Stream.MEDIA, "signaling-reports": Stream.REPORTS}
