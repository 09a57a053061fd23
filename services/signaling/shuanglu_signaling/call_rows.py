"""Between rows and calls."""

from pydantic import TypeAdapter

from shuanglu.session.v1 import session_events_pb2 as pb
from shuanglu_signaling import call_wire, wire
from shuanglu_signaling.domain import call_events as told
from shuanglu_signaling.domain.call import Call
from shuanglu_signaling.domain.call_events import CallEvent

# A field that a stored call lacks takes its default; one that a newer version wrote is passed over.
CALL = TypeAdapter(Call)

Payload = (
    pb.CallOpened
    | pb.ParticipantInvited
    | pb.InvitationRevoked
    | pb.ParticipantJoined
    | pb.ParticipantLive
    | pb.ParticipantAway
    | pb.ParticipantLeft
    | pb.NodeStarted
    | pb.NodeFinished
    | pb.CallHeld
    | pb.CallResumed
    | pb.RecordingProven
    | pb.RecordingStalled
    | pb.RecordingResumed
    | pb.CallEnded
)


def call_values(tenant: str, call: Call, now_us: int) -> dict[str, object]:
    """A row of `calls`."""
    return {
        "tenant": tenant,
        "session_id": call.session_id,
        "state": call.state.value,
        "node": call.node,
        "call": CALL.dump_python(call, mode="json"),
        "revision": call.revision,
        "updated_at_us": now_us,
    }


def read_call(stored: object) -> Call:
    """A call as stored: the value of the column `call`."""
    return CALL.validate_python(stored)


def payload_of(event: CallEvent) -> Payload:  # noqa: C901, PLR0911, PLR0912 - one line a kind
    """An event as the bus carries it."""
    match event:
        case told.CallOpened():
            return pb.CallOpened(node=event.node)
        case told.ParticipantInvited():
            invited = wire.write_participant(event.participant)
            return pb.ParticipantInvited(participant=invited, invitation_id=event.invitation_id)
        case told.InvitationRevoked():
            return pb.InvitationRevoked(invitation_id=event.invitation_id)
        case told.ParticipantJoined():
            return pb.ParticipantJoined(participant=wire.write_participant(event.participant))
        case told.ParticipantLive():
            return pb.ParticipantLive(participant_id=event.participant_id, connection=event.connection)
        case told.ParticipantAway():
            return pb.ParticipantAway(participant_id=event.participant_id, connection=event.connection)
        case told.ParticipantLeft():
            return pb.ParticipantLeft(participant_id=event.participant_id)
        case told.NodeStarted():
            return pb.NodeStarted(node_id=event.node_id, take=event.take, started_at_us=event.started_at_us)
        case told.NodeFinished():
            return pb.NodeFinished(
                node_id=event.node_id,
                take=event.take,
                started_at_us=event.started_at_us,
                finished_at_us=event.finished_at_us,
            )
        case told.CallHeld():
            return pb.CallHeld()
        case told.CallResumed():
            return pb.CallResumed()
        case told.RecordingProven():
            return pb.RecordingProven()
        case told.RecordingStalled():
            return pb.RecordingStalled(action=call_wire.STALL_ACTIONS[event.action])
        case told.RecordingResumed():
            return pb.RecordingResumed()
        case told.CallEnded():
            return pb.CallEnded(reason=call_wire.END_REASONS[event.reason])
