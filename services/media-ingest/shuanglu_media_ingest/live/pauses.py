"""Growing pauses between attempts at something that is away."""

import asyncio
from dataclasses import dataclass

FIRST_S, LONGEST_S = 0.2, 3.0


@dataclass(slots=True)
class Pauses:
    """Each twice as long as the one before, up to LONGEST_S."""

    next_s: float = FIRST_S

    async def wait(self) -> None:
        """The next pause."""
        pause_s, self.next_s = self.next_s, min(LONGEST_S, self.next_s * 2)
        await asyncio.sleep(pause_s)
