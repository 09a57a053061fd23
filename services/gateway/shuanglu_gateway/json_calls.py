"""Which message a JSON request must be, by method and path, read from the contracts' descriptor."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool

from .contracts import SERVICES

_VARIABLE = re.compile(r"\{([a-z0-9_.]+)\}")
# Plain paths alone: what is written in another way is not in the contracts, and Envoy has normalised it already.
_SEGMENT = r"[A-Za-z0-9._~:@!$&'()*+,;=%-]+"


@dataclass(frozen=True, slots=True)
class JsonCall:
    """One call by JSON. `message` is None if it takes no body; `bound` are fields that the path gives."""

    method: str
    path: re.Pattern[str]
    message: Descriptor | None
    bound: frozenset[str]


class JsonCalls:
    """All of them."""

    def __init__(self, descriptor: Path) -> None:
        """Raises OSError, DecodeError, TypeError, KeyError if the descriptor is missing, damaged or incomplete."""
        pool = DescriptorPool()
        for file in FileDescriptorSet.FromString(descriptor.read_bytes()).file:
            pool.AddSerializedFile(file.SerializeToString())
        services = [pool.FindServiceByName(name) for name in SERVICES]
        calls = [call for service in services for method in service.methods for call in _calls_of(method)]
        # `/v1/x/{id}:cancel` is also an `/v1/x/{id}`: the longer one is meant.
        self._calls = sorted(calls, key=lambda call: len(call.path.pattern), reverse=True)

    def find(self, method: str, path: str) -> JsonCall | None:
        """The call at a path without its query; None if there is none."""
        fitting = (call for call in self._calls if call.method == method and call.path.fullmatch(path))
        return next(fitting, None)


def _calls_of(method: MethodDescriptor) -> Iterator[JsonCall]:
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    kind = rule.WhichOneof("pattern")
    if kind is None:
        return
    if rule.body not in {"", "*"} or rule.additional_bindings:
        raise KeyError(f'{method.full_name}: only `body: "*"` and one binding are understood')
    template = getattr(rule, kind)
    pattern = "".join(
        f"(?:{_SEGMENT})" if index % 2 else re.escape(piece) for index, piece in enumerate(_VARIABLE.split(template))
    )
    bound = frozenset(_VARIABLE.findall(template))
    yield JsonCall(kind.upper(), re.compile(pattern), method.input_type if rule.body else None, bound)
