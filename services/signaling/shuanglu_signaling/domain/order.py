"""Orders: what is being signed (业务订单). Immutable once stored."""

import re
from dataclasses import dataclass, replace

from shuanglu_signaling.errors import OrderInvalid

MAX_AMOUNT_FEN = 10**15
MAX_TERM_MONTHS = 1200
CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
CURRENCY = re.compile(r"[A-Z]{3}")
NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")
# Identity documents have letters, digits and, in a few countries, separators.
ID_NUMBER = re.compile(r"[0-9A-Za-z][0-9A-Za-z ()/-]{2,30}[0-9A-Za-z)]")
MAX_TEXT = 64
SHOWN_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Customer:
    """Who signs. `name` and `id_number` are personal data: stored sealed, shown in full to few."""

    customer_no: str
    name: str
    id_number: str

    def masked(self) -> "Customer":
        """For those who may not see it in full: 王**, and the last four characters of the number."""
        return replace(self, name=mask_name(self.name), id_number=mask_number(self.id_number))


@dataclass(frozen=True, slots=True)
class Order:
    """What is being signed. `amount_fen` is in the currency's smallest unit, `term_months` is 0 without a term."""

    order_id: str
    order_no: str
    product: str
    amount_fen: int
    currency: str
    purpose: str
    term_months: int
    customer: Customer
    branch: str
    agent_no: str
    created_at_us: int

    def masked(self) -> "Order":
        """With the customer masked."""
        return replace(self, customer=self.customer.masked())

    def same_content(self, other: "Order") -> bool:
        """Equal in all that the caller gives."""
        return replace(self, order_id="", created_at_us=0) == replace(other, order_id="", created_at_us=0)


def mask_name(name: str) -> str:
    """The first character, and two stars however long the name is, so that its length does not show."""
    return f"{name[:1]}**" if name else ""


def mask_number(number: str) -> str:
    """Four stars and the last four characters; a short number is hidden altogether."""
    if len(number) <= 2 * SHOWN_DIGITS:
        return "****" if number else ""
    return f"****{number[-SHOWN_DIGITS:]}"


def is_text(value: str) -> bool:
    """1..64 visible characters; spaces inside only."""
    return 1 <= len(value) <= MAX_TEXT and value == value.strip() and value.isprintable()


def demand(holds: bool, field: str, zh: str, en: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Raises OrderInvalid, which never repeats the value: it may be personal data."""
    if not holds:
        raise OrderInvalid(f"订单字段 {field} {zh}。The order's {field} {en}.", field=field)


def validate(order: Order) -> None:
    """Whether a new order can be taken. Raises OrderInvalid with the first wrong field."""
    demand(not order.order_id, "order_id", "由系统生成，请留空", "is made by the service: leave it empty")
    demand(not order.created_at_us, "created_at_us", "由系统生成，请留空", "is made by the service: leave it empty")
    number = ("应为 1 至 64 位字母、数字或 . _ / -", "must be 1..64 letters, digits or . _ / -")
    code = ("应为小写代码，例如 personal_loan", "must be a lower-case code, such as personal_loan")
    text = ("应为 1 至 64 个可见字符，首尾无空格", "must be 1..64 visible characters without spaces around them")
    demand(is_text(order.order_no), "order_no", *text)
    demand(bool(CODE.fullmatch(order.product)), "product", *code)
    demand(bool(CODE.fullmatch(order.purpose)), "purpose", *code)
    fen = ("应在 0 至 10^15 之间", "must be 0..10^15")
    demand(0 <= order.amount_fen <= MAX_AMOUNT_FEN, "amount.amount_fen", *fen)
    currency = ("应为 ISO 4217 代码，例如 CNY", "must be an ISO 4217 code, such as CNY")
    demand(bool(CURRENCY.fullmatch(order.currency)), "amount.currency", *currency)
    months = ("应在 0 至 1200 之间", "must be 0..1200")
    demand(0 <= order.term_months <= MAX_TERM_MONTHS, "term_months", *months)
    validate_customer(order.customer)
    # An old recording may come without them.
    demand(not order.branch or bool(NUMBER.fullmatch(order.branch)), "branch", *number)
    demand(not order.agent_no or bool(NUMBER.fullmatch(order.agent_no)), "agent_no", *number)


def validate_customer(customer: Customer) -> None:
    """Raises OrderInvalid."""
    number = ("应为 1 至 64 位字母、数字或 . _ / -", "must be 1..64 letters, digits or . _ / -")
    demand(bool(NUMBER.fullmatch(customer.customer_no)), "customer.customer_no", *number)
    text = ("应为 1 至 64 个可见字符，首尾无空格", "must be 1..64 visible characters without spaces around them")
    demand(is_text(customer.name), "customer.name", *text)
    ids = ("应为 4 至 32 位证件号码", "must be the number of an identity document, 4..32 characters")
    demand(bool(ID_NUMBER.fullmatch(customer.id_number)), "customer.id_number", *ids)
