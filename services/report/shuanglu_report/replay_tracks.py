"""Stored tracks as the replay sees them."""

from shuanglu.common.v1.types_pb2 import ParticipantRole, TrackKind
from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu_report.domain.hls import Kind, ReplaySegment, ReplayTrack
from shuanglu_report.page.words import role_words

_KINDS = {TrackKind.TRACK_KIND_AUDIO: Kind.AUDIO, TrackKind.TRACK_KIND_VIDEO: Kind.VIDEO}
_ROLES = {
    ParticipantRole.PARTICIPANT_ROLE_CUSTOMER: "customer",
    ParticipantRole.PARTICIPANT_ROLE_AGENT: "agent",
    ParticipantRole.PARTICIPANT_ROLE_CO_SIGNER: "co-signer",
    ParticipantRole.PARTICIPANT_ROLE_WITNESS: "witness",
    ParticipantRole.PARTICIPANT_ROLE_SUPERVISOR: "supervisor",
}


def replay_track(stored: TrackStored) -> ReplayTrack:
    """The track for its playlists."""
    track = stored.track
    return ReplayTrack(
        track_id=track.track_id,
        kind=_KINDS.get(track.kind, Kind.SCREEN),
        roles=tuple(_ROLES[person.role] for person in track.participants if person.role in _ROLES),
        label=" / ".join(role_words(person.role).both for person in track.participants),
        codec=track.codec,
        width=track.width,
        height=track.height,
        segments=tuple(
            ReplaySegment(segment.index, segment.start_ms, segment.end_ms, segment.object.size_bytes)
            for segment in stored.segments
        ),
    )
