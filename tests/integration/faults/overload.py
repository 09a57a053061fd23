"""More work than the workers can do: it waits, nothing is lost, the services tell, and they catch up by themselves."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.integration.faults.trial import Trial

from shuanglu_stack import EmbeddedStack

SENDERS = 24
SAMPLE_EVERY_S = 1.0
MIB = 1 << 20


@dataclass(slots=True)
class Watch:
    """What the services told while it lasted."""

    strained: set[str] = field(default_factory=set)
    unready: set[str] = field(default_factory=set)
    peak_pending: dict[str, int] = field(default_factory=dict)
    peak_mib: dict[str, int] = field(default_factory=dict)

    def look(self, stack: EmbeddedStack) -> None:
        """One sample."""
        for name, usage in stack.usage().items():
            self.peak_mib[name] = max(self.peak_mib.get(name, 0), usage.resident_bytes // MIB)
        for name in stack.service_pids():
            answer = _get(f"{stack.ops_url(name)}/readyz")
            told = json.loads(answer) if answer else {"ready": False}
            self.strained |= {f"{name}: {consumer}" for consumer in told.get("strained", ())}
            if not told["ready"]:
                self.unready.add(name)
            for line in _get(f"{stack.ops_url(name)}/metrics").splitlines():
                if line.startswith("shuanglu_bus_pending_events{"):
                    label, _, value = line.rpartition(" ")
                    consumer = label.partition('consumer="')[2].partition('"')[0]
                    self.peak_pending[consumer] = max(self.peak_pending.get(consumer, 0), round(float(value)))


@dataclass(slots=True)
class Flood:
    """What a flood came to: `differences` are of all reports, `drained_s` is how long the last one took after it."""

    rate_per_s: float
    sent: int
    drained_s: float
    differences: list[str]
    watch: Watch


def capacity_per_s(trial: Trial, seconds: float, at_once: int = 4) -> float:
    """Reports a second when there is always work."""
    started = time.monotonic()
    outcome = trial.import_while(lambda: time.sleep(seconds), at_once)
    assert outcome.differences == []
    return outcome.reports / (time.monotonic() - started)


def flood(trial: Trial, rate_per_s: float, seconds: float, shapes: Sequence[str]) -> Flood:
    """Send imports at a rate whatever becomes of them, then wait for every report."""
    watch, over = Watch(), threading.Event()

    def keep_looking() -> None:
        while not over.wait(SAMPLE_EVERY_S):
            watch.look(trial.stack)

    watcher = threading.Thread(target=keep_looking, name="watch")
    watcher.start()
    count = max(1, round(rate_per_s * seconds))
    differences: list[str] = []
    try:
        with ThreadPoolExecutor(SENDERS, thread_name_prefix="sender") as pool:
            started = time.monotonic()
            sent: list[Future[str]] = []
            for number in range(count):
                time.sleep(max(0.0, started + number / rate_per_s - time.monotonic()))
                sent.append(pool.submit(trial.send, shapes[number % len(shapes)]))
            sessions = [future.result() for future in sent]
        flooded = time.monotonic()
        for number, session_id in enumerate(sessions):
            differences += trial.compare(session_id, shapes[number % len(shapes)])
        drained_s = time.monotonic() - flooded
    finally:
        over.set()
        watcher.join()
    differences += trial.rest()
    after = Watch()
    after.look(trial.stack)
    differences += [f"still strained: {name}" for name in sorted(after.strained)]
    return Flood(rate_per_s, count, drained_s, differences, watch)


def _get(url: str) -> str:
    """The answer, also of a service that is not ready; empty if there is none."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - loopback
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return error.read().decode()
    except OSError:
        return ""
