"""Trace context from the gateway through the bus to the report (OpenTelemetry, W3C trace context)."""

from collections.abc import Mapping

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

# OTLP/HTTP (OpenTelemetry protocol specification): where a collector takes traces.
TRACES_PATH = "/v1/traces"
# W3C Trace Context: the header that names trace and span.
TRACE_PARENT = "traceparent"


def start(service: str, otlp_endpoint: str) -> TracerProvider:
    """Make spans real; export them if a collector is named."""
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}))
    if otlp_endpoint:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - costs 20 MB

        endpoint = otlp_endpoint.removesuffix("/").removesuffix(TRACES_PATH) + TRACES_PATH
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=5)))
    trace.set_tracer_provider(provider)
    return provider


def tracer() -> trace.Tracer:
    """The tracer of this process."""
    return trace.get_tracer("shuanglu")


def inject() -> dict[str, str]:
    """The current trace context as headers; empty outside a span."""
    headers: dict[str, str] = {}
    propagate.inject(headers)
    return headers


def extract(headers: Mapping[str, str] | None) -> Context:
    """The trace context of a message or call."""
    return propagate.extract({key.lower(): value for key, value in (headers or {}).items()})
