"""The fold of a session: order, repeats, races, crashes and deadlines change no verdict."""

import asyncio
import random
from collections.abc import Callable, Sequence

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from quality_messages import dead, events_of
from quality_scene import Scene, Scenes

from shuanglu.common.v1.types_pb2 import Outcome
from shuanglu.media.v1.media_events_pb2 import ImportRequested, SegmentStored, TrackStored
from shuanglu.observation.v1.observations_pb2 import FacesObserved, SpeechFound, SpeechTranscribed, WindowFound
from shuanglu.quality.v1.finding_pb2 import InspectionResult
from shuanglu.quality.v1.fold_pb2 import FoldSnapshot, ObservationArchive
from shuanglu.quality.v1.quality_events_pb2 import InspectionProgressed, VerdictReached
from shuanglu_common.bus.events import Event, NewEvent
from shuanglu_common.errors import DependencyError
from shuanglu_common.sealing import Sealer
from shuanglu_common.store import MemoryStore, SealedStore
from shuanglu_quality.domain.ledger import Ledger, faces_key, speech_key
from shuanglu_quality.domain.strategy import Strategy
from shuanglu_quality.errors import FoldConflict, StrategyNotFound
from shuanglu_quality.fold import SessionFold, restore
from shuanglu_quality.folds import Folds, Patience, Session, Stored
from shuanglu_quality.judge import Judge

TENANT, SESSION = "demo", "s-1"
START_US = 1_700_000_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now = START_US

    def now_us(self) -> int:
        return self.now


class Store:
    """FoldStore in memory, with the same compare-and-set; snapshots are serialised as in the real one."""

    def __init__(self) -> None:
        self.kept: dict[Session, tuple[bytes, int]] = {}
        self.closed: set[Session] = set()
        self.revision = 0
        self.before_save: Callable[[], None] = lambda: None

    async def load(self, tenant: str, session_id: str) -> Stored | None:
        if (tenant, session_id) not in self.kept:
            return None
        data, revision = self.kept[tenant, session_id]
        return Stored(restore(tenant, session_id, FoldSnapshot.FromString(data)), revision)

    async def save(self, fold: SessionFold, revision: int) -> int:
        self.before_save()
        key = (fold.tenant, fold.session_id)
        if self.kept.get(key, (b"", 0))[1] != revision:
            raise FoldConflict
        self.revision += 1
        self.kept[key] = (fold.snapshot().SerializeToString(deterministic=True), self.revision)
        return self.revision

    async def sessions(self) -> list[Session]:
        return sorted(self.kept.keys() - self.closed)

    async def close(self, tenant: str, session_id: str) -> None:
        self.closed.add((tenant, session_id))


class Backlog:
    def __init__(self) -> None:
        self.newest, self.done = 10, 10

    async def last(self) -> int:
        return self.newest

    async def folded(self) -> int:
        return self.done


class Workers:
    def __init__(self) -> None:
        self.late = False

    async def look(self) -> None:
        pass

    async def may_still_come(self, session: Session) -> bool:
        return self.late


class Shelf:
    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy
        self.away = False

    async def load(self, tenant: str, strategy_id: str, version: str) -> Strategy:
        if self.away:
            raise DependencyError("away")
        if version != self.strategy.version:
            raise StrategyNotFound("none")
        return self.strategy


class House:
    """All that outlives a process of quality, and processes made on it."""

    def __init__(self, strategy: Strategy) -> None:
        self.clock = Clock()
        self.store = Store()
        self.backlog = Backlog()
        self.workers = Workers()
        self.shelf = Shelf(strategy)
        self.objects = MemoryStore()
        self.sealed = SealedStore(self.objects, Sealer(b"k" * 32), self.clock)
        self.published: dict[str, NewEvent] = {}
        self.bus_is_away = False

    async def publish(self, event: NewEvent) -> None:
        if self.bus_is_away:
            raise DependencyError("away")
        self.published.setdefault(event.event_id, event)

    def process(self, room: int = 16) -> Folds:
        judge = Judge(self.shelf, self.sealed)
        patience = Patience(60, 1)
        return Folds(self.store, self.backlog, self.workers, judge, self.publish, self.clock, patience, room)

    async def events(self, scene: Scene, session_id: str = SESSION) -> list[NewEvent]:
        return await events_of(scene, TENANT, session_id, self.sealed)

    def verdict(self) -> VerdictReached:
        verdicts = [one.payload for one in self.published.values() if isinstance(one.payload, VerdictReached)]
        assert len(verdicts) == 1
        return verdicts[0]

    async def result(self) -> InspectionResult:
        return InspectionResult.FromString(await self.sealed.get(TENANT, SESSION, self.verdict().result))


def arrive(events: Sequence[NewEvent]) -> list[Event[Message]]:
    return [Event(one.event_id, one.tenant, one.session_id, START_US + 5, "test", one.payload) for one in events]


@pytest.fixture
def house(loan: Strategy) -> House:
    return House(loan)


async def feed(folds: Folds, events: Sequence[NewEvent], batch: int = 16) -> list[NewEvent]:
    news = []
    for at in range(0, len(events), batch):
        news += await folds.take(arrive(events[at : at + batch]))
    return news


async def test_the_last_observation_brings_the_verdict(house: House, scene: Scene):
    events = await house.events(scene)
    folds = house.process()
    await feed(folds, events[:-1])
    assert house.published == {}
    await feed(folds, events[-1:])
    verdict, result = house.verdict(), await house.result()
    assert verdict.verdict == Outcome.OUTCOME_PASS
    assert verdict.last_observation_at_us == START_US + 5
    assert [node.node_id for node in result.nodes] == ["consent", "identity", "terms", "risk", "confirm"]
    assert len(result.utterances) == len(scene.script)
    assert result.coverage_ratio == 1
    assert {one.role for one in result.presence} == {1, 2}
    assert all(one.finding_id and one.message_zh and one.message_en for one in result.findings)


async def test_the_archive_holds_every_event_that_the_verdict_rests_on(house: House, scene: Scene):
    import zstandard

    events = await house.events(scene)
    await feed(house.process(), events)
    data = await house.sealed.get(TENANT, SESSION, house.verdict().observations)
    archive = ObservationArchive.FromString(zstandard.ZstdDecompressor().decompress(data, max_output_size=1 << 24))
    waited_for = (SegmentStored, TrackStored, WindowFound)
    assert {one.event_id for one in archive.events} == {
        one.event_id for one in events if not isinstance(one.payload, waited_for)
    }
    assert archive.strategy_version == scene.strategy.version


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), batch=st.integers(1, 40), processes=st.integers(1, 3), restarts=st.integers(0, 3))
def test_any_order_repeats_owners_and_restarts_give_the_same_result(
    make_scene: Scenes, seed: int, batch: int, processes: int, restarts: int
):
    async def run(*, mixed: bool) -> tuple[bytes, bytes]:
        scene = make_scene()
        house = House(scene.strategy)
        events = await house.events(scene)
        if mixed:
            chance = random.Random(seed)
            events = [*events, *chance.choices(events, k=20)]
            chance.shuffle(events)
            owners = [house.process(room=2) for _ in range(processes)]
            cuts = {chance.randrange(len(events)) for _ in range(restarts)}
            for at in range(0, len(events), batch):
                if cuts & set(range(at, at + batch)):
                    owners[0] = house.process()
                await chance.choice(owners).take(arrive(events[at : at + batch]))
        else:
            await feed(house.process(), events)
        verdict = house.verdict()
        return verdict.SerializeToString(deterministic=True), (await house.result()).SerializeToString()

    assert asyncio.run(run(mixed=True)) == asyncio.run(run(mixed=False))


async def test_two_owners_at_once_lose_nothing(house: House, scene: Scene):
    events = await house.events(scene)
    one, two = house.process(), house.process()
    await asyncio.gather(feed(one, events[::2], 4), feed(two, events[1::2], 4))
    await asyncio.gather(one.look_for_overdue(), two.look_for_overdue())
    assert house.verdict().verdict == Outcome.OUTCOME_PASS


async def test_a_verdict_that_a_crash_kept_from_the_bus_is_announced_later(house: House, scene: Scene):
    events = await house.events(scene)
    house.bus_is_away = True
    await feed(house.process(), events)
    assert house.published == {}
    house.bus_is_away = False
    await house.process().look_for_overdue()
    assert house.verdict().verdict == Outcome.OUTCOME_PASS
    await house.process().look_for_overdue()
    assert len(house.published) == 1
    assert await house.store.sessions() == []


async def test_a_session_that_cannot_be_judged_yet_is_tried_again(house: House, scene: Scene):
    house.shelf.away = True
    folds = house.process()
    await feed(folds, await house.events(scene))
    await folds.look_for_overdue()
    assert house.published == {}
    house.shelf.away = False
    await folds.look_for_overdue()
    assert house.verdict().verdict == Outcome.OUTCOME_PASS


async def test_late_observations_change_nothing(house: House, scene: Scene):
    events = await house.events(scene)
    folds = house.process()
    await feed(folds, events)
    before = dict(house.store.kept)
    late = NewEvent(TENANT, SESSION, FacesObserved(track_id="customer-video", segment_index=99), key="late")
    assert await feed(folds, [late]) == []
    assert await feed(house.process(), [late]) == []
    assert house.store.kept == before
    assert house.verdict().verdict == Outcome.OUTCOME_PASS


async def test_what_is_missing_at_the_deadline_is_unsure(house: House, scene: Scene):
    scene.skip = {("faces", "customer-video", 3), ("window", "agent-audio", 0)}
    folds = house.process()
    await feed(folds, await house.events(scene))
    await folds.look_for_overdue()
    assert house.published == {}
    house.clock.now += 120_000_000
    process = house.process()
    await process.look_for_overdue()
    assert house.published == {}, "what was just observed may be on its way"
    await process.look_for_overdue()
    assert house.verdict().verdict == Outcome.OUTCOME_UNSURE
    reasons = {one.reason for one in (await house.result()).findings if one.check_id == "coverage"}
    assert reasons == {"NOT_EXAMINED", "ALL_EXAMINED"}


async def test_nobody_is_overdue_while_our_own_backlog_waits(house: House, scene: Scene):
    scene.skip = {("faces", "customer-video", 3)}
    folds = house.process()
    await feed(folds, await house.events(scene))
    house.clock.now += 120_000_000
    house.backlog.done = 7
    await folds.look_for_overdue()
    assert house.published == {}
    house.backlog.newest, house.backlog.done = 50, 12
    await folds.look_for_overdue()
    assert house.verdict().verdict == Outcome.OUTCOME_UNSURE


async def test_nobody_is_overdue_while_the_workers_have_not_come_to_the_session(house: House, scene: Scene):
    scene.skip = {("faces", "customer-video", 3)}
    folds = house.process()
    await feed(folds, await house.events(scene))
    house.clock.now += 10 * 120_000_000
    house.workers.late = True
    for _ in range(5):
        await folds.look_for_overdue()
    assert house.published == {}
    house.workers.late = False
    await folds.look_for_overdue()
    await folds.look_for_overdue()
    assert house.verdict().verdict == Outcome.OUTCOME_UNSURE


async def test_a_recording_that_was_completed_by_a_clock_ahead_of_ours_is_not_waited_for_longer(
    house: House, scene: Scene
):
    scene.skip = {("faces", "customer-video", 3)}
    folds = house.process()
    house.clock.now -= 3_600_000_000
    await feed(folds, await house.events(scene))
    house.clock.now += 120_000_000
    await folds.look_for_overdue()
    await folds.look_for_overdue()
    assert house.verdict().verdict == Outcome.OUTCOME_UNSURE


async def test_work_that_was_given_up_is_not_waited_for(house: House, scene: Scene):
    events = await house.events(scene)
    stored = next(
        one
        for one in events
        if isinstance(one.payload, SegmentStored)
        and (one.payload.segment.track_id, one.payload.segment.index) == ("customer-video", 3)
    )
    scene.skip = {("faces", "customer-video", 3)}
    folds = house.process()
    await feed(folds, [*await house.events(scene), dead(stored, "report-tracks")])
    assert house.published == {}
    await feed(folds, [dead(stored, "face-check", "OUT_OF_MEMORY")])
    assert house.verdict().verdict == Outcome.OUTCOME_UNSURE
    coverage = [one for one in (await house.result()).findings if one.reason == "OUT_OF_MEMORY"]
    assert {one.check_id for one in coverage} >= {"coverage"}


@pytest.mark.parametrize(
    ("kind", "consumer"),
    [
        (FacesObserved, "quality-fold-3"),
        (SpeechFound, "quality-fold-3"),
        (SpeechTranscribed, "quality-fold-3"),
    ],
)
async def test_an_observation_that_cannot_be_folded_counts_as_given_up(
    house: House, scene: Scene, kind: type[Message], consumer: str
):
    events = await house.events(scene)
    lost = next(one for one in events if isinstance(one.payload, kind))
    await feed(house.process(), [*(one for one in events if one is not lost), dead(lost, consumer)])
    assert house.verdict().verdict == Outcome.OUTCOME_UNSURE


async def test_a_replayed_event_outweighs_its_dead_letter(house: House, scene: Scene):
    events = await house.events(scene)
    stored = next(one for one in events if isinstance(one.payload, SegmentStored))
    await feed(house.process(), [dead(stored, "face-check"), *events])
    assert house.verdict().verdict == Outcome.OUTCOME_PASS


async def test_a_transcript_that_is_gone_makes_its_window_unsure(house: House, scene: Scene):
    events = await house.events(scene)
    for key in [key for key in house.objects.objects if "agent-audio/0" in key]:
        del house.objects.objects[key]
    await feed(house.process(), events)
    assert house.verdict().verdict == Outcome.OUTCOME_UNSURE
    assert "TRANSCRIPT_UNREADABLE" in {one.reason for one in (await house.result()).findings}


async def test_progress_is_told_at_most_once_a_second(house: House, scene: Scene):
    events = await house.events(scene)
    folds = house.process()
    first = await feed(folds, events[:60], 1)
    assert len(first) == 1
    house.clock.now += 1_000_000
    second = await feed(folds, events[60:100], 1)
    progress = [one.payload for one in (*first, *second)]
    assert all(isinstance(one, InspectionProgressed) for one in progress)
    assert len(second) == 1
    assert second[0].payload.observed <= second[0].payload.expected


async def test_sessions_of_different_tenants_do_not_meet(house: House, scene: Scene):
    events = await house.events(scene)
    foreign = [NewEvent("other", SESSION, one.payload, one.key) for one in events]
    await feed(house.process(), [*events, *foreign[:-1]])
    assert house.verdict().verdict == Outcome.OUTCOME_PASS
    assert {session[0] for session in house.store.kept} == {"demo", "other"}


async def test_memory_is_bounded_and_forgotten_folds_come_back(house: House, scene: Scene):
    folds = house.process(room=1)
    first, second = await house.events(scene), await house.events(scene, "s-2")
    for one, two in zip(first, second, strict=True):
        await folds.take(arrive([one, two]))
    verdicts = [one for one in house.published.values() if isinstance(one.payload, VerdictReached)]
    assert {one.session_id for one in verdicts} == {"s-1", "s-2"}


async def test_events_that_no_rule_reads_are_not_kept(house: House):
    folds = house.process()
    await folds.take(arrive([NewEvent(TENANT, SESSION, ImportRequested(import_id="i"), key="i")]))
    assert house.store.kept == {}


async def test_a_store_that_is_away_loses_nothing(house: House, scene: Scene):
    events = await house.events(scene)
    folds = house.process()
    await feed(folds, events[:50])

    def fail() -> None:
        raise DependencyError("away")

    house.store.before_save = fail
    with pytest.raises(DependencyError):
        await folds.take(arrive(events[50:60]))
    house.store.before_save = lambda: None
    await feed(folds, events[50:])
    assert house.verdict().verdict == Outcome.OUTCOME_PASS


def test_a_ledger_keeps_the_first_reason_in_any_order():
    one, two = Ledger(), Ledger()
    for ledger, reasons in ((one, ("B", "A")), (two, ("A", "B"))):
        for reason in reasons:
            ledger.give_up(speech_key("t"), reason)
    assert one.given_up() == two.given_up() == {speech_key("t"): "A"}
    one.finish(speech_key("t"))
    assert one.given_up() == {}


def test_nothing_is_complete_before_the_recording_is():
    ledger = Ledger()
    ledger.expect([faces_key("v", 1)])
    ledger.finish(faces_key("v", 1))
    assert (ledger.observed, ledger.complete) == (1, False)
