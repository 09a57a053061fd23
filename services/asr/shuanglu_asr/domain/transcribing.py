"""How a turn becomes an utterance: readings, second looks, and what is believed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from shuanglu_asr.domain.doubt import Doubt, doubt
from shuanglu_asr.domain.heard import Decoding, Hearing, Recogniser, Utterance, Word
from shuanglu_asr.domain.turns import Turn

S = TypeVar("S")

# Measured on 300 readings: a prompt of the question itself makes silence say it; long lists insert words.
ANSWERS = "同意 不同意 清楚 是的 确认 没有疑问"
ANSWER_LANGUAGE = "zh"
LONGEST_ANSWER_MS = 4000
# The encoder's cost grows faster than its context: 0.2 core-seconds for 20 s, 0.6 for 30 s. With too little silence
# after the speech the decoder misses the end and repeats itself. Measured, see README.
SHORTEST_CONTEXT_MS = 20_000
SILENCE_AFTER_MS = 10_000
WHOLE_CONTEXT_MS = 30_000
CONTEXT_STEP_MS = 500
TOKENS_A_SECOND = 16
FEWEST_TOKENS = 12
# Another language than the first must be this much likelier: short turns are often taken for a wrong one.
OTHER_LANGUAGE_FACTOR = 4.0


def context_ms(duration_ms: int) -> int:
    """How much context a turn is encoded in, at most 30 s."""
    steps = -(-(duration_ms + SILENCE_AFTER_MS) // CONTEXT_STEP_MS)
    return min(WHOLE_CONTEXT_MS, max(SHORTEST_CONTEXT_MS, steps * CONTEXT_STEP_MS))


def most_tokens(duration_ms: int) -> int:
    """More tokens than anybody can say in that time."""
    return TOKENS_A_SECOND * duration_ms // 1000 + FEWEST_TOKENS


def choose_language(hearing: Hearing, candidates: Sequence[str]) -> str:
    """The language that is spoken: the first candidate, unless another one is much likelier. None means Mandarin."""
    if len(candidates) < 2:  # noqa: PLR2004 - nothing to choose
        return candidates[0] if candidates else ANSWER_LANGUAGE
    likely = hearing.language(candidates)
    first = candidates[0]
    best = max(candidates, key=lambda one: likely.get(one, 0.0))
    return best if likely.get(best, 0.0) > OTHER_LANGUAGE_FACTOR * likely.get(first, 0.0) else first


@dataclass(frozen=True, slots=True)
class Transcriber(Generic[S]):
    """Recognises turns. `simplify` makes Chinese text simplified; `doubted` is told what is not believed."""

    recogniser: Recogniser[S]
    simplify: Callable[[str], str]
    doubted: Callable[[Doubt], None]

    def transcribe(self, turn: Turn, sound: S, candidates: Sequence[str]) -> Utterance:
        """What a turn says; `sound` is the turn's. Raises RecognitionFailed."""
        duration_ms = turn.duration_ms
        hearing = self.recogniser.hear(sound, context_ms(duration_ms))
        language = choose_language(hearing, candidates)
        plain = hearing.decode(language, "", most_tokens(duration_ms))
        if doubt(plain, duration_ms) is not None and context_ms(duration_ms) < WHOLE_CONTEXT_MS:
            hearing = self.recogniser.hear(sound, WHOLE_CONTEXT_MS)
            plain = hearing.decode(language, "", most_tokens(duration_ms))
        if not self._believed(plain, duration_ms):
            return Utterance(turn.start_ms, turn.end_ms, "", (), "", 0.0, language)
        words = self._words(hearing, language, plain, duration_ms)
        return Utterance(
            start_ms=turn.start_ms,
            end_ms=turn.end_ms,
            text="".join(word.text for word in words),
            words=words,
            answer_text=self._answer(hearing, language, duration_ms),
            confidence=sum(word.confidence for word in words) / len(words) if words else 0.0,
            language=language,
        )

    def _believed(self, decoding: Decoding, duration_ms: int) -> bool:
        """Whether a reading holds; tells if not."""
        if (reason := doubt(decoding, duration_ms)) is not None:
            self.doubted(reason)
        return reason is None

    def _answer(self, hearing: Hearing, language: str, duration_ms: int) -> str:
        """The second reading of a turn that is short enough to be an answer; empty if it is not believed."""
        if duration_ms > LONGEST_ANSWER_MS or language != ANSWER_LANGUAGE:
            return ""
        reading = hearing.decode(language, ANSWERS, most_tokens(duration_ms))
        return self.simplify(reading.text).strip() if self._believed(reading, duration_ms) else ""

    def _words(self, hearing: Hearing, language: str, plain: Decoding, duration_ms: int) -> tuple[Word, ...]:
        """The reading's words on the turn's clock, simplified, within the turn."""
        words = hearing.words(language, plain)
        if language == ANSWER_LANGUAGE:
            words = simplified(words, self.simplify)
        return tuple(
            Word(word.text, min(word.start_ms, duration_ms), min(word.end_ms, duration_ms), word.confidence)
            for word in words
        )


def simplified(words: Sequence[Word], simplify: Callable[[str], str]) -> tuple[Word, ...]:
    """Words in simplified characters. The text is converted as a whole, since some characters depend on neighbours."""
    whole = simplify("".join(word.text for word in words))
    if len(whole) != sum(len(word.text) for word in words):
        return tuple(Word(simplify(word.text), word.start_ms, word.end_ms, word.confidence) for word in words)
    made, at = [], 0
    for word in words:
        made.append(Word(whole[at : at + len(word.text)], word.start_ms, word.end_ms, word.confidence))
        at += len(word.text)
    return tuple(made)
