"""How a turn becomes an utterance: readings, second looks, and what is believed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from shuanglu_asr.domain.doubt import Doubt, doubt
from shuanglu_asr.domain.heard import Decoding, H, Hearing, Recogniser, Utterance, Word
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
# Turns of about the same length are read together: they share the bound of the longest that the step allows.
LENGTH_STEPS_MS = (LONGEST_ANSWER_MS, 10_000, 20_000, WHOLE_CONTEXT_MS)
# Another language than the first must be this much likelier: short turns are often taken for a wrong one.
OTHER_LANGUAGE_FACTOR = 4.0


def context_ms(duration_ms: int) -> int:
    """How much context a turn is encoded in, at most 30 s."""
    steps = -(-(duration_ms + SILENCE_AFTER_MS) // CONTEXT_STEP_MS)
    return min(WHOLE_CONTEXT_MS, max(SHORTEST_CONTEXT_MS, steps * CONTEXT_STEP_MS))


def most_tokens(duration_ms: int) -> int:
    """More tokens than anybody can say in that time; depends on nothing but the turn, so neighbours change nothing."""
    bound_ms = next((step for step in LENGTH_STEPS_MS if duration_ms <= step), duration_ms)
    return TOKENS_A_SECOND * bound_ms // 1000 + FEWEST_TOKENS


def choose_language(hearing: Hearing, candidates: Sequence[str]) -> str:
    """The language that is spoken: the first candidate, unless another one is much likelier. None means Mandarin."""
    if len(candidates) < 2:  # noqa: PLR2004 - nothing to choose
        return candidates[0] if candidates else ANSWER_LANGUAGE
    likely = hearing.language(candidates)
    first = candidates[0]
    best = max(candidates, key=lambda one: likely.get(one, 0.0))
    return best if likely.get(best, 0.0) > OTHER_LANGUAGE_FACTOR * likely.get(first, 0.0) else first


@dataclass(slots=True)
class InHand(Generic[S, H]):
    """A turn while it is recognised."""

    turn: Turn
    sound: S
    hearing: H
    language: str

    @property
    def may_be_answer(self) -> bool:
        """Whether a second reading, with the words of answers, makes sense."""
        return self.turn.duration_ms <= LONGEST_ANSWER_MS and self.language == ANSWER_LANGUAGE


@dataclass(frozen=True, slots=True)
class Transcriber(Generic[S, H]):
    """Recognises turns. `simplify` makes Chinese text simplified; `doubted` is told what is not believed.

    Each turn is heard and judged by itself. Turns are only read together: a step of the decoder costs mostly the way
    of its weights through the memory, once for all that are read.
    """

    recogniser: Recogniser[S, H]
    simplify: Callable[[str], str]
    doubted: Callable[[Doubt], None]

    def transcribe(self, sounds: Sequence[tuple[Turn, S]], candidates: Sequence[str]) -> tuple[Utterance, ...]:
        """What turns say, each with its sound, in order. Raises RecognitionFailed."""
        turns = [self._heard(turn, sound, candidates) for turn, sound in sounds]
        plain = self._read(turns, "")
        again = [
            number
            for number, (one, reading) in enumerate(zip(turns, plain, strict=True))
            if doubt(reading, one.turn.duration_ms) and context_ms(one.turn.duration_ms) < WHOLE_CONTEXT_MS
        ]
        for number in again:
            turns[number].hearing = self.recogniser.hear(turns[number].sound, WHOLE_CONTEXT_MS)
        for number, reading in zip(again, self._read([turns[number] for number in again], ""), strict=True):
            plain[number] = reading
        believed = [self._believed(one, reading) for one, reading in zip(turns, plain, strict=True)]
        answering = [number for number, one in enumerate(turns) if believed[number] and one.may_be_answer]
        answers = dict(zip(answering, self._read([turns[number] for number in answering], ANSWERS), strict=True))
        return tuple(
            self._utterance(one, plain[number], answers.get(number)) if believed[number] else unintelligible(one)
            for number, one in enumerate(turns)
        )

    def _heard(self, turn: Turn, sound: S, candidates: Sequence[str]) -> InHand[S, H]:
        hearing = self.recogniser.hear(sound, context_ms(turn.duration_ms))
        return InHand(turn, sound, hearing, choose_language(hearing, candidates))

    def _read(self, turns: Sequence[InHand[S, H]], hotwords: str) -> list[Decoding]:
        """A reading of each; those of one language and about one length together."""
        groups: dict[tuple[str, int], list[int]] = {}
        for number, one in enumerate(turns):
            groups.setdefault((one.language, most_tokens(one.turn.duration_ms)), []).append(number)
        made: dict[int, Decoding] = {}
        for (language, most), numbers in groups.items():
            hearings = [turns[number].hearing for number in numbers]
            made.update(zip(numbers, self.recogniser.read(hearings, language, hotwords, most), strict=True))
        return [made[number] for number in range(len(turns))]

    def _believed(self, one: InHand[S, H], decoding: Decoding) -> bool:
        """Whether a reading holds; tells if not."""
        if (reason := doubt(decoding, one.turn.duration_ms)) is not None:
            self.doubted(reason)
        return reason is None

    def _utterance(self, one: InHand[S, H], plain: Decoding, answer: Decoding | None) -> Utterance:
        """A believed reading with its words; the second reading is left out if it is not believed."""
        words = self._words(one, plain)
        believed = answer is not None and self._believed(one, answer)
        return Utterance(
            start_ms=one.turn.start_ms,
            end_ms=one.turn.end_ms,
            text="".join(word.text for word in words),
            words=words,
            answer_text=self.simplify(answer.text).strip() if answer is not None and believed else "",
            confidence=sum(word.confidence for word in words) / len(words) if words else 0.0,
            language=one.language,
        )

    def _words(self, one: InHand[S, H], plain: Decoding) -> tuple[Word, ...]:
        """The reading's words on the turn's clock, simplified, within the turn."""
        words = one.hearing.words(one.language, plain)
        if one.language == ANSWER_LANGUAGE:
            words = simplified(words, self.simplify)
        end_ms = one.turn.duration_ms
        return tuple(
            Word(word.text, min(word.start_ms, end_ms), min(word.end_ms, end_ms), word.confidence) for word in words
        )


def unintelligible(one: InHand[S, H]) -> Utterance:
    """Somebody spoke, and no reading is believed."""
    return Utterance(one.turn.start_ms, one.turn.end_ms, "", (), "", 0.0, one.language)


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
