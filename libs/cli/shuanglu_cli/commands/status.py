"""`shuanglu status`: where a session stands, or the newest sessions."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from shuanglu.common.v1.types_pb2 import Channel
from shuanglu.session.v1.session_pb2 import Session, SessionState
from shuanglu.session.v1.session_service_pb2 import GetSessionRequest, ListSessionsRequest
from shuanglu_cli.app import JsonFlag, app, command, target_of
from shuanglu_cli.errors import ExitCode
from shuanglu_cli.gateway import Gateway
from shuanglu_cli.terminal import as_dict, out, print_json


@app.command("status")
@command
def status(
    context: typer.Context,
    session: Annotated[str | None, typer.Argument(help="Session's id; default: the newest sessions.")] = None,
    count: Annotated[int, typer.Option(help="How many sessions to list.", min=1, max=200)] = 20,
    *,
    as_json: JsonFlag = False,
) -> ExitCode:
    """Show where a session stands, or list the newest sessions."""
    with Gateway(target_of(context)) as gateway:
        if session is None:
            listed = gateway.call(gateway.sessions.ListSessions, ListSessionsRequest(page_size=count))
            sessions = list(listed.sessions)
        else:
            sessions = [gateway.call(gateway.sessions.GetSession, GetSessionRequest(session_id=session)).session]
    if as_json:
        print_json(as_dict(sessions[0]) if session is not None else {"sessions": [as_dict(one) for one in sessions]})
    elif sessions:
        out.print(sessions_table(sessions))
    else:
        out.print("no sessions yet")
    return ExitCode.OK


def sessions_table(sessions: list[Session]) -> Table:
    """A line for each session."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("session", "state", "channel", "strategy", "opened", "reason"):
        table.add_column(heading, no_wrap=True)
    for one in sessions:
        opened = datetime.fromtimestamp(one.created_at_us / 1e6, UTC).astimezone()
        table.add_row(
            one.session_id,
            SessionState.Name(one.state).removeprefix("SESSION_STATE_"),
            Channel.Name(one.channel).removeprefix("CHANNEL_"),
            f"{one.strategy_id}@{one.strategy_version[:8]}",
            opened.strftime("%Y-%m-%d %H:%M:%S%z"),
            one.failure_reason,
        )
    return table
