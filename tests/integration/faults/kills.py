"""Who is killed, and when: a plan that a seed repeats."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from shuanglu_stack import EmbeddedStack
from shuanglu_stack.usage import children_of

CELL = "child of "
# Services whose decoders and models run in processes of their own.
WITH_CELLS = ("asr", "face-check", "media-ingest", "report")
REVIVED_WITHIN_S = 60


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: whom, and how long after the one before."""

    target: str
    after_s: float


def targets_of(components: Sequence[str]) -> list[str]:
    """Everything that can be killed: each process, and the cells of those that have them."""
    cells = [CELL + name for name in components if name.rsplit("-", 1)[0] in WITH_CELLS or name in WITH_CELLS]
    return [*components, *cells]


def plan(seed: int, targets: Sequence[str], count: int, gap_s: tuple[float, float]) -> list[Kill]:
    """`count` kills, each target about equally often, in an order that the seed decides."""
    chance = random.Random(seed)
    deck: list[str] = []
    while len(deck) < count:
        hand = list(targets)
        chance.shuffle(hand)
        deck += hand
    return [Kill(target, chance.uniform(*gap_s)) for target in deck[:count]]


def carry_out(stack: EmbeddedStack, kills: Sequence[Kill], told: Callable[[Kill], None]) -> Counter[str]:
    """Kill by the plan; how often each target was killed. What is down at its turn is waited for."""
    done: Counter[str] = Counter()
    for kill in kills:
        time.sleep(kill.after_s)
        pid = running(stack, kill.target.removeprefix(CELL))
        children = children_of(pid) if kill.target.startswith(CELL) else []
        with suppress(ProcessLookupError):
            # Itself alone: its children have to notice. Without a child at the moment it is its own turn.
            os.kill(children[-1] if children else pid, signal.SIGKILL)
        done[kill.target] += 1
        told(kill)
    return done


def running(stack: EmbeddedStack, name: str) -> int:
    """Process id of a component, once it runs."""
    deadline = time.monotonic() + REVIVED_WITHIN_S
    while name not in (pids := stack.pids()):
        assert time.monotonic() < deadline, f"{name} did not come back by itself"
        time.sleep(0.1)
    return pids[name]
