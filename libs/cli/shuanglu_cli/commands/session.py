"""`shuanglu session create` and `shuanglu invite`: a call, as the bank's app would open it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from shuanglu.common.v1.types_pb2 import Participant
from shuanglu.media.v1.recording_service_pb2 import AttachIdPhotoRequest
from shuanglu.session.v1.call_service_pb2 import CreateInvitationRequest
from shuanglu.session.v1.session_pb2 import Session
from shuanglu.session.v1.session_service_pb2 import GetSessionRequest
from shuanglu_cli.app import JsonFlag, app, command, target_of
from shuanglu_cli.commands.status import session_lines
from shuanglu_cli.digests import sha256_of
from shuanglu_cli.errors import ExitCode
from shuanglu_cli.gateway import Gateway
from shuanglu_cli.recording import Recording, open_session, read_channel, read_order, read_role
from shuanglu_cli.terminal import as_dict, out, print_json
from shuanglu_cli.uploads import UploadDoor, upload_id_of

sessions = typer.Typer(name="session", help="Sessions that are recorded live.", no_args_is_help=True)
app.add_typer(sessions)


@sessions.command("create")
@command
def create(
    context: typer.Context,
    order: Annotated[Path, typer.Option(help="The order, JSON; see samples/personal-loan/order.json.")],
    channel: Annotated[str, typer.Option(help="How the parties meet.")] = "REMOTE",
    strategy: Annotated[str, typer.Option(help="Strategy's id; default: the only one for the order.")] = "",
    id_photo: Annotated[Path | None, typer.Option(help="The customer's ID photo, JPEG or PNG.")] = None,
    key: Annotated[str, typer.Option(help="Makes it repeatable: the same key gives the same session.")] = "",
    *,
    as_json: JsonFlag = False,
) -> ExitCode:
    """Open a session for a call. Invite customer and agent with `shuanglu invite`."""
    target = target_of(context)
    wanted = Recording((), read_order(order)[0], read_channel(channel), strategy_id=strategy)
    with Gateway(target) as gateway:
        session = open_session(gateway, wanted, key)
        if id_photo is not None:
            with UploadDoor(target) as door:
                upload_id = upload(door, id_photo)
            request = AttachIdPhotoRequest(session_id=session.session_id, upload_id=upload_id)
            gateway.call(gateway.recordings.AttachIdPhoto, request)
    if as_json:
        print_json(as_dict(session))
    else:
        for name, value in session_lines(session).items():
            out.print(f"[dim]{name:<9}[/]{escape(value)}", highlight=False)
    return ExitCode.OK


def upload(door: UploadDoor, file: Path) -> str:
    """Sends a file; its upload's id. Raises CliError, OSError."""
    url = door.create(file, sha256_of(file))
    door.send(file, url, lambda _sent: None, 0)
    return upload_id_of(url)


@app.command("invite")
@command
def invite(
    context: typer.Context,
    session: Annotated[str, typer.Argument(help="Session's id.")],
    who: Annotated[
        str, typer.Option("--as", help="customer, agent, co_signer, witness, supervisor, or a participant's id.")
    ],
    ttl: Annotated[int, typer.Option(help="Seconds until it must have been accepted; 0: a day.", min=0)] = 0,
    *,
    as_json: JsonFlag = False,
) -> ExitCode:
    """Print a link that lets one person into a call, from one browser. Who has the link gets in: send it with care."""
    with Gateway(target_of(context)) as gateway:
        found: Session = gateway.call(gateway.sessions.GetSession, GetSessionRequest(session_id=session)).session
        request = request_for(found, who, ttl)
        invitation = gateway.call(gateway.calls.CreateInvitation, request).invitation
        link = gateway.address.rstrip("/") + invitation.link
    if as_json:
        print_json({**as_dict(invitation), "url": link})
    else:
        out.print(link, highlight=False, markup=False)
    return ExitCode.OK


def request_for(session: Session, who: str, ttl_s: int) -> CreateInvitationRequest:
    """For a participant that the session has, by id or role; else for one more of that role. Raises Usage."""
    request = CreateInvitationRequest(session_id=session.session_id, ttl_s=ttl_s)
    known: dict[str, Participant] = {each.participant_id: each for each in session.participants}
    if who in known:
        request.participant_id = who
        return request
    role = read_role(who)
    same = next((each for each in session.participants if each.role == role), None)
    if same is not None:
        request.participant_id = same.participant_id
    else:
        request.role = role
    return request
