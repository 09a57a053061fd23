"""The JSON doors as OpenAPI 3.1, made of the contracts: `scripts/openapi.py > openapi.json`.

For callers that generate clients, and for the tests that try every call with data that fits and data that does not.
"""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from shuanglu_common.access import OPEN_CALLS
from shuanglu_common.contracts import all_calls

Schema = dict[str, Any]
VARIABLE = re.compile(r"\{([a-z0-9_.]+)\}")
ID = {"type": "string", "pattern": "^[A-Za-z0-9._~-]{1,64}$"}
REFUSALS = {
    "400": "the request is wrong",
    "401": "no token, or one that does not hold",
    "403": "the token may not",
    "404": "it does not exist, or belongs to another tenant",
    "408": "the request did not arrive in time",
    "409": "it exists already, with other content",
    "413": "the body is too large",
    "429": "too many requests",
    "431": "the head is too large",
    "503": "a service behind is away",
    "504": "a service behind did not answer in time",
}
ERROR: Schema = {
    "type": "object",
    "required": ["code", "message", "details"],
    "properties": {
        "code": {"type": "integer"},
        "message": {"type": "string", "minLength": 1},
        "details": {"type": "array", "items": {"type": "object", "required": ["@type", "reason"]}},
    },
}
INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}


def scalar(field: FieldDescriptor) -> Schema:
    """A field that is no message, once."""
    if field.enum_type is not None:
        return {"type": "string", "enum": list(field.enum_type.values_by_name)}
    if field.cpp_type in INTEGERS:
        least, most = INTEGERS[field.cpp_type]
        return {"type": "integer", "minimum": least, "maximum": most}
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return {"type": "boolean"}
    if field.cpp_type in {FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT}:
        return {"type": "number"}
    if field.type == FieldDescriptor.TYPE_BYTES:
        return {"type": "string", "format": "byte"}
    return {"type": "string"}


def of_field(field: FieldDescriptor) -> Schema:
    """A field as JSON has it."""
    inner = of_message(field.message_type) if field.message_type is not None else scalar(field)
    return {"type": "array", "items": inner} if field.is_repeated else inner


def of_message(message: Descriptor, without: frozenset[str] = frozenset()) -> Schema:
    """A message as JSON has it; what it does not name is refused."""
    if message.GetOptions().map_entry:
        return {"type": "object", "additionalProperties": of_field(message.fields_by_name["value"])}
    fields = {field.name: of_field(field) for field in message.fields if field.name not in without}
    return {"type": "object", "properties": fields, "additionalProperties": False}


def queries(message: Descriptor, without: frozenset[str], prefix: str = "") -> Iterator[Schema]:
    """Fields of a request without a body, flat, as query parameters."""
    for field in message.fields:
        name = f"{prefix}{field.name}"
        if name in without:
            continue
        if field.message_type is not None:
            yield from queries(field.message_type, without, f"{name}.")
        else:
            yield {"name": name, "in": "query", "required": False, "schema": of_field(field)}


def operation(method: MethodDescriptor, template: str, *, has_body: bool) -> Schema:
    """One call."""
    bound = frozenset(VARIABLE.findall(template))
    parameters = [{"name": name, "in": "path", "required": True, "schema": ID} for name in sorted(bound)]
    refused = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    answers: Schema = {"200": {"description": "done"}}
    answers |= {status: {"description": why, "content": refused} for status, why in REFUSALS.items()}
    made: Schema = {"operationId": f"{method.containing_service.name}_{method.name}", "responses": answers}
    if f"/{method.containing_service.full_name}/{method.name}" in OPEN_CALLS:
        made["security"] = []
    if has_body:
        body = of_message(method.input_type, bound)
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    else:
        parameters += queries(method.input_type, bound)
    return made | {"parameters": parameters}


def document() -> Schema:
    """The whole document."""
    paths: dict[str, Schema] = {}
    for method in all_calls().values():
        rule = method.GetOptions().Extensions[annotations_pb2.http]
        kind = rule.WhichOneof("pattern")
        if kind is not None:
            template = getattr(rule, kind)
            paths.setdefault(template, {})[kind] = operation(method, template, has_body=bool(rule.body))
    bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "shuanglu", "version": "1"},
        "paths": paths,
        "components": {"schemas": {"Error": ERROR}, "securitySchemes": {"token": bearer}},
        "security": [{"token": []}],
    }


if __name__ == "__main__":
    json.dump(document(), sys.stdout, indent=1, ensure_ascii=False)
