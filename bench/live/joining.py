"""From the customer's click to both pictures moving: the agent waits in the call, the page is loaded."""

import asyncio
import statistics
import time
from concurrent.futures import ProcessPoolExecutor

from figures import Figure
from live.calls import callers, invited, place_of, stack_for_calls
from live.sizes import Sizes
from shuanglu.session.v1.call_pb2 import CallView
from shuanglu_caller.desk import Place, Seat
from shuanglu_caller.film import Film, marked_film
from shuanglu_caller.participant import OVER, Manner, Participant
from shuanglu_caller.reels import Projector
from shuanglu_stack.sampling import Client
from shuanglu_stack.stack import EmbeddedStack

NEAR_MOST_S = 1.5
TIMEOUT_S = 40.0
# A browser answers a request for a key frame at once; a film has to have them often.
KEY_EVERY = 2


def wait_for_customer(place: Place, seat: Seat, film: Film) -> float:
    """As the agent: when the customer's picture moved, by the monotonic clock of this machine."""
    return asyncio.run(_agent(place, seat, film))


async def _agent(place: Place, seat: Seat, film: Film) -> float:
    projector = Projector()
    projector.begin()
    async with Participant(place, seat, film, projector, Manner()) as agent:
        await agent.sees("customer", TIMEOUT_S)
        saw_s = time.monotonic()
        await agent.until(customer_saw, TIMEOUT_S)
        await agent.desk.end(seat.session_id)
    return saw_s


def click(place: Place, seat: Seat, film: Film) -> tuple[float, float]:
    """As the customer: when the click was, and when the agent's picture moved, by the same clock."""
    return asyncio.run(_customer(place, seat, film))


async def _customer(place: Place, seat: Seat, film: Film) -> tuple[float, float]:
    projector = Projector()
    projector.begin()
    customer = Participant(place, seat, film, projector, Manner())
    await customer.prepare()
    clicked_s = time.monotonic()
    async with customer:
        await customer.sees("agent", TIMEOUT_S)
        saw_s = time.monotonic()
        await customer.mute("audio", muted=True)
        await customer.until(lambda view: view.state in OVER, TIMEOUT_S)
    return clicked_s, saw_s


def customer_saw(view: CallView) -> bool:
    """The customer tells by muting the sound."""
    return any(one.audio_muted for one in view.participants)


def joins(
    stack: EmbeddedStack, client: Client, count: int, near: ProcessPoolExecutor, customers: ProcessPoolExecutor
) -> list[float]:
    """Seconds of each call, one after the other."""
    film, place, found = marked_film(key_every=KEY_EVERY), place_of(stack), []
    for seats in invited(stack, client, count):
        waiting = near.submit(wait_for_customer, place, seats["agent"], film)
        time.sleep(1.5)
        clicked_s, customer_saw_s = customers.submit(click, place, seats["customer"], film).result(timeout=90)
        found.append(max(customer_saw_s, waiting.result(timeout=90)) - clicked_s)
    return found


def spread(name: str, seconds: list[float], target: float, baseline: str) -> list[Figure]:
    """Median and p95."""
    return [
        Figure(f"{name}, p50", statistics.median(seconds), "s", "lower", target, baseline),
        Figure(f"{name}, p95", percentile(seconds, 95), "s", "lower", target, baseline),
    ]


def percentile(values: list[float], per_cent: float) -> float:
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(len(ordered) * per_cent) // 100) - 1))]


def measure(sizes: Sizes) -> list[Figure]:
    """On loopback."""
    with stack_for_calls() as (stack, client), callers(1) as near, callers(1) as customers:
        seconds = joins(stack, client, sizes.joins, near, customers)
    return spread("click to both pictures, loopback", seconds, NEAR_MOST_S, f"{len(seconds)} calls, aiortc")
