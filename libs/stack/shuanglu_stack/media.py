"""What carries calls: media nodes, each a Janus with a recorder beside it, and a relay."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shuanglu_stack.coturn_server import coturn_command
from shuanglu_stack.development_keys import DevelopmentKeys
from shuanglu_stack.janus_server import MediaNode, janus_command, janus_name
from shuanglu_stack.options import StackOptions
from shuanglu_stack.ports import LOOPBACK, choose_udp_range, own_address
from shuanglu_stack.process import Command
from shuanglu_stack.services import LIVE


@dataclass(frozen=True, slots=True)
class Media:
    """Where media goes in one stack."""

    host: str
    turn_port: int
    relay_ports: range
    nodes: tuple[MediaNode, ...]


@dataclass(frozen=True, slots=True)
class MediaCommand:
    """How to start a part, and where it listens when it is ready."""

    command: Command
    host: str
    port: int


def choose_media(options: StackOptions, ports: Mapping[str, int], data_dir: Path) -> Media:
    """Ports and folders. Raises PortTaken."""
    host = options.media_host or own_address()

    def udp_ports(name: str, index: int) -> range:
        start = options.udp_base + index * options.rtp_ports
        return choose_udp_range(name, options.rtp_ports, options.ports, start, host)

    nodes = []
    for number in range(1, options.replicas.get(LIVE, 1) + 1):
        name, spool_dir = janus_name(number), data_dir / "live" / f"media-{number}"
        nodes.append(MediaNode(number, ports[name], udp_ports(name, number), host, spool_dir))
    return Media(host, ports["coturn"], udp_ports("coturn", 0), tuple(nodes))


def media_commands(
    media: Media, data_dir: Path, logs_dir: Path, root: Path, keys: DevelopmentKeys
) -> list[MediaCommand]:
    """Janus for each node, and coturn. Raises StackError."""
    commands = [
        MediaCommand(janus_command(data_dir, logs_dir, root, node, keys.janus_secret), LOOPBACK, node.api_port)
        for node in media.nodes
    ]
    relay = coturn_command(
        data_dir,
        logs_dir,
        media.host,
        media.turn_port,
        media.relay_ports,
        keys.turn_secret,
    )
    return [*commands, MediaCommand(relay, media.host, media.turn_port)]
