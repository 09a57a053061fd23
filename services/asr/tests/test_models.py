"""The recogniser and the ear on made and real sound."""

import io
from collections.abc import Sequence

import av
import numpy as np
import pytest
from asr_media import SAMPLE, truth

from shuanglu_asr.domain.heard import Utterance
from shuanglu_asr.domain.turns import Turn, TurnFinder
from shuanglu_asr.silero import Ear
from shuanglu_asr.simplified import Simplifier
from shuanglu_asr.whisper import TOGETHER, token_starts
from shuanglu_asr.whisper_tokens import neat
from shuanglu_asr.worker import Worker

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def customer() -> np.ndarray:
    """The customer's sound, 16 kHz."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=16_000)
    with av.open(io.BytesIO((SAMPLE / "customer.mp4").read_bytes())) as container:
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def transcribe(worker: Worker, turn: Turn, sound: np.ndarray) -> Utterance:
    """One turn by itself."""
    (said,) = worker.transcriber.transcribe([(turn, sound)], ["zh"])
    return said


def made(kind: str) -> np.ndarray:
    noise = np.random.default_rng(7).normal(0, 1, 48_000)
    at = np.arange(48_000) / 16_000
    slow = np.cumsum(noise)
    sounds = {
        "silence": np.zeros(48_000),
        "white noise": 0.1 * noise,
        "rumble": 0.3 * slow / np.abs(slow).max(),
        "hum": 0.3 * np.sin(2 * np.pi * 120 * at),
    }
    return sounds[kind].astype(np.float32)


@pytest.mark.parametrize("kind", ["silence", "white noise", "rumble", "hum"])
def test_nobody_is_heard_where_nobody_speaks(worker: Worker, kind: str):
    ear = Ear(worker.silero)
    finder = TurnFinder(0, worker.rules)
    assert finder.add_all([*ear.listen(made(kind)), *ear.finish()]) == []
    assert finder.finish() is None


@pytest.mark.parametrize("kind", ["silence", "white noise", "rumble", "hum"])
def test_a_recogniser_that_is_made_to_read_noise_does_not_hear_consent(worker: Worker, kind: str):
    said = transcribe(worker, Turn(0, 3000), made(kind))
    assert not ("同意" in said.text and "同意" in said.answer_text)


@pytest.mark.parametrize("sizes", [[512], [100, 700, 3], [16_000]])
def test_the_ear_hears_the_same_in_pieces_of_any_size(worker: Worker, customer: np.ndarray, sizes: Sequence[int]):
    sound = customer[8 * 16_000 : 11 * 16_000]
    whole = Ear(worker.silero)
    expected = [*whole.listen(sound), *whole.finish()]
    ear, found, at, turn = Ear(worker.silero), [], 0, 0
    while at < len(sound):
        size = sizes[turn % len(sizes)]
        found += ear.listen(sound[at : at + size])
        at, turn = at + size, turn + 1
    assert [*found, *ear.finish()] == pytest.approx(expected, abs=1e-5)


def test_consent_in_noise_is_not_heard_as_a_refusal(worker: Worker, customer: np.ndarray):
    line = truth("CUSTOMER")[0]
    sound = customer[(line.start_ms - 200) * 16 : (line.end_ms + 200) * 16]
    noise = np.random.default_rng(3).normal(0, 1, len(sound)).astype(np.float32)
    for level in (0.01, 0.1, 0.3):
        said = transcribe(worker, Turn(0, len(sound) // 16), sound + level * noise)
        assert "不" not in said.text + said.answer_text


def test_reading_twice_is_the_same(worker: Worker, customer: np.ndarray):
    line = truth("CUSTOMER")[1]
    turn = Turn(line.start_ms - 200, line.end_ms + 200)
    sound = customer[turn.start_ms * 16 : turn.end_ms * 16]
    first, second = (transcribe(worker, turn, sound) for _ in range(2))
    assert first == second


def test_turns_that_are_read_together_say_what_they_say_alone(worker: Worker, customer: np.ndarray):
    lines = truth("CUSTOMER")
    turns = [Turn(line.start_ms - 200, line.end_ms + 200) for line in lines]
    sounds = [(turn, customer[turn.start_ms * 16 : turn.end_ms * 16]) for turn in turns]
    together = worker.transcriber.transcribe(sounds, ["zh"])
    assert len(together) > TOGETHER
    assert list(together) == [transcribe(worker, turn, sound) for turn, sound in sounds]


def test_of_several_languages_mandarin_is_told(worker: Worker, customer: np.ndarray):
    line = truth("CUSTOMER")[1]
    sound = customer[line.start_ms * 16 : line.end_ms * 16]
    hearing = worker.whisper.hear(sound, 15_000)
    likely = hearing.language(["en", "zh"])
    assert likely["zh"] > 0.9 > likely["en"]


def test_tags_become_languages_that_the_model_knows(worker: Worker):
    assert worker.languages(["zh-CN", "en-GB", "zh", "tlh"]) == ("zh", "en")
    assert worker.languages(["tlh"]) == ("zh",)
    assert worker.languages([]) == ("zh",)


def test_groups_hold_all_tokens_and_are_the_text(worker: Worker):
    tokens = worker.whisper.tokens
    for text, language in (
        ("贷款年利率为4.5%,按月等额本息还款。", "zh"),
        ("Yes, I agree to it.", "en"),
        ("龘靐", "zh"),
    ):
        ids = tokens.tokenizer.encode(text, add_special_tokens=False).ids
        groups = tokens.groups(ids, language)
        assert sum(count for _, count in groups) == len(ids)
        plain = "".join(word for word, _ in groups)
        assert plain.replace("，", ",") == text
    assert [word for word, _ in groups] == ["龘", "靐"]


def test_half_a_character_at_the_end_says_nothing(worker: Worker):
    tokens = worker.whisper.tokens
    ids = tokens.tokenizer.encode("同意龘", add_special_tokens=False).ids[:-1]
    groups = tokens.groups(ids, "zh")
    assert "".join(word for word, _ in groups) == "同意"
    assert sum(count for _, count in groups) == len(ids)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["您", "好,", "我"], ["您", "好，", "我"]),
        (["利率", "4", ".", "5", "%,", "按"], ["利率", "4", ".", "5", "%，", "按"]),
        (["是的", " 我"], ["是的", "我"]),
        (["hello", " world"], ["hello", " world"]),
        (["吗?"], ["吗？"]),
        ([], []),
    ],
)
def test_chinese_is_written_as_chinese(words: list[str], expected: list[str]):
    assert neat(words) == expected


def test_traditional_becomes_simplified():
    assert Simplifier()("我確認簽署這份借款合同,乾淨") == "我确认签署这份借款合同,干净"


def test_times_of_tokens_never_go_back():
    assert token_starts([(0, 0), (0, 5), (1, 9), (2, 12), (3, 20)], 3, 1000) == [0, 180, 240, 400]
    assert token_starts([(0, 30)], 2, 500) == [500, 500, 500]
    assert token_starts([], 1, 500) == [0, 500]
