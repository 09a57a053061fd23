"""Command line: `python -m shuanglu_samples make [--variant NAME | --all] [--out DIR]`."""

import argparse
import sys
import time
from pathlib import Path

from shuanglu_samples.errors import SampleError
from shuanglu_samples.make import make_session
from shuanglu_samples.variants import CLEAN, VARIANTS, Variant, find_variant
from shuanglu_samples.voice import Speaker


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 when all is made, 1 when something could not be had, 2 for a wrong command line."""
    options = _parser().parse_args(arguments)
    if options.command == "list":
        for variant in VARIANTS:
            print(f"{variant.name:18} {variant.title_zh} · {variant.title_en}")
        return 0
    try:
        chosen = list(VARIANTS) if options.all else [find_variant(name) for name in options.variant or [CLEAN.name]]
        for variant in chosen:
            _make(variant, options.out / variant.name, Speaker(options.cache))
    except SampleError as error:
        print(f"{error}\n{error.diagnostics()}", file=sys.stderr)
        return 1
    return 0


def _make(variant: Variant, folder: Path, speaker: Speaker) -> None:
    started = time.process_time()
    made = make_session(variant, folder, speaker, _show if sys.stderr.isatty() else None)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    spent = f"{time.process_time() - started:.1f} s of CPU" if made else "unchanged"
    print(f"{folder}  {variant.title_zh} · {variant.title_en}  ({spent})", flush=True)


def _show(stage: str, done: float) -> None:
    bar = "█" * round(done * 24)
    print(f"\r\033[K{stage:14} {bar:24} {done:4.0%}", end="", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shuanglu_samples", description="Makes the sample session and its defect variants."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="print the names of all variants")
    make = commands.add_parser("make", help="make samples; what is already there and unchanged is kept")
    which = make.add_mutually_exclusive_group()
    which.add_argument(
        "--variant", action="append", metavar="NAME", help="a variant by name, may be repeated (default: clean)"
    )
    which.add_argument("--all", action="store_true", help="the clean session and every variant")
    default_out, default_cache = Path("build/samples"), Path("build/cache/samples")
    make.add_argument("--out", type=Path, default=default_out, help="place of a folder per variant (%(default)s)")
    make.add_argument("--cache", type=Path, default=default_cache, help="place of voices and speech (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
