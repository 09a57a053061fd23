"""Wiring: settings, models, store, subscription."""

from shuanglu.media.v1.media_events_pb2 import SegmentStored
from shuanglu_common.app import App, run_service
from shuanglu_common.bus.subscription import Subscription
from shuanglu_common.worker_metrics import observed
from shuanglu_face_check.census import Census
from shuanglu_face_check.eyes import CellEyes, eyes_cell
from shuanglu_face_check.handlers import FaceCheck
from shuanglu_face_check.segments import SegmentReader
from shuanglu_face_check.settings import FaceCheckSettings
from shuanglu_face_check.templates import TemplateKeeper

NAME = "face-check"


async def build(app: App[FaceCheckSettings]) -> None:
    """Without its models the worker stays up, says that it is not ready, and leaves the work to others."""
    settings = app.settings
    models = eyes_cell(settings)
    app.background("models", models.keep)
    app.ready_when("models", models.ready)
    app.on_close(models.close)
    eyes = CellEyes(models)
    segments = SegmentReader(app.store())
    ttl_s = settings.face_check_template_ttl_s
    census = Census(app.nats, ttl_s, settings.nats_replicas)
    app.background("stored-faces", census.watch)
    templates = TemplateKeeper(app.sealed_store(), segments, eyes, app.clock, ttl_s, census.note)
    handlers = FaceCheck(segments, templates, eyes)
    for lane in settings.lanes:
        app.consume(
            Subscription(
                durable=f"{NAME}-{lane}",
                handlers={SegmentStored: handlers.segment_stored},
                in_hand=settings.face_check_in_hand,
                lanes=(lane,),
                followed=observed(NAME, lane, app.clock),
            ),
            gate=models.gate,
        )


def main() -> None:
    """Entry point."""
    run_service(NAME, FaceCheckSettings, build)


if __name__ == "__main__":
    main()
