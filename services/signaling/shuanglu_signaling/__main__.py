"""`python -m shuanglu_signaling` serves; `… migrate` brings the schema up to date."""

from shuanglu.ops.v1.doctor_service_pb2_grpc import add_SignalingDoctorServiceServicer_to_server
from shuanglu.session.v1.session_service_pb2_grpc import add_SessionServiceServicer_to_server
from shuanglu_common.app import App, run_service
from shuanglu_common.doctor import DatabaseDoctor
from shuanglu_common.ids import new_id
from shuanglu_common.tenant_label import TenantLabel
from shuanglu_signaling.call_wiring import wire_calls
from shuanglu_signaling.doctor import SignalingDoctor
from shuanglu_signaling.domain.desk import OrderDesk, SessionDesk
from shuanglu_signaling.handlers import SessionHandlers
from shuanglu_signaling.metrics import TURN_TTL_SECONDS
from shuanglu_signaling.postgres import PostgresOrders, PostgresSessions
from shuanglu_signaling.rpc import SessionRpc
from shuanglu_signaling.session_census import SessionCensus
from shuanglu_signaling.settings import SignalingSettings
from shuanglu_signaling.strategies import QualityStrategies
from shuanglu_signaling.tables import SCHEMA
from shuanglu_signaling.whip_wiring import ice_servers, keep_nodes, media_plane, serve_media


async def build(app: App[SignalingSettings]) -> None:
    """Wire the parts."""
    settings, sealer, database = app.settings, app.sealer(), app.database(SCHEMA)
    orders, sessions = PostgresOrders(database, sealer), PostgresSessions(database)
    strategies = QualityStrategies(
        app.channel(settings.quality_target), app.internal_metadata, settings.quality_timeout_s
    )
    session_desk = SessionDesk(
        orders, sessions, strategies, new_id, lambda tenant: sealer.derive("page-token", tenant, "sessions")
    )
    rpc = SessionRpc(OrderDesk(orders, sessions, new_id), session_desk, app.clock)
    app.serve_grpc(lambda server: add_SessionServiceServicer_to_server(rpc, server))
    common = DatabaseDoctor(database, "shuanglu_signaling", app.bus, app.clock)
    doctor = SignalingDoctor(database, common, sealer)
    app.serve_grpc(lambda server: add_SignalingDoctorServiceServicer_to_server(doctor, server))
    plane, ice = media_plane(app, database), ice_servers(app)
    seats, calls, recorders = await wire_calls(app, database, sessions, plane, ice)
    serve_media(app, plane, seats, ice)
    keep_nodes(app, plane, recorders)
    census = SessionCensus(database, app.clock, TenantLabel(settings.metrics_tenants))
    app.background("session-census", census.watch)
    TURN_TTL_SECONDS.set(settings.turn_ttl_s)
    for subscription in SessionHandlers(sessions, calls).subscriptions():
        app.consume(subscription)


def main() -> None:
    """Run the service."""
    run_service("signaling", SignalingSettings, build, package="shuanglu_signaling", schema=SCHEMA)


if __name__ == "__main__":
    main()
