"""How far the workers are whose observations the folds wait for. Positions are sequences of the worker's stream."""

from dataclasses import dataclass

from google.protobuf.message import Message
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from shuanglu.media.v1.media_events_pb2 import SegmentStored, TrackStored
from shuanglu.observation.v1.observations_pb2 import WindowFound
from shuanglu_common.bus.subjects import LANES, Lane, event_type, subject
from shuanglu_common.clock import Clock
from shuanglu_quality.errors import FoldsUnavailable
from shuanglu_quality.folds import Session


@dataclass(frozen=True, slots=True)
class Worker:
    """A durable consumer and the events that it turns into observations."""

    name: str
    takes: type[Message]
    lane: Lane

    @property
    def durable(self) -> str:
        """Its name on the bus."""
        return f"{self.name}-{self.lane}"


TAKES: tuple[tuple[str, type[Message]], ...] = (
    ("face-check", SegmentStored),
    ("asr-tracks", TrackStored),
    ("asr-windows", WindowFound),
)
WORKERS = tuple(Worker(name, takes, lane) for lane in LANES for name, takes in TAKES)


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything up to `floor` is done; so it stands since `since_us`. An idle worker has nothing before it."""

    floor: int
    idle: bool
    since_us: int


class NatsWorkers:
    """See folds.Workers. Who has work and has finished none of it for a while counts as missing."""

    def __init__(self, jetstream: JetStreamContext, clock: Clock, missing_after_s: float) -> None:
        """`clock` must not jump."""
        self._jetstream = jetstream
        self._clock = clock
        self._missing_after_us = round(missing_after_s * 1e6)
        self._standings: dict[str, Standing] = {}

    async def look(self) -> None:
        """See Workers."""
        for worker in WORKERS:
            floor, idle = await self._floor(worker)
            before = self._standings.get(worker.durable)
            now = self._clock.now_us()
            stands = before is not None and not (before.idle or idle) and before.floor == floor
            since_us = before.since_us if before and stands else now
            self._standings[worker.durable] = Standing(floor, idle, since_us)

    async def may_still_come(self, session: Session) -> bool:
        """See Workers."""
        for worker in WORKERS:
            standing = self._standings.get(worker.durable)
            if standing is None or standing.idle or self._is_missing(standing):
                continue
            if standing.floor < await self._last(worker, session):
                return True
        return False

    def _is_missing(self, standing: Standing) -> bool:
        return self._clock.now_us() - standing.since_us >= self._missing_after_us

    async def _floor(self, worker: Worker) -> tuple[int, bool]:
        """Position up to which all is done, and whether nothing is to do. A consumer that is not there did nothing."""
        try:
            info = await self._jetstream.consumer_info(event_type(worker.takes).stream, worker.durable)
        except NotFoundError:
            return 0, False
        except (NatsError, OSError, TimeoutError) as error:
            raise FoldsUnavailable(f"consumers: {type(error).__name__}") from error
        floor = info.ack_floor.stream_seq if info.ack_floor else 0
        return floor, not (info.num_pending or info.num_ack_pending)

    async def _last(self, worker: Worker, session: Session) -> int:
        """Position of the session's last event for a worker; 0 if it has none."""
        kind = event_type(worker.takes)
        try:
            message = await self._jetstream.get_last_msg(kind.stream, subject(kind, *session, worker.lane))
        except NotFoundError:
            return 0
        except (NatsError, OSError, TimeoutError) as error:
            raise FoldsUnavailable(f"streams: {type(error).__name__}") from error
        return message.seq or 0
