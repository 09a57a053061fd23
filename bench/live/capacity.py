"""What a session of two people costs Janus and the recorder, and how many fit on this machine."""

import os
import time
from collections.abc import Mapping

from figures import Figure
from live.calls import callers, invited, place_of, stack_for_calls, stay, usual_film
from live.sizes import Sizes
from shuanglu_stack.stack import EmbeddedStack
from shuanglu_stack.usage import Usage

COME_IN_S = 10.0
COME_IN_EACH_S = 1.5
SESSIONS_A_PROCESS = 2
MEDIA = ("janus", "media-ingest-live")
MOST_PER_SESSION = 12.0
FULL = 0.75


def core_percent(before: Mapping[str, Usage], after: Mapping[str, Usage], seconds: float) -> dict[str, float]:
    """Of one core, by process."""
    return {
        name: 100 * (end.core_seconds - before[name].core_seconds) / seconds
        for name, end in after.items()
        if name in before
    }


def machine_busy() -> tuple[float, float]:
    """Core-seconds of the whole machine since its start: at work, and in all (proc(5), first line of /proc/stat)."""
    with open("/proc/stat", encoding="ascii") as stat:  # noqa: PTH123
        ticks = [int(word) for word in stat.readline().split()[1:9]]
    idle = ticks[3] + ticks[4]
    return (sum(ticks) - idle) / os.sysconf("SC_CLK_TCK"), sum(ticks) / os.sysconf("SC_CLK_TCK")


def watch(stack: EmbeddedStack, seconds: float) -> tuple[dict[str, float], float]:
    """Per cent of a core by process over so many seconds, and the share of the machine that was busy."""
    before, busy_before, started = stack.usage(), machine_busy(), time.monotonic()
    time.sleep(seconds)
    after, busy = stack.usage(), machine_busy()
    share = (busy[0] - busy_before[0]) / (busy[1] - busy_before[1])
    return core_percent(before, after, time.monotonic() - started), share


def step(stack: EmbeddedStack, client: object, count: int, call_s: float) -> tuple[dict[str, float], float, float]:
    """Hold so many calls at a time: cost by process, busy share of the machine, callers' cost of one session in %."""
    seats = invited(stack, client, count)  # type: ignore[arg-type]
    groups = [seats[at : at + SESSIONS_A_PROCESS] for at in range(0, count, SESSIONS_A_PROCESS)]
    come_in_s = COME_IN_S + COME_IN_EACH_S * count
    until_s = time.time() + come_in_s + call_s
    with callers(len(groups)) as pool:
        held = [
            pool.submit(stay, place_of(stack), [seat for one in group for seat in one.values()], usual_film(), until_s)
            for group in groups
        ]
        time.sleep(come_in_s)
        costs, busy = watch(stack, call_s - 2)
        results = [one for part in held for one in part.result(timeout=120)]
    blind = [one for one in results if one.seen == 0]
    if blind:
        raise RuntimeError(f"{len(blind)} of {len(results)} saw nobody: {blind[0].errors}")
    caller_s = sum(one.processor_s for one in results)
    return costs, busy, 100 * caller_s / count / (come_in_s + call_s)


def measure(sizes: Sizes) -> list[Figure]:
    """Cost of one session alone and among many."""
    figures: list[Figure] = []
    cores = os.cpu_count() or 1
    with stack_for_calls(rtp_ports=400) as (stack, client):
        idle, _ = watch(stack, 5)
        count = 1
        while count <= sizes.most_sessions:
            costs, busy, caller = step(stack, client, count, sizes.call_s)
            own = {name: (costs.get(name, 0.0) - idle.get(name, 0.0)) / count for name in costs}
            media = sum(own[name] for name in MEDIA)
            everything = sum(own.values())
            fit = FULL * 100 * cores / max(everything, 0.1)
            ratio = media / max(own["janus"], 0.1)
            against = f"{ratio:.2f} times Janus alone ({own['janus']:.1f} %); one caller {caller / 2:.1f} %"
            figures += [
                Figure(
                    f"{count} sessions: Janus and recorder, each", media, "% core", "lower", MOST_PER_SESSION, against
                ),
                Figure(
                    f"{count} sessions: all processes, each",
                    everything,
                    "% core",
                    "lower",
                    None,
                    ", ".join(f"{name} {own[name]:.1f}" for name in sorted(own, key=lambda n: -own[n])[:5]),
                ),
                Figure(
                    f"{count} sessions: fit on {cores} cores at 75 %, by this cost",
                    fit,
                    "sessions",
                    "higher",
                    None,
                    f"machine {busy:.0%} busy, callers included",
                ),
            ]
            if busy > FULL:
                break
            count *= 2
    return figures
