"""Wiring: settings, models, store, subscriptions."""

import asyncio

import structlog

from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu.observation.v1.observations_pb2 import WindowFound
from shuanglu_asr.handlers import Asr
from shuanglu_asr.metrics import FAILURES
from shuanglu_asr.settings import AsrSettings
from shuanglu_asr.worker import Worker, open_worker
from shuanglu_common.app import App, run_service
from shuanglu_common.bus.subscription import Subscription
from shuanglu_common.model_files import ModelUnusable

NAME = "asr"

log = structlog.get_logger()


async def build(app: App[AsrSettings]) -> None:
    """Without its models the worker stays up, says that it is not ready, and leaves the work to others."""
    worker: Worker | None = None
    try:
        worker = await asyncio.to_thread(open_worker, app.settings)
    except ModelUnusable as error:
        log.error("models.unusable", reason=error.reason, help=error.diagnostics())
        FAILURES.labels(error.reason).inc()

    async def models_ready() -> bool:
        return worker is not None

    app.ready_when("models", models_ready)
    if worker is None:
        return
    handlers = Asr(app.store(), app.sealed_store(), worker)
    app.consume(
        Subscription(
            durable=f"{NAME}-tracks",
            handlers={TrackStored: handlers.track_stored},
            in_hand=app.settings.asr_tracks_in_hand,
        )
    )
    app.consume(
        Subscription(
            durable=f"{NAME}-windows",
            handlers={WindowFound: handlers.window_found},
            in_hand=app.settings.asr_windows_in_hand,
        )
    )


def main() -> None:
    """Entry point."""
    run_service(NAME, AsrSettings, build)


if __name__ == "__main__":
    main()
