"""The media nodes that there are: those of the settings, and those that come and go while we run."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import structlog

from shuanglu_signaling.settings import MediaNode
from shuanglu_signaling.whip_metrics import MEDIA_NODES

LOOK_S = 5.0
LOOK_TIMEOUT_S = 20.0
# A node that no name stands for and that cannot be reached is left alone after this; it may come back at any time.
GONE_S = 600.0

Look = Callable[[], Awaitable[Sequence[MediaNode]]]
Attend = Callable[[MediaNode, asyncio.Event], Awaitable[None]]
log = structlog.get_logger()


class MediaNodes:
    """Has each node attended to for as long as it is there."""

    def __init__(
        self, fixed: Sequence[MediaNode], look: Look | None, attend: Attend, answers: Callable[[str], bool]
    ) -> None:
        """`look`: what there is beside the fixed ones. `attend`: until told to stop. `answers`: whether it is there."""
        self._fixed, self._look, self._attend, self._answers = fixed, look, attend, answers
        self._ends: dict[str, asyncio.Event] = {}
        self._seen_at: dict[str, float] = {}

    async def run(self, stopping: asyncio.Event) -> None:
        """Until told to stop. Whatever ends an attendance by itself ends this, too."""
        async with asyncio.TaskGroup() as group:
            for node in self._fixed:
                self._begin(node, group)
            while not stopping.is_set():
                if self._look is not None:
                    await self._refresh(self._look, group)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), LOOK_S)
            for end in self._ends.values():
                end.set()

    async def _refresh(self, look: Look, group: asyncio.TaskGroup) -> None:
        """Begin with who is new, leave alone who is gone. What nobody can say changes nothing."""
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                found = await look()
        except (OSError, TimeoutError) as error:
            log.warning("media.names_unknown", error=error)
            return
        now = asyncio.get_running_loop().time()
        for node in found:
            self._begin(node, group)
            self._seen_at[node.name] = now
        for name, seen_at in list(self._seen_at.items()):
            if self._answers(name):
                self._seen_at[name] = now
            elif now - seen_at > GONE_S:
                log.info("media.node_gone", node=name)
                del self._seen_at[name]
                self._ends.pop(name).set()
        MEDIA_NODES.set(len(self._ends))

    def _begin(self, node: MediaNode, group: asyncio.TaskGroup) -> None:
        if node.name not in self._ends:
            log.info("media.node_found", node=node.name)
            self._ends[node.name] = end = asyncio.Event()
            group.create_task(self._attended(node, end))
            MEDIA_NODES.set(len(self._ends))

    async def _attended(self, node: MediaNode, end: asyncio.Event) -> None:
        await self._attend(node, end)
        if not end.is_set():
            raise RuntimeError(f"media node {node.name} is not attended to any more")
