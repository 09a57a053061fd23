"""The one table of streams and subjects (docs/architecture.md, "The bus").

Subject of an event: `<area>.v1.<tenant>.<session_id>.<event>`. What is heavy to inspect goes in one of two lanes, each
with consumers of its own, so that a night's imports never delay a call: `<event>` of a call that is being recorded,
`<event>-offline` of an import (docs/adr/0015-lanes.md). The stream FOLDS holds what the quality engine folds
once more, as `fold.<partition>.<subject>`: the bus maps a session to one partition, so that one owner folds it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from google.protobuf.message import Message

from shuanglu.bus.v1.envelope_pb2 import DeadLetter
from shuanglu.media.v1.media_events_pb2 import (
    ImportFailed,
    ImportRequested,
    RecordingCompleted,
    SegmentStored,
    TrackStored,
)
from shuanglu.observation.v1.observations_pb2 import FacesObserved, SpeechFound, SpeechTranscribed, WindowFound
from shuanglu.quality.v1.quality_events_pb2 import InspectionProgressed, VerdictReached
from shuanglu.report.v1.report_events_pb2 import ReportReady
from shuanglu.session.v1.session_events_pb2 import (
    CallEnded,
    CallHeld,
    CallOpened,
    CallResumed,
    InvitationRevoked,
    NodeFinished,
    NodeStarted,
    ParticipantAway,
    ParticipantInvited,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantLive,
    RecordingProven,
    RecordingResumed,
    RecordingStalled,
    SessionCreated,
)

PARTITIONS = 8
DAY_S = 86_400


class Stream(StrEnum):
    """Streams of the bus."""

    SESSIONS = "SESSIONS"
    MEDIA = "MEDIA"
    OBSERVATIONS = "OBSERVATIONS"
    QUALITY = "QUALITY"
    REPORTS = "REPORTS"
    DEADLETTER = "DEADLETTER"
    FOLDS = "FOLDS"
    ADVISORIES = "ADVISORIES"


class Lane(StrEnum):
    """Whose events: of calls, or of imports, which can wait."""

    LIVE = "live"
    OFFLINE = "offline"


OFFLINE_MARK = "-offline"
LANES = (Lane.LIVE, Lane.OFFLINE)


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """How a stream is kept: `subjects` it takes from publishers, for how long."""

    stream: Stream
    subjects: tuple[str, ...]
    max_age_s: int = 30 * DAY_S
    sources: tuple[Stream, ...] = ()


STREAMS = (
    StreamSpec(Stream.SESSIONS, ("session.v1.*.*.*",)),
    StreamSpec(Stream.MEDIA, ("media.v1.*.*.*",)),
    StreamSpec(Stream.OBSERVATIONS, ("observation.v1.*.*.*",)),
    StreamSpec(Stream.QUALITY, ("quality.v1.*.*.*",)),
    StreamSpec(Stream.REPORTS, ("report.v1.*.*.*",)),
    StreamSpec(Stream.DEADLETTER, ("deadletter.v1.*.*.*",), max_age_s=90 * DAY_S),
    StreamSpec(
        Stream.FOLDS,
        (),
        max_age_s=7 * DAY_S,
        sources=(Stream.SESSIONS, Stream.MEDIA, Stream.OBSERVATIONS, Stream.DEADLETTER),
    ),
    StreamSpec(
        Stream.ADVISORIES,
        ("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>", "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>"),
        max_age_s=7 * DAY_S,
    ),
)


@dataclass(frozen=True, slots=True)
class EventType:
    """Where one kind of event stands. `laned`: calls' and imports' stand apart."""

    message: type[Message]
    stream: Stream
    area: str
    name: str
    laned: bool = False

    def name_in(self, lane: Lane) -> str:
        """The last word of its subject."""
        return self.name + OFFLINE_MARK if self.laned and lane is Lane.OFFLINE else self.name


EVENTS = (
    EventType(SessionCreated, Stream.SESSIONS, "session", "created"),
    EventType(CallOpened, Stream.SESSIONS, "session", "call_opened"),
    EventType(ParticipantInvited, Stream.SESSIONS, "session", "participant_invited"),
    EventType(InvitationRevoked, Stream.SESSIONS, "session", "invitation_revoked"),
    EventType(ParticipantJoined, Stream.SESSIONS, "session", "participant_joined"),
    EventType(ParticipantLive, Stream.SESSIONS, "session", "participant_live"),
    EventType(ParticipantAway, Stream.SESSIONS, "session", "participant_away"),
    EventType(ParticipantLeft, Stream.SESSIONS, "session", "participant_left"),
    EventType(NodeStarted, Stream.SESSIONS, "session", "node_started"),
    EventType(NodeFinished, Stream.SESSIONS, "session", "node_finished"),
    EventType(CallHeld, Stream.SESSIONS, "session", "call_held"),
    EventType(CallResumed, Stream.SESSIONS, "session", "call_resumed"),
    EventType(RecordingProven, Stream.SESSIONS, "session", "recording_proven"),
    EventType(RecordingStalled, Stream.SESSIONS, "session", "recording_stalled"),
    EventType(RecordingResumed, Stream.SESSIONS, "session", "recording_resumed"),
    EventType(CallEnded, Stream.SESSIONS, "session", "call_ended"),
    EventType(ImportRequested, Stream.MEDIA, "media", "import_requested"),
    EventType(ImportFailed, Stream.MEDIA, "media", "import_failed"),
    EventType(SegmentStored, Stream.MEDIA, "media", "segment_stored", laned=True),
    EventType(TrackStored, Stream.MEDIA, "media", "track_stored", laned=True),
    EventType(RecordingCompleted, Stream.MEDIA, "media", "recording_completed"),
    EventType(FacesObserved, Stream.OBSERVATIONS, "observation", "faces_observed"),
    EventType(SpeechFound, Stream.OBSERVATIONS, "observation", "speech_found"),
    EventType(WindowFound, Stream.OBSERVATIONS, "observation", "window_found", laned=True),
    EventType(SpeechTranscribed, Stream.OBSERVATIONS, "observation", "speech_transcribed"),
    EventType(InspectionProgressed, Stream.QUALITY, "quality", "inspection_progressed"),
    EventType(VerdictReached, Stream.QUALITY, "quality", "verdict_reached"),
    EventType(ReportReady, Stream.REPORTS, "report", "report_ready"),
    EventType(DeadLetter, Stream.DEADLETTER, "deadletter", "dead"),
)
BY_SCHEMA = {str(event.message.DESCRIPTOR.full_name): event for event in EVENTS}

TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,38}")
SESSION_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


def event_type(message: type[Message] | Message) -> EventType:
    """The table's row of a message; KeyError for what is not an event."""
    return BY_SCHEMA[str(message.DESCRIPTOR.full_name)]


def subject(kind: EventType, tenant: str, session_id: str, lane: Lane = Lane.LIVE) -> str:
    """Subject of one session's events. Raises ValueError for ids that would change the subject's shape."""
    if not TENANT.fullmatch(tenant):
        raise ValueError("tenant must be 1..39 of a-z 0-9 -")
    if not SESSION_ID.fullmatch(session_id):
        raise ValueError("session_id must be 1..64 of A-Z a-z 0-9 -")
    return f"{kind.area}.v1.{tenant}.{session_id}.{kind.name_in(lane)}"


def subjects(message: type[Message], tenant: str, session_id: str) -> list[str]:
    """All subjects that a session's events of a kind may have: one, or one for each lane."""
    kind = event_type(message)
    return sorted({subject(kind, tenant, session_id, lane) for lane in LANES})


def filter_subject(message: type[Message], lane: Lane = Lane.LIVE) -> str:
    """Subject filter for one kind of event of all tenants and sessions."""
    kind = event_type(message)
    return f"{kind.area}.v1.*.*.{kind.name_in(lane)}"


def filter_subjects(message: type[Message], lanes: Sequence[Lane] = LANES) -> list[str]:
    """The same for several lanes."""
    return sorted({filter_subject(message, lane) for lane in lanes})


def lane_of(original: str) -> Lane:
    """Of a message's subject."""
    return Lane.OFFLINE if original.endswith(OFFLINE_MARK) else Lane.LIVE


def owner_of(original: str) -> tuple[str, str]:
    """Tenant and session_id of a subject, folded or not; empty strings if it has another shape."""
    parts = original.split(".")
    if parts[0] == "fold":
        parts = parts[2:]
    return (parts[2], parts[3]) if len(parts) == 5 and parts[1] == "v1" else ("", "")  # noqa: PLR2004 - the shape
