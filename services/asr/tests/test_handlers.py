"""The handlers on the real models and the committed sample, over a store in memory."""

import random

import pytest
from asr_bench import SESSION, TENANT, Bench, listen
from asr_media import Cmaf, encoded, tone, truth
from pypinyin import lazy_pinyin
from rapidfuzz.distance import Levenshtein

from shuanglu.common.v1.types_pb2 import (
    PARTICIPANT_ROLE_CUSTOMER,
    PARTICIPANT_ROLE_UNSPECIFIED,
    TRACK_KIND_SCREEN,
    TRACK_KIND_VIDEO,
)
from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu.observation.v1.observations_pb2 import (
    SpeechTranscribed,
    Transcript,
    Utterance,
    WindowFound,
)
from shuanglu_asr.errors import RecognitionFailed
from shuanglu_asr.handlers import Asr
from shuanglu_asr.worker import Worker
from shuanglu_common.bus.events import Event, NewEvent
from shuanglu_common.store import MemoryStore, StoreUnavailable

pytestmark = pytest.mark.models


@pytest.fixture
def bench(worker: Worker) -> Bench:
    return Bench(worker)


async def recognise(handler: Asr, window: Event[WindowFound]) -> SpeechTranscribed:
    (new,) = await handler.window_found(window)
    assert isinstance(new, NewEvent)
    assert new.key == f"{window.payload.track.track_id}/{window.payload.window_index}"
    assert isinstance(new.payload, SpeechTranscribed)
    return new.payload


async def transcript(bench: Bench, event: Event[TrackStored]) -> list[Utterance]:
    handler = bench.handler()
    _, windows = await listen(handler, event)
    return [one for window in windows for one in await bench.utterances(await recognise(handler, window))]


def letters(text: str) -> str:
    return "".join(char for char in text if char.isalnum())


async def test_turns_are_where_the_customer_speaks(bench: Bench, customer_track: Cmaf):
    found, windows = await listen(bench.handler(), await bench.event(customer_track, "customer"))
    lines = truth("CUSTOMER")
    assert len(found.turns) == len(lines)
    for turn, line in zip(found.turns, lines, strict=True):
        assert turn.start_ms <= line.start_ms + 100
        assert turn.end_ms >= line.end_ms - 100
        assert turn.end_ms - turn.start_ms <= line.end_ms - line.start_ms + 500
    assert [turn for window in windows for turn in window.payload.turns] == list(found.turns)
    assert [(model.name, len(model.version)) for model in found.models] == [("silero-vad", 16)]
    assert found.participants[0].participant_id == "customer"
    assert [level.start_ms for level in found.loudness] == list(range(0, 64_000, 1000))
    speaking = max(found.loudness, key=lambda level: level.rms_dbfs)
    assert any(line.start_ms < speaking.end_ms and line.end_ms > speaking.start_ms for line in lines)


async def test_the_customers_answers_are_right_in_both_readings(bench: Bench, customer_track: Cmaf):
    said = await transcript(bench, await bench.event(customer_track, "customer"))
    expected = [letters(line.text) for line in truth("CUSTOMER")]
    assert [letters(one.text) for one in said] == expected
    assert [letters(one.answer_text) for one in said] == expected
    for one in said:
        assert one.role == PARTICIPANT_ROLE_CUSTOMER
        assert one.language == "zh"
        assert one.confidence > 0.6
        assert "".join(word.text for word in one.words) == one.text
        times = [at for word in one.words for at in (word.start_ms, word.end_ms)]
        assert times == sorted(times)
        assert one.start_ms <= times[0] <= times[-1] <= one.end_ms


async def test_the_agents_words_are_right_by_sound_and_in_time(bench: Bench, agent_track: Cmaf):
    said = await transcript(bench, await bench.event(agent_track, "agent", until_ms=20_000))
    lines = [line for line in truth("AGENT") if line.end_ms < 19_000]
    assert len(said) == len(lines) == 3
    heard, meant = (
        [sound for text in texts for sound in lazy_pinyin(letters(text))]
        for texts in ([one.text for one in said], [line.text for line in lines])
    )
    assert Levenshtein.normalized_distance(heard, meant) < 0.05
    question = next(word for word in said[0].words if word.text.startswith("请"))
    # 请问您是否同意 are the last 7 of the 33 syllables of the first line, which lasts 7.2 s.
    assert abs(question.start_ms - 6600) < 500


@pytest.mark.parametrize("seed", [1, 2])
async def test_neither_order_nor_worker_nor_repeats_change_a_transcript(bench: Bench, customer_track: Cmaf, seed: int):
    event = await bench.event(customer_track, "customer", until_ms=50_000)
    found, windows = await listen(bench.handler(), event)
    assert len(windows) > 1
    expected = [await recognise(bench.handler(), window) for window in windows]
    again, _ = await listen(bench.handler(), event)
    assert again == found
    chance = random.Random(seed)
    work = [*windows, *chance.sample(windows, 1)]
    chance.shuffle(work)
    for window in work:
        # The reference holds the hash of the sealed words.
        assert await recognise(bench.handler(), window) == expected[window.payload.window_index]


async def test_a_turn_is_read_the_same_whatever_else_is_in_its_window(bench: Bench, customer_track: Cmaf):
    _, windows = await listen(bench.handler(), await bench.event(customer_track, "customer", until_ms=36_000))
    together = await bench.utterances(await recognise(bench.handler(), windows[0]))
    assert len(together) > 1
    alone = WindowFound()
    alone.CopyFrom(windows[0].payload)
    del alone.turns[:-1]
    (last,) = await bench.utterances(await recognise(bench.handler(), Event("w", TENANT, SESSION, 1, "asr", alone)))
    assert (last.text, last.answer_text) == (together[-1].text, together[-1].answer_text)


async def test_on_a_shared_track_nobody_is_named(bench: Bench, customer_track: Cmaf):
    said = await transcript(bench, await bench.event(customer_track, "customer", "agent", until_ms=12_000))
    assert [one.role for one in said] == [PARTICIPANT_ROLE_UNSPECIFIED]


async def test_sound_without_speech_has_loudness_and_no_windows(bench: Bench):
    found, windows = await listen(bench.handler(), await bench.event(encoded(tone(4, 300)), "customer"))
    assert (list(found.turns), windows, found.failure_reason) == ([], [], "")
    assert found.loudness[1].rms_dbfs == pytest.approx(-9.03, abs=0.2)
    assert found.loudness[1].peak_dbfs == pytest.approx(-6.02, abs=0.3)


@pytest.mark.parametrize("kind", [TRACK_KIND_VIDEO, TRACK_KIND_SCREEN])
async def test_other_tracks_are_ignored(bench: Bench, kind: int):
    event = await bench.event(encoded(tone(2)), "customer", kind=kind)
    assert list(await bench.handler().track_stored(event)) == []


async def failure(bench: Bench, event: Event[TrackStored]) -> str:
    found, windows = await listen(bench.handler(), event)
    assert (list(found.turns), list(found.loudness), windows) == ([], [], [])
    assert found.interval.end_ms > found.interval.start_ms
    return found.failure_reason


async def spoil(bench: Bench, event: Event[TrackStored], index: int, data: bytes) -> None:
    segment = event.payload.segments[index]
    segment.object.CopyFrom(await bench.store.put(segment.object.key, data))


async def test_a_track_of_which_nothing_is_sound_is_reported(bench: Bench):
    event = await bench.event(encoded(tone(4)), "customer")
    for index in range(len(event.payload.segments)):
        await spoil(bench, event, index, b"a text file called .m4s")
    assert await failure(bench, event) in {"SEGMENT_UNREADABLE", "SOUND_UNREADABLE"}


async def test_a_segment_that_is_no_sound_is_unheard_and_the_rest_is_heard(bench: Bench):
    event = await bench.event(encoded(tone(8)), "customer")
    await spoil(bench, event, 1, b"a text file called .m4s")
    found, _ = await listen(bench.handler(), event)
    assert found.failure_reason == ""
    segment = event.payload.segments[1]
    assert [(part.start_ms, part.end_ms) for part in found.unheard] == [(segment.start_ms, segment.end_ms)]
    assert max(level.end_ms for level in found.loudness) > segment.end_ms


async def test_damaged_packets_are_unheard_and_the_sound_around_them_is_heard(bench: Bench):
    event = await bench.event(encoded(tone(8)), "customer")
    segment = event.payload.segments[1]
    data = bytearray(await bench.store.get(segment.object))
    at = data.index(b"mdat") + 4
    middle = at + (len(data) - at) // 2
    data[middle : middle + 60] = bytes(range(195, 255))
    await spoil(bench, event, 1, bytes(data))
    found, _ = await listen(bench.handler(), event)
    assert found.failure_reason == ""
    assert found.unheard
    assert all(segment.start_ms <= part.start_ms < part.end_ms <= segment.end_ms for part in found.unheard)
    assert sum(part.end_ms - part.start_ms for part in found.unheard) < 500


async def test_a_track_that_was_changed_is_reported(bench: Bench):
    event = await bench.event(encoded(tone(4)), "customer")
    key = event.payload.segments[0].object.key
    bench.store.objects[key] = bench.store.objects[key][:-1] + b"!"
    assert await failure(bench, event) == "CHECKSUM_WRONG"


async def test_a_track_with_a_missing_segment_is_reported(bench: Bench):
    event = await bench.event(encoded(tone(4)), "customer")
    del bench.store.objects[event.payload.segments[0].object.key]
    assert await failure(bench, event) == "OBJECT_NOT_FOUND"


async def test_a_window_that_cannot_be_read_is_reported(bench: Bench, customer_track: Cmaf):
    _, windows = await listen(bench.handler(), await bench.event(customer_track, "customer", until_ms=12_000))
    del bench.store.objects[windows[0].payload.segments[0].object.key]
    transcribed = await recognise(bench.handler(), windows[0])
    assert transcribed.failure_reason == "OBJECT_NOT_FOUND"
    assert not transcribed.HasField("transcript")
    assert transcribed.interval.end_ms > transcribed.interval.start_ms


async def test_a_window_that_the_recogniser_refuses_is_reported(bench: Bench, customer_track: Cmaf):
    class Refusing(Asr):
        async def transcribe(self, window: WindowFound) -> Transcript:
            raise RecognitionFailed("refused")

    _, windows = await listen(bench.handler(), await bench.event(customer_track, "customer", until_ms=12_000))
    transcribed = await recognise(Refusing(bench.store, bench.sealed, bench.ears, bench.publish), windows[0])
    assert transcribed.failure_reason == "RECOGNITION_FAILED"


async def test_a_store_that_is_away_is_tried_again_later(bench: Bench):
    class AwayStore(MemoryStore):
        async def read(self, key: str) -> bytes:
            raise StoreUnavailable("away")

    event = await bench.event(encoded(tone(2)), "customer")
    with pytest.raises(StoreUnavailable) as raised:
        await Asr(AwayStore(), bench.sealed, bench.ears, bench.publish).track_stored(event)
    assert raised.value.retryable


async def test_no_word_is_in_an_event_or_in_clear_in_the_store(bench: Bench, customer_track: Cmaf):
    handler = bench.handler()
    _, windows = await listen(handler, await bench.event(customer_track, "customer", until_ms=12_000))
    transcribed = await recognise(handler, windows[0])
    (said,) = await bench.utterances(transcribed)
    assert said.text == "同意"
    assert transcribed.transcript.sealed
    assert transcribed.transcript.key == f"{TENANT}/{SESSION}/sealed/transcripts/customer-audio/0"
    word = said.text.encode()
    assert word not in transcribed.SerializeToString()
    assert not any(word in data for data in bench.store.objects.values())
