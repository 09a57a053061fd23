"""The life of a service: connect, build, serve, and on SIGTERM finish what is in hand.

A service's `__main__.py` calls `run_service(name, settings_class, build)`; `build(app)` wires its parts.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from importlib.metadata import version
from typing import Any, Generic, TypeVar

import grpc
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from starlette.types import ASGIApp

from shuanglu_common import key_expiry, logs, telemetry
from shuanglu_common.auth import TokenVerifier, current_principal, mint_internal
from shuanglu_common.bus.bus import Bus, BusUnavailable
from shuanglu_common.bus.connection import connect, hang_up, join_bus, trusting
from shuanglu_common.bus.consumers import CONSUMERS
from shuanglu_common.bus.dead_letter import Keeper
from shuanglu_common.bus.events import NewEvent
from shuanglu_common.bus.runner import Runner
from shuanglu_common.bus.subjects import LANES, Lane
from shuanglu_common.bus.subscription import BatchSubscription, Subscription
from shuanglu_common.clock import SystemClock
from shuanglu_common.database import Database
from shuanglu_common.errors import DependencyError
from shuanglu_common.gate import Gate
from shuanglu_common.grpc_server import start_server
from shuanglu_common.http_server import Burden, Check, PrincipalMiddleware, ops_app, start_http
from shuanglu_common.metrics import BUILD_INFO, BUS_DEAD_LETTERS
from shuanglu_common.s3_store import S3ObjectStore
from shuanglu_common.sealing import Sealer, read_master_key
from shuanglu_common.settings import EXIT_BAD_SETTING, ServiceSettings, WrongSetting, load_settings
from shuanglu_common.start import (
    Need,
    Patience,
    look_at_bus,
    look_at_database,
    look_at_store,
    look_at_streams,
    reachable,
)
from shuanglu_common.store import ObjectStore, SealedStore

# A service that was away is found again within seconds; gRPC itself would let pauses grow to two minutes.
CHANNEL_OPTIONS = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 3_000),
)

log = structlog.get_logger()
Background = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
S = TypeVar("S", bound=ServiceSettings)


class App(Generic[S]):
    """What a service is built from. Everything that is added runs until the service stops."""

    def __init__(self, name: str, settings: S, client: Client, package: str = "") -> None:
        """`client`: of the bus. `package` has the migrations."""
        self.name = name
        self.settings = settings
        self.package, self.alone = package, False
        self.clock = SystemClock()
        self.nats = client
        self.bus = Bus(client, name, self.clock)
        self.checks: dict[str, Check] = {"bus": self.bus_is_connected}
        self.burdens: dict[str, Burden] = {}
        self.needs: list[Need] = []
        self.urgent: list[Runner] = []
        self.backgrounds: list[tuple[str, Background]] = []
        self.registers: list[Callable[[grpc.aio.Server], None]] = []
        self.http_apps: list[ASGIApp] = []
        self.closers: list[Callable[[], Awaitable[Any]]] = []
        self.verifier = self.read_keys()
        self.background("key-expiry", lambda stopping: key_expiry.watch(settings, stopping))

    def read_keys(self) -> TokenVerifier:
        """Raises WrongSetting if a key file cannot be read."""
        try:
            return TokenVerifier(self.settings)
        except (OSError, ValueError, KeyError) as error:
            raise WrongSetting(f"wrong setting SHUANGLU_JWKS_FILE or SHUANGLU_INTERNAL_KEY_FILE: {error}") from error

    async def bus_is_connected(self) -> bool:
        """Readiness of the bus."""
        return self.nats.is_connected

    def store(self) -> ObjectStore:
        """The object store; the service starts when it may be written to."""
        store = S3ObjectStore(self.settings)
        if not self.alone:
            self.ready_when("store", reachable(store))
        self.needs.append(lambda: look_at_store(store, self.settings, self.name))
        return store

    def sealer(self) -> Sealer:
        """Seals with the master key. Raises WrongSetting."""
        if self.settings.master_key_file is None:
            raise WrongSetting("missing setting SHUANGLU_MASTER_KEY_FILE: a file with 32 random bytes in base64")
        try:
            return Sealer(read_master_key(self.settings.master_key_file))
        except (OSError, ValueError) as error:
            raise WrongSetting(f"wrong setting SHUANGLU_MASTER_KEY_FILE: {error}") from error

    def sealed_store(self) -> SealedStore:
        """Sealed objects."""
        return SealedStore(self.store(), self.sealer(), self.clock)

    def database(self, schema: str) -> Database:
        """The schema, waited for until it is migrated, and its outbox, relayed. Raises WrongSetting."""
        url = self.settings.database_url
        if url is None:
            raise WrongSetting(
                "missing setting SHUANGLU_DATABASE_URL: postgresql+asyncpg://user:password@host/database"
            )
        ca_file = self.settings.database_ca_file
        tls = trusting(ca_file) if ca_file is not None else None
        database = Database(url.get_secret_value(), schema, self.clock, self.name, tls)
        self.background("outbox", lambda stopping: database.outbox.relay(database, self.bus, stopping))
        self.background("database-clock", database.watch_clock)
        self.needs.append(lambda: look_at_database(database, url.get_secret_value(), self.package))
        self.ready_when("database", database.ping)
        self.on_close(database.close)
        return database

    def consume(self, subscription: Subscription | BatchSubscription, gate: Gate | None = None) -> None:
        """Run a subscription; with a gate, while that is open.

        One that takes imports alone makes way for all that take calls alone.
        """
        lanes = subscription.lanes if isinstance(subscription, Subscription) else LANES
        urgent = self.urgent if lanes == (Lane.OFFLINE,) else ()
        runner = Runner(self.bus, subscription, self.settings.stop_timeout_s, urgent)
        if lanes == (Lane.LIVE,):
            self.urgent.append(runner)

        async def run(stopping: asyncio.Event) -> None:
            await (runner.run(stopping) if gate is None else gate.run_while_open(runner.run, stopping))

        async def is_bound() -> bool:
            return runner.healthy

        self.background(subscription.durable, run)
        self.ready_when(subscription.durable, is_bound)
        self.strained_when(subscription.durable, runner)

    def strained_when(self, name: str, runner: Runner) -> None:
        """Tell in /readyz that a consumer has more waiting than `bus_strain_events`; the service stays ready."""
        self.burdens[name] = lambda: runner.pending > self.settings.bus_strain_events

    def strained_when_true(self, name: str, burden: Burden) -> None:
        """Another burden that /readyz tells; the service stays ready."""
        self.burdens[name] = burden

    def do_without_bus(self) -> None:
        """Start and stay ready without bus and store; the bus is found in the background, until then it is strained."""
        self.alone = True
        del self.checks["bus"]
        self.burdens["bus"] = lambda: not self.nats.is_connected
        self.background("bus", self.find_bus)

    async def publish_if_connected(self, event: NewEvent) -> None:
        """Publish at once or not at all. Raises BusUnavailable.

        Before the first connection nothing may be sent: the client would wait for answers to an address that the bus
        was never told of.
        """
        if not self.nats.is_connected:
            raise BusUnavailable("the bus is not connected")
        await self.bus.publish(event)

    async def find_bus(self, stopping: asyncio.Event) -> None:
        """Connect when the bus is there; after that the client comes back by itself."""
        stop = asyncio.create_task(stopping.wait())
        found = asyncio.create_task(join_bus(self.settings, self.nats))
        try:
            await asyncio.wait([stop, found], return_when=asyncio.FIRST_COMPLETED)
            if found.done():
                found.result()
            await stop
        finally:
            for task in (stop, found):
                task.cancel()
            await asyncio.gather(stop, found, return_exceptions=True)

    def keep_dead_letters(self) -> None:
        """Run the keeper of dead letters."""
        keeper = Keeper(self.bus)
        for consumer in CONSUMERS:
            BUS_DEAD_LETTERS.labels(consumer.durable)

        async def run(stopping: asyncio.Event) -> None:
            while not stopping.is_set():
                try:
                    await keeper.run_once()
                except (NatsError, DependencyError, OSError, TimeoutError) as error:
                    log.warning("dead_letters.waiting", error=error)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(stopping.wait(), 1)

        self.background("dead-letters", run)

    def serve_grpc(self, register: Callable[[grpc.aio.Server], None]) -> None:
        """Offer RPCs on `grpc_port`."""
        self.registers.append(register)

    def serve_http(self, asgi_app: ASGIApp, public: tuple[str, ...] = ()) -> None:
        """Offer pages on `http_port`; `public` path prefixes need no token."""
        self.http_apps.append(PrincipalMiddleware(asgi_app, self.verifier, public))

    def ready_when(self, name: str, check: Check) -> None:
        """Another condition of /readyz."""
        self.checks[name] = check

    def background(self, name: str, run: Background) -> None:
        """Run a task until stop; it is told by the event. If it fails, the service stops with an error."""
        self.backgrounds.append((name, run))

    def on_close(self, close: Callable[[], Awaitable[Any]]) -> None:
        """Run at the very end."""
        self.closers.append(close)

    def channel(self, target: str) -> grpc.aio.Channel:
        """A channel to another service; give every call a timeout and `internal_metadata` or `forward_metadata`."""
        channel = grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS)
        self.on_close(channel.close)
        return channel

    def internal_metadata(self, tenant: str) -> tuple[tuple[str, str], ...]:
        """Metadata of a call that this service makes on its own. Raises WrongSetting."""
        if self.verifier.internal is None:
            raise WrongSetting("missing setting SHUANGLU_INTERNAL_KEY_FILE: EC P-256 private key in PEM")
        token = mint_internal(self.verifier.internal, self.name, tenant, self.settings.jwt_audience)
        return (("authorization", f"Bearer {token}"), *telemetry.inject().items())

    def forward_metadata(self) -> tuple[tuple[str, str], ...]:
        """Metadata of a call on behalf of the caller."""
        return (("authorization", f"Bearer {current_principal().token}"), *telemetry.inject().items())

    async def run(self, stopping: asyncio.Event) -> None:
        """Serve until `stopping` is set."""
        settings = self.settings
        servers, tasks = [], []
        for asgi_app in self.http_apps:
            server, task = await start_http(asgi_app, settings.host, settings.http_port)
            servers.append(server)
            tasks.append(task)
        rpc = None
        if self.registers:
            rpc = await start_server(f"{settings.host}:{settings.grpc_port}", self.verifier, self.registers)
        work = [asyncio.create_task(run(stopping), name=name) for name, run in self.backgrounds]
        stop = asyncio.create_task(stopping.wait())
        log.info("service.started")
        try:
            await asyncio.wait([*work, stop], return_when=asyncio.FIRST_COMPLETED)
            for task in work:
                if task.done() and not stopping.is_set():
                    task.result()
                    raise RuntimeError(f"background task {task.get_name()} ended by itself")
        finally:
            log.info("service.stopping")
            stopping.set()
            if rpc:
                await rpc.stop(grace=settings.stop_timeout_s / 2)
            results = await asyncio.gather(*work, return_exceptions=True)
            for error in (result for result in results if isinstance(result, Exception)):
                log.error("service.task_failed", error=error)
            for server in servers:
                server.should_exit = True
            await asyncio.gather(*tasks, stop, return_exceptions=True)
            await self.close()
            log.info("service.stopped")

    async def close(self) -> None:
        """Give back what the parts hold."""
        for close in reversed(self.closers):
            await close()


Build = Callable[[App[Any]], Coroutine[Any, Any, None]]


async def begun(app: App[Any], build: Build, patience: Patience, *, needs_bus: bool) -> None:
    """Have what the service needs, whenever that is there."""
    settings = app.settings
    if needs_bus:
        await patience.until(lambda: look_at_bus(settings))
        await connect(settings, app.nats)
        await patience.until(lambda: look_at_streams(settings, app.nats.jetstream()))
    else:
        app.do_without_bus()
    await build(app)
    for need in app.needs if needs_bus else ():
        await patience.until(need)
    patience.over = True


async def serve(name: str, settings: ServiceSettings, build: Build, package: str, *, needs_bus: bool) -> None:
    """Open the operations port, have what is needed, run."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    release = version("shuanglu-common")
    provider = telemetry.start(name, release, settings.otlp_endpoint, settings.trace_sample_ratio)
    BUILD_INFO.labels(name, release).set(1)
    client, patience = Client(), Patience()
    checks, burdens = dict[str, Check](start=patience.is_over), dict[str, Burden]()
    ops, ops_task = await start_http(ops_app(checks, burdens), settings.host, settings.ops_port)
    try:
        app = App(name, settings, client, package)
        start = asyncio.create_task(begun(app, build, patience, needs_bus=needs_bus))
        stop = asyncio.create_task(stopping.wait())
        await asyncio.wait([start, stop], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if start.done():
            start.result()
            checks.update(app.checks)
            burdens.update(app.burdens)
            await app.run(stopping)
        else:
            start.cancel()
            await asyncio.gather(start, return_exceptions=True)
            await app.close()
    finally:
        await hang_up(client)
        ops.should_exit = True
        await ops_task
        provider.shutdown()


def run_service(
    name: str,
    settings_class: type[ServiceSettings],
    build: Build,
    package: str = "",
    schema: str = "",
    *,
    needs_bus: bool = True,
) -> None:
    """Command line of a service: run it, or `migrate` its schema. A wrong setting ends with code 2 and one line.

    `needs_bus`: whether it waits for the bus before it starts.
    """
    parser = argparse.ArgumentParser(
        prog=name, description=f"shuanglu service {name}", epilog=settings_help(settings_class)
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("command", nargs="?", choices=["run", "migrate"], default="run")
    command = parser.parse_args().command
    settings = load_settings(settings_class)
    logs.start(name, settings.log_level)
    if command == "migrate":
        if package and settings.database_url is not None:
            from shuanglu_common import migrations  # noqa: PLC0415 - Alembic costs a running service 11 MiB

            tls = trusting(settings.database_ca_file) if settings.database_ca_file is not None else None
            migrations.upgrade(settings.database_url.get_secret_value(), package, schema, tls)
        return
    try:
        asyncio.run(serve(name, settings, build, package, needs_bus=needs_bus))
    except WrongSetting as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EXIT_BAD_SETTING) from None


def settings_help(settings_class: type[ServiceSettings]) -> str:
    """Every setting with its description, for --help."""
    lines = [f"  SHUANGLU_{key.upper()}: {field.description}" for key, field in settings_class.model_fields.items()]
    return "settings, from the environment:\n" + "\n".join(lines)
