"""Traces by OpenTelemetry: contexts in W3C headers, spans to a collector by OTLP (docs/adr/0018-observability.md).

A collector that is away costs nobody anything: spans wait in a queue of bounded length, then they are dropped and
counted. What a span says of an error is its kind, never its text, which may quote personal data.
"""

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.span import TraceState
from opentelemetry.util.types import Attributes

from shuanglu_common.metrics import SPANS_DROPPED

# OTLP/HTTP (OpenTelemetry protocol specification): where a collector takes traces.
TRACES_PATH = "/v1/traces"
# W3C Trace Context: the header that names trace and span.
TRACE_PARENT = "traceparent"
# Its version 00; a newer one is read as far as it is the same.
PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
EXPORT_TIMEOUT_S = 3.0
QUEUE_SPANS = 4096
BATCH_SPANS = 512
EXPORT_EVERY_MS = 1000
# A service that stops gives the collector so long to take what is left.
LAST_WORD_S = 3.0


class FollowingSampler(Sampler):
    """A span is kept if its parent is, or what it is linked with; a trace that begins here by chance.

    So work that fans out into traces of its own is kept with the session that it belongs to, or not at all.
    """

    def __init__(self, ratio: float) -> None:
        """`ratio`: 0..1 of the traces that begin here."""
        self._chance = TraceIdRatioBased(ratio)

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """See Sampler."""
        parent = trace.get_current_span(parent_context).get_span_context()
        known = [parent] if parent.is_valid else [link.context for link in links or ()]
        if not known:
            return self._chance.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
        keep = any(context.trace_flags.sampled for context in known)
        return SamplingResult(Decision.RECORD_AND_SAMPLE if keep else Decision.DROP, attributes if keep else None)

    def get_description(self) -> str:
        """See Sampler."""
        return f"Following({self._chance.get_description()})"


class CountingExporter(SpanExporter):
    """Counts what the collector does not take."""

    def __init__(self, exporter: SpanExporter) -> None:
        """`exporter` does the work."""
        self._exporter = exporter
        self.taken = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See SpanExporter."""
        self.taken += len(spans)
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            SPANS_DROPPED.labels("collector").inc(len(spans))
        return result

    def shutdown(self) -> None:
        """Whatever is still to be exported fails at once."""
        self._exporter.shutdown()


class BoundedProcessor(BatchSpanProcessor):
    """A queue that drops and counts when it is full, and does not hold up a stop."""

    def __init__(self, exporter: SpanExporter, queue_spans: int = QUEUE_SPANS) -> None:
        """Starts the thread that exports."""
        self._counting = CountingExporter(exporter)
        self._room, self._put = queue_spans, 0
        super().__init__(self._counting, queue_spans, EXPORT_EVERY_MS, min(BATCH_SPANS, queue_spans))

    def on_end(self, span: ReadableSpan) -> None:
        """See SpanProcessor."""
        context = span.get_span_context()
        if context is None or not context.trace_flags.sampled:
            return
        if self._put - self._counting.taken >= self._room:
            SPANS_DROPPED.labels("queue").inc()  # the oldest goes
        else:
            self._put += 1
        super().on_end(span)

    def shutdown(self) -> None:
        """Tell what is left, for `LAST_WORD_S` at most beside a request on its way."""
        enough = threading.Timer(LAST_WORD_S, self._counting.shutdown)
        enough.daemon = True
        enough.start()
        super().shutdown()  # type: ignore[no-untyped-call]
        enough.cancel()


def start(service: str, version: str, otlp_endpoint: str, sample_ratio: float = 1.0) -> TracerProvider:
    """Make spans real; export them if a collector is named. Without one only what callers sampled is followed."""
    resource = Resource.create({SERVICE_NAME: service, SERVICE_VERSION: version})
    sampler = FollowingSampler(sample_ratio if otlp_endpoint else 0.0)
    provider = TracerProvider(sampler=sampler, resource=resource)
    if otlp_endpoint:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - costs 20 MB

        endpoint = otlp_endpoint.removesuffix("/").removesuffix(TRACES_PATH) + TRACES_PATH
        provider.add_span_processor(BoundedProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_TIMEOUT_S)))
    trace.set_tracer_provider(provider)
    tracer.cache_clear()
    return provider


@lru_cache(maxsize=1)
def tracer() -> trace.Tracer:
    """The tracer of this process; looking it up costs as much as a span."""
    return trace.get_tracer("shuanglu")


@contextmanager
def spanning(
    name: str,
    context: Context | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes = None,
    links: Sequence[Link] | None = None,
) -> Iterator[trace.Span]:
    """A span around the work inside; an error that passes through leaves its kind.

    Of a trace that is not kept only the ids go on.
    """
    parent = trace.get_current_span(context)
    known = parent.get_span_context()
    if known.is_valid and not known.trace_flags.sampled:
        with attached(trace.set_span_in_context(parent)):
            yield parent
        return
    with tracer().start_as_current_span(
        name, context, kind, attributes, links, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except Exception as error:
            failed(span, str(getattr(error, "reason", type(error).__name__)))
            raise


def failed(span: trace.Span, reason: str) -> None:
    """Note why the work of a span did not succeed (semantic conventions: `error.type`)."""
    span.set_attribute("error.type", reason)
    span.set_status(Status(StatusCode.ERROR, reason))


def inject() -> dict[str, str]:
    """The current trace context as headers; empty outside a span."""
    span = trace.get_current_span().get_span_context()
    return {TRACE_PARENT: text_of(span)} if span.is_valid else {}


def extract(headers: Mapping[str, str] | None) -> Context:
    """The trace context of a message or call, and nothing of the current one.

    Of the library's propagator only what is used, as every message and call goes through it.
    """
    found = PARENT.fullmatch((headers or {}).get(TRACE_PARENT, ""))
    if found is None:
        return Context()
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    if not trace_id or not span_id:
        return Context()
    parent = trace.SpanContext(trace_id, span_id, is_remote=True, trace_flags=trace.TraceFlags(flags & 1))
    return trace.set_span_in_context(trace.NonRecordingSpan(parent), Context())


def text_of(span: trace.SpanContext) -> str:
    """As W3C `traceparent`."""
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"


@contextmanager
def continuing(trace_parent: str) -> Iterator[None]:
    """Work on something whose trace was kept as text (W3C `traceparent`); empty or damaged: outside any trace."""
    with attached(extract({TRACE_PARENT: trace_parent})):
        yield


@contextmanager
def attached(context: Context) -> Iterator[None]:
    """Inside, this is the current context."""
    token = attach(context)
    try:
        yield
    finally:
        detach(token)
