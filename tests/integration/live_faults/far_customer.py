"""The customer of a call in another network: a program of its own, started behind the line."""

import asyncio
from pathlib import Path

from tests.integration.live_faults.stage import BLIND, films

from shuanglu.session.v1.call_pb2 import CallState, CallView
from shuanglu_caller.desk import Place, Seat
from shuanglu_caller.participant import Participant
from shuanglu_caller.reels import Projector


def attend(gateway: str, ca: Path, seat: Seat, longest_s: float) -> int:
    """Stays until the call is over, comes back whenever the connection is lost; how often it published."""
    return asyncio.run(_attend(Place(gateway, ca), seat, longest_s))


async def _attend(place: Place, seat: Seat, longest_s: float) -> int:
    projector = Projector()
    projector.begin()
    async with Participant(place, seat, films()["customer"], projector, BLIND) as customer:
        await customer.until(is_over, longest_s)
        return customer.published_times


def is_over(view: CallView) -> bool:
    """Ended, or about to be."""
    return view.state in (CallState.CALL_STATE_ENDING, CallState.CALL_STATE_ENDED)
