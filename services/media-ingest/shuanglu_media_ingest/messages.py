"""Between the domain and the contracts: one function a message."""

from collections.abc import Iterable, Sequence

from shuanglu.common.v1.types_pb2 import Inspection as InspectionProto
from shuanglu.common.v1.types_pb2 import ObjectRef, Participant, ParticipantRole, TrackKind
from shuanglu.media.v1.import_service_pb2 import Import as ImportProto
from shuanglu.media.v1.import_service_pb2 import (
    ImportBatch,
    ImportRecordingRequest,
    ImportRefusal,
    ImportState,
    ImportStateCount,
)
from shuanglu.media.v1.import_service_pb2 import SourceFile as SourceFileProto
from shuanglu.media.v1.track_pb2 import Gap, GapCause, Segment, TimelineNode, Track
from shuanglu_common.errors import ShuangluError
from shuanglu_media_ingest.domain import gaps
from shuanglu_media_ingest.domain.batches import Batch
from shuanglu_media_ingest.domain.imports import Import, Inspection, Node, Person, SourceFile
from shuanglu_media_ingest.domain.queue import faults
from shuanglu_media_ingest.domain.reading import ReadPiece, ReadTrack
from shuanglu_media_ingest.domain.sound import AudioChoice
from shuanglu_media_ingest.domain.survey import Medium
from shuanglu_media_ingest.errors import FileRolesInvalid

_KINDS = {Medium.AUDIO: TrackKind.TRACK_KIND_AUDIO, Medium.VIDEO: TrackKind.TRACK_KIND_VIDEO}
_ROLE = "PARTICIPANT_ROLE_"


def person_of(participant: Participant) -> Person:
    """Role without its prefix; empty if unspecified. Raises FileRolesInvalid for a role that nobody knows."""
    try:
        role = ParticipantRole.Name(participant.role).removeprefix(_ROLE)
    except ValueError as error:
        raise FileRolesInvalid("A file names a role that does not exist.") from error
    return Person(participant.participant_id, "" if role == "UNSPECIFIED" else role)


def files_of(request: ImportRecordingRequest) -> tuple[SourceFile, ...]:
    """The files as the caller named them."""
    return tuple(
        SourceFile(file.upload_id, people, file.offset_ms, audio_of(file, people))
        for file in request.files
        for people in [tuple(person_of(each) for each in file.participants)]
    )


def audio_of(file: SourceFileProto, people: Sequence[Person]) -> AudioChoice | None:
    """Which of the file's sound counts. Raises FileRolesInvalid for a speaker who is not one of `people`."""
    if not file.HasField("audio"):
        return None
    audio = file.audio
    speakers = [person_of(each) for each in audio.channels.speakers]
    if any(speaker not in people for speaker in speakers):
        raise FileRolesInvalid("A channel names a speaker whom the file's participants do not name in the same way.")
    return AudioChoice(audio.stream, audio.language, audio.mixed, tuple(people.index(each) for each in speakers))


def nodes_of(request: ImportRecordingRequest) -> tuple[Node, ...]:
    """The timeline; a take that is not set is the first."""
    return tuple(Node(node.node_id, node.start_ms, node.end_ms, node.take or 1) for node in request.timeline)


def import_message(record: Import, position: int = 0) -> ImportProto:
    """An import as the caller sees it. `position`: in the queue, 0 if it was not asked for."""
    return ImportProto(
        import_id=record.import_id,
        session_id=record.session_id,
        state=ImportState.Value(f"IMPORT_STATE_{record.state}"),
        failure_reason=record.failure_reason,
        failure_help=record.failure_help,
        stored_bytes=record.stored_bytes,
        total_bytes=record.total_bytes,
        tracks=[Track.FromString(track) for track in record.tracks],
        created_at_us=record.created_at_us,
        batch_id=record.batch_id,
        attempts=faults(record),
        queue_position=position,
        waiting_for=record.waiting_for,
    )


def batch_message(batch: Batch) -> ImportBatch:
    """A batch as the caller sees it."""
    return ImportBatch(
        batch_id=batch.batch_id,
        created_at_us=batch.created_at_us,
        counts=[
            ImportStateCount(state=ImportState.Value(f"IMPORT_STATE_{state}"), count=count)
            for state, count in batch.counts.items()
        ],
        upload_bytes=batch.upload_bytes,
        stored_upload_bytes=batch.stored_upload_bytes,
    )


def refusal_message(error: ShuangluError, import_id: str = "") -> ImportRefusal:
    """Why something was refused."""
    return ImportRefusal(
        reason=error.reason, message=str(error), help=error.help, retryable=error.retryable, import_id=import_id
    )


def inspection_message(inspection: Inspection) -> InspectionProto:
    """What the strategy asks."""
    return InspectionProto(
        face_frames_per_kilosecond=inspection.face_frames_per_kilosecond, languages=inspection.languages
    )


def node_messages(nodes: Iterable[Node]) -> list[TimelineNode]:
    """The timeline."""
    return [
        TimelineNode(node_id=node.node_id, start_ms=node.start_ms, end_ms=node.end_ms, take=node.take) for node in nodes
    ]


def track_message(track: ReadTrack, people: Sequence[Person], init: ObjectRef, original: ObjectRef) -> Track:
    """A track while it grows: no end, no count yet."""
    return Track(
        track_id=track.track_id,
        kind=_KINDS[track.medium],
        participants=[
            Participant(participant_id=person.participant_id, role=ParticipantRole.Value(_ROLE + person.role))
            for person in people
        ],
        init=init,
        codec=track.codec,
        start_ms=track.start_ms,
        width=track.width,
        height=track.height,
        sample_rate=track.sample_rate,
        derived=track.derived,
        original=original,
    )


def segment_message(piece: ReadPiece, stored: ObjectRef) -> Segment:
    """A stored segment."""
    return Segment(
        track_id=piece.track.track_id,
        index=piece.index,
        object=stored,
        start_ms=piece.start_ms,
        end_ms=piece.end_ms,
    )


def gap_messages(track_id: str, found: Iterable[gaps.Gap]) -> list[Gap]:
    """Holes of a track."""
    return [
        Gap(
            track_id=track_id,
            start_ms=gap.start_ms,
            end_ms=gap.end_ms,
            cause=GapCause.Value(f"GAP_CAUSE_{gap.cause}"),
        )
        for gap in found
    ]
