"""A worker of the scaling test: the real runner and consumer, and work that is only waited for.

`python -m tests.integration.scaling.worker URL LANE SECONDS`; SIGTERM ends it with the message in hand.
"""

import asyncio
import signal
import sys
from collections.abc import Sequence

import nats

from shuanglu.media.v1.media_events_pb2 import SegmentStored
from shuanglu.observation.v1.observations_pb2 import FacesObserved
from shuanglu_common.bus.bus import Bus
from shuanglu_common.bus.events import Event, NewEvent
from shuanglu_common.bus.runner import Runner
from shuanglu_common.bus.subjects import Lane
from shuanglu_common.bus.subscription import Subscription
from shuanglu_common.clock import SystemClock


async def main(url: str, lane: Lane, seconds: float) -> None:
    """Until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    client = await nats.connect(url)
    bus = Bus(client, "face-check", SystemClock())

    async def look(event: Event[SegmentStored]) -> Sequence[NewEvent]:
        await asyncio.sleep(seconds)
        return [NewEvent(event.tenant, event.session_id, FacesObserved(), event.event_id)]

    wanted = Subscription(f"face-check-{lane}", {SegmentStored: look}, lanes=(lane,))
    await Runner(bus, wanted, stop_timeout_s=10).run(stopping)
    await client.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Lane(sys.argv[2]), float(sys.argv[3])))
