"""The course of a call: opened, held, its nodes performed, ended, complete."""

from dataclasses import replace

from shuanglu_signaling.domain import call_events as events
from shuanglu_signaling.domain.call import Call, Change, Mark, Take, is_held, with_mark
from shuanglu_signaling.domain.call_people import absence
from shuanglu_signaling.domain.call_table import OVER, PRESENCES, AbsenceCause, EndReason, Step, TrackKind
from shuanglu_signaling.errors import CallHeld, NodeNotFound, NodeNotRunning


def place(call: Call, node: str) -> Change:
    """The first one who comes decides for a media node; later ones find it."""
    call.require_going_on()
    return Change(call if call.node else replace(call, node=node))


def unplace(call: Call, node: str) -> Change:
    """The node could not be opened: the next one who comes may choose another."""
    return Change(replace(call, node="") if call.node == node and not call.opened else call)


def open_call(call: Call, file_prefix: str, at_us: int) -> Change:
    """The recorder is ready."""
    if call.opened or call.state in OVER:
        return Change(call)
    opened = replace(call, file_prefix=file_prefix, opened_at_us=at_us, nobody_since_us=at_us)
    return Change(opened, (events.CallOpened(call.node),))


def recorded(call: Call, participant_ids: tuple[str, ...]) -> Change:
    """The recorder knows of these people."""
    return Change(replace(call, recorded=tuple(dict.fromkeys((*call.recorded, *participant_ids)))))


def hold(call: Call, held: bool, at_us: int) -> Change:  # noqa: FBT001 - as asked
    """Put on hold, or take up again. Raises CallEnded."""
    call.require_going_on()
    if bool(call.held_since_us) is held:
        return Change(call)
    if held:
        return Change(replace(call, held_since_us=at_us), (events.CallHeld(),))
    mark = Mark("", None, AbsenceCause.HELD, call.held_since_us, at_us)
    return Change(with_mark(replace(call, held_since_us=0), mark), (events.CallResumed(),))


def start_node(call: Call, node_id: str, at_us: int) -> Change:
    """Begin a take; the one that goes on is finished. The same node again while it goes on changes nothing.

    Raises CallEnded, CallHeld, NodeNotFound. Whether the recording is proven is for the caller to ask first.
    """
    call.require_going_on()
    require_not_held(call)
    if node_id not in {node.node_id for node in call.script}:
        raise NodeNotFound("话术中没有此环节。The script has no such node.")
    if call.current and call.current.node_id == node_id:
        return Change(call)
    take = Take(node_id, 1 + sum(each.node_id == node_id for each in call.takes), at_us)
    started = events.NodeStarted(node_id, take.take, at_us)
    change = finish_current(call, at_us)
    return Change(replace(change.call, takes=(*change.call.takes, take)), (*change.events, started))


def finish_node(call: Call, node_id: str, at_us: int) -> Change:
    """End the take that goes on. The node whose take ended last may be finished again: it changes nothing.

    Raises CallEnded, CallHeld, NodeNotRunning.
    """
    call.require_going_on()
    if call.current is None and call.takes and call.takes[-1].node_id == node_id:
        return Change(call)
    require_not_held(call)
    if call.current is None or call.current.node_id != node_id:
        raise NodeNotRunning("该环节未在进行。The node is not being performed.")
    return finish_current(call, at_us)


def require_not_held(call: Call) -> None:
    """Raises CallHeld."""
    if is_held(call):
        raise CallHeld("通话保持中。The call is on hold.")


def finish_current(call: Call, at_us: int) -> Change:
    """End the take that goes on, if any."""
    take = call.current
    if take is None:
        return Change(call)
    # One microsecond at least: a clock that was set back must not make a take end before it began.
    done = replace(take, end_at_us=max(at_us, take.start_at_us + 1))
    told = events.NodeFinished(take.node_id, take.take, take.start_at_us, done.end_at_us)
    return Change(replace(call, takes=(*call.takes[:-1], done)), (told,))


def end(call: Call, reason: EndReason, at_us: int) -> Change:
    """Over for everybody; the first reason stays. What goes on is finished, and every absence gets its end."""
    if call.state in OVER:
        return Change(call)
    change = finish_current(call, at_us)
    ended = change.call
    if ended.held_since_us:
        ended = with_mark(ended, Mark("", None, AbsenceCause.HELD, ended.held_since_us, at_us))
    for person in ended.people:
        for kind in TrackKind:
            if since := person.muted_since_us(kind):
                ended = with_mark(ended, Mark(person.participant_id, kind, AbsenceCause.MUTED, since, at_us))
        ended = with_mark(ended, absence(person, at_us))
    people = tuple(
        replace(
            person,
            presence=PRESENCES[person.presence].get(Step.LEAVE, person.presence),
            absent_since_us=0,
            away_until_us=0,
            audio_muted_since_us=0,
            video_muted_since_us=0,
        )
        for person in ended.people
    )
    over = replace(
        ended,
        people=people,
        held_since_us=0,
        stalled_since_us=0,
        nobody_since_us=0,
        end_reason=reason,
        ended_at_us=at_us,
        # Nobody came: there is no recorder to wait for.
        closed=not ended.opened,
        complete=not ended.opened,
        empty=not ended.opened,
    )
    return Change(over, (*change.events, events.CallEnded(reason)))


def closed(call: Call) -> Change:
    """The recorder knows that nothing more comes."""
    return Change(replace(call, closed=True) if call.end_reason else call)


def completed(call: Call, *, empty: bool = False) -> Change:
    """All is stored, or there is nothing to store."""
    if call.end_reason is None or call.complete:
        return Change(call)
    return Change(replace(call, closed=True, complete=True, empty=empty))
