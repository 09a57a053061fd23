"""Calls as they go out: each one sees what he may."""

from dataclasses import dataclass

from shuanglu.common.v1 import types_pb2
from shuanglu.media.v1.track_pb2 import TimelineNode
from shuanglu.session.v1 import call_pb2 as pb
from shuanglu_signaling import wire
from shuanglu_signaling.domain.call import Call, Person, Take
from shuanglu_signaling.domain.call_ports import IceServer
from shuanglu_signaling.domain.call_proof import Proof, Sight, TrackProof, network, prove
from shuanglu_signaling.domain.call_table import (
    CallState,
    EndReason,
    NetworkQuality,
    Presence,
    ProofState,
    StallAction,
    TrackKind,
)
from shuanglu_signaling.domain.script import ScriptNode
from shuanglu_signaling.errors import CallRequestInvalid

CALL_STATES = {value: pb.CallState.Value(f"CALL_STATE_{value}") for value in CallState}
END_REASONS = {value: pb.EndReason.Value(f"END_REASON_{value}") for value in EndReason}
PRESENCES = {value: pb.Presence.Value(f"PRESENCE_{value}") for value in Presence}
QUALITIES = {value: pb.NetworkQuality.Value(f"NETWORK_QUALITY_{value}") for value in NetworkQuality}
PROOF_STATES = {value: pb.ProofState.Value(f"PROOF_STATE_{value}") for value in ProofState}
STALL_ACTIONS = {value: types_pb2.StallAction.Value(f"STALL_ACTION_{value}") for value in StallAction}
KINDS = {value: types_pb2.TrackKind.Value(f"TRACK_KIND_{value}") for value in TrackKind}
KIND_OF = {number: value for value, number in KINDS.items()}


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at a call. `participant_id` is empty for a caller that is not a participant."""

    participant_id: str
    staff: bool


def read_kind(number: int) -> TrackKind:
    """Raises CallRequestInvalid for what a participant has not."""
    kind = KIND_OF.get(types_pb2.TrackKind.ValueType(number))
    if kind is None:
        raise CallRequestInvalid("kind 应为声音或画面。kind must be audio or video.", field="kind")
    return kind


def write_call(call: Call, sight: Sight, viewer: Viewer, now_us: int) -> pb.CallView:
    """A call as `viewer` may see it."""
    current = call.current
    return pb.CallView(
        session_id=call.session_id,
        state=CALL_STATES[call.state],
        end_reason=END_REASONS[call.end_reason] if call.end_reason else pb.END_REASON_UNSPECIFIED,
        participants=[write_person(person, sight, now_us) for person in call.people],
        script=[write_node(node, call, viewer) for node in call.script],
        takes=[write_take(take, call.started_at_us) for take in call.takes],
        current_node_id=current.node_id if current else "",
        recording=write_proof(prove(call, sight, now_us), viewer),
        started_at_us=call.started_at_us or sight.started_at_us,
        now_us=now_us,
        revision=call.revision,
        own_participant_id=viewer.participant_id,
    )


def write_person(person: Person, sight: Sight, now_us: int) -> pb.CallParticipant:
    """One participant."""
    quality, lost = network(person, sight, now_us)
    return pb.CallParticipant(
        participant=wire.write_participant(person.participant),
        presence=PRESENCES[person.presence],
        network=QUALITIES[quality],
        lost_permille=lost,
        audio_muted=bool(person.audio_muted_since_us),
        video_muted=bool(person.video_muted_since_us),
        away_until_us=person.away_until_us if person.presence is Presence.AWAY else 0,
        connection=person.due_connection,
    )


def write_node(node: ScriptNode, call: Call, viewer: Viewer) -> types_pb2.ScriptNode:
    """One step of the script. Its text is for the one who reads it, and for staff that is not in the call."""
    if viewer.participant_id:
        reads = node.read_by is call.person(viewer.participant_id).participant.role
    else:
        reads = viewer.staff
    return types_pb2.ScriptNode(
        node_id=node.node_id,
        title_zh=node.title_zh,
        title_en=node.title_en,
        read_by=wire.ROLES[node.read_by] if node.read_by else types_pb2.PARTICIPANT_ROLE_UNSPECIFIED,
        text=node.text if reads else "",
    )


def write_take(take: Take, started_at_us: int) -> TimelineNode:
    """A take on the session's timeline. What began before the first byte begins with it."""

    def position_ms(at_us: int) -> int:
        return max(0, at_us - started_at_us) // 1000 if at_us and started_at_us else 0

    return TimelineNode(
        node_id=take.node_id,
        start_ms=position_ms(take.start_at_us),
        end_ms=position_ms(take.end_at_us),
        take=take.take,
    )


def write_proof(proof: Proof, viewer: Viewer) -> pb.RecordingProof:
    """What is known of the recording; the customer's side sees the sum alone."""
    return pb.RecordingProof(
        state=PROOF_STATES[proof.state],
        stored_duration_ms=proof.stored_duration_ms,
        tracks=[write_track(track) for track in proof.tracks] if viewer.staff else [],
        storage_alarm=proof.alarm,
    )


def write_track(track: TrackProof) -> pb.TrackProof:
    """What is known of one track."""
    return pb.TrackProof(
        track_id=track.track_id,
        participant_id=track.participant_id,
        kind=KINDS[track.kind],
        state=PROOF_STATES[track.state],
        seen_ms=track.seen_ms,
        stored_ms=track.stored_ms,
        stored_duration_ms=track.stored_duration_ms,
        required=track.required,
    )


def write_ice_server(server: IceServer) -> pb.IceServer:
    """A STUN or TURN server."""
    return pb.IceServer(urls=server.urls, username=server.username, credential=server.credential)
