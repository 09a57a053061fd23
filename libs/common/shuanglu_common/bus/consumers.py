"""The one table of durable consumers: who must be there to take what. `shuanglu doctor` compares the bus with it."""

from dataclasses import dataclass

from google.protobuf.message import Message

from shuanglu.media.v1.media_events_pb2 import SegmentStored, TrackStored
from shuanglu.observation.v1.observations_pb2 import WindowFound
from shuanglu_common.bus.dead_letter import KEEPER
from shuanglu_common.bus.subjects import LANES, PARTITIONS, Stream, event_type, filter_subject


@dataclass(frozen=True, slots=True)
class ConsumerSpec:
    """A durable consumer and the service that drains it.

    `filters`: what it takes, where it must be there before its service: pools that scale from zero are woken by what
    waits in it. Empty for the others, which their services make.
    """

    service: str
    stream: Stream
    durable: str
    filters: tuple[str, ...] = ()


def pool(service: str, name: str, takes: type[Message]) -> tuple[ConsumerSpec, ...]:
    """The consumers of a kind of workers, one for each lane."""
    stream = event_type(takes).stream
    return tuple(ConsumerSpec(service, stream, f"{name}-{lane}", (filter_subject(takes, lane),)) for lane in LANES)


CONSUMERS = (
    ConsumerSpec("signaling", Stream.MEDIA, "signaling-media"),
    ConsumerSpec("signaling", Stream.REPORTS, "signaling-reports"),
    *pool("face-check", "face-check", SegmentStored),
    *pool("asr", "asr-tracks", TrackStored),
    *pool("asr", "asr-windows", WindowFound),
    *(ConsumerSpec("quality", Stream.FOLDS, f"quality-fold-{number}") for number in range(PARTITIONS)),
    ConsumerSpec("quality", Stream.ADVISORIES, KEEPER),
    ConsumerSpec("report", Stream.MEDIA, "report-tracks"),
    ConsumerSpec("report", Stream.QUALITY, "report-build"),
)
