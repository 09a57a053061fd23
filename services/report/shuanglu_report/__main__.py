"""Wires the report service: settings, adapters, handlers, run."""

from zoneinfo import ZoneInfo

from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu.quality.v1.quality_events_pb2 import VerdictReached
from shuanglu.report.v1.report_service_pb2_grpc import add_ReportServiceServicer_to_server
from shuanglu_common.app import App, run_service
from shuanglu_common.bus.subscription import Subscription
from shuanglu_report.bus_feed import BusInspectionFeed
from shuanglu_report.handlers import Handlers
from shuanglu_report.maker import ReportMaker
from shuanglu_report.postgres import SCHEMA, PostgresReportRows
from shuanglu_report.replay import Replay
from shuanglu_report.rpc import ReportRpc
from shuanglu_report.sessions import GrpcSessionDirectory
from shuanglu_report.settings import ReportSettings
from shuanglu_report.stills import AvStillCutter
from shuanglu_report.typst_pdf import TypstRenderer
from shuanglu_report.watcher import InspectionWatcher


async def build(app: App[ReportSettings]) -> None:
    """Put the parts together."""
    settings = app.settings
    store, sealed = app.store(), app.sealed_store()
    link_key = app.sealer().derive("replay-link")
    rows = PostgresReportRows(app.database(SCHEMA))
    channel = app.channel(settings.signaling_target)
    sessions = GrpcSessionDirectory(channel, app.internal_metadata, app.forward_metadata)
    maker = ReportMaker(
        sessions=sessions,
        rows=rows,
        sealed=sealed,
        cutter=AvStillCutter(store, settings.stills_seconds),
        renderer=TypstRenderer(settings.font_dir),
        zone=ZoneInfo(settings.time_zone),
    )
    handlers = Handlers(rows, maker, app.clock.now_us)
    app.consume(Subscription("report-tracks", {TrackStored: handlers.on_track_stored}, in_hand=4))
    app.consume(
        Subscription(
            "report-build", {VerdictReached: handlers.on_verdict_reached}, in_hand=settings.report_builds_in_hand
        )
    )
    watcher = InspectionWatcher(rows, sessions, BusInspectionFeed(app.nats), settings.watch_heartbeat_s)
    rpc = ReportRpc(rows, sealed, sessions, watcher, link_key, app.clock.now_us)
    app.serve_grpc(lambda server: add_ReportServiceServicer_to_server(rpc, server))
    app.serve_http(Replay(rows, store, link_key, app.clock.now_us).app(), public=("/hls/",))


def main() -> None:
    """Command line of the service."""
    run_service("report", ReportSettings, build, package="shuanglu_report", schema=SCHEMA)


if __name__ == "__main__":
    main()
