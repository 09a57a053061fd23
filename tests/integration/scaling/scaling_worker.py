"""A light worker of a pool: the real runner on the pool's real consumer, and a model that only takes its time.

    python scaling_worker.py NATS_URL LANE SECONDS_PER_EVENT

Ends with 0 after SIGTERM, when what it has in hand is done or given back.
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

STOP_S = 20


async def work(url: str, lane: Lane, seconds_per_event: float) -> None:
    """Until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)

    async def look(event: Event[SegmentStored]) -> Sequence[NewEvent]:
        await asyncio.sleep(seconds_per_event)
        index = event.payload.segment.index
        observed = FacesObserved(track_id="customer-video", segment_index=index)
        return [NewEvent(event.tenant, event.session_id, observed, str(index))]

    client = await nats.connect(url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
    wanted = Subscription(f"face-check-{lane}", {SegmentStored: look}, lanes=(lane,))
    await Runner(Bus(client, "face-check", SystemClock()), wanted, STOP_S).run(stopping)
    # What was acknowledged must have left before the connection ends.
    await client.drain()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], Lane(sys.argv[2]), float(sys.argv[3])))
