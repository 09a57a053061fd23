"""What the upload door refuses, with the status codes of tus 1.0 (and RFC 9110).

ShuangluError
└── Refusal                    has an HTTP status of its own
    ├── HeaderWrong            400
    ├── UploadGone             404
    ├── UploadTooSlow          408
    ├── OffsetWrong            409
    ├── VersionWrong           412
    ├── TooLarge               413
    ├── ContentTypeWrong       415
    ├── UploadLocked, UploadHeld 423
    ├── TooManyUploads         429
    ├── ChecksumMismatch       460
    └── DiskFull, QuotaFull    507
"""

from typing import ClassVar

from shuanglu_common.errors import ShuangluError


class Refusal(ShuangluError):
    """An answer of the upload door that is not a success."""

    http_status: ClassVar[int] = 400
    retry_after_s: ClassVar[int] = 0
    """Seconds after which the same request may succeed; 0 if it will not."""
    reason = "UPLOAD_REFUSED"


class HeaderWrong(Refusal):
    """A header is missing or says nothing useful."""

    reason = "HEADER_INVALID"


class UploadGone(Refusal):
    """No such upload, expired, or somebody else's: all look the same."""

    http_status = 404
    reason = "UPLOAD_NOT_FOUND"
    help = "Create the upload again; uploads expire and belong to who created them."


class UploadTooSlow(Refusal):
    """The bytes of a request drip."""

    http_status = 408
    reason = "UPLOAD_TOO_SLOW"
    help = "What arrived is kept: go on from Upload-Offset when the line is better."


class OffsetWrong(Refusal):
    """The client's offset is not the server's."""

    http_status = 409
    reason = "OFFSET_MISMATCH"
    help = "Ask with HEAD where the upload stands and go on from there."


class FinalUpload(Refusal):
    """A concatenated upload takes no bytes."""

    http_status = 403
    reason = "UPLOAD_IS_FINAL"
    help = "Bytes go into the partial uploads."


class VersionWrong(Refusal):
    """Not tus 1.0.0."""

    http_status = 412
    reason = "TUS_VERSION_UNSUPPORTED"
    help = "Send `Tus-Resumable: 1.0.0`."


class TooLarge(Refusal):
    """More bytes than allowed or announced."""

    http_status = 413
    reason = "UPLOAD_TOO_LARGE"
    help = "See Tus-Max-Size in the answer to OPTIONS."


class ContentTypeWrong(Refusal):
    """A body of another type."""

    http_status = 415
    reason = "CONTENT_TYPE_INVALID"
    help = "Send `Content-Type: application/offset+octet-stream`."


class UploadLocked(Refusal):
    """Another request writes to the upload."""

    http_status = 423
    reason = "UPLOAD_LOCKED"
    help = "Wait a moment and ask with HEAD where the upload stands."


class UploadHeld(Refusal):
    """An import needs the bytes."""

    http_status = 423
    reason = "UPLOAD_IN_USE"
    help = "The upload is being imported; it goes away by itself."


class TooManyUploads(Refusal):
    """The tenant has too many uploads."""

    http_status = 429
    retry_after_s = 30
    reason = "TOO_MANY_UPLOADS"
    help = "Finish or delete uploads, or wait until they expire."


class ChecksumMismatch(Refusal):
    """The body is not what its checksum says."""

    http_status = 460
    reason = "CHECKSUM_MISMATCH"
    help = "The bytes were damaged on the way and are dropped; send them again from the same offset."


class DiskFull(Refusal):
    """No room."""

    http_status = 507
    retry_after_s = 30
    reason = "SPOOL_FULL"
    retryable = True
    help = "What arrived is kept: go on from Upload-Offset later. Operators: see the free space of the spool."


class QuotaFull(Refusal):
    """The tenant's uploads fill its part of the spool."""

    http_status = 507
    retry_after_s = 30
    reason = "SPOOL_QUOTA_FULL"
    retryable = True
    help = "Uploads go when they are imported: wait, or delete uploads that you do not need."
