"""`shuanglu status`: where a session stands, or the newest sessions."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from shuanglu.common.v1.types_pb2 import Channel
from shuanglu.session.v1.session_pb2 import Session, SessionState
from shuanglu.session.v1.session_service_pb2 import GetSessionRequest, ListSessionsRequest
from shuanglu_cli.app import JsonFlag, app, command, target_of
from shuanglu_cli.errors import ExitCode
from shuanglu_cli.gateway import Gateway
from shuanglu_cli.terminal import as_dict, out, plain_table, print_json


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
    elif session is not None:
        for key, value in session_lines(sessions[0]).items():
            out.print(f"[dim]{key:<9}[/]{escape(value)}", highlight=False)
    elif sessions:
        out.print(sessions_table(sessions))
    else:
        out.print("no sessions yet")
    return ExitCode.OK


def sessions_table(sessions: list[Session]) -> Table:
    """A line for each session."""
    table = plain_table("session", "state", "channel", "opened")
    for one in sessions:
        lines = session_lines(one)
        table.add_row(lines["session"], lines["state"], lines["channel"], lines["opened"])
    return table


def session_lines(session: Session) -> dict[str, str]:
    """What there is to say about a session."""
    opened = datetime.fromtimestamp(session.created_at_us / 1e6, UTC).astimezone()
    lines = {
        "session": session.session_id,
        "state": SessionState.Name(session.state).removeprefix("SESSION_STATE_"),
        "channel": Channel.Name(session.channel).removeprefix("CHANNEL_"),
        "opened": opened.strftime("%Y-%m-%d %H:%M:%S"),
        "order": session.order_id,
        "strategy": f"{session.strategy_id}@{session.strategy_version}",
    }
    return {**lines, "reason": session.failure_reason} if session.failure_reason else lines
