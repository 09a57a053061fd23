"""Whose import is next: fair by tenant, small before large within reason.

Start-time fair queueing (Goyal, Vin, Cheng 1996) over the bytes of uploads. A tenant's next import starts, in virtual
time, where its last one ended; the tenant that starts first is served. A tenant that comes back after a pause starts at
the present: it neither saved up a share nor owes one. Virtual time is bytes, so no clock is asked and none can mislead.

Among one tenant's imports a small one may overtake a large one, but only `MAX_OVERTAKEN` times in a row. A lane for
small imports alone never waits behind a large one, of whatever tenant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MAX_OVERTAKEN = 8
# What an import costs at least: looking at it, its session's events and reports.
LEAST_COST_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Head:
    """The oldest waiting import of one tenant and one size class."""

    tenant: str
    import_id: str
    small: bool
    upload_bytes: int
    created_at_us: int

    @property
    def age_order(self) -> tuple[int, str]:
        """Oldest first; ids decide between equals."""
        return self.created_at_us, self.import_id


@dataclass(frozen=True, slots=True)
class Share:
    """What a tenant has had: where its last import starts and ends in virtual time."""

    start: int = 0
    end: int = 0
    overtaken: int = 0  # how often its oldest large import was overtaken by its small ones


@dataclass(frozen=True, slots=True)
class Choice:
    """The import to take, and its tenant's share afterwards."""

    head: Head
    share: Share


def choose(heads: Sequence[Head], shares: Mapping[str, Share], *, small_only: bool) -> Choice | None:
    """The next import of these heads, at most one for each tenant and size class. None if there is nothing for us.

    The order of `heads` means nothing. `small_only`: for the lane that large imports may not use.
    """
    queues: dict[str, list[Head]] = {}
    for head in heads:
        if head.small or not small_only:
            queues.setdefault(head.tenant, []).append(head)
    if not queues:
        return None
    now = max((share.start for share in shares.values()), default=0)
    starts = {tenant: max(now, shares.get(tenant, Share()).end) for tenant in queues}
    tenant = min(queues, key=lambda each: (starts[each], min(head.age_order for head in queues[each]), each))
    share = shares.get(tenant, Share())
    head, overtaken = _of_tenant(queues[tenant], share.overtaken)
    end = starts[tenant] + max(head.upload_bytes, LEAST_COST_BYTES)
    # The lane of small imports passes over tenants that have large ones only: the present must not run away from those.
    start = min(starts[tenant], now) if small_only else starts[tenant]
    return Choice(head, Share(start, end, overtaken))


def _of_tenant(heads: Sequence[Head], overtaken: int) -> tuple[Head, int]:
    """Which of a tenant's own, and how often its large one was overtaken then."""
    oldest = min(heads, key=lambda head: head.age_order)
    small = next((head for head in heads if head.small), None)
    if small is None:
        return oldest, 0
    if oldest.small:
        return oldest, overtaken
    if overtaken >= MAX_OVERTAKEN:
        return oldest, 0
    return small, overtaken + 1
