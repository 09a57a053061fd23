"""The public listener's HTTP filters, in the order in which a request passes them."""

import re
from pathlib import Path

from .clusters import CHECK
from .config import Config, typed
from .console import ASSETS, PAGE
from .contracts import ACCEPT, ACCEPT_JSON, SERVICES
from .settings import GatewaySettings

JWT = "envoy.filters.http.jwt_authn"
CHECKER = "envoy.filters.http.ext_authz"
BUFFER = "envoy.filters.http.buffer"
COMPRESSOR = "envoy.filters.http.compressor"
# Signaling's issuer of tokens for participants (`shuanglu_common.auth`).
SESSION_ISSUER = "shuanglu-session"
REFILL_S = 10
# A check takes a millisecond; a MiB of JSON twenty.
CHECK_TIMEOUT = "5s"
# Open without a token: health says nothing, a replay link carries its own signature, an invitation its own secret, and
# pages are the same for everybody.
OPEN = (
    {"path": "/healthz"},
    {"prefix": "/hls/"},
    {"path": PAGE},
    {"prefix": ASSETS},
    {"path": ACCEPT},
    {"path": ACCEPT_JSON},
)


def jwt(settings: GatewaySettings) -> Config:
    """Checks the token and passes it on: every service verifies it again, and checks role, tenant and session.

    The token comes in the header alone: one in a query would stand in logs and histories. The payload is not passed on
    beside it, so that no service is tempted to trust a header. The claims serve the limiter and the log.
    """
    providers = {"bank": provider(settings.jwt_issuer, settings.jwks_file, settings.jwt_audience)}
    if settings.session_jwks_file is not None:
        providers["session"] = provider(SESSION_ISSUER, settings.session_jwks_file, settings.jwt_audience)
    names: list[Config] = [{"provider_name": name} for name in providers]
    rules: list[Config] = [{"match": dict(match)} for match in OPEN]
    requires: Config = {"requires_any": {"requirements": names}} if len(names) > 1 else names[0]
    rules.append({"match": {"prefix": "/"}, "requires": requires})
    return typed(
        "filters.http.jwt_authn.v3.JwtAuthentication",
        bypass_cors_preflight=True,
        providers=providers,
        rules=rules,
    )


def provider(issuer: str, jwks: Path, audience: str) -> Config:
    """Whose tokens hold. A token counts under the keys of the issuer that it names, and under no other's."""
    return {
        "issuer": issuer,
        "audiences": [audience],
        "local_jwks": {"filename": str(jwks.resolve())},
        "forward": True,
        "payload_in_metadata": "jwt",
        "require_expiration": True,
        "clock_skew_seconds": 30,
        "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}],
    }


def claim(name: str) -> Config:
    """A part of the limiter's key, taken from the token."""
    key = {"key": JWT, "path": [{"key": "jwt"}, {"key": name}]}
    return {"metadata": {"descriptor_key": name, "metadata_key": key, "source": "DYNAMIC"}}


def accepting() -> Config:
    """A part of the limiter's key that only requests have that accept an invitation."""
    paths = "|".join((re.escape(ACCEPT), re.escape(ACCEPT_JSON)))
    match = {"name": ":path", "string_match": {"safe_regex": {"regex": rf"({paths})(\?.*)?"}}}
    return {"header_value_match": {"descriptor_value": "accept", "headers": [match]}}


def bucket(tokens: int, interval_s: int) -> Config:
    """A token bucket that is filled up every `interval_s` seconds."""
    return {"max_tokens": tokens, "tokens_per_fill": tokens, "fill_interval": f"{interval_s}s"}


def limiter(settings: GatewaySettings) -> Config:
    """A bucket for each subject of each tenant, so that nobody uses up another's share; one for all together.

    Who accepts an invitation has no token yet: there each address has a bucket, of its own kind.
    """
    always = {"default_value": {"numerator": 100}}
    own = bucket(settings.requests_per_10s, REFILL_S)
    return typed(
        "filters.http.local_ratelimit.v3.LocalRateLimit",
        stat_prefix="public",
        token_bucket=bucket(settings.requests_per_s, 1),
        filter_enabled=always,
        filter_enforced=always,
        max_dynamic_descriptors=10_000,
        rate_limited_as_resource_exhausted=True,
        # At the latest by then the bucket is full again; RFC 9110 §10.2.3.
        response_headers_to_add=[{"header": {"key": "retry-after", "value": str(REFILL_S)}}],
        enable_x_ratelimit_headers="DRAFT_VERSION_03",
        rate_limits=[{"actions": [claim("tenant"), claim("sub")]}, {"actions": [accepting(), {"remote_address": {}}]}],
        descriptors=[
            {"entries": [{"key": "tenant"}, {"key": "sub"}], "token_bucket": own},
            {
                "entries": [{"key": "header_match", "value": "accept"}, {"key": "remote_address"}],
                "token_bucket": bucket(settings.accepts_per_10s, REFILL_S),
            },
        ],
    )


def checker(settings: GatewaySettings) -> Config:
    """Shows the body of a JSON request to the checker beside Envoy, which says what the transcoder would drop silently.

    Fails closed: without its answer the request is refused (503). It runs on the routes of JSON alone.
    """
    server = {
        "server_uri": {"uri": f"http://{settings.check_target}", "cluster": CHECK, "timeout": CHECK_TIMEOUT},
        "path_prefix": "/check",
    }
    return typed(
        "filters.http.ext_authz.v3.ExtAuthz",
        http_service=server,
        with_request_body={"max_request_bytes": settings.max_json_bytes},
        # The checker needs no token; the one before it was checked already.
        disallowed_headers={"patterns": [{"exact": "authorization"}]},
        failure_mode_allow=False,
        status_on_error={"code": "ServiceUnavailable"},
    )


def compressor() -> Config:
    """For pages, which phones load. Answers of services are not compressed: secrets and callers' words meet there."""
    library = typed("compression.gzip.compressor.v3.Gzip", compression_level="COMPRESSION_LEVEL_9")
    return typed(
        "filters.http.compressor.v3.Compressor",
        compressor_library={"name": "gzip", "typed_config": library},
        response_direction_config={
            "common_config": {
                "min_content_length": 1024,
                "content_type": ["text/html", "text/javascript", "text/css", "image/svg+xml", "application/json"],
            }
        },
    )


def transcoder(settings: GatewaySettings) -> Config:
    """JSON over HTTP from the same contracts."""
    return typed(
        "filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        proto_descriptor=str(settings.descriptor_file.resolve()),
        services=list(SERVICES),
        convert_grpc_status=True,
        print_options={
            "preserve_proto_field_names": True,
            "always_print_primitive_fields": True,
            "stream_newline_delimited": True,
        },
        request_validation_options={
            "reject_unknown_method": True,
            "reject_unknown_query_parameters": True,
            "reject_binding_body_field_collisions": True,
        },
        max_request_body_size=settings.max_json_bytes,
        max_response_body_size=settings.max_answer_bytes,
    )


def http_filters(settings: GatewaySettings) -> list[Config]:
    """CORS first (a refusal must be readable by the page), then the token, then what costs anything."""
    chain = {
        "envoy.filters.http.cors": typed("filters.http.cors.v3.Cors"),
        JWT: jwt(settings),
        "envoy.filters.http.local_ratelimit": limiter(settings),
        CHECKER: checker(settings),
        BUFFER: typed("filters.http.buffer.v3.Buffer", max_request_bytes=settings.max_sdp_bytes),
        COMPRESSOR: compressor(),
        "envoy.filters.http.grpc_web": typed("filters.http.grpc_web.v3.GrpcWeb"),
        "envoy.filters.http.grpc_json_transcoder": transcoder(settings),
        "envoy.filters.http.router": typed("filters.http.router.v3.Router"),
    }
    # Switched on by the routes that need them.
    asked_for = {CHECKER, BUFFER, COMPRESSOR}
    return [{"name": name, "typed_config": config, "disabled": name in asked_for} for name, config in chain.items()]
