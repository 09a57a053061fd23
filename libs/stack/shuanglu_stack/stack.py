"""The whole of shuanglu on one machine, as a Python object."""

import asyncio
import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import nats

from shuanglu_cli.tokens import DEVELOPMENT_ROLES, SigningKey, sign_token
from shuanglu_common.bus.streams import ensure_streams
from shuanglu_stack.announcer import Announcer, Silent
from shuanglu_stack.development_keys import AUDIENCE, ISSUER, KEY_ID, DevelopmentKeys, ensure_keys
from shuanglu_stack.envoy_proxy import checker_command, envoy_command
from shuanglu_stack.errors import AlreadyRunning, ComponentFailed
from shuanglu_stack.media import Media, MediaCommand, choose_media, media_commands
from shuanglu_stack.nats_server import nats_command, nats_url
from shuanglu_stack.options import StackOptions
from shuanglu_stack.ports import LOOPBACK, choose_ports
from shuanglu_stack.postgres_server import ensure_database, is_ready, postgres_command
from shuanglu_stack.process import Command, ManagedProcess, Spawner
from shuanglu_stack.readiness import Probe, http_ok, port_open, wait_ready
from shuanglu_stack.s3_gateway import s3_command
from shuanglu_stack.services import (
    LIVE,
    SERVICES,
    ServiceSpec,
    migration_command,
    port_names,
    process_names,
    service_command,
    shared_environment,
    signaling_environment,
)
from shuanglu_stack.supervisor import Supervisor
from shuanglu_stack.usage import Usage, usage_of

INFRASTRUCTURE_TIMEOUT_S = 60
MIGRATION_TIMEOUT_S = 120
# Models are loaded from a cold disk, several services at once on two cores.
SERVICE_TIMEOUT_S = 180
# After a kill -9 of the stack its children need a moment to end and free their ports.
LEFTOVER_TIMEOUT_S = 15
DAY_S = 86_400


class EmbeddedStack:
    """NATS, PostgreSQL, S3, Envoy and all services as child processes; used as a context manager.

    Entering returns when everything is ready, or raises StackError; leaving stops everything in order. Data stays
    in `data_dir`. Nothing outlives the process that made the stack, not even after kill -9.
    """

    def __init__(self, options: StackOptions, announcer: Announcer | None = None) -> None:
        self.options = options
        self.data_dir = options.data_dir.resolve()
        self.root = options.root.resolve()
        self.logs_dir = self.data_dir / "logs"
        self.ports: dict[str, int] = {}
        self._media: Media | None = None
        self._announcer = announcer or Silent()
        self._spawner = Spawner()
        self._supervisor = Supervisor(self._announcer.say, options.restart_pauses_s)
        self._infrastructure: dict[str, ManagedProcess] = {}
        self._services: dict[str, ManagedProcess] = {}
        self._media_probes: dict[str, Probe] = {}
        self._specs = tuple(spec for spec in SERVICES if spec.name in options.services)
        self._keys: DevelopmentKeys | None = None
        self._lock: IO[str] | None = None
        self._giving_up = threading.Event()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # What tests, benchmarks and the demo ask for.

    @property
    def keys(self) -> DevelopmentKeys:
        """Keys of this stack; RuntimeError before the start."""
        if self._keys is None:
            raise RuntimeError("the stack was not started")
        return self._keys

    @property
    def gateway_url(self) -> str:
        """The public door."""
        return f"https://{LOOPBACK}:{self.ports['gateway']}"

    @property
    def ca(self) -> Path:
        """Certificate that callers of the gateway must trust."""
        return self.keys.authority

    @property
    def nats_url(self) -> str:
        """The bus, with credentials."""
        return nats_url(self.ports["nats"], self.keys.nats_password)

    @property
    def service_environment(self) -> dict[str, str]:
        """Environment that every service gets."""
        models_dir = (self.options.models_dir or self.root / "build" / "models").resolve()
        ports = {**self.ports, **self.options.detours}
        return shared_environment(self.data_dir, models_dir, ports, self.keys) | dict(self.options.env)

    def token(
        self,
        tenant: str = "demo",
        roles: Sequence[str] = DEVELOPMENT_ROLES,
        session_id: str = "",
        subject: str = "developer",
        ttl_s: int = DAY_S,
    ) -> str:
        """A signed token; `ttl_s` may be negative for one that has expired."""
        key = SigningKey(self.keys.signing_key.read_text(), KEY_ID, ISSUER, AUDIENCE)
        return sign_token(key, tenant, subject, roles, session_id, ttl_s, int(time.time()))

    def service_pids(self) -> dict[str, list[int]]:
        """Process ids of the running replicas, by service."""
        found: dict[str, list[int]] = {}
        for spec in self._specs:
            replicas = (self._services.get(name) for name in process_names(spec, self.options.replicas))
            found[spec.name] = [process.pid for process in replicas if process is not None and process.pid is not None]
        return found

    def pids(self) -> dict[str, int]:
        """Process ids of everything that runs, by name."""
        running = {**self._infrastructure, **self._services}
        return {name: process.pid for name, process in running.items() if process.pid is not None}

    def usage(self) -> dict[str, Usage]:
        """Cost of every running process since its start, by name."""
        return {name: usage_of(pid) for name, pid in self.pids().items()}

    def log_file(self, name: str) -> Path:
        """Log of a component."""
        return self.logs_dir / f"{name}.log"

    def ops_url(self, name: str) -> str:
        """Where a service answers /healthz, /readyz and /metrics."""
        return f"http://{LOOPBACK}:{self.ports[f'{name}-ops']}"

    def spool_dir(self, number: int = 1) -> Path:
        """Where a media node's Janus writes. RuntimeError if nothing is recorded live."""
        if self._media is None:
            raise RuntimeError(f"this stack does not run {LIVE}")
        return self._media.nodes[number - 1].spool_dir

    def stop_service(self, name: str) -> bool:
        """SIGTERM and wait; it stays down. False if it had to be killed."""
        return self._process(name).stop()

    def start_service(self, name: str) -> None:
        """Start a service or a media server again and wait until it is ready."""
        process = self._process(name)
        process.start()
        self._await(process, self._service_probe(name), SERVICE_TIMEOUT_S)

    def kill_service(self, name: str) -> None:
        """SIGKILL; the supervisor starts it again."""
        self._process(name).kill()

    def unready(self) -> list[str]:
        """Services whose /readyz does not say yes, now."""
        return [name for name in self._services if not http_ok(self.ports[f"{name}-ops"], "/readyz")()]

    def _process(self, name: str) -> ManagedProcess:
        return {**self._infrastructure, **self._services}[name]

    # Start and stop.

    def start(self) -> None:
        """Start everything, once; returns when all is ready. Raises StackError."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        self._keys = ensure_keys(self.data_dir / "secrets")
        leftover = LEFTOVER_TIMEOUT_S if self._description_file.exists() else 0
        options = self.options
        names = port_names(options.replicas)
        self.ports = choose_ports(names, options.ports, options.gateway_port, options.port_base, leftover)
        if LIVE in options.services:
            self._media = choose_media(options, self.ports, self.data_dir)
        self._start_infrastructure()
        self._start_services()
        self._describe()

    def stop(self) -> None:
        """Services first, then the gateway, then what they rest on. Safe to call twice."""
        self._supervisor.close()
        _stop_together(list(self._services.values()))
        gateway = self._infrastructure.pop("gateway", None)
        if gateway is not None:
            gateway.stop()
        _stop_together(list(self._infrastructure.values()))
        self._services.clear()
        self._infrastructure.clear()
        self._spawner.close()
        if self._lock is not None:
            self._description_file.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def _take_lock(self) -> None:
        lock = (self.data_dir / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise AlreadyRunning(self.data_dir) from None
        self._lock = lock

    def _start_media(self) -> list[Callable[[], None]]:
        """Start Janus and coturn; what to wait for."""
        if self._media is None:
            return []
        commands = media_commands(self._media, self.data_dir, self.logs_dir, self.root, self.keys)
        self._media_probes = {each.command.name: port_open(each.port, each.host) for each in commands}
        for each in commands:
            self._run(each.command, self._infrastructure)
        return [lambda each=each: self._media_ready(each) for each in commands]  # type: ignore[misc]

    def _media_ready(self, started: MediaCommand) -> None:
        process = self._infrastructure[started.command.name]
        seconds = self._await(process, self._media_probes[process.name], INFRASTRUCTURE_TIMEOUT_S)
        self._announcer.ready(process.name, seconds, f"{started.host}:{started.port}")

    def _start_infrastructure(self) -> None:
        keys, ports, logs = self.keys, self.ports, self.logs_dir
        commands = (
            nats_command(self.data_dir, logs, ports["nats"], ports["nats-monitor"], keys.nats_password),
            postgres_command(self.data_dir, logs, ports["postgres"], keys.postgres_password),
            s3_command(self.data_dir, logs, ports["s3"], keys.s3_access_key, keys.s3_secret_key),
            checker_command(logs, self.root, ports, self.options.env),
            envoy_command(self.data_dir, logs, self.root, ports, keys, self._gateway_changes()),
        )
        for command in commands:
            self._run(command, self._infrastructure)
        media = self._start_media()
        steps = (self._bus_ready, self._database_ready, self._store_ready, self._checker_ready, self._gateway_ready)
        self._all_of(*steps, *media)

    def _gateway_changes(self) -> dict[str, Any]:
        """What the services are told of traces, the gateway is told too."""
        collector = self.options.env.get("SHUANGLU_OTLP_ENDPOINT")
        ratio = self.options.env.get("SHUANGLU_TRACE_SAMPLE_RATIO")
        told = {"otlp_endpoint": collector, "trace_sample_ratio": ratio}
        return {**{name: value for name, value in told.items() if value}, **self.options.gateway}

    def _bus_ready(self) -> None:
        port = self.ports["nats"]
        healthy = http_ok(self.ports["nats-monitor"], "/healthz?js-enabled-only=true")
        # Out of disk it switches its streams off until its next start.
        seconds = self._await(self._infrastructure["nats"], healthy, INFRASTRUCTURE_TIMEOUT_S, healthy)
        asyncio.run(_make_streams(self.nats_url))
        self._announcer.ready("nats", seconds, f"{LOOPBACK}:{port}, streams are there")

    def _database_ready(self) -> None:
        port, password = self.ports["postgres"], self.keys.postgres_password
        seconds = self._await(self._infrastructure["postgres"], lambda: is_ready(port), INFRASTRUCTURE_TIMEOUT_S)
        ensure_database(port, password)
        self._announcer.ready("postgres", seconds, f"{LOOPBACK}:{port}")
        started = time.monotonic()
        self._migrate()
        self._announcer.ready("migrations", time.monotonic() - started, "schemas are up to date")

    def _store_ready(self) -> None:
        port = self.ports["s3"]
        probe = http_ok(port, "/minio/health/ready")
        seconds = self._await(self._infrastructure["s3"], probe, INFRASTRUCTURE_TIMEOUT_S)
        self._announcer.ready("s3", seconds, f"http://{LOOPBACK}:{port}")

    def _checker_ready(self) -> None:
        probe = http_ok(self.ports["gateway-check"], "/readyz")
        self._await(self._infrastructure["gateway-check"], probe, INFRASTRUCTURE_TIMEOUT_S)

    def _gateway_ready(self) -> None:
        probe = http_ok(self.ports["envoy-admin"], "/ready")
        seconds = self._await(self._infrastructure["gateway"], probe, INFRASTRUCTURE_TIMEOUT_S)
        self._announcer.ready("gateway", seconds, self.gateway_url)

    def _migrate(self) -> None:
        env = self.service_environment
        migrations = [
            ManagedProcess(migration_command(spec, env, self.logs_dir, self.root), self._spawner)
            for spec in self._specs
            if spec.migrates
        ]
        for migration in migrations:
            migration.start()
        deadline = time.monotonic() + MIGRATION_TIMEOUT_S
        for migration in migrations:
            while migration.is_alive() and time.monotonic() < deadline and not self._giving_up.wait(0.05):
                pass
            if (code := migration.exit_code()) != 0:
                migration.stop()
                why = "took too long" if code is None else f"ended with code {code}"
                raise ComponentFailed(migration.name, why, migration.command.log_file)

    def _start_services(self) -> None:
        env = self.service_environment
        for spec in self._specs:
            for number, name in enumerate(process_names(spec, self.options.replicas), 1):
                own_env = {**env, **self._own_environment(spec.name, number)}
                own_env |= self.options.service_env.get(spec.name, {})
                self._run(service_command(spec, name, self.ports, own_env, self.logs_dir, self.root), self._services)
        self._all_of(*[lambda name=name: self._service_ready(name) for name in self._services])

    def _own_environment(self, service: str, number: int) -> dict[str, str]:
        """What one service, or one replica of it, is told and no other."""
        media = self._media
        if media is not None and service == LIVE:
            return {"SHUANGLU_LIVE_SPOOL_DIR": str(media.nodes[number - 1].spool_dir)}
        if media is not None and service == "signaling":
            return signaling_environment(media.nodes, self.ports, self.keys, media.host)
        return {}

    def _service_ready(self, name: str) -> None:
        seconds = self._await(self._services[name], self._service_probe(name), SERVICE_TIMEOUT_S)
        self._announcer.ready(name, seconds, self.ops_url(name))

    def _service_probe(self, name: str) -> Probe:
        if name in self._media_probes:
            return self._media_probes[name]
        return http_ok(self.ports[f"{name}-ops"], "/healthz" if name in self.options.unready else "/readyz")

    def _run(self, command: Command, group: dict[str, ManagedProcess]) -> None:
        process = ManagedProcess(command, self._spawner)
        group[command.name] = process
        process.start()

    def _await(self, process: ManagedProcess, probe: Probe, timeout_s: float, health: Probe | None = None) -> float:
        seconds = wait_ready(process, probe, timeout_s, self._giving_up)
        self._supervisor.watch(process, health)
        return seconds

    def _all_of(self, *steps: Callable[[], None]) -> None:
        """Run all at once. The first error, or Ctrl-C, ends the others and is raised."""
        with ThreadPoolExecutor(max_workers=max(1, len(steps)), thread_name_prefix="starting") as pool:
            running = [pool.submit(step) for step in steps]
            try:
                done, _ = wait(running, return_when=FIRST_EXCEPTION)
                for step in done:
                    step.result()
            except BaseException:
                self._giving_up.set()
                raise

    @property
    def _description_file(self) -> Path:
        return self.data_dir / "stack.json"

    def _describe(self) -> None:
        """Write what the command line needs to find this stack; it holds a token, so it is for the owner alone."""
        description = {
            "pid": os.getpid(),
            "gateway": self.gateway_url,
            "ca": str(self.ca),
            "token": self.token(),
            "nats_url": self.nats_url,
            "signing_key": str(self.keys.signing_key),
            "key_id": KEY_ID,
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "logs": str(self.logs_dir),
            "ports": self.ports,
            "services": [spec.name for spec in self._specs],
        }
        file = self._description_file
        file.touch(mode=0o600)
        file.write_text(json.dumps(description, indent=2) + "\n")


def _stop_together(processes: list[ManagedProcess]) -> None:
    for process in processes:
        process.request_stop()
    for process in processes:
        process.wait_stopped()


async def _make_streams(url: str) -> None:
    client = await nats.connect(url, connect_timeout=5, allow_reconnect=False)
    try:
        await ensure_streams(client.jetstream())
    finally:
        await client.close()


__all__ = ["EmbeddedStack", "ServiceSpec", "StackOptions"]
