import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_examples import SESSION, TENANT
from report_fakes import FixedSessions, MemoryRows, QueueFeed

from shuanglu.common.v1.types_pb2 import ObjectRef, Outcome
from shuanglu.media.v1.media_events_pb2 import ImportFailed, ImportRequested
from shuanglu.quality.v1.quality_events_pb2 import InspectionProgressed, Stage
from shuanglu.report.v1.report_events_pb2 import ReportReady
from shuanglu.report.v1.report_service_pb2 import InspectionPhase
from shuanglu.session.v1.session_pb2 import Session, SessionState
from shuanglu_report.errors import SessionNotFound
from shuanglu_report.ports import InspectionNews, LastNews, ReportRow
from shuanglu_report.progress import Progress, after, from_start
from shuanglu_report.watcher import InspectionWatcher

WAITING = InspectionPhase.INSPECTION_PHASE_WAITING
INSPECTING = InspectionPhase.INSPECTION_PHASE_INSPECTING
REPORTED = InspectionPhase.INSPECTION_PHASE_REPORTED
FAILED = InspectionPhase.INSPECTION_PHASE_FAILED
READY = ReportReady(verdict=Outcome.OUTCOME_FAIL)
NEWS = st.one_of(
    st.just(ImportRequested()),
    st.builds(ImportFailed, reason=st.just("NOT_A_RECORDING")),
    st.builds(InspectionProgressed, observed=st.integers(0, 50), expected=st.integers(0, 50)),
    st.just(READY),
)


def folded(news: Sequence[InspectionNews]) -> Progress:
    progress = Progress()
    for item in news:
        progress = after(progress, item)
    return progress


@given(st.lists(NEWS))
def test_counts_never_go_back_and_a_report_outweighs_everything(news: list[InspectionNews]) -> None:
    states = [folded(news[:number]) for number in range(len(news) + 1)]
    assert [state.observed for state in states] == sorted(state.observed for state in states)
    if READY in news:
        assert states[-1].phase == REPORTED
        assert states[-1].verdict == Outcome.OUTCOME_FAIL


@given(st.lists(NEWS))
def test_hearing_news_twice_changes_nothing(news: list[InspectionNews]) -> None:
    assert folded([item for one in news for item in (one, one)]) == folded(news)


def test_another_import_after_a_failure_goes_on() -> None:
    progress = folded([ImportFailed(reason="NOT_A_RECORDING"), ImportRequested()])
    assert (progress.phase, progress.failure_reason) == (INSPECTING, "")


@pytest.mark.parametrize(
    ("state", "last", "phase"),
    [
        (SessionState.SESSION_STATE_CREATED, LastNews(), WAITING),
        (SessionState.SESSION_STATE_CREATED, LastNews(requested=True), INSPECTING),
        (SessionState.SESSION_STATE_RECORDING, LastNews(), INSPECTING),
        (SessionState.SESSION_STATE_FAILED, LastNews(), FAILED),
        (SessionState.SESSION_STATE_FAILED, LastNews(requested=True), INSPECTING),
        (SessionState.SESSION_STATE_RECORDING, LastNews(failure=ImportFailed(reason="X"), requested=True), FAILED),
    ],
)
def test_the_first_state_trusts_the_bus_before_signaling(
    state: SessionState.ValueType, last: LastNews, phase: InspectionPhase.ValueType
) -> None:
    assert from_start(Session(state=state, failure_reason="X"), last).phase == phase


def row(session_id: str = SESSION) -> ReportRow:
    return ReportRow(
        tenant=TENANT,
        report_id="r",
        session_id=session_id,
        order_id="o",
        stage=Stage.STAGE_PRELIMINARY,
        verdict=Outcome.OUTCOME_PASS,
        failed_count=0,
        unsure_count=0,
        report=ObjectRef(),
        pdf=ObjectRef(),
        created_at_us=1,
    )


async def watched(watcher: InspectionWatcher, session_id: str = SESSION) -> list[Progress]:
    async with asyncio.timeout(5):
        return [progress async for progress in watcher.watch(TENANT, session_id)]


async def test_a_session_with_a_report_has_one_last_message() -> None:
    rows = MemoryRows()
    await rows.add_report(row())
    watcher = InspectionWatcher(rows, FixedSessions(), QueueFeed(), 5)
    assert [(item.phase, item.verdict) for item in await watched(watcher)] == [(REPORTED, Outcome.OUTCOME_PASS)]


async def test_progress_is_told_until_the_report_is_ready() -> None:
    feed = QueueFeed(before=LastNews(progress=InspectionProgressed(observed=2, expected=9)))
    for news in (InspectionProgressed(observed=5, expected=9), InspectionProgressed(observed=5, expected=9), READY):
        feed.queue.put_nowait(news)
    states = await watched(InspectionWatcher(MemoryRows(), FixedSessions(), feed, 5))
    assert [(item.phase, item.observed) for item in states] == [(INSPECTING, 2), (INSPECTING, 5), (REPORTED, 5)]
    assert feed.open == 0


async def test_a_failed_import_ends_with_its_reason() -> None:
    feed = QueueFeed()
    feed.queue.put_nowait(ImportFailed(reason="NOT_A_RECORDING"))
    states = await watched(InspectionWatcher(MemoryRows(), FixedSessions(), feed, 5))
    assert (states[-1].phase, states[-1].failure_reason) == (FAILED, "NOT_A_RECORDING")


async def test_news_that_were_missed_are_made_up_for_at_the_heartbeat() -> None:
    rows = MemoryRows()
    feed = QueueFeed(before=LastNews(progress=InspectionProgressed(observed=3, expected=4)))
    states = []
    async with asyncio.timeout(5):
        async for progress in InspectionWatcher(rows, FixedSessions(), feed, 0.01).watch(TENANT, SESSION):
            states.append(progress)
            if len(states) == 3:
                await rows.add_report(row())
    assert [item.phase for item in states] == [INSPECTING, INSPECTING, INSPECTING, REPORTED]
    assert states[-1].verdict == Outcome.OUTCOME_PASS


async def test_a_heartbeat_does_not_lose_counts() -> None:
    feed = QueueFeed()
    feed.queue.put_nowait(InspectionProgressed(observed=8, expected=9))
    states = []
    async with asyncio.timeout(5):
        async for progress in InspectionWatcher(MemoryRows(), FixedSessions(), feed, 0.01).watch(TENANT, SESSION):
            states.append(progress)
            if len(states) == 4:
                feed.queue.put_nowait(READY)
    assert [item.observed for item in states[1:]] == [8] * (len(states) - 1)


async def test_another_tenants_session_does_not_exist_and_nothing_is_left_listening() -> None:
    feed = QueueFeed()
    with pytest.raises(SessionNotFound):
        await watched(InspectionWatcher(MemoryRows(), FixedSessions(), feed, 5), "not-mine")
    assert feed.open == 0
