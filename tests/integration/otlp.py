"""A collector for tests: takes spans by OTLP over HTTP as a real one does, and keeps them."""

import http.server
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

POLL_S = 0.25


@dataclass(frozen=True)
class Span:
    """One span as it came; ids in hexadecimal, `parent` empty for a root."""

    service: str
    name: str
    kind: str
    trace: str
    span: str
    parent: str
    attributes: Mapping[str, str]
    links: tuple[tuple[str, str], ...] = ()


@dataclass
class Collector:
    """Listens on a free port of loopback from the start."""

    spans: dict[str, Span] = field(default_factory=dict)

    def __post_init__(self) -> None:
        collector = self

        class Door(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.whole()
                if self.path == "/v1/traces":
                    collector.take(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

            def whole(self) -> bytes:
                """The gateway sends in chunks, the services do not."""
                if length := self.headers["Content-Length"]:
                    return self.rfile.read(int(length))
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                return body

            def log_message(self, *_: object) -> None:
                """Tests are quiet."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def take(self, request: ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            service = attributes_of(resource.resource.attributes)["service.name"]
            for scope in resource.scope_spans:
                for message in scope.spans:
                    span = span_of(service, message)
                    self.spans[span.span] = span

    def traces(self) -> dict[str, list[Span]]:
        """Spans by trace."""
        found: dict[str, list[Span]] = defaultdict(list)
        for span in list(self.spans.values()):
            found[span.trace].append(span)
        return found

    def wait(self, holds: Callable[[], bool], seconds: float = 60) -> bool:
        """Whether it holds in the end: spans come when their batch is full or a while later."""
        until = time.monotonic() + seconds
        while not holds() and time.monotonic() < until:
            time.sleep(POLL_S)
        return holds()


def attributes_of(pairs: "list[KeyValue] | object") -> dict[str, str]:
    """Attributes as text."""
    found = {}
    for pair in pairs:  # type: ignore[attr-defined]
        value = pair.value
        found[pair.key] = str(getattr(value, value.WhichOneof("value") or "string_value"))
    return found


def span_of(service: str, message: SpanMessage) -> Span:
    """A span of the protocol."""
    return Span(
        service=service,
        name=message.name,
        kind=SpanMessage.SpanKind.Name(message.kind).removeprefix("SPAN_KIND_"),
        trace=message.trace_id.hex(),
        span=message.span_id.hex(),
        parent=message.parent_span_id.hex(),
        attributes=attributes_of(message.attributes),
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in message.links),
    )
