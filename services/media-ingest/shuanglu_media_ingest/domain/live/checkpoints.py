"""Where a track stands, as bytes: dataclasses and named tuples of numbers, bytes, lists and dictionaries in JSON.

A checkpoint saves time only: the track's files, read again from the start, give the same. So another version is
simply refused.
"""

import json
from base64 import b64decode, b64encode
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

VERSION = 1
_T = TypeVar("_T")


class CheckpointUnreadable(ValueError):
    """The bytes are no checkpoint of this version: read the track's files from their start."""


def written(value: Any) -> bytes:
    """The value and all that is in it."""
    return json.dumps({"version": VERSION, "state": _plain(value)}, separators=(",", ":")).encode()


def read(kind: type[_T], data: bytes) -> _T:
    """The value again. Raises CheckpointUnreadable."""
    try:
        told = json.loads(data)
        version = told["version"]
        found: _T | None = _typed(kind, told["state"]) if version == VERSION else None
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise CheckpointUnreadable("the checkpoint is damaged") from error
    if found is None:
        raise CheckpointUnreadable(f"expected version {VERSION}, got {version!r}")
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    if is_dataclass(value) and not isinstance(value, type):
        return [_plain(getattr(value, each.name)) for each in fields(value)]
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return [[_plain(key), _plain(each)] for key, each in value.items()]
    return value


@cache
def _kinds(kind: Any) -> list[Any]:
    """Types of a dataclass' or named tuple's fields, in order."""
    hints = get_type_hints(kind)
    names = [each.name for each in fields(kind)] if is_dataclass(kind) else kind._fields
    return [hints[name] for name in names]


def _typed(kind: Any, plain: Any) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return None if plain is None else _typed(next(each for each in inner if each is not NoneType), plain)
    if origin is list:
        return [_typed(inner[0], each) for each in plain]
    if origin is tuple:
        return tuple(_typed(each, value) for each, value in zip(inner, plain, strict=True))
    if origin is dict:
        return {_typed(inner[0], key): _typed(inner[1], each) for key, each in plain}
    return _single(kind, plain)


def _single(kind: Any, plain: Any) -> Any:
    if kind is bytes:
        return b64decode(plain, validate=True)
    if is_dataclass(kind) or hasattr(kind, "_fields"):
        return kind(*(_typed(each, value) for each, value in zip(_kinds(kind), plain, strict=True)))
    return plain if isinstance(plain, kind) else kind(plain)
