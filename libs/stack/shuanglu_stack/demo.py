"""The main job once: a recording goes in, a checked report comes out."""

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from shuanglu.report.v1.report_service_pb2 import GetReportPdfRequest
from shuanglu_cli.commands.import_ import follow, send
from shuanglu_cli.findings import print_report
from shuanglu_cli.terminal import as_dict, verdict_exit_code
from shuanglu_stack.announcer import ConsoleAnnouncer
from shuanglu_stack.sampling import client_of, sample_recording
from shuanglu_stack.settings import StackSettings
from shuanglu_stack.stack import EmbeddedStack, StackOptions
from shuanglu_stack.usage import Usage

SAMPLE = Path("samples/personal-loan")
WAIT_S = 600
# What everything costs while nothing is to be done; long enough that clock ticks of 10 ms do not blur it.
IDLE_S = 4.0
MINUTE_MS = 60_000


def run_demo(root: Path, out: Path, console: Console) -> int:
    """Start a stack of its own, import the sample, write the report; the verdict's exit code.

    Raises StackError, CliError.
    """
    recording = sample_recording(root / SAMPLE)
    data_dir = root / ".data" / "demo"
    shutil.rmtree(data_dir, ignore_errors=True)
    options = StackOptions(data_dir=data_dir, root=root, models_dir=StackSettings().models_dir)
    with EmbeddedStack(options, ConsoleAnnouncer(console)) as stack:
        idle_before = stack.usage()
        time.sleep(IDLE_S)
        before = stack.usage()
        started = time.monotonic()
        with client_of(stack) as client:
            gateway = client.gateway
            console.print("\nimporting the sample …")
            session = send(gateway, client.door, recording, visible=True)
            report = follow(gateway, session.session_id, WAIT_S, visible=True)
            wall_s = time.monotonic() - started
            after = stack.usage()
            pdf = gateway.call(gateway.reports.GetReportPdf, GetReportPdfRequest(session_id=session.session_id)).data
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(json.dumps(as_dict(report), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    (out / "report.pdf").write_bytes(pdf)
    recorded_min = report.result.duration_ms / MINUTE_MS
    console.print(cost_table(costs(idle_before, before, after, wall_s), recorded_min))
    console.print(
        f"{wall_s:.1f} s for {recorded_min * 60:.1f} s of recording; wrote {out}/report.json, {out}/report.pdf"
    )
    print_report(report, console)
    return int(verdict_exit_code(report.verdict))


def costs(
    idle_before: Mapping[str, Usage], before: Mapping[str, Usage], after: Mapping[str, Usage], wall_s: float
) -> dict[str, tuple[float, float]]:
    """For each process: core-seconds of the work, less what it costs while idle; and that idle cost in cores."""
    found: dict[str, tuple[float, float]] = {}
    for name, end in after.items():
        start = before[name].core_seconds
        idle_rate = (start - idle_before[name].core_seconds) / IDLE_S
        found[name] = max(0.0, end.core_seconds - start - idle_rate * wall_s), idle_rate
    return found


def cost_table(found: Mapping[str, tuple[float, float]], recorded_min: float) -> Table:
    """Core-seconds per recorded minute."""
    table = Table(box=None, pad_edge=False, header_style="dim", title="cost", title_justify="left")
    for heading in ("process", "core-seconds per recorded minute", "idle, cores"):
        table.add_column(heading, justify="left" if heading == "process" else "right")
    minutes = max(recorded_min, 1e-9)
    for name, (work, idle_rate) in sorted(found.items(), key=lambda item: -item[1][0]):
        table.add_row(name, f"{work / minutes:.2f}", f"{idle_rate:.3f}")
    total, idle_total = (sum(column) for column in zip(*found.values(), strict=True))
    table.add_row("all", f"{total / minutes:.2f}", f"{idle_total:.3f}", style="bold")
    return table
