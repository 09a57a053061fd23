"""Calls against the store: nothing that is there and explained is a difference, and nothing else is none."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest_fakes import TENANT, FixedClock

from shuanglu.common.v1.types_pb2 import ObjectRef
from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu.media.v1.track_pb2 import Gap, GapCause, Segment, TimelineNode, Track
from shuanglu.session.v1.call_pb2 import (
    CALL_STATE_ACTIVE,
    CALL_STATE_ENDED,
    CALL_STATE_ENDING,
    CallView,
    RecordingProof,
    TrackProof,
)
from shuanglu.session.v1.session_pb2 import Session, SessionState
from shuanglu_common import cmaf
from shuanglu_common.store import MemoryStore
from shuanglu_media_ingest.domain.imports import Import, ImportState, Inspection, Plan
from shuanglu_media_ingest.domain.reconciling import (
    INDEX,
    TOLERANCE_MS,
    Compared,
    DifferenceKind,
    Expected,
    Found,
    IndexedTrack,
    Part,
    Stage,
    compare_call,
    holes,
)
from shuanglu_media_ingest.recordings.calls import Wanted, expected_of
from shuanglu_media_ingest.recordings.nightly import Nightly, Times
from shuanglu_media_ingest.recordings.reconciler import Reconciler, Step

SESSION = "s-1"
PREFIX = f"{TENANT}/{SESSION}/tracks/"
LENGTH_MS = 20_000
ENDED = Expected(Stage.ENDED, ("customer-video",), 18_000, recorded=True)


def track(track_id: str = "customer-video", gaps: tuple[tuple[int, int], ...] = ()) -> IndexedTrack:
    parts = tuple(
        Part(f"{PREFIX}{track_id}/{n}", 100 + n, (n * 2000, n * 2000 + 2000)) for n in range(LENGTH_MS // 2000)
    )
    return IndexedTrack(track_id, parts, gaps, (0, LENGTH_MS))


def found(*tracks: IndexedTrack) -> Found:
    objects = {part.key: part.size_bytes for each in tracks for part in each.parts}
    return Found(objects, {each.track_id: each for each in tracks})


def compare(expected: Expected | None, store: Found) -> Compared:
    return compare_call(SESSION, PREFIX, expected, store)


def test_a_recording_that_is_all_there_has_no_difference():
    compared = compare(ENDED, found(track()))
    assert (compared.differences, compared.tracks, compared.seconds) == ((), 1, 20)


@given(st.data())
def test_every_object_that_is_gone_or_changed_is_found_with_its_place(data: st.DataObject):
    whole = track()
    lost = data.draw(st.sets(st.integers(0, len(whole.parts) - 1)))
    changed = data.draw(st.sets(st.integers(0, len(whole.parts) - 1))) - lost
    objects = {
        part.key: part.size_bytes + (number in changed) for number, part in enumerate(whole.parts) if number not in lost
    }
    kinds = {each.span: each.kind for each in compare(ENDED, Found(objects, {whole.track_id: whole})).differences}
    assert kinds == {
        **{whole.parts[number].span: DifferenceKind.SEGMENT_MISSING for number in lost},
        **{whole.parts[number].span: DifferenceKind.SEGMENT_CHANGED for number in changed},
    }


@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 3000)), max_size=12), st.integers(0, 25_000))
def test_holes_are_exactly_what_nothing_covers(spans: list[tuple[int, int]], end_ms: int):
    covered = [(start, start + length) for start, length in spans]
    seconds = {at for start, end in covered for at in range(start, min(end, end_ms))}
    gone = holes(covered, end_ms)
    assert all(end - start > TOLERANCE_MS or end == end_ms for start, end in gone)
    assert not any(at in seconds for start, end in gone for at in range(start, end))
    told = {at for start, end in gone for at in range(start, end)}
    missed = sorted(set(range(end_ms)) - seconds - told)
    longest, before = 0, None
    for at in missed:
        longest = longest + 1 if before == at - 1 else 1
        before = at
        assert longest <= TOLERANCE_MS


def test_seconds_that_no_gap_explains_are_missing_and_explained_ones_are_not():
    whole = track()
    torn = replace(whole, parts=(*whole.parts[:3], *whole.parts[5:]))
    (difference,) = compare(ENDED, found(torn)).differences
    assert (difference.kind, difference.span) == (DifferenceKind.SECONDS_MISSING, (6000, 10_000))
    assert not compare(ENDED, found(replace(torn, gaps=((6000, 10_000),)))).differences


def test_a_track_that_ends_before_the_others_is_missed_to_their_end():
    short = replace(track("agent-video"), parts=track("agent-video").parts[:5], span=(0, 10_000))
    (difference,) = compare(ENDED, found(track(), short)).differences
    assert (difference.track_id, difference.span) == ("agent-video", (10_000, LENGTH_MS))


def test_nodes_that_were_performed_after_the_end_of_the_recording_are_missed():
    late = replace(ENDED, until_ms=30_000)
    (difference,) = compare(late, found(track())).differences
    assert (difference.kind, difference.span) == (DifferenceKind.SECONDS_MISSING, (LENGTH_MS, 30_000))


def test_a_needed_track_that_is_not_there_is_missed():
    wanted = replace(ENDED, tracks=("agent-video", "customer-video"))
    (difference,) = compare(wanted, found(track())).differences
    assert (difference.kind, difference.track_id) == (DifferenceKind.TRACK_MISSING, "agent-video")
    (nothing,) = compare(Expected(Stage.ENDED, recorded=True), Found({})).differences
    assert (nothing.kind, nothing.track_id) == (DifferenceKind.TRACK_MISSING, "")
    assert not compare(Expected(Stage.ENDED), Found({})).differences


def test_a_track_without_its_index_is_told():
    (difference,) = compare(ENDED, Found(found(track()).objects)).differences
    assert (difference.kind, difference.key) == (DifferenceKind.INDEX_MISSING, f"{PREFIX}customer-video/{INDEX}")


def test_a_call_that_goes_on_is_left_alone_and_one_that_never_completes_is_not():
    assert compare(Expected(Stage.GOING_ON, ("customer-video",)), Found({})) == Compared()
    (difference,) = compare(Expected(Stage.OVERDUE, until_ms=500), found(track())).differences
    assert difference.kind is DifferenceKind.NOT_COMPLETED


def call(state: int = CALL_STATE_ENDED, takes: int = 1) -> CallView:
    return CallView(
        session_id=SESSION,
        state=state,  # type: ignore[arg-type]
        started_at_us=1_700_000_000_000_000,
        takes=[TimelineNode(node_id="n", start_ms=0, end_ms=1000 * n + 1000, take=1) for n in range(takes)],
        recording=RecordingProof(
            tracks=[TrackProof(track_id="customer-video", required=True), TrackProof(track_id="guest-video")]
        ),
    )


def test_what_a_call_says_of_its_recording():
    assert expected_of(call(takes=2), overdue=False) == Expected(Stage.ENDED, ("customer-video",), 2000, recorded=True)
    assert expected_of(call(takes=0), overdue=False).tracks == ()
    assert expected_of(call(CALL_STATE_ACTIVE), overdue=True).stage is Stage.GOING_ON
    assert expected_of(call(CALL_STATE_ENDING), overdue=False).stage is Stage.GOING_ON
    assert expected_of(call(CALL_STATE_ENDING), overdue=True).stage is Stage.OVERDUE


class Signaling:
    """The port Calls."""

    def __init__(self, sessions: Sequence[Session], calls: Mapping[str, Expected]) -> None:
        self.known, self.calls = sessions, calls
        self.asked: list[Wanted] = []

    async def sessions(self, metadata: object, wanted: Wanted) -> AsyncIterator[list[Session]]:
        del metadata
        self.asked.append(wanted)
        yield [each for each in self.known if wanted.session_id in ("", each.session_id)]

    async def expected(self, metadata: object, session: Session, now_us: int) -> Expected | None:
        del metadata, now_us
        return self.calls.get(session.session_id)


class Imports:
    """The port ImportsOfSessions."""

    def __init__(self, *records: Import) -> None:
        self.records = records

    async def of_sessions(self, tenant: str, session_ids: Sequence[str]) -> dict[str, list[Import]]:
        return {
            each.session_id: [each] for each in self.records if each.tenant == tenant and each.session_id in session_ids
        }


async def put(store: MemoryStore, session_id: str, index: int) -> Segment:
    key = cmaf.segment_key(TENANT, session_id, "customer-video", index)
    ref = await store.put(key, bytes(index))
    return Segment(track_id="customer-video", index=index, object=ref, start_ms=(index - 1) * 2000, end_ms=index * 2000)


async def record(store: MemoryStore, session_id: str = SESSION) -> TrackStored:
    """Five segments with a gap of a second behind them, and their index."""
    init = await store.put(cmaf.init_key(TENANT, session_id, "customer-video"), b"init")
    told = TrackStored(
        track=Track(track_id="customer-video", init=init, end_ms=10_000, segment_count=5),
        segments=[await put(store, session_id, index) for index in range(1, 6)],
        gaps=[Gap(track_id="customer-video", start_ms=10_000, end_ms=11_000, cause=GapCause.GAP_CAUSE_AWAY)],
    )
    await store.put(cmaf.track_prefix(TENANT, session_id, "customer-video") + INDEX, told.SerializeToString())
    return told


def imported(told: TrackStored, session_id: str) -> Import:
    track = Track()
    track.CopyFrom(told.track)
    track.original.CopyFrom(ObjectRef(key=f"{TENANT}/{session_id}/originals/u", size_bytes=3))
    plan = Plan((), "", (), Inspection(2000, ("zh",)))
    state, data = ImportState.STORED, (track.SerializeToString(),)
    return Import(TENANT, "i-1", session_id, state, plan, created_at_us=1, tracks=data)


async def walked(reconciler: Reconciler, session_id: str = "") -> list[Step]:
    return [step async for step in reconciler.walk(TENANT, (), Wanted(session_id))]


async def test_a_segment_that_was_removed_from_the_store_is_found():
    store = MemoryStore()
    told = await record(store)
    signaling = Signaling([Session(session_id=SESSION)], {SESSION: replace(ENDED, until_ms=9000)})
    reconciler = Reconciler(signaling, Imports(), store, FixedClock())
    assert await walked(reconciler) == [Step((), 1, 1, 10)]
    del store.objects[told.segments[2].object.key]
    store.objects[told.segments[3].object.key] += b"!"
    (step,) = await walked(reconciler)
    assert [(each.kind, each.span, each.key) for each in step.differences] == [
        (DifferenceKind.SEGMENT_MISSING, (4000, 6000), told.segments[2].object.key),
        (DifferenceKind.SEGMENT_CHANGED, (6000, 8000), told.segments[3].object.key),
    ]
    assert await walked(reconciler, "another") == [Step((), 0, 0, 0)]


async def test_an_index_that_cannot_be_read_is_no_index():
    store = MemoryStore()
    await record(store)
    await store.put(cmaf.track_prefix(TENANT, SESSION, "customer-video") + INDEX, b"\xff\xff\xff")
    reconciler = Reconciler(Signaling([Session(session_id=SESSION)], {SESSION: ENDED}), Imports(), store, FixedClock())
    (step,) = await walked(reconciler)
    assert [each.kind for each in step.differences] == [DifferenceKind.INDEX_MISSING]


async def test_imports_are_compared_as_well_and_sessions_without_a_recording_are_not():
    store = MemoryStore()
    told = await record(store, "imported")
    await store.put(f"{TENANT}/imported/originals/u", b"abc")
    fresh = Session(session_id="fresh", state=SessionState.SESSION_STATE_CREATED)
    sessions = [Session(session_id="imported"), fresh]
    reconciler = Reconciler(Signaling(sessions, {}), Imports(imported(told, "imported")), store, FixedClock())
    assert await walked(reconciler) == [Step((), 2, 1, 10)]
    del store.objects[f"{TENANT}/imported/originals/u"]
    (step,) = await walked(reconciler)
    assert [each.key for each in step.differences] == [f"{TENANT}/imported/originals/u"]


async def test_a_recording_whose_call_is_forgotten_is_compared_by_its_own_index():
    store = MemoryStore()
    told = await record(store)
    session = Session(session_id=SESSION, state=SessionState.SESSION_STATE_REPORTED)
    reconciler = Reconciler(Signaling([session], {}), Imports(), store, FixedClock())
    assert await walked(reconciler) == [Step((), 1, 1, 10)]
    del store.objects[told.track.init.key]
    (step,) = await walked(reconciler)
    assert [each.key for each in step.differences] == [told.track.init.key]


async def test_the_nightly_look_asks_for_every_tenant_and_tells_the_metrics():
    store = MemoryStore()
    told = await record(store)
    del store.objects[told.segments[0].object.key]
    await store.put("_removed/x", b"")
    await store.put("bank-b/s/y", b"")
    signaling = Signaling([Session(session_id=SESSION)], {SESSION: replace(ENDED, until_ms=9000)})
    reconciler = Reconciler(signaling, Imports(), store, FixedClock())
    tenants: list[str] = []

    def metadata(tenant: str) -> tuple[()]:
        tenants.append(tenant)
        return ()

    nightly = Nightly(reconciler, store, FixedClock(), metadata, Times(86_400, 64_800, 7))
    counts = await nightly.look()
    assert tenants == [TENANT, "bank-b"]
    # bank-b's store has nothing of the session, which the fake names for every tenant.
    assert counts == {DifferenceKind.SEGMENT_MISSING: 1, DifferenceKind.TRACK_MISSING: 1}
    assert signaling.asked[0].from_us == FixedClock().now_us() - 7 * 86_400_000_000


@pytest.mark.parametrize(("now_s", "wait_s"), [(64_800, 86_400), (64_799, 1), (0, 64_800), (86_400 + 64_801, 86_399)])
def test_the_look_is_at_the_same_time_every_day(now_s: int, wait_s: int):
    assert Times(86_400, 64_800, 7).wait_s(now_s * 1_000_000) == wait_s
