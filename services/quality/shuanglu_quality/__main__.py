"""Wiring of quality: strategies behind gRPC, folds behind the bus."""

import asyncio

from shuanglu.ops.v1.doctor_service_pb2_grpc import add_QualityDoctorServiceServicer_to_server
from shuanglu.quality.v1.strategy_service_pb2_grpc import add_StrategyServiceServicer_to_server
from shuanglu_common.app import App, run_service
from shuanglu_common.bus.runner import Runner
from shuanglu_common.bus.subjects import PARTITIONS
from shuanglu_common.clock import SteadyClock
from shuanglu_common.doctor import DatabaseDoctor, ObjectReader
from shuanglu_common.ids import new_id
from shuanglu_common.tenant_label import TenantLabel
from shuanglu_quality import bus_watch, lease, nats_folds
from shuanglu_quality.doctor import QualityDoctor
from shuanglu_quality.folds import Folds, Patience
from shuanglu_quality.handlers import durable, partition_subscription, watch_deadlines
from shuanglu_quality.judge import Judge
from shuanglu_quality.nats_folds import NatsBacklog, NatsFoldStore, open_bucket
from shuanglu_quality.nats_workers import NatsWorkers
from shuanglu_quality.postgres import SCHEMA, PostgresStrategies
from shuanglu_quality.rpc import StrategyRpc
from shuanglu_quality.settings import QualitySettings
from shuanglu_quality.strategies import StrategyShelf
from shuanglu_quality.verdict_log import VerdictLog

NAME = "quality"


async def build(app: App[QualitySettings]) -> None:
    """Connects adapters to the domain."""
    settings = app.settings
    database = app.database(SCHEMA)
    shelf = StrategyShelf(PostgresStrategies(database), app.clock, app.sealer().derive("strategy-pages"))
    app.serve_grpc(lambda server: add_StrategyServiceServicer_to_server(StrategyRpc(shelf), server))

    jetstream = app.nats.jetstream()
    sealed = app.sealed_store()
    bucket = await open_bucket(jetstream, nats_folds.BUCKET, settings.fold_ttl_s, settings.nats_replicas)
    index = await open_bucket(jetstream, nats_folds.OPEN_BUCKET, settings.fold_ttl_s, settings.nats_replicas)
    store = NatsFoldStore(jetstream, bucket, index, sealed, settings.fold_inline_bytes)
    await store.index_all()
    steady = SteadyClock()
    patience = Patience(settings.inspection_deadline_base_s, settings.inspection_deadline_factor)
    judge = Judge(shelf, sealed, TenantLabel(settings.metrics_tenants))
    backlog = NatsBacklog(jetstream, [durable(partition) for partition in range(PARTITIONS)])
    workers = NatsWorkers(jetstream, steady, settings.inspection_deadline_base_s)
    folds = Folds(store, backlog, workers, judge, app.bus.publish, steady, patience, settings.folds_in_memory)

    owned = await open_bucket(jetstream, lease.BUCKET, lease.TTL_S, settings.nats_replicas)
    leases = lease.Leases(jetstream, owned, new_id(app.clock.now_us()), PARTITIONS)
    app.background("leases", leases.live)
    for partition in range(PARTITIONS):
        runner = Runner(app.bus, partition_subscription(partition, folds, app.clock), settings.stop_timeout_s)
        app.strained_when(durable(partition), runner)

        async def fold(stopping: asyncio.Event, partition: int = partition, runner: Runner = runner) -> None:
            await leases.hold(f"partition-{partition}", runner.run, stopping)

        app.background(durable(partition), fold)

    common = DatabaseDoctor(database, "shuanglu_quality", app.bus, app.clock)
    reader = ObjectReader(app.store(), sealed)
    doctor = QualityDoctor(store, VerdictLog(jetstream), patience, common, reader, app.clock)
    app.serve_grpc(lambda server: add_QualityDoctorServiceServicer_to_server(doctor, server))

    async def deadlines(stopping: asyncio.Event) -> None:
        await watch_deadlines(folds, settings.inspection_deadline_check_s, stopping)

    app.background("deadlines", deadlines)
    app.keep_dead_letters()
    app.background("bus-watch", lambda stopping: bus_watch.watch(jetstream, stopping))


def main() -> None:
    """Command line: run, or migrate the schema."""
    run_service(NAME, QualitySettings, build, package="shuanglu_quality", schema=SCHEMA)


if __name__ == "__main__":
    main()
