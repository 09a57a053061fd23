"""Sound against picture in the recording, by flash and beep, over a line that loses packets; and their drift."""

import io
import statistics
import time
from collections.abc import Sequence

import av
import numpy as np

from figures import Figure
from live.calls import callers, invited, place_of, stack_for_calls, stay
from live.recorded import tracks_of
from live.sizes import Sizes
from shuanglu_caller.film import FLASH_EVERY_S, marked_film
from shuanglu_caller.network import BadNetwork, Shape, may_shape

LINE = Shape(delay_s=0.02, loss=0.03)
COME_IN_S = 8.0
MOST_MS = 40.0
BRIGHT = 128
LOUD = 0.2
WINDOW_S = 60.0
# The marks are a second apart: what is farther away belongs to another one.
PAIR_S = FLASH_EVERY_S / 2


def flashes_s(track: bytes) -> list[float]:
    """When each flash begins."""
    found, dark = [], False
    with av.open(io.BytesIO(track), "r") as container:
        for frame in container.decode(video=0):
            bright = float(frame.to_ndarray(format="gray")[::8, ::8].mean()) > BRIGHT
            if bright and dark:
                found.append(float(frame.time or 0))
            dark = not bright
    return found


def beeps_s(track: bytes) -> list[float]:
    """When each beep begins: loud after at least a quarter of a second without."""
    found: list[float] = []
    last_loud_s = -1.0
    with av.open(io.BytesIO(track), "r") as container:
        for frame in container.decode(audio=0):
            samples = frame.to_ndarray()
            level = np.abs(samples[0].astype(np.float64)) / (1 if samples.dtype.kind == "f" else 32768)
            loud = np.flatnonzero(level > LOUD)
            if not loud.size:
                continue
            first_s = float(frame.time or 0) + int(loud[0]) / frame.sample_rate
            if first_s - last_loud_s > FLASH_EVERY_S / 4:
                found.append(first_s)
            last_loud_s = float(frame.time or 0) + int(loud[-1]) / frame.sample_rate
    return found


def offsets_ms(flashes: Sequence[float], beeps: Sequence[float]) -> list[tuple[float, float]]:
    """When, and how much later than its flash each beep comes."""
    pairs = []
    for flash in flashes:
        beep = min(beeps, key=lambda at: abs(at - flash), default=float("inf"))
        if abs(beep - flash) < PAIR_S:
            pairs.append((flash, (beep - flash) * 1000))
    return pairs


def measure(sizes: Sizes) -> list[Figure]:
    """The customer is far, the agent near, so that both lines are seen in one call."""
    if not may_shape():
        print("left out: network namespaces need root")
        return []
    with BadNetwork(LINE) as network, stack_for_calls(media_host=network.near) as (stack, client):
        network.open_tcp(stack.ports["gateway"])
        (seats,) = invited(stack, client, 1)
        until_s = time.time() + COME_IN_S + sizes.sync_s
        place, film = place_of(stack), marked_film()
        with callers(1) as near, network.workers() as far:
            agent = near.submit(stay, place, [seats["agent"]], film, until_s + 1)
            customer = far.submit(stay, place, [seats["customer"]], film, until_s)
            customer.result(timeout=sizes.sync_s + 120)
            agent.result(timeout=120)
        tracks = tracks_of(client, seats["agent"].session_id)
        lost = network.to_near.lost / max(1, network.to_near.lost + network.to_near.passed)
    figures: list[Figure] = []
    near_offsets = offsets_ms(flashes_s(tracks["agent-video"]), beeps_s(tracks["agent-audio"]))
    far_offsets = offsets_ms(flashes_s(tracks["customer-video"]), beeps_s(tracks["customer-audio"]))
    minutes = sizes.sync_s / 60
    for name, pairs, against in (
        ("near", near_offsets, f"{len(near_offsets)} flashes, nothing lost"),
        (f"{lost:.1%} lost", far_offsets, f"{len(far_offsets)} flashes; the same call near"),
    ):
        figures += figures_of(f"sound behind picture after {minutes:.0f} min, {name}", pairs, against)
    return figures


def figures_of(name: str, pairs: Sequence[tuple[float, float]], against: str) -> list[Figure]:
    """The last minute, the worst, and how far it drifted."""
    if not pairs:
        raise RuntimeError(f"{name}: no flash and beep were found together")
    end_s, begin_s = pairs[-1][0], pairs[0][0]
    window_s = min(WINDOW_S, (end_s - begin_s) / 3)
    first = statistics.median(offset for at, offset in pairs if at <= begin_s + window_s)
    last = statistics.median(offset for at, offset in pairs if at >= end_s - window_s)
    worst = max((abs(offset) for _, offset in pairs), default=0.0)
    return [
        Figure(name, abs(last), "ms", "lower", MOST_MS, against),
        Figure("… worst single flash", worst, "ms", "lower", None, against),
        Figure("… drift from the first to the last minute", abs(last - first), "ms", "lower", None, against),
    ]
