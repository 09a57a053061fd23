"""coturn from Debian's package: relays media of clients that cannot reach Janus themselves.

Its users are made by signaling from a shared secret and expire (`use-auth-secret`); there is no list of users.
"""

import os
from pathlib import Path

from shuanglu_stack.errors import StackError
from shuanglu_stack.process import Command

PROGRAM = Path("/usr/bin/turnserver")
REALM = "shuanglu"
RESTART_PAUSES_S = (0.5, 1.0, 2.0)


def coturn_command(data_dir: Path, logs_dir: Path, host: str, port: int, relay_ports: range, secret: str) -> Command:
    """Write the configuration and say how to start it. Raises StackError if coturn is not installed."""
    if not os.access(PROGRAM, os.X_OK):
        raise StackError("coturn is not installed", "run make setup: it installs the Debian package `coturn`")
    folder = data_dir / "coturn"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lines = [
        f"listening-ip={host}",
        f"relay-ip={host}",
        f"listening-port={port}",
        f"min-port={relay_ports.start}",
        f"max-port={relay_ports.stop - 1}",
        f"realm={REALM}",
        "use-auth-secret",
        f"static-auth-secret={secret}",
        "fingerprint",
        "stale-nonce=600",
        "no-cli",
        "no-tls",
        "no-dtls",
        "no-rfc5780",
        "no-stun-backward-compatibility",
        "no-multicast-peers",
        "no-software-attribute",
        f"userdb={folder / 'turndb'}",
        f"pidfile={folder / 'turnserver.pid'}",
        "log-file=stdout",
        "simple-log",
    ]
    file = folder / "turnserver.conf"
    file.touch(mode=0o600)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    argv = (str(PROGRAM), "-c", str(file))
    return Command("coturn", argv, logs_dir / "coturn.log", folder, restart_pauses_s=RESTART_PAUSES_S)
