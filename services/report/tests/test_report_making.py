from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pypdfium2
import pytest
from google.protobuf.message import Message
from report_examples import CREATED_US, SESSION, TENANT, order, result, stored, tracks
from report_fakes import DirectPress, FixedSessions, GivenClips, MemoryRows
from report_media import encode, grey

from shuanglu.common.v1.types_pb2 import Channel, Outcome
from shuanglu.quality.v1.finding_pb2 import InspectionResult
from shuanglu.quality.v1.quality_events_pb2 import Stage, VerdictReached
from shuanglu.report.v1.report_pb2 import Report
from shuanglu_common.bus.events import Event
from shuanglu_common.sealing import Sealer
from shuanglu_common.store import MemoryStore, SealedStore
from shuanglu_report.errors import ProofNotReady, ResultUnreadable
from shuanglu_report.handlers import Handlers
from shuanglu_report.maker import ReportMaker, stage_name
from shuanglu_report.press_job import PressSettings

REACHED_US = CREATED_US + 80_000_000


M = TypeVar("M", bound=Message)


def event(payload: M, at_us: int = REACHED_US) -> Event[M]:
    return Event("e", TENANT, SESSION, at_us, "test", payload)


class FixedClock:
    def now_us(self) -> int:
        return REACHED_US + 1_500_000


@dataclass
class Bench:
    """A maker with everything in memory, and a real page."""

    press: PressSettings
    clip: bytes
    rows: MemoryRows = field(default_factory=MemoryRows)
    objects: MemoryStore = field(default_factory=MemoryStore)
    unreadable: frozenset[str] = frozenset()

    @property
    def sealed(self) -> SealedStore:
        return SealedStore(self.objects, Sealer(bytes(32)), FixedClock())

    @property
    def handlers(self) -> Handlers:
        clips = GivenClips(self.clip, self.unreadable)
        maker = ReportMaker(FixedSessions(), self.rows, self.sealed, clips, DirectPress(self.press))
        return Handlers(self.rows, maker, FixedClock().now_us)

    async def know_tracks(self) -> None:
        for item in tracks():
            await self.handlers.on_track_stored(event(stored(item)))

    async def reached(self, inspected: InspectionResult) -> Event[VerdictReached]:
        ref = await self.sealed.put(TENANT, SESSION, "results/preliminary", inspected.SerializeToString())
        return event(
            VerdictReached(
                stage=Stage.STAGE_PRELIMINARY, verdict=inspected.verdict, result=ref, last_observation_at_us=REACHED_US
            )
        )

    async def report(self) -> Report:
        row = await self.rows.newest(TENANT, SESSION)
        assert row is not None
        return Report.FromString(await self.sealed.get(TENANT, SESSION, row.report))


@pytest.fixture(scope="module")
def clip() -> bytes:
    cut = encode(2, grey)
    return cut.init + cut.fragments[0]


@pytest.fixture
def bench(font_dir: Path, clip: bytes) -> Bench:
    return Bench(PressSettings(str(font_dir), "Asia/Shanghai", 10), clip)


async def test_a_verdict_becomes_a_stored_report_and_one_event(bench: Bench) -> None:
    await bench.know_tracks()
    await bench.handlers.on_verdict_reached(await bench.reached(result()))
    row = await bench.rows.newest(TENANT, SESSION)
    assert row is not None
    assert (row.verdict, row.failed_count, row.unsure_count) == (Outcome.OUTCOME_FAIL, 1, 1)
    assert (row.order_id, row.stage, row.created_at_us) == ("order-1", Stage.STAGE_PRELIMINARY, REACHED_US)
    assert bench.rows.told == [row.report_id]
    made = await bench.report()
    assert (made.report_id, made.channel) == (row.report_id, Channel.CHANNEL_REMOTE)
    assert len(made.proof.tracks) == 4
    assert len(made.stills) == 4
    assert made.stills[0].finding_id == "f-absent"
    for still in made.stills:
        assert (await bench.sealed.get(TENANT, SESSION, still.object)).startswith(b"\xff\xd8")


async def test_the_stored_report_has_only_the_masked_customer(bench: Bench) -> None:
    await bench.know_tracks()
    await bench.handlers.on_verdict_reached(await bench.reached(result()))
    made = await bench.report()
    assert (made.order.customer.name, made.order.customer.id_number) == ("王**", "****123X")
    assert order().customer.name.encode() not in made.SerializeToString()


async def test_everything_personal_is_sealed(bench: Bench) -> None:
    await bench.know_tracks()
    await bench.handlers.on_verdict_reached(await bench.reached(result()))
    assert all(key.startswith(f"{TENANT}/{SESSION}/sealed/") for key in bench.objects.objects)
    assert not any("同意".encode() in data or data.startswith(b"%PDF") for data in bench.objects.objects.values())


async def test_the_pdf_is_stored_beside_it(bench: Bench) -> None:
    await bench.know_tracks()
    await bench.handlers.on_verdict_reached(await bench.reached(result()))
    row = await bench.rows.newest(TENANT, SESSION)
    assert row is not None
    document = pypdfium2.PdfDocument(await bench.sealed.get(TENANT, SESSION, row.pdf))
    assert len(document) >= 2
    document.close()


async def test_the_same_verdict_twice_changes_nothing(bench: Bench) -> None:
    await bench.know_tracks()
    event_in_hand = await bench.reached(result())
    await bench.handlers.on_verdict_reached(event_in_hand)
    objects = dict(bench.objects.objects)
    await bench.handlers.on_verdict_reached(event_in_hand)
    assert len(bench.rows.told) == 1
    assert bench.objects.objects == objects


async def test_a_crash_before_the_row_is_made_up_for_with_the_same_bytes(bench: Bench) -> None:
    await bench.know_tracks()
    event_in_hand = await bench.reached(result())
    await bench.handlers.on_verdict_reached(event_in_hand)
    objects = dict(bench.objects.objects)
    bench.rows.reports.clear()
    await bench.handlers.on_verdict_reached(event_in_hand)
    assert bench.objects.objects == objects


async def test_a_verdict_that_overtakes_its_tracks_is_tried_again(bench: Bench) -> None:
    event_in_hand = await bench.reached(result())
    with pytest.raises(ProofNotReady) as raised:
        await bench.handlers.on_verdict_reached(event_in_hand)
    assert raised.value.retryable
    assert await bench.rows.newest(TENANT, SESSION) is None
    await bench.know_tracks()
    await bench.handlers.on_verdict_reached(event_in_hand)
    assert len(bench.rows.told) == 1


async def test_stills_that_cannot_be_cut_do_not_stop_the_report(bench: Bench) -> None:
    await bench.know_tracks()
    bench.unreadable = frozenset({"customer-video"})
    await bench.handlers.on_verdict_reached(await bench.reached(result()))
    assert {still.track_id for still in (await bench.report()).stills} == {"agent-video"}


async def test_an_unspecified_verdict_is_reported_as_unsure(bench: Bench) -> None:
    await bench.know_tracks()
    odd = result()
    odd.verdict = Outcome.OUTCOME_UNSPECIFIED
    await bench.handlers.on_verdict_reached(await bench.reached(odd))
    assert (await bench.report()).verdict == Outcome.OUTCOME_UNSURE


async def test_a_result_that_is_none_is_damaged_data(bench: Bench) -> None:
    ref = await bench.sealed.put(TENANT, SESSION, "results/preliminary", b"\xff\xff not a result")
    with pytest.raises(ResultUnreadable) as raised:
        await bench.handlers.on_verdict_reached(event(VerdictReached(stage=Stage.STAGE_PRELIMINARY, result=ref)))
    assert not raised.value.retryable


async def test_of_two_imports_the_later_track_stays_in_whatever_order_they_come(bench: Bench) -> None:
    old, new = stored(tracks()[0]), stored(tracks()[0])
    old.track.init.sha256 = "0" * 64
    for first, second in (((old, 1), (new, 2)), ((new, 2), (old, 1))):
        bench.rows.stored.clear()
        for payload, at_us in (first, second):
            await bench.handlers.on_track_stored(event(payload, at_us))
        assert await bench.rows.tracks(TENANT, SESSION) == [new]


def test_stages_have_short_names() -> None:
    assert [stage_name(stage) for stage in (Stage.STAGE_PRELIMINARY, Stage.STAGE_FINAL)] == ["preliminary", "final"]
