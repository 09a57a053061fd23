"""Wiring: the upload door, ImportService and the import worker share one spool, so they share one process."""

from shuanglu.media.v1.import_service_pb2_grpc import add_ImportServiceServicer_to_server
from shuanglu.media.v1.media_events_pb2 import ImportRequested
from shuanglu_common.app import App, run_service
from shuanglu_common.bus.subscription import Subscription
from shuanglu_media_ingest.door import Limits, UploadDoor
from shuanglu_media_ingest.handlers import ImportHandlers
from shuanglu_media_ingest.importing import Importer
from shuanglu_media_ingest.memory import keep_little
from shuanglu_media_ingest.postgres import SCHEMA, PostgresImports
from shuanglu_media_ingest.rpc import ImportRpc, Patience
from shuanglu_media_ingest.sessions import SignalingSessions
from shuanglu_media_ingest.settings import MediaIngestSettings
from shuanglu_media_ingest.spool import Spool

NAME = "media-ingest"


async def build(app: App[MediaIngestSettings]) -> None:
    """Puts the parts together."""
    settings = app.settings
    spool = Spool(settings.spool_dir)
    records = PostgresImports(app.database(SCHEMA), app.clock)

    door = UploadDoor(
        spool, Limits(settings.max_upload_bytes, settings.max_uploads, settings.upload_expiry_s), app.clock
    )
    app.serve_http(door.app())
    app.background("reaper", door.reap)

    sessions = SignalingSessions(app.channel(settings.signaling_target), app.forward_metadata)
    patience = Patience(settings.probe_timeout_s, settings.import_hold_s)
    rpc = ImportRpc(records, spool, sessions, app.clock, patience)
    app.serve_grpc(lambda server: add_ImportServiceServicer_to_server(rpc, server))

    store = app.store()
    importer = Importer(records, spool, store, app.sealed_store(), app.bus.publish, app.clock, settings.upload_expiry_s)
    app.consume(
        Subscription(
            durable="media-ingest-import",
            handlers={ImportRequested: ImportHandlers(importer).import_requested},
            in_hand=settings.imports_in_hand,
        )
    )


def main() -> None:
    """Entry point."""
    keep_little()
    run_service(NAME, MediaIngestSettings, build, package="shuanglu_media_ingest", schema=SCHEMA)


if __name__ == "__main__":
    main()
