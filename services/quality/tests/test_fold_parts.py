"""A fold that grows for an hour is put aside in parts: what is saved stays small, and nothing is lost."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError

from shuanglu.common.v1.types_pb2 import Interval
from shuanglu.media.v1.media_events_pb2 import SegmentStored
from shuanglu.media.v1.track_pb2 import Segment, Track
from shuanglu.observation.v1.observations_pb2 import FacesObserved, Frame
from shuanglu.quality.v1.fold_pb2 import FoldSnapshot
from shuanglu.quality.v1.quality_events_pb2 import VerdictReached
from shuanglu_common.bus.events import Event
from shuanglu_common.clock import SystemClock
from shuanglu_common.sealing import Sealer
from shuanglu_common.store import MemoryStore, SealedStore
from shuanglu_quality.errors import FoldConflict
from shuanglu_quality.fold import SessionFold
from shuanglu_quality.nats_folds import NatsFoldStore, _pack

TENANT, SESSION = "bank", "s-1"
INLINE = 4096
SECONDS = 400


@dataclass
class Entry:
    value: bytes
    revision: int


@dataclass
class Bucket:
    """One key-value bucket in memory; `written`: bytes that a save has cost."""

    entries: dict[str, Entry] = field(default_factory=dict)
    written: list[int] = field(default_factory=list)

    async def get(self, key: str) -> Entry:
        if key not in self.entries:
            raise KeyNotFoundError
        return self.entries[key]

    async def create(self, key: str, value: bytes) -> int:
        return await self.update(key, value, last=0)

    async def update(self, key: str, value: bytes, last: int) -> int:
        known = self.entries.get(key, Entry(b"", 0))
        if known.revision != last:
            raise KeyWrongLastSequenceError
        self.entries[key] = Entry(value, last + 1)
        self.written.append(len(value))
        return last + 1

    async def put(self, key: str, value: bytes) -> int:
        self.entries[key] = Entry(value, 1)
        return 1


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def objects() -> MemoryStore:
    return MemoryStore()


def store_of(bucket: Bucket, objects: MemoryStore) -> NatsFoldStore:
    """As a process sees it that has just started."""
    nothing: Any = None
    held: Any = bucket
    index: Any = Bucket()
    return NatsFoldStore(nothing, held, index, SealedStore(objects, Sealer(bytes(32)), SystemClock()), INLINE)


def events(second: int) -> list[Event[Any]]:
    """What a second of a call brings."""
    segment = Segment(track_id="customer-video", index=second, start_ms=second * 1000, end_ms=second * 1000 + 1000)
    stored = SegmentStored(track=Track(track_id="customer-video", kind=2), segment=segment)
    frames = [Frame(at_ms=second * 1000, brightness=0.1 + second / 1000, contrast=second % 7 / 10)]
    span = Interval(start_ms=second * 1000, end_ms=second * 1000 + 1000)
    seen = FacesObserved(track_id="customer-video", segment_index=second, interval=span, frames=frames)
    return [
        Event(f"{kind}-{second}", TENANT, SESSION, second, "test", payload)
        for kind, payload in (("stored", stored), ("seen", seen))
    ]


async def grown(store: NatsFoldStore, seconds: range, revision: int = 0, fold: SessionFold | None = None) -> Any:
    fold = fold or SessionFold(TENANT, SESSION)
    for second in seconds:
        for event in events(second):
            fold.add(event)
        revision = await store.save(fold, revision)
    return fold, revision


async def test_a_save_stays_small_however_long_the_call_and_all_of_it_is_read_again(
    bucket: Bucket, objects: MemoryStore
):
    fold, _ = await grown(store_of(bucket, objects), range(1, SECONDS))
    whole = SessionFold(TENANT, SESSION)
    for second in range(1, SECONDS):
        for event in events(second):
            whole.add(event)
    assert len(_pack(whole.snapshot())) > 3 * INLINE
    assert max(bucket.written) < 2 * INLINE
    assert sum(map(len, objects.objects.values())) < 3 * len(_pack(whole.snapshot()))
    read = await store_of(bucket, objects).load(TENANT, SESSION)
    assert read is not None
    assert read.fold.envelopes() == fold.envelopes() == whole.envelopes()
    assert read.fold.ledger.done == whole.ledger.done


async def test_whoever_reads_a_fold_goes_on_with_it_and_repeats_change_nothing(bucket: Bucket, objects: MemoryStore):
    _, revision = await grown(store_of(bucket, objects), range(1, 200))
    second = store_of(bucket, objects)
    read = await second.load(TENANT, SESSION)
    assert read is not None
    assert not any(read.fold.add(event) for event in events(5))
    fold, _ = await grown(second, range(200, 300), revision, read.fold)
    last = await store_of(bucket, objects).load(TENANT, SESSION)
    assert last is not None
    assert last.fold.envelopes() == fold.envelopes()
    assert len(last.fold.events) == 2 * 299


async def test_who_loses_the_race_leaves_the_fold_as_the_other_saved_it(bucket: Bucket, objects: MemoryStore):
    _, revision = await grown(store_of(bucket, objects), range(1, 100))
    late = store_of(bucket, objects)
    read = await late.load(TENANT, SESSION)
    assert read is not None
    winner = await store_of(bucket, objects).load(TENANT, SESSION)
    assert winner is not None
    await grown(store_of(bucket, objects), range(100, 160), revision, winner.fold)
    with pytest.raises(FoldConflict):
        await grown(late, range(100, 180), revision, read.fold)
    last = await store_of(bucket, objects).load(TENANT, SESSION)
    assert last is not None
    assert len(last.fold.events) == 2 * 159


async def test_parts_go_when_the_verdict_is_announced_also_by_another_process(bucket: Bucket, objects: MemoryStore):
    fold, revision = await grown(store_of(bucket, objects), range(1, SECONDS))
    assert objects.objects
    fold.decide(VerdictReached(strategy_id="s"))
    revision = await store_of(bucket, objects).save(fold, revision)
    other = store_of(bucket, objects)
    read = await other.load(TENANT, SESSION)
    assert read is not None
    assert read.fold.verdict is not None
    read.fold.announced = True
    await other.save(read.fold, revision)
    assert objects.objects == {}


async def test_a_fold_of_an_older_version_that_points_to_the_store_is_still_read(bucket: Bucket, objects: MemoryStore):
    fold = SessionFold(TENANT, SESSION)
    for event in events(1):
        fold.add(event)
    sealed = SealedStore(objects, Sealer(bytes(32)), SystemClock())
    pointer = await sealed.put(TENANT, SESSION, "folds/old", _pack(fold.snapshot()))
    await bucket.create(f"{TENANT}.{SESSION}", _pack(FoldSnapshot(pointer=pointer)))
    read = await store_of(bucket, objects).load(TENANT, SESSION)
    assert read is not None
    assert read.fold.envelopes() == fold.envelopes()
