from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu.media.v1.media_events_pb2 import ImportRequested, SegmentStored
from shuanglu.observation.v1.observations_pb2 import SpeechFound, WindowFound
from shuanglu_common.bus.events import NewEvent, PoisonEvent, decode
from shuanglu_common.bus.subjects import BY_SCHEMA, EVENTS, STREAMS, Lane, Stream, lane_of, owner_of, subject
from shuanglu_common.bus.subscription import Subscription


def new(key: str = "k", session_id: str = "s1", tenant: str = "bank") -> NewEvent:
    return NewEvent(tenant, session_id, ImportRequested(import_id="i"), key)


def test_an_event_survives_the_bus() -> None:
    event = decode(new().envelope("media-ingest", 7), deliveries=3)
    assert (event.tenant, event.session_id, event.occurred_at_us, event.producer) == ("bank", "s1", 7, "media-ingest")
    assert event.payload == ImportRequested(import_id="i")
    assert event.deliveries == 3
    assert event.event_id == new().event_id


def test_the_same_work_gives_the_same_id_and_other_work_another() -> None:
    ids = {new().event_id, new("other").event_id, new(session_id="s2").event_id, new(tenant="bank2").event_id}
    assert len(ids) == 4
    assert new().event_id == new().event_id


def test_parts_of_an_id_cannot_be_shifted_into_each_other() -> None:
    assert new(key="1", session_id="s1").event_id != new(key="", session_id="s11").event_id


@given(st.binary(max_size=100))
def test_junk_is_poison_not_a_crash(data: bytes) -> None:
    with pytest.raises(PoisonEvent):
        decode(data)


@pytest.mark.parametrize("tenant", ["", "*", "a.b", ">", "A", "a b", "x" * 40])
def test_a_tenant_cannot_change_the_shape_of_a_subject(tenant: str) -> None:
    with pytest.raises(ValueError, match="tenant"):
        subject(EVENTS[0], tenant, "s1")


@pytest.mark.parametrize("session_id", ["", "*", "a.b", ">", "a b", "x" * 65])
def test_a_session_cannot_change_the_shape_of_a_subject(session_id: str) -> None:
    with pytest.raises(ValueError, match="session_id"):
        subject(EVENTS[0], "bank", session_id)


def test_every_event_stands_on_a_stream_that_takes_its_area() -> None:
    patterns = {spec.stream: spec.subjects for spec in STREAMS}
    for event in EVENTS:
        assert patterns[event.stream] == (f"{event.area}.v1.*.*.*",)


def test_names_of_events_are_unique() -> None:
    assert len({(event.area, event.name) for event in EVENTS}) == len(EVENTS) == len(BY_SCHEMA)


def test_imports_stand_apart_from_calls_where_inspecting_is_heavy_and_nowhere_else() -> None:
    heavy = NewEvent("bank", "s1", SegmentStored(), "1", Lane.OFFLINE)
    assert heavy.subject == "media.v1.bank.s1.segment_stored-offline"
    assert lane_of(heavy.subject) is Lane.OFFLINE
    assert owner_of(f"fold.3.{heavy.subject}") == ("bank", "s1")
    live = NewEvent("bank", "s1", SegmentStored(), "1")
    assert lane_of(live.subject) is Lane.LIVE
    assert live.event_id == heavy.event_id
    light = NewEvent("bank", "s1", SpeechFound(), "1", Lane.OFFLINE)
    assert light.subject == "observation.v1.bank.s1.speech_found"


def test_the_owner_of_a_subject_is_found_folded_or_not() -> None:
    plain = new().subject
    assert owner_of(plain) == owner_of(f"fold.3.{plain}") == ("bank", "s1")
    assert owner_of("something.else") == ("", "")


async def nothing(_event: object) -> list[NewEvent]:
    return []


def test_a_subscription_stays_on_one_stream() -> None:
    good = Subscription("x", {SegmentStored: nothing})
    assert good.stream == Stream.MEDIA
    assert good.filters == ["media.v1.*.*.segment_stored", "media.v1.*.*.segment_stored-offline"]
    assert replace(good, lanes=(Lane.OFFLINE,)).filters == ["media.v1.*.*.segment_stored-offline"]
    with pytest.raises(ValueError, match="one stream"):
        _ = Subscription("x", {SegmentStored: nothing, WindowFound: nothing}).stream
