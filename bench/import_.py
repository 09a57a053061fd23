"""Imports: segmenting, the doors, memory, recordings per core-hour, and whether a long history makes them dearer.

`BENCH_PARTS=segmenting,doors` measures parts only; see sizes.py.
"""

import shutil
from collections.abc import Sequence

from rich.console import Console

import doors
import large
import segmenting
import throughput
from figures import Figure, keep
from material import ROOT
from shuanglu_stack.announcer import ConsoleAnnouncer
from shuanglu_stack.sampling import client_of
from shuanglu_stack.stack import EmbeddedStack, StackOptions
from sizes import Sizes

MATERIAL = ROOT / "build" / "bench" / "material"
DATA = ROOT / ".data" / "bench-import"
# Nobody looks and listens in these parts: nothing must wait for them.
UNHURRIED = {"SHUANGLU_MAX_WAITING_SEGMENTS": "1000000"}


def through_the_doors(parts: Sequence[str], sizes: Sizes, console: Console) -> list[Figure]:
    """Uploads and a large import, without workers."""
    shutil.rmtree(DATA, ignore_errors=True)
    services = ("signaling", "media-ingest", "quality", "report")
    options = StackOptions(data_dir=DATA, root=ROOT, services=services, service_env={"media-ingest": UNHURRIED})
    figures: list[Figure] = []
    with EmbeddedStack(options, ConsoleAnnouncer(console)) as stack, client_of(stack) as client:
        if "doors" in parts:
            figures += doors.measure(stack, client, MATERIAL, sizes)
        if "large" in parts:
            figures += large.measure(stack, client, MATERIAL, sizes)
    return figures


def with_workers(parts: Sequence[str], sizes: Sizes, console: Console) -> list[Figure]:
    """Short recordings through everything: one worker of each kind, a long history, then more workers."""
    figures: list[Figure] = []
    batches = throughput.Batches(MATERIAL)
    shutil.rmtree(DATA, ignore_errors=True)
    options = StackOptions(data_dir=DATA, root=ROOT)
    one = 0.0
    with EmbeddedStack(options, ConsoleAnnouncer(console)) as stack, client_of(stack) as client:
        if "throughput" in parts:
            found, one = throughput.flood_figures(stack, client, batches, sizes)
            figures += found
        if "history" in parts:
            figures += throughput.growth(stack, client, batches, sizes)
    if "throughput" in parts:
        shutil.rmtree(DATA, ignore_errors=True)
        replicas = {"face-check": throughput.WORKERS, "asr": throughput.WORKERS}
        options = StackOptions(data_dir=DATA, root=ROOT, replicas=replicas)
        with EmbeddedStack(options, ConsoleAnnouncer(console)) as stack, client_of(stack) as client:
            figures += throughput.more_workers(stack, client, batches, sizes.recordings // 2, one)
    return figures


def measure(console: Console) -> list[Figure]:
    """All parts that are wanted."""
    sizes = Sizes()
    parts = sizes.parts.split(",")
    figures: list[Figure] = []
    if "segmenting" in parts:
        figures += segmenting.measure(MATERIAL, sizes)
    if {"doors", "large"} & set(parts):
        figures += through_the_doors(parts, sizes, console)
    if {"throughput", "history"} & set(parts):
        figures += with_workers(parts, sizes, console)
    return figures


def main() -> None:
    """Measure, print, keep."""
    keep("import", measure(Console()))


if __name__ == "__main__":
    main()
