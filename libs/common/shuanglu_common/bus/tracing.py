"""Spans of events (docs/adr/0018-observability.md).

A session has one trace, its thread: from the call that brought the recording in, over the first segment and window of
each track, to the report. What there are thousands of, such as all other segments, is looked at in traces of their own
that are linked with where they come from, so that the thread stays readable. Messages of such work also name the
thread: what follows from it for the whole session, such as the verdict, is in the thread again.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from google.protobuf.message import Message
from opentelemetry import trace
from opentelemetry.context import Context, create_key, get_current, get_value, set_value
from opentelemetry.trace import Link, SpanContext, SpanKind
from opentelemetry.util.types import AttributeValue

from shuanglu.media.v1.media_events_pb2 import SegmentStored
from shuanglu.observation.v1.observations_pb2 import FacesObserved, SpeechTranscribed, WindowFound
from shuanglu.quality.v1.quality_events_pb2 import InspectionProgressed
from shuanglu_common.bus.events import Event
from shuanglu_common.bus.subjects import owner_of
from shuanglu_common.telemetry import TRACE_PARENT, attached, extract, spanning, text_of

THREAD_HEADER = "shuanglu-thread"
_THREAD = create_key("shuanglu-thread")
# A batch has at most so many; the SDK would keep no more.
MOST_LINKS = 128


def stands_alone(payload: Message) -> bool:
    """Whether work on an event has a trace of its own: a session may have thousands.

    The first of each track has not: it shows the way.
    """
    match payload:
        case SegmentStored():
            return bool(payload.segment.index > 1)
        case FacesObserved():
            return bool(payload.segment_index > 1)
        case WindowFound() | SpeechTranscribed():
            return bool(payload.window_index > 0)
        case InspectionProgressed():
            return True
    return False


def template(subject: str) -> str:
    """A subject without ids, for names of spans."""
    parts = subject.split(".")
    tenant, session_id = owner_of(subject)
    if not tenant or not session_id:
        return parts[0]
    return f"{parts[-5]}.{parts[-4]}.{{tenant}}.{{session}}.{parts[-1]}"


def carried(context: Context | None = None) -> dict[str, str]:
    """Headers that bring a context, the current one unless told, to the consumers of an event; none outside a trace."""
    span = trace.get_current_span(context).get_span_context()
    if not span.is_valid:
        return {}
    thread = get_value(_THREAD, context)
    named = {THREAD_HEADER: text_of(thread)} if isinstance(thread, SpanContext) else {}
    return {TRACE_PARENT: text_of(span), **named}


def at(span: SpanContext) -> Context:
    """A context whose span this is."""
    return trace.set_span_in_context(trace.NonRecordingSpan(span), Context())


def span_of(context: Context) -> SpanContext:
    """The span of a context; maybe not a valid one."""
    return trace.get_current_span(context).get_span_context()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a message comes from: the span that sent it, and the thread of its session, often the same."""

    sender: SpanContext
    thread: SpanContext

    @staticmethod
    def of(headers: Mapping[str, str] | None) -> "Origin":
        """As its headers say."""
        if not headers or TRACE_PARENT not in headers:
            return NOWHERE
        sender = span_of(extract(headers))
        named = headers.get(THREAD_HEADER)
        thread = span_of(extract({TRACE_PARENT: named})) if named else sender
        return Origin(sender, thread if thread.is_valid else sender)

    @property
    def context(self) -> Context:
        """The sender's context again."""
        return at(self.sender) if self.thread == self.sender else set_value(_THREAD, self.thread, at(self.sender))


NOWHERE = Origin(trace.INVALID_SPAN_CONTEXT, trace.INVALID_SPAN_CONTEXT)


def described(operation: str, subject: str, tenant: str, session_id: str) -> dict[str, AttributeValue]:
    """Attributes of the semantic conventions for messaging, and whose message it is."""
    return {
        "messaging.system": "nats",
        "messaging.operation.type": operation,
        "messaging.operation.name": operation,
        "messaging.destination.template": template(subject),
        "shuanglu.tenant": tenant,
        "shuanglu.session_id": session_id,
    }


@contextmanager
def sending(
    subject: str, event_id: str, headers: Mapping[str, str] | None = None, *, alone: bool = False
) -> Iterator[dict[str, str]]:
    """A span around the sending of a message; gives the headers to send it with.

    `headers`: the context that an outbox kept; None for the current one. `alone`: the event stands alone, and would
    fill its thread with spans. There is no span outside a trace, nor in one that is not kept.
    """
    context = get_current() if headers is None else Origin.of(headers).context
    parent = span_of(context)
    in_thread = get_value(_THREAD, context) is None
    if not parent.is_valid or not parent.trace_flags.sampled or (alone and in_thread):
        yield carried(context)
        return
    attributes = described("send", subject, *owner_of(subject)) | {"messaging.message.id": event_id}
    with spanning(f"send {template(subject)}", context, SpanKind.PRODUCER, attributes) as span:
        yield carried(trace.set_span_in_context(span, context))


@contextmanager
def processing(
    durable: str, subject: str, arrived: Sequence[tuple[Mapping[str, str] | None, Event[Message]]]
) -> Iterator[None]:
    """A span around the work on messages of one session.

    In the thread, if any of them is, else in a trace of its own; linked with whatever is not its parent.
    """
    origins = [Origin.of(headers) for headers, _ in arrived]
    known = [origin for origin in origins if origin.sender.is_valid]
    inside = next(
        (
            origin
            for origin, (_, event) in zip(origins, arrived, strict=True)
            if origin.sender.is_valid and not stands_alone(event.payload)
        ),
        None,
    )
    thread = None if inside is not None or not known else known[-1].thread
    parent = inside.thread if inside is not None else None
    if known and not any(origin.sender.trace_flags.sampled for origin in known):
        # Not kept: its ids travel on, and there is no span.
        with attached(at(inside.thread) if inside is not None else known[-1].context):
            yield
        return
    with (
        attached(set_value(_THREAD, thread)),
        spanning(
            f"process {template(subject)}",
            at(parent) if parent is not None else Context(),
            SpanKind.CONSUMER,
            consumed(durable, subject, arrived),
            [Link(origin.sender) for origin in known if origin.sender != parent][:MOST_LINKS],
        ),
    ):
        yield


def consumed(
    durable: str, subject: str, arrived: Sequence[tuple[Mapping[str, str] | None, Event[Message]]]
) -> dict[str, AttributeValue]:
    """Attributes of a consumer's span."""
    first = arrived[0][1]
    attributes = described("process", subject, first.tenant, first.session_id) | {
        "messaging.consumer.group.name": durable
    }
    if len(arrived) == 1:
        attributes["messaging.message.id"] = first.event_id
    else:
        attributes["messaging.batch.message_count"] = len(arrived)
    return attributes
