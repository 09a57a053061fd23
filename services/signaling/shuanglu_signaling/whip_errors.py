"""Errors of the WHIP and WHEP door; each names its HTTP status (RFC 9725 §4, RFC 9110 §15).

ShuangluError
├── InvalidInput   WrongSdp, H264Required, OpusRequired, MediaTypeUnsupported, BodyTooLarge
├── NotFound       ResourceNotFound, NothingToWatch
└── NotAllowedNow  EtagRequired, EtagChanged, AlreadyAnswered, NotAnswered, NotNegotiable
"""

from http import HTTPStatus
from typing import ClassVar

from shuanglu_common.errors import InvalidInput, NotAllowedNow, NotFound


class WrongSdp(InvalidInput):
    """The body is no session description, or lacks what a call needs; `missing` in the details names it."""

    http_status: ClassVar[int] = HTTPStatus.BAD_REQUEST
    reason = "WRONG_SDP"
    help = "请发送浏览器生成的完整 SDP。Send the session description as the browser made it."


class H264Required(InvalidInput):
    """The offer has a picture but no H.264 that can be recorded."""

    http_status: ClassVar[int] = HTTPStatus.UNPROCESSABLE_ENTITY
    reason = "H264_REQUIRED"
    help = (
        "请使用支持 H.264（packetization-mode=1）的浏览器或设备。"
        "Use a browser or device with H.264 in packetization mode 1."
    )


class OpusRequired(InvalidInput):
    """The offer has sound but no Opus."""

    http_status: ClassVar[int] = HTTPStatus.UNPROCESSABLE_ENTITY
    reason = "OPUS_REQUIRED"
    help = "请在 SDP 中提供 Opus 音频。Offer Opus for the sound."


class MediaTypeUnsupported(InvalidInput):
    """The body's media type is another one than this door takes."""

    http_status: ClassVar[int] = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    reason = "MEDIA_TYPE_UNSUPPORTED"
    help = "请按 Accept-Post 或 Accept-Patch 发送。Send what Accept-Post or Accept-Patch names."


class BodyTooLarge(InvalidInput):
    """A session description is never that large."""

    http_status: ClassVar[int] = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    reason = "BODY_TOO_LARGE"


class ResourceNotFound(NotFound):
    """There is no such connection, it is over, or it is somebody else's."""

    http_status: ClassVar[int] = HTTPStatus.NOT_FOUND
    reason = "CONNECTION_NOT_FOUND"
    help = "连接已结束，请重新建立。The connection is over: POST a new offer."


class NothingToWatch(NotFound):
    """The participant publishes nothing at the moment."""

    http_status: ClassVar[int] = HTTPStatus.NOT_FOUND
    reason = "NOTHING_TO_WATCH"
    help = "对方尚未发送音视频，请稍后再试。Wait until WatchSession says that the participant is LIVE."


class EtagRequired(NotAllowedNow):
    """PATCH needs If-Match."""

    http_status: ClassVar[int] = HTTPStatus.PRECONDITION_REQUIRED
    reason = "ETAG_REQUIRED"
    help = "请携带 If-Match。Send If-Match with the ETag of the connection, or with * to restart ICE."


class EtagChanged(NotAllowedNow):
    """The ICE session is another one by now."""

    http_status: ClassVar[int] = HTTPStatus.PRECONDITION_FAILED
    reason = "ETAG_CHANGED"
    help = "ICE 会话已更新，请忽略旧的候选。ICE was restarted since: forget candidates of the session before."


class AlreadyAnswered(NotAllowedNow):
    """The offer was answered before."""

    http_status: ClassVar[int] = HTTPStatus.CONFLICT
    reason = "ALREADY_ANSWERED"


class NotAnswered(NotAllowedNow):
    """The server's offer must be answered before candidates can come."""

    http_status: ClassVar[int] = HTTPStatus.CONFLICT
    reason = "NOT_ANSWERED"
    help = "请先以 application/sdp 回复应答。PATCH the answer as application/sdp first."


class NotNegotiable(NotAllowedNow):
    """The media server does not take what was agreed."""

    http_status: ClassVar[int] = HTTPStatus.UNPROCESSABLE_ENTITY
    reason = "NOT_NEGOTIABLE"
    help = "请重新建立连接。POST a new offer."
