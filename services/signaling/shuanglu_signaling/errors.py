"""Errors of signaling.

ShuangluError
├── InvalidInput     OrderInvalid, SessionInvalid, FilterInvalid, PageTokenInvalid, CallRequestInvalid
├── Conflict         OrderNoTaken, IdempotencyKeyTaken
├── NotFound         OrderNotFound, SessionNotFound, StrategyNotFound, CallNotFound, ParticipantNotFound, NodeNotFound,
│                    InvitationNotFound
├── NotAllowedNow    AdmissionRefused, StrategyNotChosen, SessionNotLive, CallEnded, CallHeld, NotJoined,
│                    NodeNotRunning, RecordingNotProven, TokensNotSetUp
├── Forbidden        SessionTokenTooNarrow, InvitationUsed, InvitationRevoked, SeatTaken, NotOwnSeat
├── TooMany          TooManyInvitations
├── DependencyError  StrategiesUnavailable, RecorderUnavailable (MediaNodesDraining)
└── DamagedData      RecordingGone
"""

from shuanglu_common.errors import (
    Conflict,
    DamagedData,
    DependencyError,
    Forbidden,
    InvalidInput,
    NotAllowedNow,
    NotFound,
    TooMany,
)


class OrderInvalid(InvalidInput):
    """A field of an order is wrong; `field` in the details names it."""

    reason = "ORDER_INVALID"
    help = "请更正该字段后重新提交。Mend the field and send the order again."


class SessionInvalid(InvalidInput):
    """A field of a request for a session is wrong; `field` in the details names it."""

    reason = "SESSION_INVALID"
    help = "请更正该字段后重新提交。Mend the field and send the request again."


class FilterInvalid(InvalidInput):
    """A filter of a list is wrong; `field` in the details names it."""

    reason = "FILTER_INVALID"
    help = "请更正筛选条件。Mend the filter."


class PageTokenInvalid(InvalidInput):
    """A page token was changed, or belongs to another list."""

    reason = "PAGE_TOKEN_INVALID"
    help = (
        "请从第一页重新开始，且不要改变筛选条件。Start again from the first page, with the same filters on every page."
    )


class OrderNoTaken(Conflict):
    """There is an order with this number and other content."""

    reason = "ORDER_NO_TAKEN"
    help = "订单创建后不可更改，请使用新的订单号。Orders are immutable: use a new order_no."


class IdempotencyKeyTaken(Conflict):
    """The key was used for a request with other content."""

    reason = "IDEMPOTENCY_KEY_TAKEN"
    help = "新的请求请使用新的幂等键。Use a new idempotency_key for a new request."


class OrderNotFound(NotFound):
    """There is no such order in the caller's tenant."""

    reason = "ORDER_NOT_FOUND"
    help = "请核对订单标识。Check the order_id; orders of other tenants are not shown."


class SessionNotFound(NotFound):
    """There is no such session in the caller's tenant."""

    reason = "SESSION_NOT_FOUND"
    help = "请核对会话标识。Check the session_id; sessions of other tenants are not shown."


class StrategyNotFound(NotFound):
    """There is no such strategy, or none applies to the order."""

    reason = "STRATEGY_NOT_FOUND"
    help = "请核对策略标识或先创建适用的策略。Check the strategy_id, or create a strategy that applies to the order."


class StrategyNotChosen(NotAllowedNow):
    """The strategies cannot tell which one governs the order, such as when several apply."""

    reason = "STRATEGY_NOT_CHOSEN"
    help = "请在请求中指定 strategy_id。Name a strategy_id in the request."


class AdmissionRefused(NotAllowedNow):
    """The strategy does not admit the order on this channel; the details name the rule and the open channels."""

    reason = "ADMISSION_REFUSED"
    help = "请改用开放的渠道。Use a channel that is open to this order."


class SessionTokenTooNarrow(Forbidden):
    """A token of one session cannot make or list."""

    reason = "SESSION_TOKEN_TOO_NARROW"
    help = "该令牌只能读取一个会话。This token reads one session only; use a token without session_id."


class StrategiesUnavailable(DependencyError):
    """The quality service does not answer."""

    reason = "STRATEGIES_UNAVAILABLE"


class CallRequestInvalid(InvalidInput):
    """A field of a request about a call is wrong; `field` in the details names it."""

    reason = "CALL_REQUEST_INVALID"
    help = "请更正该字段后重新提交。Mend the field and send the request again."


class CallNotFound(NotFound):
    """Nobody has joined yet, so there is no call."""

    reason = "CALL_NOT_FOUND"
    help = "请先加入通话。Join the call first."


class ParticipantNotFound(NotFound):
    """The session has no such participant."""

    reason = "PARTICIPANT_NOT_FOUND"
    help = "请使用会话中的参与人，或先邀请其加入。Use a participant of the session, or invite the person first."


class NodeNotFound(NotFound):
    """The script has no such node."""

    reason = "NODE_NOT_FOUND"
    help = "请使用话术中的环节。Use a node of the script, as GetCall shows it."


class InvitationNotFound(NotFound):
    """The code is wrong, or its invitation has expired or was revoked: all look the same."""

    reason = "INVITATION_NOT_FOUND"
    help = "请向客户经理索取新的链接。Ask the agent for a new link."


class SessionNotLive(NotAllowedNow):
    """The session is not one of calls: another channel, or it has a recording already."""

    reason = "SESSION_NOT_LIVE"
    help = "请新建远程渠道的会话。Make a session of the channel REMOTE for a call."


class CallEnded(NotAllowedNow):
    """The call is over."""

    reason = "CALL_ENDED"
    help = "如需再次双录，请新建会话。Make a new session to record again."


class CallHeld(NotAllowedNow):
    """The call is on hold, by the agent or because the recording stands still."""

    reason = "CALL_HELD"
    help = "请先恢复通话；录制中断时请等待其恢复。Take the call up again; if the recording stands still, wait."


class NotJoined(NotAllowedNow):
    """The participant has not joined the call, or has left it."""

    reason = "NOT_JOINED"
    help = "请先加入通话。Join the call first, then publish or watch."


class NodeNotRunning(NotAllowedNow):
    """Another node is being performed, or none."""

    reason = "NODE_NOT_RUNNING"
    help = "请先开始该环节。Start the node first."


class RecordingNotProven(NotAllowedNow):
    """Bytes of a required track are not on disk and in the store; `tracks` in the details names them."""

    reason = "RECORDING_NOT_PROVEN"
    help = "请等待录制确认，各方须打开摄像头和麦克风。Wait for the proof; all sides must send sound and picture."


class TokensNotSetUp(NotAllowedNow):
    """The service has no key to sign participants' tokens with."""

    reason = "SESSION_KEY_MISSING"
    help = "请配置 SHUANGLU_SESSION_KEY_FILE。Set SHUANGLU_SESSION_KEY_FILE."


class InvitationUsed(Forbidden):
    """The invitation was accepted in another browser."""

    reason = "INVITATION_USED"
    help = "请回到首次打开链接的浏览器，或索取新链接。Go back to the browser that opened it, or ask for a new link."


class InvitationRevoked(Forbidden):
    """The invitation that the token came from was taken back."""

    reason = "INVITATION_REVOKED"
    help = "请向客户经理索取新的链接。Ask the agent for a new link."


class SeatTaken(Forbidden):
    """The participant came in anew, such as in another tab: the token from before counts no more."""

    reason = "SEAT_TAKEN"
    help = "您已在另一窗口加入；请使用该窗口，或重新打开链接。Use the other window, or open the link again here."


class NotOwnSeat(Forbidden):
    """The token stands for another participant."""

    reason = "NOT_OWN_SEAT"
    help = "请使用自己的参与人标识，或留空。Use your own participant_id, or leave it empty."


class TooManyInvitations(TooMany):
    """The call has as many invitations, or as many people, as it may."""

    reason = "TOO_MANY_INVITATIONS"
    help = "请先撤回不用的邀请；人数已满时无法再邀请。Revoke what is not used; a full call takes nobody more."


class RecorderUnavailable(DependencyError):
    """No media node can record, or the call's own does not answer."""

    reason = "RECORDER_UNAVAILABLE"
    help = "请稍后重试；录制服务恢复前通话不能开始。Try again in a few seconds: no call starts without a recorder."


class MediaNodesDraining(RecorderUnavailable):
    """Media nodes are well, but all of them are about to be taken away."""

    reason = "MEDIA_NODES_DRAINING"
    help = (
        "媒体节点正在退出服务，请稍后重试。All media nodes are being drained: try again when another one is there, "
        "or take a drain back (`python -m shuanglu_media_ingest.live drain --cancel`)."
    )


class RecordingGone(DamagedData):
    """The recorder knows nothing of a recording that it had opened: its spool was lost."""

    reason = "RECORDING_GONE"
    help = "Look at the media node's disk; `shuanglu reconcile` lists what the store has of the session."
