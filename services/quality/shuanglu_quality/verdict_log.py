"""Verdicts as they stand on the bus, stream QUALITY: for looking back, not for judging."""

import json
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from shuanglu.quality.v1.quality_events_pb2 import VerdictReached
from shuanglu_common.bus.events import Event, decode
from shuanglu_common.bus.subjects import STREAMS, Stream, event_type, owner_of, subject
from shuanglu_common.errors import ShuangluError
from shuanglu_quality.errors import FoldsUnavailable

REMEMBERED_S = next(spec.max_age_s for spec in STREAMS if spec.stream == Stream.QUALITY)
MAX_REPEATS = 100


@dataclass(frozen=True, slots=True)
class Reached:
    """A verdict and when it was told."""

    verdict: VerdictReached
    at_us: int


class VerdictLog:
    """All methods raise FoldsUnavailable when the bus is away."""

    def __init__(self, jetstream: JetStreamContext) -> None:
        """`jetstream`: of the bus that has the stream."""
        self._jetstream = jetstream

    async def sessions(self, tenant: str, session_id: str = "*") -> dict[str, int]:
        """Sessions with a verdict that the bus remembers, and how often it was told; one session, or all."""
        found: dict[str, int] = {}
        wanted = subject(event_type(VerdictReached), tenant, "x").replace(".x.", f".{session_id}.")
        while True:
            request = json.dumps({"subjects_filter": wanted, "offset": len(found)})
            try:
                answer = await self._jetstream._nc.request(  # noqa: SLF001 - nats-py does not page
                    f"$JS.API.STREAM.INFO.{Stream.QUALITY}", request.encode(), timeout=10
                )
            except (NatsError, OSError, TimeoutError) as error:
                raise FoldsUnavailable(f"verdicts: {type(error).__name__}") from error
            page = json.loads(answer.data).get("state", {}).get("subjects") or {}
            if not page:
                return found
            found |= {owner_of(name)[1]: count for name, count in page.items()}

    async def told(self, tenant: str, session_id: str) -> list[Reached]:
        """Every time the session's verdict was told, oldest first; what cannot be read is left out."""
        wanted = subject(event_type(VerdictReached), tenant, session_id)
        found: list[Reached] = []
        sequence = 1
        try:
            while len(found) < MAX_REPEATS:
                message = await self._jetstream.get_msg(Stream.QUALITY, seq=sequence, subject=wanted, next=True)
                sequence = (message.seq or sequence) + 1
                try:
                    event: Event[VerdictReached] = decode(message.data or b"")  # type: ignore[assignment]
                except (ShuangluError, DecodeError):
                    continue
                found.append(Reached(event.payload, event.occurred_at_us))
        except NotFoundError:
            return found
        except (NatsError, OSError, TimeoutError) as error:
            raise FoldsUnavailable(f"verdicts: {type(error).__name__}") from error
        return found
