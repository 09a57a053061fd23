"""Who still works on what: told by beats that somebody else sees, not by clocks that two must share.

A worker changes its import's beat every few seconds. Another one that has watched the same beat for longer than the
lease, by its own monotonic clock, takes the import over. A machine whose clock steps neither loses an import nor keeps
one for ever.
"""

from collections.abc import Iterable
from dataclasses import dataclass

LEASE_S = 20.0
BEAT_S = 4.0


@dataclass(frozen=True, slots=True)
class Beat:
    """What an import in work shows of its worker."""

    tenant: str
    import_id: str
    lease: str
    count: int


class Watch:
    """Remembers since when beats have stood still."""

    def __init__(self, lease_s: float = LEASE_S) -> None:
        """`lease_s`: how long a beat may stand still."""
        self._lease_s = lease_s
        self._seen: dict[Beat, float] = {}

    def abandoned(self, beats: Iterable[Beat], now_s: float) -> list[Beat]:
        """Those that have stood still for too long. `beats` are all that there are now, `now_s` is monotonic."""
        self._seen = {beat: self._seen.get(beat, now_s) for beat in beats}
        return [beat for beat, since_s in self._seen.items() if now_s - since_s >= self._lease_s]
