"""Errors of media-ingest.

    ShuangluError
    ├── InvalidInput
    │   ├── RecordingRefused         the file itself: also ends an import for good
    │   │   ├── NotARecording        no known format
    │   │   ├── EmptyFile            zero bytes
    │   │   ├── NoMedia              neither picture nor sound
    │   │   ├── FileDamaged          a recording, but nothing of it can be read
    │   │   ├── MoovMissing          an MP4 without its index
    │   │   ├── RecordingTooLarge    pixels, streams, duration or packets beyond the limits
    │   │   ├── TimestampsBroken     its times are noise
    │   │   ├── ReaderCrashed, ReaderTooSlow, ReaderOutOfMemory   it ended the process that reads it, twice
    │   │   └── AudioSelectionInvalid  the request names sound that the file does not have
    │   ├── IdPhotoInvalid, FileRolesInvalid, TimelineInvalid, FilesInvalid, UploadDiffers
    │   └── BatchInvalid, PageInvalid, PeriodInvalid
    ├── NotFound                     UploadNotFound, SessionNotFound, ImportNotFound, BatchNotFound, RecordingNotFound
    ├── NotAllowedNow                UploadIncomplete, SessionNotOpen, ImportNotRetryable, RecordingClosed,
    │                                IdPhotoTooLate
    ├── Conflict                     AlreadyImported
    ├── TooMany                      BatchFull
    ├── InternalError                ImportGaveUp
    └── DependencyError              SessionsUnavailable, ReaderUnavailable, ProbeTooSlow, HashingTakesLong,
                                     SpoolFull, RecorderFull, MediaNodeDraining

The upload door answers with the status codes of tus, see spool.py.
"""

from shuanglu_common.errors import (
    Conflict,
    DependencyError,
    InternalError,
    InvalidInput,
    NotAllowedNow,
    NotFound,
    TooMany,
)


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
    """The container is known, but nothing in it can be read. What can be read in part is taken in part."""

    reason = "FILE_DAMAGED"
    help = "Nothing in the file can be read. Compare its size and checksum with the source and upload it again."


class MoovMissing(RecordingRefused):
    """An MP4, MOV or 3GP whose index (`moov`) is not there or cut: without it nobody can find a single picture."""

    reason = "MOOV_MISSING"
    help = (
        "The file has no index (moov): the recorder was stopped before it finished the file, or the end was lost in "
        "copying. Compare size and checksum with the source and upload it again; if the source is the same, let the "
        "recorder's own repair finish the file, or set the recorder to write fragmented MP4."
    )


class RecordingTooLarge(RecordingRefused):
    """Larger than any signing session."""

    reason = "RECORDING_TOO_LARGE"
    help = (
        "A file may have 16 streams of picture and sound, pictures of 8192x4320 pixels, 16 channels of 384 kHz, "
        "24 hours and 20 million packets. Export it again within these limits, or import it in parts with offsets."
    )


class TimestampsBroken(RecordingRefused):
    """Times jump to and fro so often that no order can be made out of them."""

    reason = "TIMESTAMPS_BROKEN"
    help = (
        "The times inside the file jump back more than 100 times, so nobody can say what came when. "
        "Export the recording again with new times, or import its parts as separate files with their offsets."
    )


class AudioSelectionInvalid(RecordingRefused):
    """The audio stream, language or channels that the request names are not in the file."""

    reason = "AUDIO_SELECTION_INVALID"
    help = (
        "Name an audio stream that the file has (counted from 1), a language that it notes, or one speaker for each "
        "channel of its first audio stream; or leave `audio` out to take all sound as it is."
    )


class ReaderCrashed(RecordingRefused):
    """The file ends the process that reads it."""

    reason = "READER_CRASHED"
    help = (
        "The file makes its decoder crash, twice in a row; nothing else was hurt. Play it on your side: if it plays, "
        "convert it to MP4 with H.264 and AAC and import that; in any case keep the file, we want to see it."
    )


class ReaderTooSlow(RecordingRefused):
    """The process that reads the file makes no progress."""

    reason = "READER_TOO_SLOW"
    help = (
        "Reading the file makes no progress for minutes, twice in a row. Play it on your side: if it plays, convert it "
        "to MP4 with H.264 and AAC, not larger than 1920x1080, and import that."
    )


class ReaderOutOfMemory(RecordingRefused):
    """The process that reads the file needs more memory than it may have."""

    reason = "READER_OUT_OF_MEMORY"
    help = (
        "Reading the file needs more memory than one file may take (SHUANGLU_READER_MEMORY_MIB). Convert it to MP4 "
        "with H.264 and AAC, not larger than 3840x2160, and import that; or let the operator raise the limit."
    )


class IdPhotoTooLate(NotAllowedNow):
    """The recording is complete, so what it is compared with must not change any more."""

    reason = "ID_PHOTO_TOO_LATE"
    help = "Attach the ID photo before the call ends. The report of this session says what was compared."


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


class UploadDiffers(InvalidInput):
    """The bytes are not those that the client announced with the upload."""

    reason = "UPLOAD_DIFFERS"
    help = "The upload does not have the SHA-256 that was announced with it. Upload the file again."


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


class BatchNotFound(NotFound):
    """No such batch, or another tenant's."""

    reason = "BATCH_NOT_FOUND"
    help = "Use a batch_id of ListImportBatches."


class BatchInvalid(InvalidInput):
    """The name of a batch or the number of its items is out of range."""

    reason = "BATCH_INVALID"
    help = (
        "Give a batch_id of 1 to 64 letters, digits, `.`, `_` or `-` that begins with a letter or digit, "
        "and 1 to 500 items a call."
    )


class PeriodInvalid(InvalidInput):
    """A period that ends before it begins, or begins before there were any times."""

    reason = "PERIOD_INVALID"
    help = "Give created_from_us and created_to_us in microseconds since the epoch, the end after the start; 0 for all."


class PageInvalid(InvalidInput):
    """A page that cannot be."""

    reason = "PAGE_INVALID"
    help = "Give a page_size within its range and the page_token of the last answer, with the same filters."


class BatchFull(TooMany):
    """A batch has all the items that it may have."""

    reason = "BATCH_FULL"
    help = "Put the rest into another batch."


class AlreadyImported(Conflict):
    """The same recording of the same order is in another session, which the token does not open."""

    reason = "ALREADY_IMPORTED"
    help = "This recording of this order was imported before, into another session. Nothing is imported twice."


class ImportNotRetryable(NotAllowedNow):
    """It has not failed."""

    reason = "IMPORT_NOT_RETRYABLE"
    help = "Only FAILED and CANCELLED imports can be retried; look at the import's state."


class ImportGaveUp(InternalError):
    """A fault of ours, or a file that brings workers down; tried several times."""

    reason = "IMPORT_GAVE_UP"
    help = (
        "The import was tried several times and stopped for an unforeseen reason. Retry it once with RetryImport; "
        "if it fails again, give import_id and time to the operators, whose logs have the cause."
    )


class HashingTakesLong(DependencyError):
    """The upload's SHA-256 is not there yet: the file is large, or the spool's disk is slow."""

    reason = "HASHING_TAKES_LONG"
    help = "The file is large and still being hashed. Call again in a few seconds."


class SessionsUnavailable(DependencyError):
    """Signaling does not answer."""

    reason = "SESSIONS_UNAVAILABLE"


class ReaderUnavailable(DependencyError):
    """No process can be started that would read files: the machine has no memory or no processes left."""

    reason = "READER_UNAVAILABLE"
    help = (
        "The service cannot start the process that reads files; nothing is wrong with the file. Try again in a minute. "
        "If it lasts, give the time to the operators, whose logs have the cause."
    )


class ProbeTooSlow(DependencyError):
    """Looking at the file took too long; the spool's disk may be overloaded."""

    reason = "PROBE_TOO_SLOW"


class RecordingInvalid(InvalidInput):
    """A session or a participant whose id cannot be the name of a file."""

    reason = "RECORDING_INVALID"
    help = (
        "Give a session_id of 1 to 64 of A-Z a-z 0-9 - and 1 to 16 participants with ids of 1 to 32 of a-z 0-9 _ - "
        "that begin with a letter or digit."
    )


class RecordingNotFound(NotFound):
    """The recorder knows no such session: never opened here, or removed after all of it was stored and told."""

    reason = "RECORDING_NOT_FOUND"
    help = "Open it with OpenRecording on the media node that the call is on."


class RecordingClosed(NotAllowedNow):
    """Nobody can be added to a recording that was closed."""

    reason = "RECORDING_CLOSED"
    help = "The call has ended. Create another session."


class SpoolFull(DependencyError):
    """The disk that live recordings are written to has no room for another session."""

    reason = "SPOOL_FULL"
    help = "Place the call on another media node, and make room on this one's spool (SHUANGLU_LIVE_SPOOL_DIR)."


class RecorderFull(DependencyError):
    """The recorder has as many sessions as it may have."""

    reason = "RECORDER_FULL"
    help = "Place the call on another media node."


class MediaNodeDraining(DependencyError):
    """The media node is about to be taken away and takes no new session."""

    reason = "MEDIA_NODE_DRAINING"
    help = "Place the call on another media node; `python -m shuanglu_media_ingest.live drain --cancel` takes it back."
