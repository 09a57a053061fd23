"""The access log: one JSON line a request on stdout, without tokens and without personal data.

What a caller writes into a path may be personal (`/v1/orders/<an ID number>`): a path with eleven digits in a row
(as long as a telephone number) or with anything percent-encoded is logged as `…`. The call is logged always.
"""

from .config import Config, typed

REPLAY: Config = {"prefix": "/hls/"}
TELLING: Config = {"safe_regex": {"regex": r"[^?]*(%|[0-9]{11}).*"}}

LINE = {
    "at": "%START_TIME%",
    "service": "gateway",
    "method": "%REQ(:METHOD)%",
    "call": "%ROUTE_NAME%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "detail": "%RESPONSE_CODE_DETAILS%",
    "duration_ms": "%DURATION%",
    "received_bytes": "%BYTES_RECEIVED%",
    "sent_bytes": "%BYTES_SENT%",
    "peer": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "tenant": "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:jwt:tenant)%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "traceparent": "%REQ(TRACEPARENT)%",
    "cluster": "%UPSTREAM_CLUSTER%",
}


def path_is(match: Config, *, inverted: bool = False) -> Config:
    """A filter by the path as it came: the transcoder has changed `:path` by then."""
    original = {"name": "x-envoy-original-path", "string_match": match, "invert_match": inverted}
    plain = {"name": ":path", "string_match": match, "invert_match": inverted}
    transcoded: Config = {"header_filter": {"header": {"name": "x-envoy-original-path", "present_match": True}}}
    not_transcoded: Config = {"header_filter": {"header": {"name": "x-envoy-original-path", "present_match": False}}}
    return {
        "or_filter": {
            "filters": [
                {"and_filter": {"filters": [transcoded, {"header_filter": {"header": original}}]}},
                {"and_filter": {"filters": [not_transcoded, {"header_filter": {"header": plain}}]}},
            ]
        }
    }


def logger(path: str, *filters: Config) -> Config:
    """One logger, for the requests that pass all its filters."""
    return {
        "name": "envoy.access_loggers.stdout",
        "filter": {"and_filter": {"filters": list(filters)}} if len(filters) > 1 else filters[0],
        "typed_config": typed(
            "access_loggers.stream.v3.StdoutAccessLog", log_format={"json_format": {**LINE, "path": path}}
        ),
    }


def access_log() -> list[Config]:
    """Queries are left out of every line, and of a replay link all but its prefix: its path is its key."""
    replay, other = path_is(REPLAY), path_is(REPLAY, inverted=True)
    return [
        logger("%PATH(NQ)%", other, path_is(TELLING, inverted=True)),
        logger("…", other, path_is(TELLING)),
        logger("/hls/…", replay),
    ]
