"""What can go wrong in the report service.

SessionNotFound     no such session, or another tenant's
ReportNotReady      the session is there, its report is not yet
FilterInvalid       a filter of a list that has no meaning
PageTokenInvalid    a page token that was not made for this list
PageSizeInvalid     a page size outside of the limits
LinkRefused         a replay link that was changed, or not made here
LinkExpired         a replay link whose time is over
ReplayPartNotFound  a link that holds, to a part that does not exist
TtlInvalid          a life of a replay link outside of the limits
ProofNotReady       the verdict overtook the news of a stored track; retried
SessionsAway        signaling does not answer; retried
ResultUnreadable    what quality decided cannot be read
RecordingNotStored  nothing to replay yet
StillUnreadable     a picture could not be cut out; the report goes on without it
FontMissing         the folder of fonts is wrong
RenderingFailed     the page could not be set
PressStuck          the press died or took too long; retried
"""

import grpc

from shuanglu_common.errors import (
    DamagedData,
    DependencyError,
    Forbidden,
    InternalError,
    InvalidInput,
    NotFound,
)


class SessionNotFound(NotFound):
    """No such session in the caller's tenant."""

    reason = "SESSION_NOT_FOUND"
    help = "Check the session's id; a session of another tenant cannot be read."


class ReportNotReady(NotFound):
    """The session exists; its inspection has not ended."""

    reason = "REPORT_NOT_READY"
    help = "Follow the inspection with WatchInspection and ask again when it says REPORTED."


class PageTokenInvalid(InvalidInput):
    """The token does not belong to this list with these filters."""

    reason = "PAGE_TOKEN_INVALID"
    help = "Use next_page_token of the last answer unchanged and with the same filters, or leave it empty."


class FilterInvalid(InvalidInput):
    """A filter of a list is wrong; `field` in the details names it."""

    reason = "FILTER_INVALID"
    help = "请更正筛选条件。Mend the filter."


class PageSizeInvalid(InvalidInput):
    """The page size is out of range."""

    reason = "PAGE_SIZE_INVALID"
    help = "Ask for 1 to 200 entries, or 0 for 50."


class TtlInvalid(InvalidInput):
    """The link's life is out of range."""

    reason = "REPLAY_TTL_INVALID"
    help = "Ask for 60 to 86400 seconds, or 0 for an hour."


class LinkRefused(Forbidden):
    """The link's signature does not hold."""

    reason = "REPLAY_LINK_REFUSED"
    help = "Make a new link with CreateReplay."


class LinkExpired(Forbidden):
    """The link's time is over."""

    reason = "REPLAY_LINK_EXPIRED"
    help = "Make a new link with CreateReplay."


class ReplayPartNotFound(NotFound):
    """No such track, segment or playlist in this replay."""

    reason = "REPLAY_PART_NOT_FOUND"
    help = "Follow the addresses in the playlist."


class ProofNotReady(DependencyError):
    """The segments' hashes of a judged track have not come in yet."""

    outage = False
    reason = "PROOF_NOT_READY"
    help = "Wait: the event of the stored track is still on its way."


class SessionsAway(DependencyError):
    """Signaling cannot be asked."""

    reason = "SESSIONS_AWAY"


class ResultUnreadable(DamagedData):
    """The sealed result of the inspection is not one."""

    reason = "RESULT_UNREADABLE"


class RecordingNotStored(NotFound):
    """The session exists; none of its tracks is complete yet."""

    reason = "RECORDING_NOT_STORED"
    help = "Wait until the import is STORED, then ask again."


class StillUnreadable(DamagedData):
    """The segment cannot be decoded where the picture should be."""

    reason = "STILL_UNREADABLE"


class FontMissing(InternalError):
    """The report's font is not where it should be."""

    reason = "FONT_MISSING"
    help = "Install fonts-noto-cjk, or set SHUANGLU_FONT_DIR to the folder with NotoSansCJK-Regular.ttc and -Bold.ttc."


class RenderingFailed(InternalError):
    """The page could not be set."""

    reason = "RENDERING_FAILED"
    status = grpc.StatusCode.INTERNAL


class PressStuck(DependencyError):
    """The press died or took too long, without any still as well."""

    outage = False
    reason = "PRESS_STUCK"
    help = "Look at the memory and processor time that the service may use."
