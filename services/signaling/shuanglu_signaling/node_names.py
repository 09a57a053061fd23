"""Finds media nodes by the names that a headless service gives to the pods of a StatefulSet."""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from shuanglu_signaling.settings import MediaNode

JANUS_PORT, RECORDER_PORT = 8188, 9000
LOOKUP_TIMEOUT_S = 5.0
# Pods that may be missing one after the other before there is another one.
MISSING = 8
MOST = 1000

log = structlog.get_logger()


async def addresses(name: str) -> frozenset[str]:
    """Addresses of a name; none if there is no such name. Raises OSError, TimeoutError if nobody can say."""
    lookup = asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    try:
        found = await asyncio.wait_for(lookup, LOOKUP_TIMEOUT_S)
    except socket.gaierror as error:
        if error.errno in {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}:
            return frozenset()
        raise
    return frozenset(str(each[4][0]) for each in found)


@dataclass(slots=True)
class NodeNames:
    """The pods of one service. `service`: `<pods>` or `<pods>.<namespace>.svc…`; pods are `<pods>-0.<service>`, ….

    A pod is called `media-<number>` whatever the release is called: its recordings belong to that name.
    """

    service: str
    janus_port: int = JANUS_PORT
    recorder_port: int = RECORDER_PORT
    _known: frozenset[str] = frozenset()
    _nodes: dict[int, MediaNode] = field(default_factory=dict)

    async def look(self) -> Sequence[MediaNode]:
        """The pods that there are now. Raises OSError, TimeoutError if nobody can say."""
        wanted = await addresses(self.service)
        if wanted != self._known:
            self._nodes = await self._ask(wanted)
            # Not all names may be known yet: ask again next time.
            found_all = len(self._nodes) >= len(wanted)
            self._known = wanted if found_all else frozenset()
        return [self._nodes[number] for number in sorted(self._nodes)]

    async def _ask(self, wanted: frozenset[str]) -> dict[int, MediaNode]:
        """One name after the other, until each address has its pod or there are no more."""
        left, found = set(wanted), dict[int, MediaNode]()
        number, missing = 0, 0
        last_known = max(self._nodes, default=-1)
        while left and number < MOST and (missing < MISSING or number <= last_known):
            pod = f"{self.service.split('.', 1)[0]}-{number}.{self.service}"
            theirs = await addresses(pod)
            missing = 0 if theirs else missing + 1
            if theirs:
                left -= theirs
                found[number] = MediaNode(
                    name=f"media-{number}",
                    janus=f"ws://{pod}:{self.janus_port}",
                    recorder=f"{pod}:{self.recorder_port}",
                )
            number += 1
        return found
