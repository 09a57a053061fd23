"""Wires the report service: settings, adapters, handlers, run."""

from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu.ops.v1.doctor_service_pb2_grpc import add_ReportDoctorServiceServicer_to_server
from shuanglu.quality.v1.quality_events_pb2 import VerdictReached
from shuanglu.report.v1.report_service_pb2_grpc import add_ReportServiceServicer_to_server
from shuanglu_common.app import App, run_service
from shuanglu_common.bus.subscription import Subscription
from shuanglu_common.doctor import DatabaseDoctor, ObjectReader
from shuanglu_common.settings import WrongSetting
from shuanglu_common.tenant_label import TenantLabel
from shuanglu_report.bus_feed import BusInspectionFeed
from shuanglu_report.clips import StoredClips
from shuanglu_report.doctor import ReportDoctor
from shuanglu_report.glyphs import REGULAR
from shuanglu_report.handlers import Handlers
from shuanglu_report.maker import ReportMaker
from shuanglu_report.postgres import SCHEMA, PostgresReportRows
from shuanglu_report.press_folder import clear_leftovers
from shuanglu_report.press_job import PressSettings
from shuanglu_report.press_process import ProcessPress
from shuanglu_report.replay import Replay
from shuanglu_report.rpc import ReportRpc
from shuanglu_report.sessions import GrpcSessionDirectory
from shuanglu_report.settings import ReportSettings
from shuanglu_report.watcher import InspectionWatcher


async def build(app: App[ReportSettings]) -> None:
    """Put the parts together."""
    settings = app.settings
    if not (settings.font_dir / REGULAR).is_file():
        raise WrongSetting(f"wrong setting SHUANGLU_FONT_DIR: no {REGULAR} in it; install fonts-noto-cjk")
    clear_leftovers()
    store, sealed = app.store(), app.sealed_store()
    link_key, page_key = app.sealer().derive("replay-link"), app.sealer().derive("report-pages")
    database = app.database(SCHEMA)
    rows = PostgresReportRows(database)
    channel = app.channel(settings.signaling_target)
    sessions = GrpcSessionDirectory(channel, app.internal_metadata, app.forward_metadata)
    press = PressSettings(str(settings.font_dir), settings.time_zone, settings.stills_seconds)
    maker = ReportMaker(
        sessions=sessions,
        rows=rows,
        sealed=sealed,
        clips=StoredClips(store),
        press=ProcessPress(press, settings.press_timeout_s),
    )
    handlers = Handlers(rows, maker, app.clock.now_us, TenantLabel(settings.metrics_tenants))
    app.consume(Subscription("report-tracks", {TrackStored: handlers.on_track_stored}, in_hand=4))
    app.consume(
        Subscription(
            "report-build", {VerdictReached: handlers.on_verdict_reached}, in_hand=settings.report_builds_in_hand
        )
    )
    watcher = InspectionWatcher(rows, sessions, BusInspectionFeed(app.nats), settings.watch_heartbeat_s)
    rpc = ReportRpc(rows, sealed, sessions, watcher, link_key, page_key, app.clock.now_us)
    app.serve_grpc(lambda server: add_ReportServiceServicer_to_server(rpc, server))
    common = DatabaseDoctor(database, "shuanglu_report", app.bus, app.clock)
    doctor = ReportDoctor(database, common, ObjectReader(store, sealed))
    app.serve_grpc(lambda server: add_ReportDoctorServiceServicer_to_server(doctor, server))
    app.serve_http(Replay(rows, store, link_key, app.clock.now_us).app(), public=("/hls/",))


def main() -> None:
    """Command line of the service."""
    run_service("report", ReportSettings, build, package="shuanglu_report", schema=SCHEMA)


if __name__ == "__main__":
    main()
