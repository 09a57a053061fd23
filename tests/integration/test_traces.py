"""One trace from the caller through the gateway, the bus and the workers to the report; the rest is linked with it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.integration.otlp import Collector, Span

from shuanglu_stack import EmbeddedStack, StackOptions
from shuanglu_stack.sampling import client_of, sample_recording

ROOT = Path(__file__).resolve().parents[2]
THREAD = {"gateway", "media-ingest", "face-check", "asr", "quality", "report"}
SEGMENT = "process media.v1.{tenant}.{session}.segment_stored-offline"


@dataclass(frozen=True)
class Told:
    """What the collector knows of one import, and the import's thread."""

    session_id: str
    spans: dict[str, Span]
    thread: list[Span]

    def of(self, service: str, kind: str) -> list[Span]:
        return [span for span in self.thread if (span.service, span.kind) == (service, kind)]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, sample: object) -> Iterator[Told]:
    collector = Collector()
    options = StackOptions(
        data_dir=tmp_path_factory.mktemp("traced"),
        root=ROOT,
        env={"SHUANGLU_OTLP_ENDPOINT": collector.url, "SHUANGLU_TRACE_SAMPLE_RATIO": "1"},
    )
    try:
        with EmbeddedStack(options) as stack, client_of(stack) as client:
            session_id = client.wait(client.send(sample_recording(sample("clean"))).session_id).session_id  # type: ignore[operator]
            collector.wait(lambda: thread_of(collector) != [] and lone_spans(collector) == [])
        collector.wait(lambda: lone_spans(collector) == [])
        yield Told(session_id, dict(collector.spans), thread_of(collector))
    finally:
        collector.close()


def thread_of(collector: Collector) -> list[Span]:
    """The spans of the trace that all services are in; none while there is no such trace."""
    found = [spans for spans in collector.traces().values() if {span.service for span in spans} >= THREAD]
    return found[0] if found else []


def lone_spans(collector: Collector) -> list[Span]:
    """Spans whose parent, or what they are linked with, nobody has told of."""
    spans = dict(collector.spans)
    return [
        span
        for span in spans.values()
        if (span.parent and span.parent not in spans) or any(link not in spans for _, link in span.links)
    ]


def test_one_trace_with_one_root_leads_from_the_gateway_to_the_report(told: Told) -> None:
    roots = [span for span in told.thread if not span.parent]
    assert [span.service for span in roots] == ["gateway"]
    assert "ImportRecording" in roots[0].name, roots[0]
    ends = [span for span in told.of("report", "PRODUCER") if span.name.endswith(".report_ready")]
    assert len(ends) == 1, told.of("report", "PRODUCER")
    way, span = [], ends[0]
    while span.parent:
        way.append(span.service)
        span = told.spans[span.parent]
    assert span is roots[0]
    assert way[0] == "report"
    assert way[-1] == "media-ingest"


def test_no_span_hangs_in_the_air(told: Told) -> None:
    for span in told.spans.values():
        assert not span.parent or told.spans[span.parent].trace == span.trace, span
        assert all(told.spans[link].trace == trace for trace, link in span.links), span


def test_what_goes_over_the_bus_has_a_span_where_it_is_sent_and_where_it_is_worked_on(told: Told) -> None:
    for service in ("face-check", "asr", "quality", "report"):
        for span in told.of(service, "CONSUMER"):
            parent = told.spans[span.parent]
            assert span.attributes["messaging.system"] == "nats"
            assert span.attributes["messaging.operation.type"] == "process"
            assert span.attributes["messaging.consumer.group.name"].startswith(service), span
            assert span.attributes["shuanglu.session_id"] == told.session_id, span
            assert parent.kind in ("PRODUCER", "CONSUMER"), (span, parent)
    sent = {span.name for span in told.thread if span.kind == "PRODUCER"}
    assert {
        "send media.v1.{tenant}.{session}.segment_stored-offline",
        "send media.v1.{tenant}.{session}.track_stored-offline",
        "send media.v1.{tenant}.{session}.recording_completed",
        "send observation.v1.{tenant}.{session}.faces_observed",
        "send observation.v1.{tenant}.{session}.speech_found",
        "send report.v1.{tenant}.{session}.report_ready",
    } <= sent, sorted(sent)


def test_segments_are_looked_at_in_traces_of_their_own_that_are_linked_with_the_thread(told: Told) -> None:
    thread = told.thread[0].trace
    looked_at = [span for span in told.spans.values() if (span.service, span.name) == ("face-check", SEGMENT)]
    inside = [span for span in looked_at if span.trace == thread]
    alone = [span for span in looked_at if span.trace != thread]
    tracks = [span for span in told.of("asr", "CONSUMER") if span.name.endswith(".track_stored-offline")]
    assert 1 <= len(inside) <= len(tracks), inside
    assert len(alone) > 3 * len(inside)
    assert len({span.trace for span in alone}) == len(alone)
    for span in alone:
        assert not span.parent
        assert [trace for trace, _ in span.links] == [thread], span


def test_a_verdict_is_linked_with_the_work_that_brought_it_about(told: Told) -> None:
    build = next(span for span in told.of("report", "CONSUMER") if span.name.endswith(".verdict_reached"))
    sent = [span for span in told.spans.values() if span.name.endswith(".verdict_reached") and span.kind == "PRODUCER"]
    assert len(sent) == 1
    assert build.parent == sent[0].span or sent[0].span in [link for _, link in build.links]


def test_names_of_spans_hold_no_ids(told: Told) -> None:
    assert not [span.name for span in told.spans.values() if told.session_id in span.name]
    assert len({span.name for span in told.spans.values()}) < 100
