"""What tests of calls do again and again."""

from typing import Any

from call_doubles import LIMITS, T0, Calls

from shuanglu_signaling.domain.call_desk import CallCaller
from shuanglu_signaling.domain.call_ports import Pass
from shuanglu_signaling.domain.call_watch import tick
from shuanglu_signaling.domain.guests import Wanted

SESSION = "session-0001"
AGENT = CallCaller("demo", staff=True)
CUSTOMER = Wanted("customer", None, 0)


async def live(calls: Calls, *who: str) -> None:
    """These people have joined and their media arrives."""
    for each in who:
        await calls.desk.join(AGENT, SESSION, each)
        seat = await calls.seats.publisher("demo", SESSION, each)
        await calls.seats.media_up(seat)


async def proven(calls: Calls) -> None:
    """Both are live, and bytes of both are in the store."""
    await live(calls, "agent", "customer")
    calls.recorders.grow("demo", await calls.call())
    await look(calls)


async def look(calls: Calls) -> Any:
    """What time has brought."""
    call = await calls.call()
    sight, now_us = calls.recorders.sight("", "demo", SESSION), calls.recorders.now
    await calls.store.change("demo", SESSION, lambda now: tick(now, sight, LIMITS, now_us))
    return call


async def accepted_by(calls: Calls, wanted: Wanted, secret: str = "") -> tuple[CallCaller, str, str, str]:
    """Somebody came by a link: as whom, the code, the browser's secret, the invitation's id."""
    made, code = await calls.desk.invite(AGENT, SESSION, wanted, T0)
    accepted = await calls.desk.accept(code, secret, T0)
    seat = int(accepted.token.rsplit("/", 1)[1])
    who = CallCaller("demo", made.participant_id, Pass(made.invitation_id, seat))
    return who, code, accepted.secret, made.invitation_id
