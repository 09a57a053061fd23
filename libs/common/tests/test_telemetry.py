"""Spans: which are kept, how those of the bus hang together, and that a collector that is away costs nothing."""

import threading
import time
from collections.abc import Iterator, Sequence

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY

from shuanglu.media.v1.media_events_pb2 import RecordingCompleted, SegmentStored
from shuanglu.quality.v1.quality_events_pb2 import VerdictReached
from shuanglu_common import telemetry
from shuanglu_common.bus.events import Event, NewEvent, decode
from shuanglu_common.bus.tracing import THREAD_HEADER, processing, sending, template
from shuanglu_common.telemetry import TRACE_PARENT, BoundedProcessor, FollowingSampler, spanning

KEPT = f"00-{'ab' * 16}-{'cd' * 8}-01"
NOT_KEPT = f"00-{'ab' * 16}-{'cd' * 8}-00"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Spans of a tracer with the sampler of a service that begins no traces by chance."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=FollowingSampler(0))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    monkeypatch.setattr(telemetry, "tracer", lambda: tracer)
    yield exporter
    provider.shutdown()


def event_of(payload: SegmentStored | RecordingCompleted | VerdictReached) -> Event:  # type: ignore[type-arg]
    return decode(NewEvent("bank", "s1", payload, "k").envelope("test", 1))


def segment(index: int) -> Event:  # type: ignore[type-arg]
    stored = SegmentStored()
    stored.segment.index = index
    return event_of(stored)


SUBJECT = "media.v1.bank.s1.segment_stored"


def test_the_first_segment_is_in_the_thread(spans: InMemorySpanExporter):
    with processing("face-check-live", SUBJECT, [({TRACE_PARENT: KEPT}, segment(1))]):
        pass
    (span,) = spans.get_finished_spans()
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "cd" * 8
    assert not span.links


def test_any_other_segment_has_a_trace_of_its_own_and_its_news_name_the_thread(spans: InMemorySpanExporter):
    with (
        processing("face-check-live", SUBJECT, [({TRACE_PARENT: KEPT}, segment(2))]),
        sending("observation.v1.bank.s1.faces_observed", "e1") as headers,
    ):
        pass
    sent, worked = spans.get_finished_spans()
    assert worked.parent is None
    assert [f"{link.context.span_id:016x}" for link in worked.links] == ["cd" * 8]
    assert sent.parent == worked.context
    assert headers[TRACE_PARENT] == telemetry.text_of(sent.context)
    assert headers[THREAD_HEADER] == KEPT


def test_what_such_work_brings_about_for_the_session_is_in_the_thread_again(spans: InMemorySpanExporter):
    headers = {TRACE_PARENT: f"00-{'12' * 16}-{'34' * 8}-01", THREAD_HEADER: KEPT}
    with processing("report-build", "quality.v1.bank.s1.verdict_reached", [(headers, event_of(VerdictReached()))]):
        pass
    (span,) = spans.get_finished_spans()
    assert span.parent is not None
    assert f"{span.parent.trace_id:032x}" == "ab" * 16
    assert [f"{link.context.span_id:016x}" for link in span.links] == ["34" * 8]


def test_a_batch_is_in_the_thread_if_one_of_its_events_is(spans: InMemorySpanExporter):
    apart = {TRACE_PARENT: f"00-{'12' * 16}-{'34' * 8}-01", THREAD_HEADER: KEPT}
    arrived = [(apart, segment(7)), ({TRACE_PARENT: KEPT}, event_of(RecordingCompleted())), (None, segment(8))]
    with processing("quality-fold-0", "FOLDS", arrived):
        pass
    (span,) = spans.get_finished_spans()
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "cd" * 8
    assert [f"{link.context.span_id:016x}" for link in span.links] == ["34" * 8]
    assert (span.attributes or {})["messaging.batch.message_count"] == 3


@pytest.mark.parametrize("index", [1, 2])
def test_a_trace_that_is_not_kept_leaves_no_span_and_keeps_its_ids(spans: InMemorySpanExporter, index: int):
    with (
        processing("face-check-live", SUBJECT, [({TRACE_PARENT: NOT_KEPT}, segment(index))]),
        sending("observation.v1.bank.s1.faces_observed", "e1") as headers,
    ):
        assert trace.get_current_span().get_span_context().trace_id == int("ab" * 16, 16)
    assert not spans.get_finished_spans()
    assert headers[TRACE_PARENT] == NOT_KEPT


def test_news_of_segments_do_not_fill_the_thread(spans: InMemorySpanExporter):
    with sending(SUBJECT, "e1", {TRACE_PARENT: KEPT}, alone=True) as headers:
        pass
    assert not spans.get_finished_spans()
    assert headers == {TRACE_PARENT: KEPT}


@pytest.mark.parametrize("headers", [{}, {TRACE_PARENT: "00-nonsense"}, {TRACE_PARENT: "", THREAD_HEADER: KEPT}])
def test_headers_that_name_no_span_are_as_good_as_none(spans: InMemorySpanExporter, headers: dict[str, str]):
    with processing("d", SUBJECT, [(headers, segment(1))]), sending(SUBJECT, "e1", headers) as given:
        assert given == {}
    assert not spans.get_finished_spans()


def test_a_span_tells_the_kind_of_an_error_and_not_its_text(spans: InMemorySpanExporter):
    context = telemetry.extract({TRACE_PARENT: KEPT})
    with pytest.raises(ValueError, match="Wang"), spanning("work", context):
        raise ValueError("the customer is called Wang")
    (span,) = spans.get_finished_spans()
    assert (span.attributes or {})["error.type"] == "ValueError"
    assert "Wang" not in span.to_json()


def test_names_of_subjects_have_no_ids():
    assert template("media.v1.bank.01ab.segment_stored") == "media.v1.{tenant}.{session}.segment_stored"
    assert template("fold.3.media.v1.bank.01ab.track_stored") == "media.v1.{tenant}.{session}.track_stored"
    assert template("FOLDS") == "FOLDS"


class Stuck(SpanExporter):
    """A collector that does not answer until it is told to stop."""

    def __init__(self) -> None:
        self.asked, self.stopped = threading.Event(), threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.asked.set()
        self.stopped.wait(60)
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self.stopped.set()


def dropped(cause: str) -> float:
    return REGISTRY.get_sample_value("shuanglu_trace_spans_dropped_total", {"cause": cause}) or 0


def test_a_collector_that_hangs_costs_spans_and_nothing_else(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(telemetry, "LAST_WORD_S", 0.2)
    before = {cause: dropped(cause) for cause in ("queue", "collector")}
    stuck = Stuck()
    provider = TracerProvider()
    provider.add_span_processor(BoundedProcessor(stuck, queue_spans=8))
    tracer = provider.get_tracer("test")
    for _ in range(8):
        tracer.start_span("early").end()
    assert stuck.asked.wait(10)
    for _ in range(20):
        tracer.start_span("late").end()
    assert dropped("queue") - before["queue"] == 12
    started = time.monotonic()
    provider.shutdown()
    assert time.monotonic() - started < 20
    assert dropped("collector") - before["collector"] >= 8


def test_metadata_of_a_call_names_the_running_span(spans: InMemorySpanExporter):
    assert telemetry.inject() == {}
    with spanning("work", telemetry.extract({TRACE_PARENT: KEPT})) as span:
        assert telemetry.inject() == {TRACE_PARENT: telemetry.text_of(span.get_span_context())}
