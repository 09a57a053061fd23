"""The clean session and its defect variants. Each variant breaks exactly one check and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from shuanglu_samples.errors import UnknownVariant
from shuanglu_samples.scene import STAYS, Presence
from shuanglu_samples.script import COMPACT, FULL, Delivery, Line, Role, Script
from shuanglu_samples.timeline import NodeSpan, Timeline, Utterance

ABSENCE_MS: Final = 5000
STRANGER_MS: Final = 5000
BLACK_MS: Final = 4000
SILENCE_MS: Final = 4300


@dataclass(frozen=True, slots=True)
class Expected:
    """A finding that inspection must make: which check is broken, how, for whom and when."""

    check: str
    outcome: str
    node_id: str
    role: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Staging:
    """What happens besides the words: who sits in the customer's picture, what the devices do."""

    people: tuple[Presence, ...]
    black: tuple[tuple[int, int], ...] = ()
    mute: tuple[tuple[int, int], ...] = ()
    id_photo: str = "id_customer.jpg"
    expected: tuple[Expected, ...] = ()


@dataclass(frozen=True, slots=True)
class Variant:
    """One sample. `stage` turns the laid out timeline into pictures, device faults and expected findings."""

    name: str
    title_zh: str
    title_en: str
    script: Script
    stage: Callable[[Timeline], Staging] = field(repr=False)


def find_variant(name: str) -> Variant:
    """The variant of that name. Raises UnknownVariant."""
    for variant in VARIANTS:
        if variant.name == name:
            return variant
    raise UnknownVariant(name, tuple(variant.name for variant in VARIANTS))


def between_samples(at_ms: int) -> int:
    """The next moment a quarter after a half second.

    People come and go within 0.25 s; at such a moment pictures at every full and half second show
    the state before and the state after, never the passing.
    """
    return -(-(at_ms - 250) // 500) * 500 + 250


_CUSTOMER: Final = Presence("customer", 0, STAYS)


def _broken(check: str, role: str, at: NodeSpan | Utterance, outcome: str = "FAIL") -> Expected:
    return Expected(check, outcome, at.node_id, role, at.start_ms, at.end_ms)


def _lines(timeline: Timeline, node_id: str, role: Role) -> list[Utterance]:
    return [each for each in timeline.utterances if each.node_id == node_id and each.line.role == role]


def _plain(timeline: Timeline) -> Staging:
    del timeline
    return Staging((_CUSTOMER,))


def _absent(timeline: Timeline) -> Staging:
    start = between_samples(_lines(timeline, "risk", Role.AGENT)[0].start_ms)
    away = NodeSpan("risk", start, start + ABSENCE_MS)
    people = (Presence("customer", 0, away.start_ms), Presence("customer", away.end_ms, STAYS))
    return Staging(people, expected=(_broken("face_in_frame", "CUSTOMER", away),))


def _seat_taken(timeline: Timeline) -> Staging:
    start = between_samples(timeline.node("risk").start_ms)
    people = (Presence("customer", 0, start), Presence("other", start, STAYS))
    spans = (replace(timeline.node("risk"), start_ms=start), timeline.node("confirm"))
    return Staging(people, expected=tuple(_broken("same_person", "CUSTOMER", span) for span in spans))


def _stranger(timeline: Timeline) -> Staging:
    start = between_samples(timeline.node("risk").start_ms + 400)
    seen = NodeSpan("risk", start, start + STRANGER_MS)
    behind = Presence("other", seen.start_ms, seen.end_ms, scale=0.86, dx=196)
    return Staging((behind, replace(_CUSTOMER, dx=-70)), expected=(_broken("intrusion", "CUSTOMER", seen),))


def _wrong_id_photo(timeline: Timeline) -> Staging:
    expected = tuple(_broken("same_person", "CUSTOMER", span) for span in timeline.nodes)
    return Staging((_CUSTOMER,), id_photo="id_other.jpg", expected=expected)


def _risk_left_out(timeline: Timeline) -> Staging:
    return Staging((_CUSTOMER,), expected=(_broken("must_say", "AGENT", timeline.node("risk")),))


def _forbidden_promise(timeline: Timeline) -> Staging:
    said = next(each for each in timeline.utterances if each.line == _PROMISE)
    return Staging((_CUSTOMER,), expected=(_broken("must_not_say", "AGENT", said),))


def _refusal(timeline: Timeline) -> Staging:
    said = _lines(timeline, "confirm", Role.CUSTOMER)[-1]
    return Staging((_CUSTOMER,), expected=(_broken("answer", "CUSTOMER", said),))


def _mumbled(timeline: Timeline) -> Staging:
    said = _lines(timeline, "risk", Role.CUSTOMER)[-1]
    return Staging((_CUSTOMER,), expected=(_broken("answer", "CUSTOMER", said, "UNSURE"),))


def _black_picture(timeline: Timeline) -> Staging:
    start = between_samples(_lines(timeline, "terms", Role.AGENT)[0].start_ms)
    dark = NodeSpan("terms", start, start + BLACK_MS)
    black = ((dark.start_ms, dark.end_ms),)
    return Staging((_CUSTOMER,), black=black, expected=(_broken("recording_quality", "CUSTOMER", dark),))


def _silence(timeline: Timeline) -> Staging:
    start = _lines(timeline, "terms", Role.AGENT)[0].end_ms + 100
    dead = NodeSpan("terms", start, start + SILENCE_MS)
    expected = tuple(_broken("recording_quality", role.value, dead) for role in Role)
    return Staging((_CUSTOMER,), mute=((dead.start_ms, dead.end_ms),), expected=expected)


def _wrong_order(timeline: Timeline) -> Staging:
    return Staging((_CUSTOMER,), expected=(_broken("node_order", "", timeline.node("risk")),))


_PROMISE: Final = Line(Role.AGENT, "您放心，保证通过。")


def _understudy(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    return tuple(replace(line, understudy=line.role is Role.CUSTOMER) for line in lines)


def _with_answer(line: Line) -> Callable[[tuple[Line, ...]], tuple[Line, ...]]:
    return lambda lines: (*lines[:-1], line)


_TAKEN: Final = COMPACT.with_node("risk", _understudy).with_node("confirm", _understudy)
_LEFT_OUT: Final = COMPACT.with_node("risk", lambda lines: tuple(line for line in lines if "征信" not in line.text))
_PROMISED: Final = COMPACT.with_node("terms", lambda lines: (lines[0], _PROMISE, *lines[1:]))
_REFUSED: Final = COMPACT.with_node("confirm", _with_answer(Line(Role.CUSTOMER, "我不同意。")))
_MUMBLED: Final = COMPACT.with_node(
    "risk", _with_answer(Line(Role.CUSTOMER, "呃，那个，那个，嗯。", delivery=Delivery.MUMBLED))
)
_PAUSED: Final = COMPACT.with_node(
    "terms", lambda lines: (replace(lines[0], pause_ms=round((SILENCE_MS + 200) / COMPACT.pause_factor)), *lines[1:])
)
_SWAPPED: Final = replace(COMPACT, nodes=(*COMPACT.nodes[:2], COMPACT.nodes[3], COMPACT.nodes[2], COMPACT.nodes[4]))

CLEAN: Final = Variant("clean", "合格会话", "a session in order", FULL, _plain)
VARIANTS: Final = (
    CLEAN,
    Variant("customer_absent", "客户离开画面五秒", "customer out of frame for five seconds", COMPACT, _absent),
    Variant("seat_taken", "中途换人", "another person takes the customer's seat", _TAKEN, _seat_taken),
    Variant("stranger", "陌生人入镜", "a stranger appears beside the customer", COMPACT, _stranger),
    Variant("wrong_id_photo", "证件照不是本人", "the ID photo shows somebody else", COMPACT, _wrong_id_photo),
    Variant("risk_left_out", "漏读风险提示", "a risk sentence is left out", _LEFT_OUT, _risk_left_out),
    Variant("forbidden_promise", "违规承诺", "the agent promises what is forbidden", _PROMISED, _forbidden_promise),
    Variant("refusal", "客户拒绝", "the customer refuses to sign", _REFUSED, _refusal),
    Variant("mumbled", "回答含糊不清", "the customer's answer is a mumble", _MUMBLED, _mumbled),
    Variant("black_picture", "黑屏四秒", "the customer's picture is black for four seconds", COMPACT, _black_picture),
    Variant("silence", "静音四秒多", "both microphones are dead for more than four seconds", _PAUSED, _silence),
    Variant("wrong_order", "环节顺序颠倒", "risk before terms", _SWAPPED, _wrong_order),
)
