"""`python -m shuanglu_stack up` runs everything until Ctrl-C; `… demo` does the main job once and exits."""

import argparse
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from rich.console import Console

from shuanglu_caller.errors import CallerError
from shuanglu_cli.errors import CliError
from shuanglu_cli.terminal import print_error
from shuanglu_stack.announcer import ConsoleAnnouncer
from shuanglu_stack.demo import run_demo
from shuanglu_stack.errors import StackError
from shuanglu_stack.remote_scene import run_remote
from shuanglu_stack.sample_call import sample_links
from shuanglu_stack.settings import StackSettings
from shuanglu_stack.stack import EmbeddedStack, StackOptions

EXIT_ERROR = 1
SAMPLE = "samples/personal-loan"
TRY = (
    f".venv/bin/shuanglu import {SAMPLE}/customer.mp4 {SAMPLE}/agent.mp4 --order {SAMPLE}/order.json"
    f" --id-photo {SAMPLE}/id_photo.jpg --channel REMOTE --wait"
)


def main() -> int:
    """Run a command; its exit code."""
    arguments = parser().parse_args()
    console = Console(soft_wrap=True)
    signal.signal(signal.SIGTERM, _interrupt)
    # A shell without job control starts background commands with SIGINT ignored, and Python would keep it so.
    signal.signal(signal.SIGINT, _interrupt)
    try:
        return COMMANDS[arguments.command](arguments, console)
    except KeyboardInterrupt:
        return 0
    except StackError as error:
        console.print(f"[red]✕[/] {error}\n  [dim]do:[/] {error.help}", highlight=False)
        return EXIT_ERROR
    except CliError as error:
        print_error(error, as_json=False)
        return error.exit_code
    except CallerError as error:
        console.print(f"[red]✕[/] {error}\n  [dim]do:[/] read the logs in .data/demo-remote/logs", highlight=False)
        return EXIT_ERROR


def parser() -> argparse.ArgumentParser:
    """What it can do."""
    top = argparse.ArgumentParser(prog="python -m shuanglu_stack", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    run = commands.add_parser("up", help="start everything and run until Ctrl-C; data stays in the data folder")
    run.add_argument("--data", type=Path, help="data folder; default SHUANGLU_STACK_DATA_DIR, .data")
    run.add_argument(
        "--ports", choices=["fixed", "free"], default="fixed", help="fixed ports (gateway 8443), or free ones"
    )
    demo = commands.add_parser("demo", help="the main job once: print the findings, write the report, exit")
    demo.add_argument("--out", type=Path, help="folder for report.json and report.pdf; default: build/demo…")
    demo.add_argument(
        "--scene", choices=sorted(SCENES), default="import", help="import the sample, or hold a call of its two people"
    )
    return top


def up(arguments: argparse.Namespace, console: Console) -> int:
    """Start everything and wait for a signal."""
    settings = StackSettings()
    options = StackOptions(
        data_dir=arguments.data or settings.data_dir,
        models_dir=settings.models_dir,
        ports=arguments.ports,
        gateway_port=settings.gateway_port,
        port_base=settings.port_base,
        media_host=settings.media_host,
    )
    started = time.monotonic()
    with EmbeddedStack(options, ConsoleAnnouncer(console)) as stack:
        console.print(f"\nready after {time.monotonic() - started:.1f} s", highlight=False)
        console.print(f"export SHUANGLU_GATEWAY={stack.gateway_url}", highlight=False)
        console.print(f"export SHUANGLU_CA={stack.ca}", highlight=False)
        console.print(f"export SHUANGLU_TOKEN={stack.token()}", highlight=False)
        console.print(f"\nimport a recording: {TRY}", highlight=False)
        console.print("\nhold a call: open one link in each of two browser windows (trust the certificate)")
        for who, link in sample_links(stack, Path(SAMPLE)).items():
            console.print(f"  {who:<10}{link}", highlight=False)
        console.print(f"\nCtrl-C stops everything; data and logs stay in {stack.data_dir}", highlight=False)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            # A second Ctrl-C must not leave half of it running.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            console.print("\nstopping …")
    return 0


def demo(arguments: argparse.Namespace, console: Console) -> int:
    """Run a scene; the verdict's exit code."""
    run, out = SCENES[arguments.scene]
    return run(Path.cwd(), arguments.out or Path(out), console)


SCENES = {"import": (run_demo, "build/demo"), "remote": (run_remote, "build/demo-remote")}
COMMANDS = {"up": up, "demo": demo}


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # An interrupt that met code made from a string, as imports of dataclasses do, would end Python by SIGINT.
    os._exit(code)
