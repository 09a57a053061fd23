"""`python -m tests.integration.faults.soak`: kills, outages and overload until "0 differences", or a list of them."""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from tests.integration.faults.kills import Kill, carry_out, plan, targets_of
from tests.integration.faults.recordings import ROOT, make_shapes
from tests.integration.faults.trial import Trial, timed

from shuanglu_stack import EmbeddedStack, StackOptions


def main() -> int:
    """Exit code 0 if nothing differs."""
    arguments = parser().parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    console = Console(soft_wrap=True)
    console.print(f"seed {seed}; repeat with --seed {seed}", highlight=False)
    folder = Path(tempfile.mkdtemp(prefix="shuanglu-soak-"))
    options = StackOptions(data_dir=folder / "stack", root=ROOT, restart_pauses_s=(0.5, 1.0, 2.0))
    shapes = make_shapes(folder / "recordings")
    with EmbeddedStack(options) as stack:
        trial = Trial(stack, shapes, arguments.patience)
        with timed(console.print, "run without faults"):
            trial.baseline()
        kills = plan(seed, targets_of(list(stack.pids())), arguments.kills, (arguments.gap / 2, arguments.gap * 1.5))
        started = time.monotonic()
        with Progress(
            TextColumn("{task.description:<24}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        ) as progress:
            task = progress.add_task("kills", total=len(kills))

            def told(kill: Kill) -> None:
                progress.update(task, advance=1, description=kill.target)
                if not console.is_terminal:
                    console.print(f"{time.monotonic() - started:6.1f} s  kill {kill.target}", highlight=False)

            outcome = trial.import_while(lambda: carry_out(stack, kills, told), arguments.at_once)
    for line in outcome.differences:
        console.print(line, highlight=False, markup=False)
    console.print(
        f"{len(kills)} kills, {outcome.reports} reports, {len(outcome.differences)} differences; seed {seed};"
        f" logs: {folder / 'stack' / 'logs'}",
        highlight=False,
    )
    return 1 if outcome.differences else 0


def parser() -> argparse.ArgumentParser:
    """Options; the defaults are those of `make soak`."""
    options = argparse.ArgumentParser(prog="soak", description=__doc__)
    options.add_argument("--seed", type=int, help="repeat a run; default: a new one, printed")
    options.add_argument("--kills", type=int, default=100, help="how many kills")
    options.add_argument("--gap", type=float, default=8.0, help="seconds between two kills, on average")
    options.add_argument("--at-once", type=int, default=2, help="imports under way at a time")
    options.add_argument("--patience", type=float, default=300.0, help="seconds that one import may take under faults")
    return options


if __name__ == "__main__":
    sys.exit(main())
