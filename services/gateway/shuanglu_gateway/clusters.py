"""The services behind the gateway."""

from .config import Config, typed
from .settings import GatewaySettings

ADMIN = "admin"
COLLECTOR = "otel-collector"
UPLOADS = "media-ingest-http"
MEDIA = "signaling-http"
REPLAY = "report-http"
CHECK = "gateway-check"


def endpoint(host: str, port: int) -> Config:
    """One address in the form that clusters want."""
    return {"endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}}}


def cluster(name: str, target: str, *, http2: bool) -> Config:
    """A cluster; its name is resolved again and again, so that replicas may come and go."""
    host, _, port = target.rpartition(":")
    protocol: Config = {"http_protocol_options": {}}
    if http2:
        # The beat finds a peer that is gone without a goodbye.
        protocol = {"http2_protocol_options": {"connection_keepalive": {"interval": "30s", "timeout": "5s"}}}
    options = typed("upstreams.http.v3.HttpProtocolOptions", explicit_http_config=protocol)
    return {
        "name": name,
        "type": "STRICT_DNS",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [endpoint(host.strip("[]"), int(port))]}],
        },
    }


def clusters(settings: GatewaySettings) -> list[Config]:
    """All clusters."""
    grpc = {
        "signaling": settings.signaling_target,
        "media-ingest": settings.media_ingest_target,
        "quality": settings.quality_target,
        "report": settings.report_target,
    }
    web = {
        UPLOADS: settings.media_ingest_http_target,
        MEDIA: settings.signaling_http_target,
        REPLAY: settings.report_http_target,
        CHECK: settings.check_target,
        ADMIN: f"127.0.0.1:{settings.admin_port}",
    }
    if settings.otlp_endpoint:
        web[COLLECTOR] = settings.otlp_endpoint.removeprefix("http://").partition("/")[0]
    return [cluster(name, target, http2=True) for name, target in grpc.items()] + [
        cluster(name, target, http2=False) for name, target in web.items()
    ]
