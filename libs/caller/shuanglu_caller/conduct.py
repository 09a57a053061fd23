"""The agent's part: nodes of the script at their times."""

import asyncio
from collections.abc import Sequence

from shuanglu.media.v1.track_pb2 import TimelineNode
from shuanglu_caller.participant import Participant
from shuanglu_caller.reels import Projector

MS = 1000


async def perform(agent: Participant, projector: Projector, timeline: Sequence[TimelineNode]) -> None:
    """Start and finish each node when the film is there. Raises CallerError."""
    session_id = agent.seat.session_id
    for number, node in enumerate(timeline):
        await projector.until(node.start_ms / MS)
        await agent.desk.start_node(session_id, node.node_id)
        following = timeline[number + 1] if number + 1 < len(timeline) else None
        if following is None or following.start_ms > node.end_ms:
            await projector.until(node.end_ms / MS)
            await agent.desk.finish_node(session_id, node.node_id)
    await asyncio.sleep(0)
