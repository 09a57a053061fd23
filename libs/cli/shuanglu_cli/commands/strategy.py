"""`shuanglu strategy`: check, store and read strategies."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from shuanglu.quality.v1.strategy_service_pb2 import (
    CreateStrategyVersionRequest,
    GetStrategyRequest,
    ListStrategiesRequest,
    Problem,
    ValidateStrategyRequest,
)
from shuanglu_cli.app import JsonFlag, app, command, target_of
from shuanglu_cli.errors import ExitCode, Usage
from shuanglu_cli.gateway import Gateway
from shuanglu_cli.terminal import as_dict, out, plain_table, print_json

MAX_BYTES = 256 << 10
# Enough of a version to tell it from others; --json has all of it.
SHORT = 12

strategies = typer.Typer(help="Check, store and read strategies.", no_args_is_help=True)
app.add_typer(strategies, name="strategy")

File = Annotated[Path, typer.Argument(help="Strategy as YAML.")]


@strategies.command("validate")
@command
def validate(context: typer.Context, file: File, *, as_json: JsonFlag = False) -> ExitCode:
    """Check a strategy and store nothing. Exit code 5 if something is wrong with it."""
    text = _read(file)
    with Gateway(target_of(context)) as gateway:
        answer = gateway.call(gateway.strategies.ValidateStrategy, ValidateStrategyRequest(yaml=text))
    if as_json:
        print_json(as_dict(answer))
    elif answer.problems:
        out.print(problems_table(answer.problems))
        out.print(f"[red]✕[/] {file}: {len(answer.problems)} problem(s)", highlight=False)
    else:
        out.print(f"[green]✓[/] {file} is valid, version {answer.version}", highlight=False)
    return ExitCode.REFUSED if answer.problems else ExitCode.OK


@strategies.command("push")
@command
def push(context: typer.Context, file: File, *, as_json: JsonFlag = False) -> ExitCode:
    """Store a strategy; the same content is the same version."""
    text = _read(file)
    with Gateway(target_of(context)) as gateway:
        answer = gateway.call(gateway.strategies.CreateStrategyVersion, CreateStrategyVersionRequest(yaml=text))
    if as_json:
        print_json(as_dict(answer))
    else:
        word = "stored" if answer.created else "was there already"
        out.print(f"[green]✓[/] {answer.strategy.strategy_id}@{answer.strategy.version} {word}", highlight=False)
    return ExitCode.OK


@strategies.command("list")
@command
def list_(context: typer.Context, *, as_json: JsonFlag = False) -> ExitCode:
    """List the newest version of each strategy."""
    with Gateway(target_of(context)) as gateway:
        found = gateway.call(gateway.strategies.ListStrategies, ListStrategiesRequest(page_size=200)).strategies
    if as_json:
        print_json({"strategies": [as_dict(one) for one in found]})
    else:
        table = plain_table("strategy", "version", "by")
        for one in found:
            table.add_row(one.strategy_id, one.version[:SHORT], escape(one.created_by))
        out.print(table)
    return ExitCode.OK


@strategies.command("show")
@command
def show(
    context: typer.Context,
    strategy: Annotated[str, typer.Argument(help="Strategy's id.")],
    version: Annotated[str, typer.Option(help="Version; default: the newest.")] = "",
    *,
    as_json: JsonFlag = False,
) -> ExitCode:
    """Print a strategy's YAML."""
    with Gateway(target_of(context)) as gateway:
        request = GetStrategyRequest(strategy_id=strategy, version=version)
        found = gateway.call(gateway.strategies.GetStrategy, request).strategy
    if as_json:
        print_json(as_dict(found))
    else:
        out.print(found.yaml, highlight=False, markup=False)
    return ExitCode.OK


def problems_table(problems: Sequence[Problem]) -> Table:
    """A line for each problem."""
    table = plain_table("line", "where")
    table.add_column("what is wrong")
    for problem in problems:
        table.add_row(str(problem.line or ""), escape(problem.path), escape(problem.message))
    return table


def _read(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(f"cannot read {file}", str(error), "give a YAML file in UTF-8", "BAD_FILE") from None
    if len(text.encode()) > MAX_BYTES:
        raise Usage(f"{file} is too large", f"a strategy has at most {MAX_BYTES} bytes", "give a strategy", "TOO_LARGE")
    return text
