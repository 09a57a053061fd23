"""Imports: which uploads fill a session, who is on them, and what makes such a request sane."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from shuanglu_media_ingest.domain.sound import EVERYBODY, AudioChoice
from shuanglu_media_ingest.errors import FileRolesInvalid, FilesInvalid, SessionNotOpen, TimelineInvalid

MAX_FILES = 8
MAX_OFFSET_MS = 86_400_000
MAX_NODES = 500
MAX_NODE_ID = 64
# Times typed by hand may end a little behind the recording.
TIMELINE_SLACK_MS = 2000
OPEN_SESSION_STATES = frozenset({"CREATED", "FAILED"})


class ImportState(StrEnum):
    """Where an import stands."""

    ACCEPTED = "ACCEPTED"
    STORING = "STORING"
    STORED = "STORED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


# STORING again after a crash, ACCEPTED again after an outage or when somebody retries. What is stored stays.
MOVES: Mapping[ImportState, frozenset[ImportState]] = {
    ImportState.ACCEPTED: frozenset({ImportState.STORING, ImportState.FAILED, ImportState.CANCELLED}),
    ImportState.STORING: frozenset(
        {
            ImportState.STORING,
            ImportState.ACCEPTED,
            ImportState.STORED,
            ImportState.FAILED,
            ImportState.CANCELLED,
        }
    ),
    ImportState.STORED: frozenset(),
    ImportState.FAILED: frozenset({ImportState.ACCEPTED}),
    ImportState.CANCELLED: frozenset({ImportState.ACCEPTED}),
}
ENDED = frozenset({ImportState.STORED, ImportState.FAILED, ImportState.CANCELLED})
RETRYABLE = frozenset({ImportState.FAILED, ImportState.CANCELLED})


@dataclass(frozen=True, slots=True)
class Person:
    """A participant, by id and role (`CUSTOMER`, `AGENT`, …)."""

    participant_id: str
    role: str


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One upload, who is seen and heard in it, and its place on the session's timeline."""

    upload_id: str
    people: tuple[Person, ...]
    offset_ms: int = 0
    audio: AudioChoice | None = None

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles in lower case, as track names have them."""
        return tuple(person.role.lower() for person in self.people)

    def people_of(self, speaker: int) -> tuple[Person, ...]:
        """Who is on a track of the file: everybody, or the one that it belongs to."""
        return self.people if speaker == EVERYBODY else (self.people[speaker],)


@dataclass(frozen=True, slots=True)
class Node:
    """When a node of the script was performed, as the caller says."""

    node_id: str
    start_ms: int
    end_ms: int
    take: int


@dataclass(frozen=True, slots=True)
class Inspection:
    """What the session's strategy asks of the workers; travels with every segment."""

    face_frames_per_kilosecond: int
    languages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that an import is made of."""

    files: tuple[SourceFile, ...]
    id_photo_upload_id: str
    nodes: tuple[Node, ...]
    inspection: Inspection

    @property
    def upload_ids(self) -> tuple[str, ...]:
        """All uploads that the import needs."""
        photo = (self.id_photo_upload_id,) if self.id_photo_upload_id else ()
        return tuple(file.upload_id for file in self.files) + photo

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The plan that `to_json` gave."""
        files = tuple(
            SourceFile(
                file["upload_id"],
                tuple(Person(**person) for person in file["people"]),
                file["offset_ms"],
                AudioChoice.from_json(file.get("audio")),
            )
            for file in values["files"]
        )
        inspection = values["inspection"]
        return cls(
            files=files,
            id_photo_upload_id=values["id_photo_upload_id"],
            nodes=tuple(Node(**node) for node in values["nodes"]),
            inspection=Inspection(inspection["face_frames_per_kilosecond"], tuple(inspection["languages"])),
        )


@dataclass(frozen=True, slots=True)
class Import:
    """One binding of uploads to a session."""

    tenant: str
    import_id: str
    session_id: str
    state: ImportState
    plan: Plan
    created_at_us: int
    failure_reason: str = ""
    failure_help: str = ""
    stored_bytes: int = 0
    total_bytes: int = 0
    tracks: tuple[bytes, ...] = ()  # serialised shuanglu.media.v1.Track
    batch_id: str = ""  # that it was added by
    content_key: str = ""  # what is imported for which order; empty for imports of old
    upload_bytes: int = 0  # of all its uploads
    small: bool = True  # may use the lane of small imports
    tries: int = 1  # of the caller: 2 after the first retry
    attempts: int = 0  # of the workers in this try, outages not counted
    outages: int = 0  # in a row
    waiting_for: str = ""  # reason of the last outage, while it waits
    lease: str = ""  # of the worker that has it in hand
    trace_parent: str = ""  # W3C trace context of the request; the work goes on in its trace

    @property
    def run_id(self) -> str:
        """Name of this try in events. A retried import is another one for those who heard that it failed."""
        return self.import_id if self.tries == 1 else f"{self.import_id}-{self.tries}"


def import_id(tenant: str, session_id: str, upload_ids: Sequence[str]) -> str:
    """The same uploads for the same session give the same import: 32 hexadecimal digits."""
    parts = "\n".join((tenant, session_id, *upload_ids))
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


def content_key(tenant: str, order_id: str, files: Sequence[tuple[str, SourceFile]]) -> str:
    """Same order, same bytes, same roles at the same places: the same recording, whatever its uploads are called.

    `files`: each with the SHA-256 of its bytes; their order means nothing. Who takes part is told by roles: ids differ
    from session to session.
    """
    parts = sorted(
        f"{sha256} {'+'.join(sorted(file.roles))} {file.offset_ms} {file.audio or AudioChoice()}"
        for sha256, file in files
    )
    return hashlib.sha256("\n".join((tenant, order_id, *parts)).encode()).hexdigest()[:32]


def require_open(state: str) -> None:
    """A session takes one recording. Raises SessionNotOpen."""
    if state not in OPEN_SESSION_STATES:
        raise SessionNotOpen(f"The session is {state}.", state=state)


def require_files(files: Sequence[SourceFile], id_photo_upload_id: str) -> None:
    """Raises FilesInvalid."""
    ids = [file.upload_id for file in files] + ([id_photo_upload_id] if id_photo_upload_id else [])
    if not 1 <= len(files) <= MAX_FILES:
        raise FilesInvalid(f"There are {len(files)} files.")
    if len(set(ids)) != len(ids):
        raise FilesInvalid("An upload is named twice.")
    if any(not 0 <= file.offset_ms <= MAX_OFFSET_MS for file in files):
        raise FilesInvalid("An offset is out of range.")


def resolve_people(named: Sequence[Person], session: Collection[Person]) -> tuple[Person, ...]:
    """The session's participants that a file names, by id, or by a role that only one has. Raises FileRolesInvalid."""
    found: list[Person] = []
    for person in named:
        matches = [
            known
            for known in session
            if person.role in ("", known.role) and person.participant_id in ("", known.participant_id)
        ]
        blank = not person.role and not person.participant_id
        if blank or len(matches) != 1 or matches[0] in found:
            raise FileRolesInvalid("A file names somebody who does not take part, is not clear, or is named twice.")
        found.append(matches[0])
    if not found:
        raise FileRolesInvalid("A file names nobody.")
    return tuple(found)


def require_timeline(nodes: Sequence[Node]) -> None:
    """Raises TimelineInvalid."""
    if len(nodes) > MAX_NODES:
        raise TimelineInvalid(f"There are {len(nodes)} nodes, at most {MAX_NODES} are allowed.")
    for node in nodes:
        if not 1 <= len(node.node_id) <= MAX_NODE_ID:
            raise TimelineInvalid(f"A node id needs 1 to {MAX_NODE_ID} characters.")
        if not 0 <= node.start_ms < node.end_ms <= 2 * MAX_OFFSET_MS or node.take < 1:
            raise TimelineInvalid(node_id=node.node_id)
    if len({(node.node_id, node.take) for node in nodes}) != len(nodes):
        raise TimelineInvalid("A take of a node appears twice.")


def require_within(nodes: Sequence[Node], duration_ms: int) -> None:
    """No node may end behind the recording. Raises TimelineInvalid."""
    for node in nodes:
        if node.end_ms > duration_ms + TIMELINE_SLACK_MS:
            raise TimelineInvalid(
                f"A node ends at {node.end_ms} ms, the recording at {duration_ms} ms.", node_id=node.node_id
            )
