"""Outages of what the services rest on: NATS, PostgreSQL and S3 away, slow, wrong, one after the other."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from tests.integration.faults.clocks import SettableClock
from tests.integration.faults.proxy import Fault, FaultProxy
from tests.integration.faults.recordings import ROOT, Shapes
from tests.integration.faults.trial import Trial

from shuanglu_stack import EmbeddedStack, StackOptions
from shuanglu_stack.postgres_server import SUPERUSER, USER

DETOURED = ("nats", "postgres", "s3")
# What the services do between two outages, so that each meets work under way.
REST_S = 1.0
# Started again at once: a test waits for recovery, not for the patience of a supervisor.
RESTART_PAUSES_S = (0.5, 1.0, 2.0)
STRAIN_EVENTS = 5


@dataclass(frozen=True, slots=True)
class Outage:
    """A fault of one of the three for a while; `failover`: PostgreSQL ends all sessions and then stays away."""

    of: str
    fault: Fault
    seconds: float
    rate: float = 1.0
    failover: bool = False

    def __str__(self) -> str:
        often = "" if self.rate == 1 else f" {self.rate:.0%} of the time"
        return f"{self.of} {self.fault.value}{often} for {self.seconds:.0f} s{' (failover)' if self.failover else ''}"


SHORT = (
    Outage("s3", Fault.AWAY, 4),
    Outage("postgres", Fault.AWAY, 3, failover=True),
    Outage("s3", Fault.DAMAGES_ANSWERS, 4, rate=0.2),
    Outage("nats", Fault.AWAY, 3),
    Outage("s3", Fault.TRUNCATES, 4, rate=0.2),
    Outage("s3", Fault.DAMAGES_REQUESTS, 4, rate=0.2),
    Outage("s3", Fault.ANSWERS_503, 3, rate=0.7),
)
LONG = (
    Outage("s3", Fault.AWAY, 30),
    Outage("s3", Fault.ANSWERS_500, 15),
    Outage("s3", Fault.ANSWERS_503, 20, rate=0.5),
    Outage("s3", Fault.SLOW, 20),
    Outage("s3", Fault.HANGS, 25),
    Outage("s3", Fault.TRUNCATES, 20, rate=0.3),
    Outage("s3", Fault.DAMAGES_ANSWERS, 20, rate=0.3),
    Outage("s3", Fault.DAMAGES_REQUESTS, 20, rate=0.3),
    Outage("postgres", Fault.AWAY, 20, failover=True),
    Outage("postgres", Fault.HANGS, 20),
    Outage("nats", Fault.AWAY, 20),
    Outage("nats", Fault.HANGS, 20),
    Outage("nats", Fault.SLOW, 15),
)


@dataclass(frozen=True, slots=True)
class Rig:
    """A stack to be broken: imports with the reports they must give, proxies before what it rests on, its clock."""

    trial: Trial
    proxies: Mapping[str, FaultProxy]
    clock: SettableClock


@contextmanager
def open_rig(folder: Path, shapes: Shapes, patience_s: float) -> Iterator[Rig]:
    """A stack whose services reach NATS, PostgreSQL and S3 through proxies only; each shape was imported once."""
    clock = SettableClock(folder / "clock")
    clock.set(0)
    running: list[EmbeddedStack] = []
    with ExitStack() as stack:
        proxies = {
            name: stack.enter_context(FaultProxy(lambda name=name: running[0].ports[name]))  # type: ignore[misc]
            for name in DETOURED
        }
        options = StackOptions(
            data_dir=folder / "stack",
            root=ROOT,
            restart_pauses_s=RESTART_PAUSES_S,
            detours={name: proxy.port for name, proxy in proxies.items()},
            env={**clock.environment, "SHUANGLU_BUS_STRAIN_EVENTS": str(STRAIN_EVENTS)},
        )
        running.append(EmbeddedStack(options))
        trial = Trial(stack.enter_context(running[0]), shapes, patience_s)
        trial.baseline()
        yield Rig(trial, proxies, clock)


def carry_out_outages(
    stack: EmbeddedStack, proxies: Mapping[str, FaultProxy], outages: Sequence[Outage], told: Callable[[Outage], None]
) -> None:
    """One after the other."""
    for outage in outages:
        proxy = proxies[outage.of]
        told(outage)
        if outage.failover:
            asyncio.run(end_database_sessions(stack))
        proxy.be(outage.fault, outage.rate)
        time.sleep(outage.seconds)
        proxy.be(Fault.NONE)
        if outage.fault is Fault.HANGS:
            # As when a cable is pulled: what was said meanwhile is lost.
            proxy.cut()
        time.sleep(REST_S)


async def end_database_sessions(stack: EmbeddedStack) -> int:
    """As a failover does; how many there were."""
    connection = await asyncpg.connect(
        host="127.0.0.1",
        port=stack.ports["postgres"],
        user=SUPERUSER,
        password=stack.keys.postgres_password,
        database="postgres",
        timeout=5,
    )
    try:
        return int(
            await connection.fetchval(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = $1", USER
            )
        )
    finally:
        await connection.close()
