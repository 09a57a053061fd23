"""Wiring: the upload door, ImportService and the import workers share one spool, so they share one process."""

import asyncio
from contextlib import suppress

from shuanglu.media.v1.import_service_pb2_grpc import add_ImportServiceServicer_to_server
from shuanglu.media.v1.recording_service_pb2_grpc import add_RecordingServiceServicer_to_server
from shuanglu.ops.v1.doctor_service_pb2_grpc import add_MediaDoctorServiceServicer_to_server
from shuanglu_common.app import App, run_service
from shuanglu_common.doctor import DatabaseDoctor, ObjectReader
from shuanglu_common.errors import DependencyError
from shuanglu_common.store import SealedStore
from shuanglu_media_ingest.doctor import MediaDoctor
from shuanglu_media_ingest.importing.accepting import Acceptance, Files, Manners
from shuanglu_media_ingest.importing.batching import Batching
from shuanglu_media_ingest.importing.importer import Importer, Outside
from shuanglu_media_ingest.importing.jetstream_pressure import JetStreamPressure
from shuanglu_media_ingest.importing.postgres import SCHEMA, PostgresImports
from shuanglu_media_ingest.importing.postgres_batches import PostgresBatches
from shuanglu_media_ingest.importing.postgres_queue import PostgresQueue
from shuanglu_media_ingest.importing.rpc import ImportRpc
from shuanglu_media_ingest.importing.sessions import SignalingSessions
from shuanglu_media_ingest.importing.settled_store import SettledStore
from shuanglu_media_ingest.importing.worker import ImportWorker, Lanes
from shuanglu_media_ingest.memory import keep_little
from shuanglu_media_ingest.reading.reader import Reader, ReaderLimits
from shuanglu_media_ingest.recordings.calls import SignalingCalls
from shuanglu_media_ingest.recordings.nightly import Nightly, Times
from shuanglu_media_ingest.recordings.photos import Photos
from shuanglu_media_ingest.recordings.reconciler import Reconciler
from shuanglu_media_ingest.recordings.rpc import RecordingRpc
from shuanglu_media_ingest.settings import MediaIngestSettings
from shuanglu_media_ingest.uploads.door import Limits, UploadDoor
from shuanglu_media_ingest.uploads.hashing import Hasher
from shuanglu_media_ingest.uploads.held_uploads import HeldUploads
from shuanglu_media_ingest.uploads.spool import Spool

NAME = "media-ingest"
MIB = 1 << 20
TIDY_EVERY_S = 600.0


async def build(app: App[MediaIngestSettings]) -> None:
    """Puts the parts together."""
    settings = app.settings
    database = app.database(SCHEMA)
    records, queue = PostgresImports(database, app.clock), PostgresQueue(database, app.clock)
    kept = PostgresBatches(database, app.clock)

    spool = Spool(settings.spool_dir)
    hasher = Hasher(spool)
    uploads = HeldUploads(spool, app.clock, settings.upload_expiry_s, settings.import_hold_s)
    limits = Limits(
        max_upload_bytes=settings.max_upload_bytes,
        max_uploads=settings.max_uploads,
        expiry_s=settings.upload_expiry_s,
        quota_bytes=settings.spool_quota_bytes,
        min_free_bytes=settings.spool_min_free_bytes,
        least_bytes_per_s=settings.upload_least_bytes_per_s,
    )
    door = UploadDoor(spool, limits, app.clock, hasher)
    app.serve_http(door.app())
    app.background("reaper", door.reap)
    app.background("tidy", lambda stopping: tidy(uploads, records, stopping))

    reader = Reader(ReaderLimits(settings.reader_memory_mib * MIB, settings.reader_stall_s, settings.probe_timeout_s))
    await reader.prepare()
    app.on_close(reader.close)

    store = SettledStore(settings)
    sealed = SealedStore(store, app.sealer(), app.clock)
    waiting = {
        "face-check-offline": settings.max_waiting_segments,
        "asr-tracks-offline": settings.max_waiting_tracks,
        "asr-windows-offline": settings.max_waiting_windows,
    }
    pressure = JetStreamPressure(app.bus.jetstream, waiting)
    outside = Outside(store, sealed, app.bus.publish, pressure, store.settle)
    importer = Importer(records, spool, uploads, reader, outside)
    worker = ImportWorker(queue, importer, pressure, Lanes(settings.imports_in_hand, settings.stop_timeout_s / 2))
    app.background("imports", worker.run)

    sessions = SignalingSessions(app.channel(settings.signaling_target), app.forward_metadata)
    acceptance = Acceptance(
        desk=records,
        files=Files(spool, uploads, hasher, reader),
        sessions=sessions,
        clock=app.clock,
        manners=Manners(settings.probe_timeout_s, settings.small_import_bytes),
        wake=worker.wake,
    )
    rpc = ImportRpc(acceptance, Batching(kept, acceptance), kept)
    app.serve_grpc(lambda server: add_ImportServiceServicer_to_server(rpc, server))
    calls = SignalingCalls(app.channel(settings.signaling_target), settings.reconcile_grace_s * 1_000_000)
    reconciler = Reconciler(calls, records, store, app.clock)
    photos = Photos(sessions, spool, uploads, reader, sealed)
    recordings = RecordingRpc(photos, reconciler, app.forward_metadata)
    app.serve_grpc(lambda server: add_RecordingServiceServicer_to_server(recordings, server))
    times = Times(settings.reconcile_every_s, settings.reconcile_offset_s, settings.reconcile_days)
    app.background("reconcile", Nightly(reconciler, store, app.clock, app.internal_metadata, times).run)
    common = DatabaseDoctor(database, "shuanglu_media_ingest", app.bus, app.clock)
    doctor = MediaDoctor(database, common, ObjectReader(store, sealed), settings.spool_dir, app.clock)
    app.serve_grpc(lambda server: add_MediaDoctorServiceServicer_to_server(doctor, server))


async def tidy(uploads: HeldUploads, records: PostgresImports, stopping: asyncio.Event) -> None:
    """Lets go of uploads that a crash left held, now and then."""
    while not stopping.is_set():
        with suppress(DependencyError):
            await uploads.tidy(records)
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), TIDY_EVERY_S)


def main() -> None:
    """Entry point."""
    keep_little()
    run_service(NAME, MediaIngestSettings, build, package="shuanglu_media_ingest", schema=SCHEMA)


if __name__ == "__main__":
    main()
