"""`shuanglu deadletter`: events that a consumer gave up on. For operators: it speaks to the bus itself."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import nats
import typer
from google.protobuf.message import DecodeError
from nats.errors import Error as NatsError
from rich.markup import escape
from rich.table import Table

from shuanglu.bus.v1.envelope_pb2 import Envelope
from shuanglu_cli.app import JsonFlag, app, command, target_of
from shuanglu_cli.errors import ExitCode, Refused, Unreachable
from shuanglu_cli.terminal import out, plain_table, print_json
from shuanglu_common.bus.bus import Bus
from shuanglu_common.bus.dead_letter import Listed, read_all, read_one, replay
from shuanglu_common.clock import SystemClock
from shuanglu_common.errors import NotFound, ShuangluError

CONNECT_TIMEOUT_S = 3

letters = typer.Typer(help="Look at events that a consumer gave up on, and send them again.", no_args_is_help=True)
app.add_typer(letters, name="deadletter")

T = TypeVar("T")
Number = Annotated[int, typer.Argument(help="Number, from `deadletter list`.", min=1)]


@letters.command("list")
@command
def list_(context: typer.Context, *, as_json: JsonFlag = False) -> ExitCode:
    """List dead letters, oldest first."""

    async def read(bus: Bus) -> list[Listed]:
        return [listed async for listed in read_all(bus)]

    found = _with_bus(context, read)
    if as_json:
        print_json({"dead_letters": [letter_dict(one) for one in found]})
    elif found:
        out.print(letters_table(found))
    else:
        out.print("no dead letters")
    return ExitCode.OK


@letters.command("show")
@command
def show(context: typer.Context, number: Number, *, as_json: JsonFlag = False) -> ExitCode:
    """Show one dead letter with what its event says of itself."""
    found = _with_bus(context, lambda bus: read_one(bus, number))
    content = letter_dict(found)
    if as_json:
        print_json(content)
    else:
        for key, value in content.items():
            out.print(f"[dim]{key:<16}[/]{escape(str(value))}", highlight=False)
    return ExitCode.OK


@letters.command("replay")
@command
def replay_(
    context: typer.Context,
    numbers: Annotated[list[int] | None, typer.Argument(help="Numbers, from `deadletter list`.")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    as_json: JsonFlag = False,
) -> ExitCode:
    """Send events again, after what broke them was mended, and forget their dead letters."""

    async def send(bus: Bus) -> list[Listed]:
        wanted = [listed.number async for listed in read_all(bus)] if everything else numbers or []
        return [await replay(bus, number) for number in wanted]

    sent = _with_bus(context, send)
    if as_json:
        print_json({"replayed": [letter_dict(one) for one in sent]})
    else:
        out.print(f"sent {len(sent)} event(s) again")
    return ExitCode.OK


def letter_dict(listed: Listed) -> dict[str, Any]:
    """A dead letter for people and programs; the event's payload is left out, it may refer to personal data."""
    letter = listed.letter
    died_at = datetime.fromtimestamp(letter.dead_at_us / 1e6, UTC)
    return {
        "number": listed.number,
        "tenant": listed.tenant,
        "session_id": listed.session_id,
        "consumer": letter.consumer,
        "reason": letter.reason,
        "deliveries": letter.deliveries,
        "dead_at": died_at.isoformat(timespec="seconds"),
        "stream": letter.stream,
        "stream_sequence": letter.stream_sequence,
        "subject": letter.subject,
        **_event(letter.message),
    }


def letters_table(found: list[Listed]) -> Table:
    """A line for each dead letter."""
    headings = ("number", "dead_at", "consumer", "reason", "deliveries", "session_id")
    table = plain_table(*headings)
    for one in found:
        content = letter_dict(one)
        table.add_row(*(escape(str(content[heading])) for heading in headings))
    return table


def _event(message: bytes) -> dict[str, Any]:
    try:
        envelope = Envelope.FromString(message)
    except DecodeError:
        return {"event": "not an event", "size_bytes": len(message)}
    return {"event": envelope.schema, "event_id": envelope.event_id, "producer": envelope.producer}


def _with_bus(context: typer.Context, work: Callable[[Bus], Awaitable[T]]) -> T:
    url = target_of(context).need_nats_url()

    async def run() -> T:
        client = await nats.connect(url, connect_timeout=CONNECT_TIMEOUT_S, allow_reconnect=False, error_cb=_quiet)
        try:
            return await work(Bus(client, "shuanglu-cli", SystemClock()))
        finally:
            await client.close()

    try:
        return asyncio.run(run())
    except NotFound as error:
        raise Refused(str(error), "", error.help, error.reason) from error
    except ShuangluError as error:
        raise Unreachable("the bus failed", str(error), error.help, error.reason) from error
    except (NatsError, OSError, TimeoutError) as error:
        why = str(error) or type(error).__name__
        raise Unreachable("the bus does not answer", why, "look whether NATS runs", "BUS_UNAVAILABLE") from error


async def _quiet(_: Exception) -> None:
    """The error is raised as well."""
