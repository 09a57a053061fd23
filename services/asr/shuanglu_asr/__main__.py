"""Wiring: settings, models, store, subscriptions."""

from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu.observation.v1.observations_pb2 import WindowFound
from shuanglu_asr.ears import CellEars, ears_cell
from shuanglu_asr.handlers import Asr
from shuanglu_asr.settings import AsrSettings
from shuanglu_common.app import App, run_service
from shuanglu_common.bus.subscription import Subscription
from shuanglu_common.worker_metrics import observed

NAME = "asr"


async def build(app: App[AsrSettings]) -> None:
    """Without its models the worker stays up, says that it is not ready, and leaves the work to others."""
    settings = app.settings
    models = ears_cell(settings)
    app.background("models", models.keep)
    app.ready_when("models", models.ready)
    app.on_close(models.close)
    handlers = Asr(app.store(), app.sealed_store(), CellEars(models), app.bus.publish)
    for lane in settings.lanes:
        app.consume(
            Subscription(
                durable=f"{NAME}-tracks-{lane}",
                handlers={TrackStored: handlers.track_stored},
                in_hand=settings.asr_tracks_in_hand,
                lanes=(lane,),
                followed=observed(f"{NAME}-tracks", lane, app.clock),
            ),
            gate=models.gate,
        )
        app.consume(
            Subscription(
                durable=f"{NAME}-windows-{lane}",
                handlers={WindowFound: handlers.window_found},
                in_hand=settings.asr_windows_in_hand,
                lanes=(lane,),
                followed=observed(f"{NAME}-windows", lane, app.clock),
            ),
            gate=models.gate,
        )


def main() -> None:
    """Entry point."""
    run_service(NAME, AsrSettings, build)


if __name__ == "__main__":
    main()
