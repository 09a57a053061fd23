"""Whether a JSON body is exactly the message that a call takes (proto3 JSON mapping), and where it is not.

Envoy's transcoder drops fields that it does not know, keeps the last of two equal keys, and tells of a wrong type
without saying where. A misspelt `amount_fen` must not become an amount of 0.
"""

import base64
import binascii
import json
import math
import re
from difflib import get_close_matches
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_FLOATS = {FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT}
# The sign and the digits of the largest 64-bit number.
_MOST_DIGITS = 20
_DIGITS = re.compile(r"-?[0-9]{1,20}")
_SHOWN = 64


class BodyRefused(ValueError):
    """The body is not the message. `field` is where, such as `order.amount`; empty for the whole body.

    The text never repeats a value: it may be personal data.
    """

    def __init__(self, field: str, zh: str, en: str) -> None:
        """`zh`, `en`: what is wrong, to follow the field's name."""
        self.field = field
        place_zh, place_en = (f"字段 {field} ", f"'s field `{field}`") if field else ("", "")
        super().__init__(f"请求体{place_zh}{zh}。The body{place_en} {en}.")


class _Object(list[tuple[str, Any]]):
    """A JSON object with every key that it has, repeated ones too."""


def check(data: bytes, message: Descriptor, bound: frozenset[str] = frozenset()) -> None:
    """Raises BodyRefused. An empty body is an empty message; `bound` fields come by the path and must not be here."""
    if not data.strip():
        return
    value = _read(data)
    if not isinstance(value, _Object):
        raise BodyRefused("", "应为 JSON 对象", "must be a JSON object")
    for key, _ in value:
        field = _names(message).get(key)
        if field is not None and field.name in bound:
            raise BodyRefused(field.name, "已由路径给出，请从请求体删除", "comes by the path: leave it out of the body")
    _message(value, message, "")


def _read(data: bytes) -> Any:
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_Object,
            parse_int=_integer,
            parse_constant=_no_constant,
        )
    except RecursionError:
        raise BodyRefused("", "嵌套过深", "is nested too deep") from None
    except UnicodeDecodeError:
        raise BodyRefused("", "不是 UTF-8 文本", "is not UTF-8") from None
    except json.JSONDecodeError as error:
        place = f"{error.lineno}:{error.colno}"
        raise BodyRefused("", f"不是 JSON（{place}）", f"is not JSON (line and column {place})") from None


def _integer(text: str) -> int | float:
    # Python reads thousands of digits slowly; no field holds more than twenty.
    return int(text) if len(text) <= _MOST_DIGITS else math.inf


def _no_constant(name: str) -> Any:
    raise BodyRefused("", f"含有 {name}，不是 JSON", f"holds {name}, which is not JSON")


@cache
def _names(message: Descriptor) -> dict[str, FieldDescriptor]:
    """Fields by both names that the JSON mapping knows."""
    return {name: field for field in message.fields for name in (field.name, field.json_name)}


def _message(value: _Object, message: Descriptor, path: str) -> None:
    seen: set[str] = set()
    for key, inner in value:
        field = _names(message).get(key)
        if field is None:
            raise _unknown(key, message, path)
        below = f"{path}.{field.name}" if path else field.name
        # Two members of a oneof are one field set twice; an optional field is a oneof of its own.
        slot = field.containing_oneof.full_name if field.containing_oneof and inner is not None else field.full_name
        if slot in seen:
            raise BodyRefused(below, "出现两次", "stands here twice")
        seen.add(slot)
        if inner is not None:
            _field(inner, field, below)


def _unknown(key: str, message: Descriptor, path: str) -> BodyRefused:
    shown = "".join(one if one.isprintable() else "·" for one in key[:_SHOWN])
    known = sorted({field.name for field in message.fields})
    close = get_close_matches(shown, known, n=1)
    hint = f"did you mean `{close[0]}`" if close else f"known are {', '.join(known) or 'none'}"
    return BodyRefused(f"{path}.{shown}" if path else shown, "未知", f"is unknown; {hint}"[:400])


def _field(value: Any, field: FieldDescriptor, path: str) -> None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        _map(value, field.message_type, path)
    elif field.is_repeated:
        if not isinstance(value, list) or isinstance(value, _Object):
            raise BodyRefused(path, "应为数组", "must be an array")
        for index, item in enumerate(value):
            _one(item, field, f"{path}[{index}]")
    else:
        _one(value, field, path)


def _map(value: Any, entry: Descriptor, path: str) -> None:
    if not isinstance(value, _Object):
        raise BodyRefused(path, "应为对象", "must be an object")
    keys = [key for key, _ in value]
    if len(set(keys)) != len(keys):
        raise BodyRefused(path, "含有重复的键", "has a key twice")
    for key, item in value:
        _one(key, entry.fields_by_name["key"], path)
        _one(item, entry.fields_by_name["value"], path)


def _one(value: Any, field: FieldDescriptor, path: str) -> None:
    if field.message_type is None:
        _scalar(value, field, path)
    elif isinstance(value, _Object):
        _message(value, field.message_type, path)
    else:
        raise BodyRefused(path, "应为对象", "must be an object")


def _scalar(value: Any, field: FieldDescriptor, path: str) -> None:
    kind = field.cpp_type
    if kind in _INTEGERS:
        _whole_number(value, *_INTEGERS[kind], path)
    elif field.enum_type is not None:
        _enum(value, field.enum_type, path)
    elif kind == FieldDescriptor.CPPTYPE_BOOL:
        if not isinstance(value, bool):
            raise BodyRefused(path, "应为 true 或 false", "must be true or false")
    elif kind in _FLOATS:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise BodyRefused(path, "应为有限的数", "must be a finite number")
    elif not isinstance(value, str):
        raise BodyRefused(path, "应为字符串", "must be a string")
    elif field.type == FieldDescriptor.TYPE_BYTES:
        _bytes(value, path)
    else:
        _text(value, path)


def _whole_number(value: Any, least: int, most: int, path: str) -> None:
    """A number or, as 64-bit numbers are in JSON, a string of digits."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BodyRefused(path, f"应为 {least} 至 {most} 的整数", f"must be a whole number, {least}..{most}")


def _enum(value: Any, enum: EnumDescriptor, path: str) -> None:
    known = enum.values_by_number if isinstance(value, int) else enum.values_by_name
    if isinstance(value, bool) or not isinstance(value, int | str) or value not in known:
        names = ", ".join(enum.values_by_name)
        raise BodyRefused(path, f"应为 {names} 之一", f"must be one of {names}"[:600])


def _bytes(value: str, path: str) -> None:
    try:
        base64.b64decode(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BodyRefused(path, "应为 base64", "must be base64") from None


def _text(value: str, path: str) -> None:
    """No lone surrogates (they are no character in UTF-8) and no NUL (no database keeps it)."""
    try:
        sane = b"\0" not in value.encode()
    except UnicodeEncodeError:
        sane = False
    if not sane:
        raise BodyRefused(path, "含有不允许的字符", "holds characters that are not allowed")
