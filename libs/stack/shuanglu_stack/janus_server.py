"""Janus from Debian's package, with the configuration of services/media-ingest/janus."""

import os
from dataclasses import dataclass
from pathlib import Path
from string import Template

from shuanglu_stack.errors import StackError
from shuanglu_stack.ports import LOOPBACK
from shuanglu_stack.process import Command

PROGRAM = Path("/usr/bin/janus")
LIBRARIES = Path("/usr/lib")
TEMPLATES = Path("services") / "media-ingest" / "janus"
FILES = ("janus.jcfg", "janus.transport.websockets.jcfg", "janus.plugin.videoroom.jcfg")
# A call waits for it: at once, then nearly at once.
RESTART_PAUSES_S = (0.1, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class MediaNode:
    """One Janus and the recorder beside it."""

    number: int
    api_port: int
    rtp_ports: range
    media_host: str
    spool_dir: Path

    @property
    def name(self) -> str:
        """As signaling knows it."""
        return f"media-{self.number}"

    @property
    def process(self) -> str:
        """Name of the process: `janus`, `janus-2`, …."""
        return janus_name(self.number)


def janus_name(number: int) -> str:
    """The first one needs no number."""
    return "janus" if number == 1 else f"janus-{number}"


def janus_command(data_dir: Path, logs_dir: Path, root: Path, node: MediaNode, secret: str) -> Command:
    """Render the configuration and say how to start it. Raises StackError if Janus is not installed."""
    folder = data_dir / "janus" / node.name
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    node.spool_dir.mkdir(parents=True, exist_ok=True)
    values = {
        "config_dir": str(folder),
        "janus_dir": str(_libraries()),
        "api_secret": secret,
        "api_address": LOOPBACK,
        "api_port": str(node.api_port),
        "node": node.name,
        "rtp_ports": f"{node.rtp_ports.start}-{node.rtp_ports.stop - 1}",
        "ice_addresses": node.media_host,
        "nat_mapping": "",
    }
    for name in FILES:
        file = folder / name
        file.touch(mode=0o600)
        file.write_text(Template((root / TEMPLATES / name).read_text(encoding="utf-8")).substitute(values))
    # Files of recordings are named relative to where it runs, so that no caller can write anywhere else.
    argv = (str(PROGRAM), "-F", str(folder), "-C", str(folder / FILES[0]))
    log_file = logs_dir / f"{node.process}.log"
    return Command(node.process, argv, log_file, node.spool_dir, restart_pauses_s=RESTART_PAUSES_S)


def _libraries() -> Path:
    """Folder of its plugins: below the machine's architecture."""
    found = sorted(LIBRARIES.glob("*/janus/plugins/libjanus_videoroom.so"))
    if not found or not os.access(PROGRAM, os.X_OK):
        raise StackError("Janus is not installed", "run make setup: it installs the Debian package `janus`")
    return found[0].parents[1]
