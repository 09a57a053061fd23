"""Wiring of the live door: one beside each media server, on the same disk. Needs neither bus nor database to record.

`python -m shuanglu_media_ingest.live drain` takes the node out of service: draining.py.
"""

import asyncio
import sys
import time

from shuanglu.media.v1.recorder_service_pb2_grpc import add_RecorderServiceServicer_to_server
from shuanglu_common.app import App, run_service
from shuanglu_common.settings import WrongSetting
from shuanglu_media_ingest.live.clock import RecorderClock
from shuanglu_media_ingest.live.desk import Manners, Recorder
from shuanglu_media_ingest.live.draining import Draining, drain_command
from shuanglu_media_ingest.live.photo import IdPhotos
from shuanglu_media_ingest.live.proof import Proof
from shuanglu_media_ingest.live.rpc import RecorderRpc
from shuanglu_media_ingest.live.session import Means
from shuanglu_media_ingest.live.settings import LiveSettings
from shuanglu_media_ingest.live.spool import LiveSpool
from shuanglu_media_ingest.live.storing import StorePool
from shuanglu_media_ingest.live.tail import Budget
from shuanglu_media_ingest.memory import keep_little

NAME = "media-ingest"
MIB = 1 << 20
# The recorder before this one may take so long to end.
LOCK_TIMEOUT_S = 30.0


async def build(app: App[LiveSettings]) -> None:
    """Puts the parts together."""
    settings = app.settings
    spool = LiveSpool(settings.live_spool_dir)
    await take(spool)
    clock = RecorderClock(spool.root / "clock.json")
    store = app.store()
    pool = StorePool(store, asyncio.Semaphore(settings.live_uploads), clock)
    means = Means(
        clock=clock,
        pool=pool,
        publish=app.publish_if_connected,
        photos=IdPhotos(store),
        budget=Budget(settings.live_in_hand_mib * MIB),
        segment_ms=settings.live_segment_ms,
    )
    manners = Manners(
        poll_s=settings.live_poll_ms / 1000,
        keep_s=settings.live_spool_keep_s,
        min_free_bytes=settings.live_min_free_bytes,
        alarm_free_bytes=settings.live_alarm_free_bytes,
        max_recordings=settings.live_max_recordings,
    )
    recorder = Recorder(spool, means, manners)
    recorder.load()
    app.background("recorder", recorder.run)
    app.background("tidy", recorder.tidy)
    app.background("draining", Draining(recorder).run)
    proof = Proof(recorder, settings.live_alarm_unconfirmed_s, settings.live_zone)
    app.background("proof", proof.measure)
    rpc = RecorderRpc(recorder, proof)
    app.serve_grpc(lambda server: add_RecorderServiceServicer_to_server(rpc, server))

    async def spool_is_writable() -> bool:
        return spool.is_writable()

    app.ready_when("spool", spool_is_writable)
    app.strained_when_true("store", lambda: pool.failing_since is not None)
    app.strained_when_true("disk", lambda: spool.free_bytes() < settings.live_alarm_free_bytes)


async def take(spool: LiveSpool) -> None:
    """Waits for a recorder that is ending. Raises WrongSetting if the spool stays somebody else's or cannot be used."""
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    try:
        while not spool.take():
            if time.monotonic() > deadline:
                raise WrongSetting("SHUANGLU_LIVE_SPOOL_DIR is in use by another recorder")
            await asyncio.sleep(0.1)
    except OSError as error:
        raise WrongSetting(f"wrong setting SHUANGLU_LIVE_SPOOL_DIR: {error}") from error


def main() -> None:
    """Entry point."""
    if sys.argv[1:2] == ["drain"]:
        raise SystemExit(drain_command(sys.argv[2:]))
    keep_little()
    run_service(NAME, LiveSettings, build, needs_bus=False)


if __name__ == "__main__":
    main()
