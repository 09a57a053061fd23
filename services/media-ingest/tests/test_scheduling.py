"""Whose turn it is: fair by bytes between tenants, small before large within reason, nobody starves."""

from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu_media_ingest.domain.scheduling import (
    LEAST_COST_BYTES,
    MAX_OVERTAKEN,
    Choice,
    Head,
    Share,
    choose,
)

MIB = 1 << 20
SMALL_BYTES = 64 * MIB
sizes = st.integers(0, 4096).map(lambda mib: mib * MIB)


class Line:
    """A queue that `choose` works off."""

    def __init__(self) -> None:
        self.waiting: list[Head] = []
        self.shares: dict[str, Share] = {}
        self.clock = 0

    def add(self, tenant: str, size: int) -> Head:
        self.clock += 1
        head = Head(tenant, f"{self.clock:08d}", size <= SMALL_BYTES, size, self.clock)
        self.waiting.append(head)
        return head

    def heads(self) -> list[Head]:
        oldest: dict[tuple[str, bool], Head] = {}
        for head in self.waiting:
            oldest.setdefault((head.tenant, head.small), head)
        return list(oldest.values())

    def next(self, *, small_only: bool = False) -> Head | None:
        choice = choose(self.heads(), self.shares, small_only=small_only)
        if choice is None:
            return None
        self.shares[choice.head.tenant] = choice.share
        self.waiting.remove(choice.head)
        return choice.head


def cost(head: Head) -> int:
    return max(head.upload_bytes, LEAST_COST_BYTES)


def test_an_empty_queue_has_no_next() -> None:
    assert Line().next() is None


def test_the_lane_of_small_imports_takes_no_large_one() -> None:
    line = Line()
    line.add("a", 10 * SMALL_BYTES)
    assert line.next(small_only=True) is None
    small = line.add("a", MIB)
    assert line.next(small_only=True) == small


def test_a_tenant_that_comes_late_is_served_at_once_and_then_in_turns() -> None:
    line = Line()
    for _ in range(100):
        line.add("flood", 8 * MIB)
    for _ in range(20):
        line.next()
    for _ in range(3):
        line.add("late", 8 * MIB)
    order = [head.tenant for _ in range(6) if (head := line.next())]
    assert order.count("late") == 3
    assert line.shares["late"].end <= line.shares["flood"].end + 8 * MIB


def test_a_tenant_that_was_away_saved_nothing_up() -> None:
    line = Line()
    for tenant in ("busy", "away"):
        line.add(tenant, 8 * MIB)
    for _ in range(50):
        line.add("busy", 8 * MIB)
    while any(head.tenant == "away" for head in line.waiting):
        line.next()
    for _ in range(30):
        line.next()
    for _ in range(30):
        line.add("away", 8 * MIB)
    order = Counter(head.tenant for _ in range(20) if (head := line.next()))
    assert abs(order["away"] - order["busy"]) <= 2


def test_a_large_import_is_overtaken_only_so_often() -> None:
    line = Line()
    large = line.add("a", 100 * SMALL_BYTES)
    for _ in range(50):
        line.add("a", MIB)
    taken = [line.next() for _ in range(MAX_OVERTAKEN + 1)]
    assert taken[-1] == large
    assert large not in taken[:-1]


def test_an_older_small_import_is_not_passed_by_a_large_one() -> None:
    line = Line()
    small = line.add("a", MIB)
    line.add("a", 100 * SMALL_BYTES)
    assert line.next() == small


@given(st.lists(st.tuples(st.sampled_from("abc"), sizes), max_size=60), st.integers(1, 3))
def test_every_import_has_its_turn_exactly_once(imports: list[tuple[str, int]], lanes: int) -> None:
    line = Line()
    added = [line.add(tenant, size) for tenant, size in imports]
    taken = []
    while line.waiting:
        head = line.next(small_only=len(taken) % lanes > 0) or line.next()
        assert head is not None
        taken.append(head)
    assert sorted(taken, key=lambda head: head.age_order) == added


@given(st.dictionaries(st.sampled_from("abcd"), st.lists(sizes, min_size=30, max_size=40), min_size=2))
def test_tenants_that_wait_get_equal_bytes(queues: Mapping[str, list[int]]) -> None:
    """While all wait, what two of them had differs by one import of each at most (Goyal 1996, theorem 1)."""
    line = Line()
    for number in range(40):
        for tenant, queue in queues.items():
            if number < len(queue):
                line.add(tenant, queue[number])
    had = dict.fromkeys(queues, 0)
    largest = max(cost(head) for head in line.waiting)
    while all(any(head.tenant == tenant for head in line.waiting) for tenant in queues):
        head = line.next()
        assert head is not None
        had[head.tenant] += cost(head)
        assert max(had.values()) - min(had.values()) <= 2 * largest


@given(
    st.lists(st.tuples(st.sampled_from("abc"), sizes), min_size=1, max_size=12),
    st.dictionaries(st.sampled_from("abc"), st.builds(Share, st.just(0), st.integers(0, 1 << 40), st.integers(0, 8))),
    st.randoms(use_true_random=False),
)
def test_the_order_of_heads_means_nothing(
    imports: list[tuple[str, int]], shares: dict[str, Share], random: object
) -> None:
    line = Line()
    for tenant, size in imports:
        line.add(tenant, size)
    heads = line.heads()
    first = choose(heads, shares, small_only=False)
    random.shuffle(heads)  # type: ignore[attr-defined]
    assert choose(heads, shares, small_only=False) == first
    assert isinstance(first, Choice)


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_a_flood_of_small_ones_does_not_starve_a_large_one_of_another_tenant(lanes: int) -> None:
    line = Line()
    large = line.add("patient", 100 * SMALL_BYTES)
    for _ in range(400):
        line.add("flood", MIB)
    taken: list[Head | None] = []
    while large in line.waiting:
        taken += [line.next(small_only=lane > 0) for lane in range(lanes)]
    assert len(taken) <= 2 * lanes
