"""The access log: one JSON line a request on stdout, without tokens and without personal data."""

from .config import Config, typed

LINE = {
    "at": "%START_TIME%",
    "service": "gateway",
    "method": "%REQ(:METHOD)%",
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


def logger(path: str, *, replay: bool) -> Config:
    """One logger, for replay or for all the rest."""
    only = {"name": ":path", "string_match": {"prefix": "/hls/"}, "invert_match": not replay}
    return {
        "name": "envoy.access_loggers.stdout",
        "filter": {"header_filter": {"header": only}},
        "typed_config": typed(
            "access_loggers.stream.v3.StdoutAccessLog", log_format={"json_format": {**LINE, "path": path}}
        ),
    }


def access_log() -> list[Config]:
    """Queries are left out of every line, and of a replay link all but its prefix: its path is its key."""
    return [logger("%PATH(NQ)%", replay=False), logger("/hls/…", replay=True)]
