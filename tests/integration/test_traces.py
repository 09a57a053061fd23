"""One trace from the caller through the gateway, the bus and the workers to the report."""

import http.server
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from shuanglu_stack import EmbeddedStack
from shuanglu_stack.sampling import client_of, sample_recording

THREAD = {"gateway", "media-ingest", "face-check", "asr", "quality", "report"}


class Collector:
    """Takes spans by OTLP over HTTP, as a real collector does, and remembers which services are in which trace."""

    def __init__(self) -> None:
        self.services: dict[bytes, set[str]] = defaultdict(set)
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

    def take(self, request: ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            name = next(a.value.string_value for a in resource.resource.attributes if a.key == "service.name")
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.services[span.trace_id].add(name)


@pytest.fixture
def collector() -> Iterator[Collector]:
    running = Collector()
    yield running
    running.server.shutdown()
    running.server.server_close()


def test_one_trace_leads_from_the_import_to_the_report(
    own_stack: Callable[..., EmbeddedStack], sample: Callable[[str], Path], collector: Collector
) -> None:
    stack = own_stack(env={"SHUANGLU_OTLP_ENDPOINT": collector.url})
    with client_of(stack) as client:
        client.wait(client.send(sample_recording(sample("clean"))).session_id)
    stack.stop()  # what is not yet exported is, at the end
    assert any(services >= THREAD for services in collector.services.values()), dict(collector.services).values()
