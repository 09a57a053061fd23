"""What a bank's app does before a call: order, session, ID photo, and an invitation for each who takes part."""

from collections.abc import Sequence

from shuanglu.common.v1.types_pb2 import ParticipantRole
from shuanglu.media.v1.recording_service_pb2 import AttachIdPhotoRequest
from shuanglu_caller.desk import CallDesk, Place, Seat
from shuanglu_cli.gateway import Gateway
from shuanglu_cli.recording import ROLE_PREFIX, Recording, open_session
from shuanglu_cli.uploads import UploadDoor


def book(gateway: Gateway, door: UploadDoor | None, recording: Recording) -> str:
    """Open a session for the order and people; the ID photo goes along. The session's id. Raises CliError, OSError."""
    session_id = str(open_session(gateway, recording).session_id)
    if recording.id_photo is not None and door is not None:
        upload_id = door.upload(recording.id_photo)
        request = AttachIdPhotoRequest(session_id=session_id, upload_id=upload_id)
        gateway.call(gateway.recordings.AttachIdPhoto, request)
    return session_id


def people_of(recording: Recording) -> list[str]:
    """Participants' ids as `book` names them."""
    roles = {role for _, file_roles in recording.files for role in file_roles}
    return [ParticipantRole.Name(role).removeprefix(ROLE_PREFIX).lower() for role in sorted(roles)]


async def seats_of(place: Place, token: str, session_id: str, people: Sequence[str]) -> dict[str, Seat]:
    """Invite each and accept, as each one's browser would. Raises CallerError."""
    async with CallDesk(place, token) as bank, CallDesk(place) as nobody:
        return {who: await nobody.accept(await bank.invite(session_id, who)) for who in people}
