"""The public listener's HTTP filters, in the order in which a request passes them."""

from .clusters import CHECK
from .config import Config, typed
from .contracts import SERVICES
from .settings import GatewaySettings

JWT = "envoy.filters.http.jwt_authn"
CHECKER = "envoy.filters.http.ext_authz"
REFILL_S = 10
# A check takes a millisecond; a MiB of JSON twenty.
CHECK_TIMEOUT = "5s"
# Open without a token: health says nothing, and a replay link carries its own signature.
OPEN = ({"path": "/healthz"}, {"prefix": "/hls/"})


def jwt(settings: GatewaySettings) -> Config:
    """Checks the token and passes it on: every service verifies it again, and checks role, tenant and session.

    The token comes in the header alone: one in a query would stand in logs and histories. The payload is not passed on
    beside it, so that no service is tempted to trust a header. The claims serve the limiter and the log.
    """
    provider = {
        "issuer": settings.jwt_issuer,
        "audiences": [settings.jwt_audience],
        "local_jwks": {"filename": str(settings.jwks_file.resolve())},
        "forward": True,
        "payload_in_metadata": "jwt",
        "require_expiration": True,
        "clock_skew_seconds": 30,
        "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}],
    }
    rules: list[Config] = [{"match": dict(match)} for match in OPEN]
    rules.append({"match": {"prefix": "/"}, "requires": {"provider_name": "bank"}})
    return typed(
        "filters.http.jwt_authn.v3.JwtAuthentication",
        bypass_cors_preflight=True,
        providers={"bank": provider},
        rules=rules,
    )


def claim(name: str) -> Config:
    """A part of the limiter's key, taken from the token."""
    key = {"key": JWT, "path": [{"key": "jwt"}, {"key": name}]}
    return {"metadata": {"descriptor_key": name, "metadata_key": key, "source": "DYNAMIC"}}


def bucket(tokens: int, interval_s: int) -> Config:
    """A token bucket that is filled up every `interval_s` seconds."""
    return {"max_tokens": tokens, "tokens_per_fill": tokens, "fill_interval": f"{interval_s}s"}


def limiter(settings: GatewaySettings) -> Config:
    """A bucket for each subject of each tenant, so that nobody uses up another's share; one for all together."""
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
        rate_limits=[{"actions": [claim("tenant"), claim("sub")]}],
        descriptors=[{"entries": [{"key": "tenant"}, {"key": "sub"}], "token_bucket": own}],
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
        "envoy.filters.http.grpc_web": typed("filters.http.grpc_web.v3.GrpcWeb"),
        "envoy.filters.http.grpc_json_transcoder": transcoder(settings),
        "envoy.filters.http.router": typed("filters.http.router.v3.Router"),
    }
    # The checker is switched on by the routes that need it.
    return [{"name": name, "typed_config": config, "disabled": name == CHECKER} for name, config in chain.items()]
