"""What the gateway itself answers when it refuses: the same error form as the services give.

JSON: `{"code", "message", "details": [ErrorInfo]}` (google.rpc.Status). gRPC: status, message and the same ErrorInfo in
`grpc-status-details-bin`.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.any_pb2 import Any
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from .config import Config
from .console import Page, answered, page_mappers

DOMAIN = "shuanglu"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One way in which the gateway refuses."""

    http: int  # HTTP status that Envoy gives
    code: int  # google.rpc.Code in the JSON body
    grpc: int  # code that Envoy derives from the HTTP status for a gRPC caller
    reason: str
    message: str
    help: str


REFUSALS = (
    Refusal(
        400,
        3,
        13,
        "REQUEST_INVALID",
        "请求无法读取。The request could not be read.",
        "compare path, query and body with the contract in docs/api.md",
    ),
    Refusal(
        401,
        16,
        16,
        "UNAUTHENTICATED",
        "令牌缺失、过期或无效。The token is missing, expired or not valid here.",
        "send `authorization: Bearer <token>` with a fresh token",
    ),
    Refusal(
        403,
        7,
        7,
        "FORBIDDEN",
        "令牌不适用于本系统。The token is meant for another audience.",
        "ask the issuer for a token with this system's audience",
    ),
    Refusal(
        404,
        5,
        12,
        "NO_SUCH_PATH",
        "没有此路径。There is nothing at this path.",
        "see docs/api.md for the paths; internal calls are not open here",
    ),
    Refusal(408, 4, 4, "REQUEST_TOO_SLOW", "请求超时。The request did not arrive in time.", "send it again"),
    Refusal(413, 8, 2, "BODY_TOO_LARGE", "请求体过大。The body is too large.", "send recordings by tus to /files/"),
    Refusal(
        431,
        8,
        2,
        "HEADERS_TOO_LARGE",
        "请求头过大或过多。The request has too many headers, or too large ones.",
        "send fewer and shorter headers; long values belong in the body",
    ),
    Refusal(
        429,
        8,
        8,
        "TOO_MANY_REQUESTS",
        "请求过于频繁。Too many requests.",
        "wait as long as `x-ratelimit-reset` says, then try again",
    ),
    Refusal(
        502,
        14,
        14,
        "SERVICE_AWAY",
        "服务暂不可用。The service behind gave no proper answer.",
        "try again in a few seconds",
    ),
    Refusal(503, 14, 14, "SERVICE_AWAY", "服务暂不可用。The service behind is away.", "try again in a few seconds"),
    Refusal(
        504,
        4,
        4,
        "SERVICE_TOO_SLOW",
        "服务超时。The service behind did not answer in time.",
        "try again in a few seconds",
    ),
)


def details(refusal: Refusal) -> str:
    """`grpc-status-details-bin`: base64 without padding, as gRPC's wire format asks."""
    info = ErrorInfo(reason=refusal.reason, domain=DOMAIN, metadata={"help": refusal.help})
    packed = Any()
    packed.Pack(info)
    status = Status(code=refusal.grpc, message=refusal.message, details=[packed])
    return base64.b64encode(status.SerializeToString()).decode().rstrip("=")


def has_status(refusal: Refusal) -> Config:
    """Envoy's filter for a status code."""
    value = {"default_value": refusal.http, "runtime_key": f"shuanglu.refusal.{refusal.http}"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}


def unless(header: Config) -> Config:
    """A filter that lets pass what has no such header."""
    return {"header_filter": {"header": {**header, "invert_match": True}}}


def for_grpc(refusal: Refusal) -> Config:
    """The mapper for gRPC callers; a transcoded request looks like gRPC by then, but its caller reads JSON."""
    grpc = {"name": "content-type", "string_match": {"safe_regex": {"regex": r"application/grpc(\+.*)?"}}}
    filters = [
        has_status(refusal),
        {"header_filter": {"header": grpc}},
        unless({"name": "x-envoy-original-path", "present_match": True}),
    ]
    return {
        "filter": {"and_filter": {"filters": filters}},
        "body_format_override": {"text_format_source": {"inline_string": refusal.message}},
        "headers_to_add": [{"header": {"key": "grpc-status-details-bin", "value": details(refusal)}}],
    }


def for_health() -> Config:
    """Health is answered here too, and is no refusal."""
    as_is = {"text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"}, "content_type": "application/json"}
    return {"filter": answered(200), "body_format_override": as_is}


def for_checked() -> Config:
    """What the checker of JSON bodies says is said in the same form already (UAEX: an external service refused)."""
    said = {"filters": [{"response_flag_filter": {"flags": ["UAEX"]}}, has_status(REFUSALS[0])]}
    as_is = {"text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"}, "content_type": "application/json"}
    return {"filter": {"and_filter": said}, "body_format_override": as_is}


def body(code: int, message: str, reason: str, help_text: str) -> Config:
    """The JSON body. `detail` is Envoy's own word, such as `Jwt is expired`."""
    metadata = {"help": help_text, "detail": "%LOCAL_REPLY_BODY%", "request_id": "%REQ(X-REQUEST-ID)%"}
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": DOMAIN,
        "metadata": metadata,
    }
    return {"json_format": {"code": code, "message": message, "details": [info]}}


def for_json(refusal: Refusal) -> Config:
    """The mapper for everybody else."""
    return {
        "filter": has_status(refusal),
        "body_format_override": body(refusal.code, refusal.message, refusal.reason, refusal.help),
    }


def local_replies(pages: tuple[Page, ...] = (), refusals: Sequence[Refusal] = REFUSALS) -> Config:
    """`local_reply_config` of the public listener; the first mapper that fits is taken."""
    said = [*page_mappers(pages), for_health(), for_checked()]
    return {
        "mappers": [*said, *map(for_grpc, refusals), *map(for_json, refusals)],
        "body_format": body(
            13, "网关内部错误。The gateway could not answer.", "GATEWAY_ERROR", "give the request_id to operations"
        ),
    }
