"""Wiring: settings, models, store, subscription."""

import asyncio

import structlog

from shuanglu.media.v1.media_events_pb2 import SegmentStored
from shuanglu_common.app import App, run_service
from shuanglu_common.bus.subscription import Subscription
from shuanglu_common.model_files import ModelUnusable
from shuanglu_face_check.handlers import FaceCheck
from shuanglu_face_check.metrics import FAILURES
from shuanglu_face_check.segments import SegmentReader
from shuanglu_face_check.settings import FaceCheckSettings
from shuanglu_face_check.templates import TemplateKeeper
from shuanglu_face_check.worker import Worker, open_worker

NAME = "face-check"

log = structlog.get_logger()


async def build(app: App[FaceCheckSettings]) -> None:
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
    segments = SegmentReader(app.store())
    ttl_s = app.settings.face_check_template_ttl_s
    templates = TemplateKeeper(app.sealed_store(), segments, worker, app.clock, ttl_s)
    handlers = FaceCheck(segments, templates, worker)
    app.consume(
        Subscription(
            durable=NAME,
            handlers={SegmentStored: handlers.segment_stored},
            in_hand=app.settings.face_check_in_hand,
        )
    )


def main() -> None:
    """Entry point."""
    run_service(NAME, FaceCheckSettings, build)


if __name__ == "__main__":
    main()
