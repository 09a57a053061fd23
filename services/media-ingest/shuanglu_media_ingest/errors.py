"""Errors of media-ingest.

    ShuangluError
    ├── InvalidInput
    │   ├── RecordingRefused         the file itself: also ends an import for good
    │   │   ├── NotARecording        no known format
    │   │   ├── EmptyFile            zero bytes
    │   │   ├── NoMedia              neither picture nor sound
    │   │   ├── FileDamaged          a recording, but it ends early or cannot be read
    │   │   └── TimestampsBroken     its clock runs backwards
    │   ├── IdPhotoInvalid, FileRolesInvalid, TimelineInvalid, FilesInvalid
    ├── NotFound                     UploadNotFound, SessionNotFound, ImportNotFound
    ├── NotAllowedNow                UploadIncomplete, SessionNotOpen
    └── DependencyError              SessionsUnavailable, ProbeTooSlow

The upload door answers with the status codes of tus, see spool.py.
"""

from shuanglu_common.errors import DependencyError, InvalidInput, NotAllowedNow, NotFound


class RecordingRefused(InvalidInput):
    """A file that cannot become tracks. Whether found when probing or later: nothing of it is kept in the store."""

    reason = "RECORDING_REFUSED"


class NotARecording(RecordingRefused):
    """No demuxer knows the bytes."""

    reason = "NOT_A_RECORDING"
    help = "The file is not audio or video. Upload the recording: MP4, MOV, MKV, WebM, AVI, FLV, TS, WAV, MP3 or M4A."


class EmptyFile(RecordingRefused):
    """Zero bytes."""

    reason = "EMPTY_FILE"
    help = "The file has no content. Check the file on your side and upload it again."


class NoMedia(RecordingRefused):
    """A container without picture and sound."""

    reason = "NO_MEDIA"
    help = "The file holds neither picture nor sound that can be read. Export the recording again with one of them."


class FileDamaged(RecordingRefused):
    """The container is known, but cut off or unreadable."""

    reason = "FILE_DAMAGED"
    help = "The file is cut off or damaged. Compare its size and checksum with the source and upload it again."


class TimestampsBroken(RecordingRefused):
    """Times run backwards by seconds: several recordings were glued together without new times."""

    reason = "TIMESTAMPS_BROKEN"
    help = "Times inside the file run backwards. Import its parts as separate files with their offsets."


class IdPhotoInvalid(InvalidInput):
    """Not a readable JPEG or PNG, or too large."""

    reason = "ID_PHOTO_INVALID"
    help = "Upload the ID photo as JPEG or PNG of at most 10 MiB and 40 megapixels."


class FileRolesInvalid(InvalidInput):
    """Files name nobody, or somebody who does not take part."""

    reason = "FILE_ROLES_INVALID"
    help = "Name for each file at least one participant of the session, with the same id and role."


class FilesInvalid(InvalidInput):
    """No file, too many, the same one twice, or an offset out of range."""

    reason = "FILES_INVALID"
    help = "Send 1 to 8 different uploads, each with an offset of 0 to 86400000 ms."


class TimelineInvalid(InvalidInput):
    """The timeline of nodes contradicts itself."""

    reason = "TIMELINE_INVALID"
    help = "Each node needs an id, a take from 1 and an end after its start; a take may appear once."


class UploadNotFound(NotFound):
    """No such upload, or another tenant's."""

    reason = "UPLOAD_NOT_FOUND"
    help = "Upload the file at /files/ first and pass the last part of its URL; uploads expire."


class UploadIncomplete(NotAllowedNow):
    """Bytes are missing."""

    reason = "UPLOAD_INCOMPLETE"
    help = "Resume the upload until Upload-Offset equals Upload-Length, then call again."


class SessionNotFound(NotFound):
    """No such session, or another tenant's."""

    reason = "SESSION_NOT_FOUND"
    help = "Create the session first with SessionService.CreateSession."


class SessionNotOpen(NotAllowedNow):
    """The session has a recording already."""

    reason = "SESSION_NOT_OPEN"
    help = "A recording is never replaced. Create another session for the order and import into that."


class ImportNotFound(NotFound):
    """No such import, or another tenant's."""

    reason = "IMPORT_NOT_FOUND"
    help = "Use the import_id that ImportRecording returned."


class SessionsUnavailable(DependencyError):
    """Signaling does not answer."""

    reason = "SESSIONS_UNAVAILABLE"


class ProbeTooSlow(DependencyError):
    """Looking at the file took too long; the spool's disk may be overloaded."""

    reason = "PROBE_TOO_SLOW"
