"""What was heard: values of recognition, and the ports that give them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

S_contra = TypeVar("S_contra", contravariant=True)
H = TypeVar("H", bound="Hearing")


@dataclass(frozen=True, slots=True)
class Word:
    """A recognised word, for Chinese one or a few characters. Milliseconds from the start of its turn's sound."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Decoding:
    """One reading of a turn. `tokens` are the recogniser's own; `avg_logprob` is their mean, at most 0."""

    text: str
    tokens: tuple[int, ...]
    avg_logprob: float
    no_speech: float


@dataclass(frozen=True, slots=True)
class Utterance:
    """What one turn said. Empty text: unintelligible. The words, joined, are the text."""

    start_ms: int
    end_ms: int
    text: str
    words: tuple[Word, ...]
    answer_text: str
    confidence: float
    language: str


class Hearing(Protocol):
    """A turn's sound as the recogniser's encoder understood it; may be read several times."""

    def language(self, candidates: Sequence[str]) -> dict[str, float]:
        """Probability of each candidate, of those that the model knows."""
        ...

    def words(self, language: str, decoding: Decoding) -> tuple[Word, ...]:
        """When each word of a reading was said, and how sure it is."""
        ...


class Recogniser(Protocol[S_contra, H]):
    """Turns sound into hearings, and hearings into readings."""

    def hear(self, sound: S_contra, context_ms: int) -> H:
        """Encode a turn's sound; silence is added up to `context_ms`, at most 30 s. Raises RecognitionFailed."""
        ...

    def read(self, hearings: Sequence[H], language: str, hotwords: str, most_tokens: int) -> Sequence[Decoding]:
        """The likeliest reading of each, the same whatever it is read together with. Raises RecognitionFailed.

        `hotwords`: what is expected, or empty.
        """
        ...
