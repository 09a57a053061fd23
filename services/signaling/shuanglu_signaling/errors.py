"""Errors of signaling.

ShuangluError
├── InvalidInput     OrderInvalid, SessionInvalid, FilterInvalid, PageTokenInvalid
├── Conflict         OrderNoTaken, IdempotencyKeyTaken
├── NotFound         OrderNotFound, SessionNotFound, StrategyNotFound
├── NotAllowedNow    AdmissionRefused, StrategyNotChosen
├── Forbidden        SessionTokenTooNarrow
└── DependencyError  StrategiesUnavailable
"""

from shuanglu_common.errors import (
    Conflict,
    DependencyError,
    Forbidden,
    InvalidInput,
    NotAllowedNow,
    NotFound,
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
