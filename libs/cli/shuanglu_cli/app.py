"""The commands and what they have in common."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ParamSpec

import typer

from shuanglu_cli.errors import CliError, ExitCode
from shuanglu_cli.target import Target, find_target
from shuanglu_cli.terminal import print_error

EPILOG = (
    "Exit codes: 0 done, or verdict PASS · 1 error · 2 wrong usage · 3 verdict FAIL · 4 verdict UNSURE · "
    "5 refused by the service · 6 waited too long · 7 the token does not open this · 8 the doctor found something."
)

P = ParamSpec("P")

app = typer.Typer(
    name="shuanglu",
    help="双录 · Import recordings of signing sessions and read their reports.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")]


@app.callback()
def common(
    context: typer.Context,
    gateway: Annotated[str | None, typer.Option(help="Address of the gateway (or SHUANGLU_GATEWAY).")] = None,
    token: Annotated[
        str | None, typer.Option(help="Token (JWT); better in SHUANGLU_TOKEN, where other users do not see it.")
    ] = None,
    ca: Annotated[Path | None, typer.Option(help="Authority to trust, PEM (or SHUANGLU_CA).")] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="stack.json of a development stack; found by itself in .data/ (or SHUANGLU_CONFIG)."),
    ] = None,
) -> None:
    """Options of every command."""
    context.obj = functools.partial(find_target, gateway, token, ca, config)


def target_of(context: typer.Context) -> Target:
    """Where to call. Raises Usage."""
    find: Callable[[], Target] = context.obj
    return find()


def command(function: Callable[P, ExitCode]) -> Callable[P, None]:
    """Turn CliErrors into three lines and an exit code. A command returns its exit code."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = function(*args, **kwargs)
        except CliError as error:
            print_error(error, as_json=bool(kwargs.get("as_json")))
            code = error.exit_code
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        raise typer.Exit(code)

    return run
