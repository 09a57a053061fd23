"""The whole Envoy configuration."""

import yaml

from .access_log import access_log
from .clusters import ADMIN, COLLECTOR, clusters
from .config import Config, typed
from .console import read_console
from .contracts import read_public_calls
from .filters import http_filters
from .local_replies import local_replies
from .routes import route_table
from .settings import GatewaySettings

# Small enough for many connections, large enough that an upload is not slowed down.
BUFFER_BYTES = 1 << 20
# A service must never see these from outside: they are the gateway's word.
STRIPPED = ("x-jwt-payload",)


def address(host: str, port: int) -> Config:
    """Where to listen."""
    return {"socket_address": {"address": host, "port_value": port}}


def manager(**fields: object) -> Config:
    """An HTTP connection manager as a listener's filter."""
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": typed("filters.network.http_connection_manager.v3.HttpConnectionManager", **fields),
    }


def sampler(name: str, config: str, **fields: object) -> Config:
    """What decides whether a trace is kept."""
    return {
        "name": f"envoy.tracers.opentelemetry.samplers.{name}",
        "typed_config": typed(f"tracers.opentelemetry.samplers.v3.{config}", **fields),
    }


def tracing(settings: GatewaySettings) -> Config:
    """Spans to a collector; the caller's trace context is continued."""
    base, _, path = settings.otlp_endpoint.removeprefix("http://").partition("/")
    uri = f"http://{base}/{path or 'v1/traces'}"
    ratio = {"numerator": round(settings.trace_sample_ratio * 1_000_000), "denominator": "MILLION"}
    begun_here = sampler("trace_id_ratio_based", "TraceIdRatioBasedSamplerConfig", sampling_percentage=ratio)
    provider = {
        "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
        "http_service": {"http_uri": {"uri": uri, "cluster": COLLECTOR, "timeout": "1s"}},
        "service_name": "gateway",
        # A caller that decided for itself is followed.
        "sampler": sampler("parent_based", "ParentBasedSamplerConfig", wrapped_sampler=begun_here),
    }
    typed_provider: Config = {"name": "envoy.tracers.opentelemetry", "typed_config": provider}
    # A span says which call it was by its operation; of the path that came only the slash.
    return {"tracing": {"provider": typed_provider, "max_path_tag_length": 1}}


def tls(settings: GatewaySettings) -> Config:
    """TLS 1.2 or newer, HTTP/2 preferred."""
    pair = {
        "certificate_chain": {"filename": str(settings.tls_cert_file.resolve())},
        "private_key": {"filename": str(settings.tls_key_file.resolve())},
    }
    context = {
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
        "tls_certificates": [pair],
    }
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": typed("transport_sockets.tls.v3.DownstreamTlsContext", common_tls_context=context),
    }


def public_listener(settings: GatewaySettings) -> Config:
    """The one door that is open to the outside."""
    stripping = typed(
        "http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=[{"remove": name} for name in STRIPPED],
    )
    pages = read_console(settings.console_dir)
    http = manager(
        stat_prefix="public",
        use_remote_address=True,
        xff_num_trusted_hops=settings.trusted_hops,
        normalize_path=True,
        merge_slashes=True,
        # Else `%2F` could mean one path to the token's rules and another to a service.
        path_with_escaped_slashes_action="REJECT_REQUEST",
        always_set_request_id_in_response=True,
        server_name="shuanglu",
        stream_idle_timeout="300s",
        request_headers_timeout=f"{settings.header_timeout_s}s",
        max_request_headers_kb=settings.max_header_kib,
        common_http_protocol_options={
            "idle_timeout": f"{settings.idle_timeout_s}s",
            "headers_with_underscores_action": "REJECT_REQUEST",
            "max_headers_count": settings.max_headers,
        },
        http2_protocol_options={
            "max_concurrent_streams": 128,
            "initial_stream_window_size": BUFFER_BYTES,
            "initial_connection_window_size": 4 * BUFFER_BYTES,
        },
        early_header_mutation_extensions=[{"name": "strip", "typed_config": stripping}],
        access_log=access_log(),
        local_reply_config=local_replies(pages),
        http_filters=http_filters(settings),
        route_config=route_table(read_public_calls(settings.descriptor_file), pages, settings),
        **(tracing(settings) if settings.otlp_endpoint else {}),
    )
    return {
        "name": "public",
        "address": address(settings.host, settings.port),
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "filter_chains": [
            {
                "transport_socket": tls(settings),
                "transport_socket_connect_timeout": f"{settings.header_timeout_s}s",
                "filters": [http],
            }
        ],
    }


def ops_listener(settings: GatewaySettings) -> Config:
    """Health and metrics for operations, under the same paths as every service has; the rest of admin stays hidden."""
    routes: list[Config] = [
        {"match": {"path": "/healthz"}, "direct_response": {"status": 200, "body": {"inline_string": "ok\n"}}},
        {"match": {"path": "/readyz"}, "route": {"cluster": ADMIN, "prefix_rewrite": "/ready"}},
        {"match": {"path": "/metrics"}, "route": {"cluster": ADMIN, "prefix_rewrite": "/stats/prometheus"}},
    ]
    router = {"name": "envoy.filters.http.router", "typed_config": typed("filters.http.router.v3.Router")}
    http = manager(
        stat_prefix="ops",
        http_filters=[router],
        route_config={"virtual_hosts": [{"name": "ops", "domains": ["*"], "routes": routes}]},
    )
    return {
        "name": "ops",
        "address": address(settings.ops_host, settings.ops_port),
        # Probes and metrics must get in when callers fill the house.
        "ignore_global_conn_limit": True,
        "filter_chains": [{"filters": [http]}],
    }


def bootstrap(settings: GatewaySettings) -> Config:
    """The configuration as data. Raises DescriptorInvalid, ConsoleInvalid."""
    monitor = typed(
        "resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        max_active_downstream_connections=settings.max_connections,
    )
    name = "envoy.resource_monitors.global_downstream_max_connections"
    return {
        "node": {"id": "gateway", "cluster": "gateway"},
        "admin": {"address": address("127.0.0.1", settings.admin_port), "ignore_global_conn_limit": True},
        "overload_manager": {"resource_monitors": [{"name": name, "typed_config": monitor}]},
        "static_resources": {
            "listeners": [public_listener(settings), ops_listener(settings)],
            "clusters": clusters(settings),
        },
    }


def render(settings: GatewaySettings) -> str:
    """The configuration as YAML; the same settings, contracts and pages give the same text.

    Raises DescriptorInvalid, ConsoleInvalid.
    """
    return yaml.safe_dump(bootstrap(settings), sort_keys=False, allow_unicode=True, width=160)
