"""Which path goes where. What is not named here does not exist."""

from collections.abc import Sequence

from .clusters import MEDIA, REPLAY, UPLOADS
from .config import Config, typed
from .console import Page, largest, page_routes
from .contracts import ACCEPT, PublicCall
from .filters import BUFFER, CHECKER, COMPRESSOR
from .settings import GatewaySettings

# What a browser's page may send and read, with tus (https://tus.io/protocols/resumable-upload) and WHIP (RFC 9725).
REQUEST_HEADERS = (
    "authorization,content-type,x-grpc-web,x-user-agent,grpc-timeout,traceparent,tracestate,range,"
    "tus-resumable,upload-offset,upload-length,upload-metadata,upload-checksum,upload-concat,x-http-method-override,"
    "if-match"
)
ANSWER_HEADERS = (
    "grpc-status,grpc-message,grpc-status-details-bin,x-request-id,location,content-range,etag,tus-resumable,tus-version,"
    "tus-extension,tus-max-size,tus-checksum-algorithm,upload-offset,upload-length,upload-expires,upload-metadata,"
    "upload-concat,retry-after,link,accept-patch,accept-post,allow"
)
# Only what surely has not reached a service is tried again: no call is made twice.
RETRY = {"retry_on": "connect-failure,refused-stream", "num_retries": 2}
# The cookie binds an invitation to a browser. Nothing but accepting it reads or sets one.
NO_COOKIES: Config = {"request_headers_to_remove": ["cookie"], "response_headers_to_remove": ["set-cookie"]}
# Paths of the JSON doors; the transcoder turns them into a call's path, and then the call's own route is taken.
JSON_PREFIX = "/v1/"


def not_transcoded() -> Config:
    """Plain HTTP: without this the transcoder answers 404 for what it does not know."""
    off: Config = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}
    return {"envoy.filters.http.grpc_json_transcoder": off}


def for_pages() -> Config:
    """Files as they are, compressed on the way."""
    return not_transcoded() | {COMPRESSOR: typed("filters.http.compressor.v3.CompressorPerRoute", overrides={})}


def call_route(call: PublicCall, settings: GatewaySettings) -> Config:
    """A call by its exact path. A stream lives until one side ends it (its service beats at least every 15 s)."""
    action: Config = {"cluster": call.cluster, "retry_policy": RETRY}
    if call.stream:
        action |= {"timeout": "0s", "idle_timeout": "120s"}
    else:
        # From the first byte on: `timeout` begins when the request has arrived, which a slow sender never lets happen.
        # A caller's own `grpc-timeout` goes on to the service.
        action |= limited(settings)
    # The name stands in the access log and, as the operation, in spans: the path that came may hold personal data.
    decorator = {"operation": call.path, "propagate": False}
    route: Config = {"name": call.path, "match": {"path": call.path}, "route": action, "decorator": decorator}
    return route if call.path == ACCEPT else {**route, **NO_COOKIES}


def limited(settings: GatewaySettings) -> Config:
    """Time for a whole call: 408 if the request did not arrive within it, 504 if the answer did not."""
    return {"max_stream_duration": {"max_stream_duration": f"{settings.request_timeout_s}s"}}


def json_routes(settings: GatewaySettings) -> list[Config]:
    """Where a JSON request waits before it is transcoded: checked if it has a body or should have one.

    The routes carry the CORS policy (a request without a route has none), the checker and the time that a body may
    take. The transcoder answers 404 to what it does not know; a gRPC request, which it would pass on, does not match.
    """
    not_grpc: Config = {
        "name": "content-type",
        "string_match": {"prefix": "application/grpc"},
        "invert_match": True,
        "treat_missing_header_as_empty": True,
    }
    reads: Config = {"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD|OPTIONS"}}}
    no_body: Config = {
        "name": "content-length",
        "string_match": {"safe_regex": {"regex": "0?"}},
        "treat_missing_header_as_empty": True,
    }
    checked = {CHECKER: typed("filters.http.ext_authz.v3.ExtAuthzPerRoute", check_settings={})}
    action: Config = {"cluster": "signaling", **limited(settings)}
    return [
        {"match": {"prefix": JSON_PREFIX, "headers": [not_grpc, reads, no_body]}, "route": action},
        {"match": {"prefix": JSON_PREFIX, "headers": [not_grpc]}, "route": action, "typed_per_filter_config": checked},
    ]


def media_route(name: str, settings: GatewaySettings) -> Config:
    """WHIP or WHEP: what is said is a page of SDP at most. The media itself does not pass here."""
    small = {"buffer": {"max_request_bytes": settings.max_sdp_bytes}}
    return {
        "name": name,
        "match": {"path_separated_prefix": f"/{name}"},
        "decorator": {"operation": name, "propagate": False},
        "typed_per_filter_config": not_transcoded() | {BUFFER: typed("filters.http.buffer.v3.BufferPerRoute", **small)},
        "route": {"cluster": MEDIA, "retry_policy": RETRY, **limited(settings)},
        **NO_COOKIES,
    }


def plain_routes(settings: GatewaySettings) -> list[Config]:
    """Health, uploads, publishing and watching, replay."""
    return [
        {
            "name": "health",
            "match": {"path": "/healthz"},
            "typed_per_filter_config": not_transcoded(),
            "direct_response": {"status": 200, "body": {"inline_string": '{"status":"ok"}\n'}},
        },
        {
            # An upload takes as long as it takes; only silence ends it.
            "name": "uploads",
            "match": {"path_separated_prefix": "/files"},
            "decorator": {"operation": "uploads", "propagate": False},
            "typed_per_filter_config": not_transcoded(),
            "route": {"cluster": UPLOADS, "timeout": "0s", "idle_timeout": "600s"},
            **NO_COOKIES,
        },
        *(media_route(name, settings) for name in ("whip", "whep")),
        {
            "name": "replay",
            "match": {"prefix": "/hls/"},
            "typed_per_filter_config": not_transcoded(),
            "route": {"cluster": REPLAY, "timeout": "60s", "retry_policy": RETRY},
            # A span would carry the path, and the path of a replay link is its key.
            "tracing": {name: {"numerator": 0} for name in ("client_sampling", "random_sampling", "overall_sampling")},
            **NO_COOKIES,
        },
    ]


def cors(settings: GatewaySettings) -> Config:
    """Pages of the named origins may call; a preflight from elsewhere gets no answer that a browser would accept."""
    return typed(
        "filters.http.cors.v3.CorsPolicy",
        allow_origin_string_match=[{"exact": origin} for origin in settings.cors_origins],
        allow_methods="GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS",
        allow_headers=REQUEST_HEADERS,
        expose_headers=ANSWER_HEADERS,
        max_age="600",
        # Else any OPTIONS that looks like a preflight would reach a service without a token.
        forward_not_matching_preflights=False,
    )


def route_table(calls: Sequence[PublicCall], pages: tuple[Page, ...], settings: GatewaySettings) -> Config:
    """The public listener's routes."""
    plain = [*plain_routes(settings), *page_routes(pages, for_pages())]
    return {
        "name": "public",
        "max_direct_response_body_size_bytes": max(largest(pages), 4096),
        "virtual_hosts": [
            {
                "name": "all",
                "domains": ["*"],
                "typed_per_filter_config": {"envoy.filters.http.cors": cors(settings)},
                "routes": [*plain, *(call_route(call, settings) for call in calls), *json_routes(settings)],
            }
        ],
    }
