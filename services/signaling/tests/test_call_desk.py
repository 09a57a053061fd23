"""What people do in a call, from the link to the end, over small doubles of recorder and media server."""

from typing import Any

import pytest
from call_doubles import LIMITS, SCRIPT, T0, Calls, S
from call_steps import AGENT, CUSTOMER, SESSION, accepted_by, live, look, proven

from shuanglu_signaling.domain import call_course
from shuanglu_signaling.domain.call_desk import CallCaller
from shuanglu_signaling.domain.call_events import CallOpened, ParticipantJoined
from shuanglu_signaling.domain.call_table import CallState, EndReason, Presence, TrackKind
from shuanglu_signaling.domain.lifecycle import Progress
from shuanglu_signaling.domain.words import Channel, ParticipantRole, SessionState
from shuanglu_signaling.errors import (
    CallEnded,
    CallHeld,
    CallNotFound,
    NodeNotFound,
    NodeNotRunning,
    NotJoined,
    ParticipantNotFound,
    RecorderUnavailable,
    RecordingNotProven,
    SessionNotFound,
    SessionNotLive,
)


async def test_the_first_one_who_comes_opens_recorder_and_room_before_anybody_can_send(calls: Calls) -> None:
    call, person = await calls.desk.join(AGENT, SESSION, "customer")
    assert person.presence is Presence.JOINED
    assert (call.node, call.file_prefix, call.state) == ("media-1", f"demo/{SESSION}/", CallState.WAITING)
    assert calls.recorders.opened == [("media-1", SESSION, ("customer", "agent"))]
    assert calls.media.rooms == {("media-1", SESSION)}
    await calls.desk.join(AGENT, SESSION, "agent")
    assert len(calls.recorders.opened) == 1
    assert calls.store.told == [
        CallOpened("media-1"),
        ParticipantJoined(call.person("customer").participant),
        ParticipantJoined(call.person("agent").participant),
    ]


async def test_coming_in_twice_is_told_once(calls: Calls) -> None:
    await calls.desk.join(AGENT, SESSION, "agent")
    told = len(calls.store.told)
    await calls.desk.join(AGENT, SESSION, "agent")
    assert len(calls.store.told) == told


async def test_nobody_comes_in_where_nothing_can_be_recorded(calls: Calls) -> None:
    calls.recorders.away = True
    with pytest.raises(RecorderUnavailable):
        await calls.desk.join(AGENT, SESSION, "agent")
    call = await calls.call()
    assert (call.node, call.person("agent").presence) == ("", Presence.EXPECTED)
    calls.recorders.away = False
    calls.media.nodes[:] = ["media-2"]
    call, _ = await calls.desk.join(AGENT, SESSION, "agent")
    assert call.node == "media-2"


async def test_without_a_room_there_is_no_call_either(calls: Calls) -> None:
    calls.media.away = True
    with pytest.raises(RecorderUnavailable):
        await calls.desk.join(AGENT, SESSION, "agent")
    assert not (await calls.call()).opened


async def test_only_a_remote_session_without_a_recording_has_a_call(calls: Calls, build: Any) -> None:
    imported = Progress(requested=frozenset({"import-1"}))
    for number, changes in enumerate(({"channel": Channel.COUNTER}, {"progress": imported}), start=7):
        await calls.sessions.add("demo", build.session(number, **changes), "", "")
        with pytest.raises(SessionNotLive):
            await calls.desk.join(AGENT, f"session-{number:04}", "agent")
    with pytest.raises(SessionNotFound):
        await calls.desk.join(AGENT, "no-such-session", "agent")


async def test_another_tenant_sees_no_call(calls: Calls) -> None:
    await calls.desk.join(AGENT, SESSION, "agent")
    other = CallCaller("other", staff=True)
    with pytest.raises(CallNotFound):
        await calls.desk.get(other, SESSION)
    with pytest.raises(SessionNotFound):
        await calls.desk.join(other, SESSION, "agent")


async def test_there_is_no_call_to_read_before_somebody_has_joined(calls: Calls) -> None:
    await calls.desk.invite(AGENT, SESSION, CUSTOMER, T0)
    with pytest.raises(CallNotFound):
        await calls.desk.get(AGENT, SESSION)
    with pytest.raises(CallNotFound):
        await calls.seats.publisher("demo", SESSION, "customer")


async def test_a_call_is_active_when_all_who_are_needed_are_live(calls: Calls) -> None:
    await live(calls, "agent")
    assert (await calls.call()).state is CallState.WAITING
    await live(calls, "customer")
    assert (await calls.call()).state is CallState.ACTIVE


async def test_only_who_joined_may_publish_and_watch(calls: Calls) -> None:
    await live(calls, "agent")
    with pytest.raises(NotJoined):
        await calls.seats.publisher("demo", SESSION, "customer")
    with pytest.raises(NotJoined):
        await calls.seats.watcher("demo", SESSION, "customer", "agent")
    await calls.desk.join(AGENT, SESSION, "customer")
    seat = await calls.seats.watcher("demo", SESSION, "customer", "agent")
    assert (seat.participant_id, seat.node) == ("customer", "media-1")
    with pytest.raises(ParticipantNotFound):
        await calls.seats.watcher("demo", SESSION, "customer", "nobody")
    assert seat.file_prefix == f"demo/{SESSION}/"


async def test_each_publication_is_a_file_of_its_own(calls: Calls) -> None:
    await live(calls, "agent")
    seats = [await calls.seats.publisher("demo", SESSION, "agent") for _ in range(3)]
    assert [seat.file_name for seat in seats] == [f"demo/{SESSION}/agent~{number}" for number in (2, 3, 4)]


async def test_the_first_node_may_begin_before_the_proof_but_not_be_passed(calls: Calls) -> None:
    await live(calls, "agent", "customer")
    call = await calls.desk.start_node(AGENT, SESSION, "consent")
    assert call.current is not None
    with pytest.raises(RecordingNotProven) as caught:
        await calls.desk.finish_node(AGENT, SESSION, "consent")
    assert caught.value.details["tracks"] == "customer-audio,customer-video,agent-audio,agent-video"
    with pytest.raises(RecordingNotProven):
        await calls.desk.start_node(AGENT, SESSION, "answer")
    calls.recorders.grow("demo", call, "agent")
    with pytest.raises(RecordingNotProven) as caught:
        await calls.desk.finish_node(AGENT, SESSION, "consent")
    assert caught.value.details["tracks"] == "customer-audio,customer-video"
    calls.recorders.grow("demo", call, "customer")
    call = await calls.desk.finish_node(AGENT, SESSION, "consent")
    assert call.current is None
    assert [(take.node_id, take.take) for take in call.takes] == [("consent", 1)]


async def test_the_proof_outlives_the_memory_of_a_replica(calls: Calls) -> None:
    await proven(calls)
    await calls.desk.start_node(AGENT, SESSION, "consent")
    calls.recorders.sights.clear()
    call = await calls.desk.finish_node(AGENT, SESSION, "consent")
    assert call.current is None


async def test_the_next_node_finishes_the_one_before_and_again_is_another_take(calls: Calls) -> None:
    await proven(calls)
    for node in ("consent", "answer", "consent", "consent"):
        calls.recorders.now += S
        call = await calls.desk.start_node(AGENT, SESSION, node)
    assert [(take.node_id, take.take, bool(take.end_at_us)) for take in call.takes] == [
        ("consent", 1, True),
        ("answer", 1, True),
        ("consent", 2, False),
    ]
    with pytest.raises(NodeNotRunning):
        await calls.desk.finish_node(AGENT, SESSION, "answer")
    with pytest.raises(NodeNotFound):
        await calls.desk.start_node(AGENT, SESSION, "no-such-node")
    finished = await calls.desk.finish_node(AGENT, SESSION, "consent")
    assert await calls.desk.finish_node(AGENT, SESSION, "consent") == finished


async def test_a_call_on_hold_has_no_steps(calls: Calls) -> None:
    await proven(calls)
    await calls.desk.start_node(AGENT, SESSION, "consent")
    assert (await calls.desk.hold(AGENT, SESSION, held=True)).state is CallState.HELD
    with pytest.raises(CallHeld):
        await calls.desk.finish_node(AGENT, SESSION, "consent")
    with pytest.raises(CallHeld):
        await calls.desk.start_node(AGENT, SESSION, "answer")
    calls.recorders.now += 5 * S
    call = await calls.desk.hold(AGENT, SESSION, held=False)
    assert [(mark.cause.value, mark.end_at_us - mark.start_at_us) for mark in call.marks] == [("HELD", 5 * S)]
    await calls.desk.finish_node(AGENT, SESSION, "consent")


async def test_what_is_switched_off_is_told_to_the_recorder(calls: Calls) -> None:
    await proven(calls)
    await calls.desk.mute(AGENT, SESSION, "customer", TrackKind.AUDIO, muted=True)
    calls.recorders.now += 3 * S
    call = await calls.desk.mute(AGENT, SESSION, "customer", TrackKind.AUDIO, muted=False)
    mark = call.marks[0]
    assert (mark.participant_id, mark.kind, mark.cause.value) == ("customer", TrackKind.AUDIO, "MUTED")
    assert mark.end_at_us - mark.start_at_us == 3 * S


async def test_who_leaves_may_come_back_while_the_call_goes_on(calls: Calls) -> None:
    await proven(calls)
    await calls.desk.leave(AGENT, SESSION, "customer")
    assert (await calls.call()).person("customer").presence is Presence.LEFT
    assert calls.media.dropped[-1] == ("customer", None)
    calls.recorders.now += 9 * S
    await live(calls, "customer")
    call = await calls.call()
    assert call.state is CallState.ACTIVE
    assert [(mark.participant_id, mark.cause.value) for mark in call.marks] == [("customer", "AWAY")]


async def test_an_ended_call_takes_nothing_any_more(calls: Calls) -> None:
    who, code, secret, _ = await accepted_by(calls, CUSTOMER)
    await proven(calls)
    await calls.desk.start_node(AGENT, SESSION, "consent")
    call = await calls.desk.end(AGENT, SESSION, cancelled=False)
    assert (call.state, call.end_reason, call.current) == (CallState.ENDING, EndReason.COMPLETED, None)
    again = await calls.desk.end(AGENT, SESSION, cancelled=True)
    assert again.end_reason is EndReason.COMPLETED
    for refused in (
        calls.desk.join(who, SESSION, ""),
        calls.desk.invite(AGENT, SESSION, CUSTOMER, T0),
        calls.desk.accept(code, secret, T0),
        calls.desk.hold(AGENT, SESSION, held=True),
        calls.desk.start_node(AGENT, SESSION, "consent"),
        calls.seats.publisher("demo", SESSION, "agent"),
        calls.seats.watcher("demo", SESSION, "agent", "customer"),
    ):
        with pytest.raises(CallEnded):
            await refused
    await calls.desk.leave(AGENT, SESSION, "agent")


async def test_the_session_records_as_soon_as_a_byte_is_on_disk(calls: Calls) -> None:
    await live(calls, "agent")
    session = await calls.sessions.get("demo", SESSION)
    assert session.progress.state is SessionState.CREATED
    calls.recorders.grow("demo", await calls.call())
    await look(calls)
    session = await calls.sessions.get("demo", SESSION)
    assert session.progress.state is SessionState.RECORDING


async def test_a_session_nobody_recorded_has_failed_and_says_why(calls: Calls) -> None:
    await live(calls, "agent")
    await calls.desk.end(AGENT, SESSION, cancelled=True)
    await calls.store.change("demo", SESSION, lambda call: call_course.completed(call, empty=True))
    session = await calls.sessions.get("demo", SESSION)
    assert (session.progress.state, session.progress.failure_reason) == (SessionState.FAILED, "NOTHING_RECORDED")


async def test_events_of_a_media_server_are_kept_while_the_database_is_away(calls: Calls) -> None:
    from shuanglu_common.database import DatabaseUnavailable

    await live(calls, "agent", "customer")
    seat = await calls.seats.publisher("demo", SESSION, "customer")
    working = calls.store.change

    async def away(*_: Any) -> Any:
        raise DatabaseUnavailable("away")

    calls.store.change = away
    await calls.seats.media_up(seat)
    await calls.seats.media_down(seat, "hangup")
    await calls.seats.node_lost("media-1")
    calls.store.change = working
    assert (await calls.call()).person("agent").presence is Presence.LIVE
    await calls.seats.catch_up()
    call = await calls.call()
    assert [person.presence for person in call.people] == [Presence.AWAY, Presence.AWAY]
    assert not calls.seats.late
    assert not calls.seats.lost_nodes


async def test_an_ended_call_whose_recorder_lost_it_fails_and_does_not_wait_for_ever(calls: Calls) -> None:
    import asyncio

    from shuanglu_signaling.call_keeper import GONE_US, CallKeeper

    await live(calls, "agent")
    await calls.desk.end(AGENT, SESSION, cancelled=False)
    calls.recorders.gone = True
    keeper = CallKeeper(calls.store, calls.recorders, calls.media, LIMITS, asyncio.Event(), calls.seats.catch_up)
    for waited_us, state in ((0, CallState.ENDING), (GONE_US + 1, CallState.ENDED)):
        calls.recorders.now += waited_us
        await keeper.close("demo", await calls.call())
        assert (await calls.call()).state is state
    session = await calls.sessions.get("demo", SESSION)
    assert session.progress.state is SessionState.FAILED


async def test_a_media_server_that_is_away_keeps_no_recording_open(calls: Calls) -> None:
    import asyncio

    from shuanglu_signaling.call_keeper import CallKeeper

    await live(calls, "agent")
    call = await calls.desk.end(AGENT, SESSION, cancelled=False)
    calls.media.away = True
    keeper = CallKeeper(calls.store, calls.recorders, calls.media, LIMITS, asyncio.Event(), calls.seats.catch_up)
    await keeper.close("demo", call)
    assert [closed.session_id for closed in calls.recorders.closed] == [SESSION]
    assert (await calls.call()).closed


def test_the_script_of_these_tests_has_a_line_of_the_customer() -> None:
    assert {node.read_by for node in SCRIPT} == {ParticipantRole.AGENT, ParticipantRole.CUSTOMER}
