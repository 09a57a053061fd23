from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu_asr.domain.doubt import Doubt
from shuanglu_asr.domain.heard import Decoding, Utterance, Word
from shuanglu_asr.domain.transcribing import (
    ANSWERS,
    Transcriber,
    choose_language,
    context_ms,
    most_tokens,
    simplified,
)
from shuanglu_asr.domain.turns import Turn

SHORT, LONG = Turn(10_000, 11_000), Turn(10_000, 16_000)
TRADITIONAL = str.maketrans("確認簽", "确认签")


@dataclass
class FakeHearing:
    """Says what it is told to, for plain readings and for those with hotwords."""

    plain: Decoding
    hot: Decoding
    likely: dict[str, float] = field(default_factory=dict)

    def language(self, candidates: Sequence[str]) -> dict[str, float]:
        return {one: self.likely[one] for one in candidates if one in self.likely}

    def words(self, language: str, decoding: Decoding) -> tuple[Word, ...]:
        return tuple(Word(char, 200 * at, 200 * at + 200, 0.8) for at, char in enumerate(decoding.text))


@dataclass
class FakeRecogniser:
    """Hears one thing in a short context and may hear another in the whole one."""

    quick: FakeHearing
    thorough: FakeHearing | None = None
    contexts: list[int] = field(default_factory=list)
    read_together: list[int] = field(default_factory=list)

    def hear(self, sound: str, context_ms: int) -> FakeHearing:
        self.contexts.append(context_ms)
        return self.thorough if self.thorough and context_ms == 30_000 else self.quick

    def read(
        self, hearings: Sequence[FakeHearing], language: str, hotwords: str, most_tokens: int
    ) -> Sequence[Decoding]:
        assert hotwords in ("", ANSWERS)
        self.read_together.append(len(hearings))
        return [hearing.hot if hotwords else hearing.plain for hearing in hearings]


def reading(text: str, avg_logprob: float = -0.2, no_speech: float = 0.1) -> Decoding:
    return Decoding(text, tuple(range(len(text))), avg_logprob, no_speech)


def hearing(plain: str, hot: str = "", avg_logprob: float = -0.2) -> FakeHearing:
    return FakeHearing(reading(plain, avg_logprob), reading(hot))


def transcriber(recogniser: FakeRecogniser, doubts: list[Doubt] | None = None) -> Transcriber[str, FakeHearing]:
    return Transcriber(recogniser, lambda text: text.translate(TRADITIONAL), (doubts or []).append)


def transcribe(transcriber: Transcriber[str, FakeHearing], turn: Turn, candidates: Sequence[str]) -> Utterance:
    (said,) = transcriber.transcribe([(turn, "sound")], candidates)
    return said


def test_turns_of_about_one_length_are_read_together_and_told_in_their_order():
    recogniser = FakeRecogniser(hearing("同意", "同意"))
    turns = [SHORT, LONG, Turn(20_000, 22_000)]
    said = transcriber(recogniser).transcribe([(turn, "sound") for turn in turns], ["zh"])
    assert [one.start_ms for one in said] == [turn.start_ms for turn in turns]
    assert [one.answer_text for one in said] == ["同意", "", "同意"]
    assert recogniser.read_together == [2, 1, 2]


def test_only_the_turn_that_is_doubted_is_heard_again():
    class Mumbled(FakeRecogniser):
        def hear(self, sound: str, context_ms: int) -> FakeHearing:
            self.contexts.append(context_ms)
            return hearing("征信" * 10) if sound == "mumble" and context_ms < 30_000 else hearing("征信")

    recogniser = Mumbled(hearing(""))
    said = transcriber(recogniser).transcribe([(SHORT, "clear"), (SHORT, "mumble"), (SHORT, "clear")], ["zh"])
    assert recogniser.contexts == [20_000, 20_000, 20_000, 30_000]
    assert [one.text for one in said] == ["征信"] * 3


def test_no_turns_say_nothing():
    assert transcriber(FakeRecogniser(hearing(""))).transcribe([], ["zh"]) == ()


def test_a_short_turn_is_read_twice_and_simplified():
    said = transcribe(transcriber(FakeRecogniser(hearing("我確認", "我 確認"))), SHORT, ["zh"])
    assert (said.text, said.answer_text, said.language) == ("我确认", "我 确认", "zh")
    assert "".join(word.text for word in said.words) == said.text
    assert (said.start_ms, said.end_ms) == (10_000, 11_000)
    assert said.confidence == pytest.approx(0.8)


def test_a_turn_that_is_too_long_for_an_answer_is_read_once():
    said = transcribe(transcriber(FakeRecogniser(hearing("请您确认", "确认"))), LONG, ["zh"])
    assert (said.text, said.answer_text) == ("请您确认", "")


def test_an_english_turn_has_no_second_reading_with_mandarin_answers():
    said = transcribe(transcriber(FakeRecogniser(hearing("yes", "同意"))), SHORT, ["en"])
    assert (said.text, said.answer_text, said.language) == ("yes", "", "en")


def test_words_stay_within_their_turn():
    said = transcribe(transcriber(FakeRecogniser(hearing("我确认签署合同"))), SHORT, ["zh"])
    assert said.words[-1].end_ms == SHORT.duration_ms


def test_a_reading_without_doubts_needs_no_second_look():
    recogniser = FakeRecogniser(hearing("征信", avg_logprob=-0.5))
    transcribe(transcriber(recogniser), SHORT, ["zh"])
    assert recogniser.contexts == [20_000]


def test_a_doubted_reading_is_heard_again_with_the_whole_context():
    recogniser = FakeRecogniser(hearing("征信" * 10), hearing("征信", "确认"))
    said = transcribe(transcriber(recogniser), SHORT, ["zh"])
    assert recogniser.contexts == [20_000, 30_000]
    assert (said.text, said.answer_text) == ("征信", "确认")


def test_a_turn_that_had_the_whole_context_is_not_heard_again():
    recogniser = FakeRecogniser(hearing("谢谢观看"))
    said = transcribe(transcriber(recogniser), Turn(0, 22_000), ["zh"])
    assert (recogniser.contexts, said.text) == ([30_000], "")


def test_a_reading_that_nobody_believes_is_unintelligible_and_told():
    doubts = []
    recogniser = FakeRecogniser(hearing("同意" * 10, "同意"))
    made = transcribe(Transcriber(recogniser, str, doubts.append), SHORT, ["zh"])
    assert (made.text, made.words, made.answer_text, made.confidence) == ("", (), "", 0.0)
    assert doubts == [Doubt.REPETITION]


def test_a_second_reading_that_repeats_itself_is_no_answer():
    said = transcribe(transcriber(FakeRecogniser(hearing("同意", "同意 " * 10))), SHORT, ["zh"])
    assert (said.text, said.answer_text) == ("同意", "")


def test_silence_has_no_words_and_no_confidence():
    said = transcribe(transcriber(FakeRecogniser(hearing(""))), SHORT, ["zh"])
    assert (said.text, said.confidence) == ("", 0.0)


@pytest.mark.parametrize(
    ("candidates", "likely", "chosen"),
    [
        ([], {}, "zh"),
        (["en"], {"zh": 1.0}, "en"),
        (["zh", "en"], {"zh": 0.2, "en": 0.5}, "zh"),
        (["zh", "en"], {"zh": 0.1, "en": 0.8}, "en"),
        (["zh", "en"], {}, "zh"),
    ],
)
def test_another_language_than_the_first_must_be_much_likelier(
    candidates: list[str], likely: dict[str, float], chosen: str
):
    assert choose_language(FakeHearing(reading(""), reading(""), likely), candidates) == chosen


@given(st.integers(1, 40_000))
def test_the_context_holds_the_turn_and_silence_and_never_more_than_the_model_takes(duration_ms: int):
    context = context_ms(duration_ms)
    assert 20_000 <= context <= 30_000
    assert context % 20 == 0
    assert context >= min(30_000, duration_ms + 10_000)
    assert most_tokens(duration_ms) >= 16 * duration_ms // 1000 + 12


def test_a_conversion_that_changes_the_length_goes_word_by_word():
    words = [Word("A", 0, 1, 1.0), Word("B", 1, 2, 1.0)]
    assert [word.text for word in simplified(words, lambda text: text * 2)] == ["AA", "BB"]
