"""The one table of durable consumers: who must be there to take what. `shuanglu doctor` compares the bus with it."""

from dataclasses import dataclass

from shuanglu_common.bus.dead_letter import KEEPER
from shuanglu_common.bus.subjects import PARTITIONS, Stream


@dataclass(frozen=True, slots=True)
class ConsumerSpec:
    """A durable consumer and the service that drains it."""

    service: str
    stream: Stream
    durable: str


CONSUMERS = (
    ConsumerSpec("signaling", Stream.MEDIA, "signaling-media"),
    ConsumerSpec("signaling", Stream.REPORTS, "signaling-reports"),
    ConsumerSpec("face-check", Stream.MEDIA, "face-check"),
    ConsumerSpec("asr", Stream.MEDIA, "asr-tracks"),
    ConsumerSpec("asr", Stream.OBSERVATIONS, "asr-windows"),
    *(ConsumerSpec("quality", Stream.FOLDS, f"quality-fold-{number}") for number in range(PARTITIONS)),
    ConsumerSpec("quality", Stream.ADVISORIES, KEEPER),
    ConsumerSpec("report", Stream.MEDIA, "report-tracks"),
    ConsumerSpec("report", Stream.QUALITY, "report-build"),
)
