"""`python -m tests.integration.faults.soak`: kills, outages, a jumping clock and overload on one stack.

Ends with "N kills, 0 differences" and exit code 0, or with what differs and exit code 1.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from tests.integration.faults.kills import Kill, carry_out, plan, targets_of
from tests.integration.faults.outages import LONG, SHORT, Outage, Rig, carry_out_outages, open_rig
from tests.integration.faults.overload import capacity_per_s, flood
from tests.integration.faults.recordings import make_shapes

HOUR_S = 3600
CLOCK_STEPS_S = (HOUR_S, -HOUR_S, 0)
CLOCK_EVERY_S = 10
MEASURED_S = 20
TIMES = 3


class Soak:
    """One run."""

    def __init__(self, arguments: argparse.Namespace, rig: Rig, seed: int, console: Console) -> None:
        self.arguments, self.rig, self.seed, self.console = arguments, rig, seed, console
        self.started = time.monotonic()
        self.differences: list[str] = []
        self.killed: Counter[str] = Counter()
        self.table = Table("phase", "faults", "reports", "differences", "seconds", box=None, header_style="dim")
        phases: dict[str, Callable[[Progress], tuple[str, int, list[str]]]] = {
            "kills": self.kills,
            "outages": self.outages,
            "clock": self.clock,
            "overload": self.overload,
        }
        self.phases = {name: phase for name, phase in phases.items() if name in arguments.only.split(",")}

    def run(self) -> None:
        """All phases, one after the other."""
        columns = (TextColumn("{task.description:<44}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        for name, phase in self.phases.items():
            started = time.monotonic()
            with Progress(*columns, console=self.console, disable=not self.console.is_terminal) as progress:
                faults, reports, differences = phase(progress)
            seconds = time.monotonic() - started
            self.table.add_row(name, faults, str(reports), str(len(differences)), f"{seconds:.0f}")
            self.console.print(f"{name}: {faults}, {reports} reports, {len(differences)} differences, {seconds:.0f} s")
            self.differences += [f"{name}: {line}" for line in differences]

    def tell(self, progress: Progress, task: TaskID, what: str) -> None:
        """A fault strikes: on the bar, or as a line where there is no terminal."""
        progress.update(task, advance=1, description=what)
        if not self.console.is_terminal:
            self.console.print(f"{time.monotonic() - self.started:7.1f} s  {what}", highlight=False)

    def kills(self, progress: Progress) -> tuple[str, int, list[str]]:
        """Processes die at random moments."""
        stack, gap_s = self.rig.trial.stack, self.arguments.gap
        kills = plan(self.seed, targets_of(list(stack.pids())), self.arguments.kills, (gap_s / 2, gap_s * 1.5))
        task = progress.add_task("kills", total=len(kills))

        def told(kill: Kill) -> None:
            self.killed[kill.target] += 1
            self.tell(progress, task, f"kill {kill.target}")

        outcome = self.rig.trial.import_while(lambda: carry_out(stack, kills, told), self.arguments.at_once)
        return f"{len(kills)} kills", outcome.reports, outcome.differences

    def outages(self, progress: Progress) -> tuple[str, int, list[str]]:
        """What the services rest on is away, slow or wrong."""
        outages = SHORT if self.arguments.short else LONG
        task = progress.add_task("outages", total=len(outages))

        def told(outage: Outage) -> None:
            self.tell(progress, task, str(outage))

        rig = self.rig
        outcome = rig.trial.import_while(
            lambda: carry_out_outages(rig.trial.stack, rig.proxies, outages, told), self.arguments.at_once
        )
        return f"{len(outages)} outages", outcome.reports, outcome.differences

    def clock(self, progress: Progress) -> tuple[str, int, list[str]]:
        """The clock jumps."""
        task = progress.add_task("clock", total=len(CLOCK_STEPS_S))

        def step() -> None:
            for offset_s in CLOCK_STEPS_S:
                self.rig.clock.set(offset_s)
                self.tell(progress, task, f"clock {offset_s:+d} s")
                time.sleep(CLOCK_EVERY_S)

        outcome = self.rig.trial.import_while(step, self.arguments.at_once)
        return f"{len(CLOCK_STEPS_S)} steps of the clock", outcome.reports, outcome.differences

    def overload(self, progress: Progress) -> tuple[str, int, list[str]]:
        """Three times what the workers can do."""
        trial, seconds = self.rig.trial, self.arguments.overload
        progress.add_task(f"overload for {seconds:.0f} s", total=None)
        capacity = capacity_per_s(trial, MEASURED_S)
        result = flood(trial, TIMES * capacity, seconds, trial.shapes.names)
        watch, problems = result.watch, list(result.differences)
        if not watch.strained:
            problems.append("no service told that it was strained")
        problems += [f"{name} was not ready" for name in sorted(watch.unready)]
        pending = ", ".join(f"{name} {count}" for name, count in sorted(watch.peak_pending.items()) if count)
        memory = ", ".join(f"{name} {mib} MiB" for name, mib in sorted(watch.peak_mib.items()))
        self.console.print(f"longest queues: {pending}\nmost memory: {memory}", highlight=False)
        faults = f"{result.rate_per_s:.2f} imports/s for {seconds:.0f} s, then {result.drained_s:.0f} s to catch up"
        return faults, result.sent, problems


def main() -> int:
    """Exit code 0 if nothing differs."""
    arguments = parser().parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    console = Console(soft_wrap=True)
    console.print(f"seed {seed}; repeat with --seed {seed}", highlight=False)
    folder = Path(tempfile.mkdtemp(prefix="shuanglu-soak-"))
    started = time.monotonic()
    with open_rig(folder, make_shapes(folder / "recordings"), arguments.patience) as rig:
        console.print(f"run without faults: {time.monotonic() - started:.0f} s", highlight=False)
        soak = Soak(arguments, rig, seed, console)
        soak.run()
    console.print(soak.table)
    if soak.killed:
        killed = ", ".join(f"{name} {count}" for name, count in sorted(soak.killed.items()))
        console.print(f"killed: {killed}", highlight=False)
    for line in soak.differences:
        console.print(line, highlight=False, markup=False)
    console.print(
        f"{soak.killed.total()} kills, {len(soak.differences)} differences; {time.monotonic() - started:.0f} s;"
        f" seed {seed}; logs: {folder / 'stack' / 'logs'}",
        highlight=False,
    )
    return 1 if soak.differences else 0


def parser() -> argparse.ArgumentParser:
    """Options; the defaults are those of `make soak`."""
    options = argparse.ArgumentParser(prog="soak", description=__doc__)
    options.add_argument("--seed", type=int, help="repeat a run; default: a new one, printed")
    options.add_argument("--only", default="kills,outages,clock,overload", help="phases, with commas")
    options.add_argument("--kills", type=int, default=102, help="how many kills")
    options.add_argument("--gap", type=float, default=4.0, help="seconds between two kills, on average")
    options.add_argument("--overload", type=float, default=300.0, help="seconds of overload")
    options.add_argument("--short", action="store_true", help="the short outages")
    options.add_argument("--at-once", type=int, default=2, help="imports under way at a time")
    options.add_argument("--patience", type=float, default=900.0, help="seconds that one import may take under faults")
    return options


if __name__ == "__main__":
    sys.exit(main())
