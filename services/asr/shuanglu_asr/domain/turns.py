"""Finds turns of speech in a row of speech probabilities, frame by frame.

A state machine with two thresholds, so that a probability that wavers around one of them does not cut a word:

    SILENT    --probability >= start-->              SPEAKING
    SPEAKING  --probability <  end for min_silence--> SILENT    (the turn ended where the silence began)
    SPEAKING  --longer than max_turn-->              SPEAKING   (cut at the quietest place; the rest is the next turn)

One frame at a time and no look-ahead: how the sound was cut into segments cannot change the result.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

FRAME_MS = 32
# A cut is looked for among this many neighbours' mean, so that one odd frame in the middle of a word is not one.
CUT_FRAMES = 5


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch of speech, milliseconds from the session's start; never empty."""

    start_ms: int
    end_ms: int

    @property
    def duration_ms(self) -> int:
        """Its length, above 0."""
        return self.end_ms - self.start_ms


@dataclass(frozen=True, slots=True)
class TurnRules:
    """What is a turn. Probabilities are 0..1.

    `pad_ms` is added on both sides, since a voice is only noticed after its first consonant; two pads fit into
    `min_silence_ms`, so turns never overlap. `max_turn_ms` leaves room for both pads in the recogniser's 30 s.
    """

    start_probability: float = 0.5
    end_probability: float = 0.35
    min_speech_ms: int = 192
    min_silence_ms: int = 416
    pad_ms: int = 200
    max_turn_ms: int = 28_000

    def __post_init__(self) -> None:
        """Raises ValueError for rules that contradict each other."""
        if not 0 < self.end_probability <= self.start_probability <= 1:
            raise ValueError("0 < end_probability <= start_probability <= 1 is needed")
        if 2 * self.pad_ms > self.min_silence_ms:
            raise ValueError("two pads must fit into min_silence_ms")
        if self.max_turn_ms < 2 * (self.min_speech_ms + CUT_FRAMES * FRAME_MS):
            raise ValueError("max_turn_ms is too short to cut a turn in two")


@dataclass(slots=True)
class TurnFinder:
    """Give it each frame's probability in order, then `finish`. Positions count from `origin_ms`, the first frame's."""

    origin_ms: int
    rules: TurnRules = field(default_factory=TurnRules)
    frames: int = 0
    first: int = 0
    joined: bool = False
    silent: int = 0
    spoken: list[float] = field(default_factory=list)

    def add(self, probability: float) -> Turn | None:
        """The next frame; gives the turn that it ends, if it ends one."""
        frame, self.frames = self.frames, self.frames + 1
        if not self.spoken:
            if probability >= self.rules.start_probability:
                self.first, self.silent, self.spoken = frame, 0, [probability]
            return None
        self.spoken.append(probability)
        self.silent = self.silent + 1 if probability < self.rules.end_probability else 0
        if self.silent * FRAME_MS >= self.rules.min_silence_ms:
            return self._close()
        if len(self.spoken) * FRAME_MS > self.rules.max_turn_ms:
            return self._cut()
        return None

    def add_all(self, probabilities: Iterable[float]) -> list[Turn]:
        """Many frames at once."""
        return [turn for probability in probabilities if (turn := self.add(probability)) is not None]

    def finish(self) -> Turn | None:
        """The sound is over; gives the turn that was going on, if there was one."""
        return self._close() if self.spoken else None

    def _close(self) -> Turn | None:
        """End the turn where its last silence began. Too short a sound is no speech."""
        length = len(self.spoken) - self.silent
        first, joined = self.first, self.joined
        self.spoken, self.silent, self.joined = [], 0, False
        # The rest of a cut turn is speech, however short.
        if length * FRAME_MS < self.rules.min_speech_ms and not joined:
            return None
        return self._turn(first, first + length, pad_start=not joined, pad_end=True) if length > 0 else None

    def _cut(self) -> Turn:
        """Cut the turn at its quietest place in the later half; the rest goes on as the next turn."""
        margin = CUT_FRAMES // 2
        last = len(self.spoken) - self.silent - 1 - margin
        places = range(min(len(self.spoken) // 2, last), last + 1)
        # The later of two equally quiet places: turns as long as may be.
        at = min(places, key=lambda place: (sum(self.spoken[place - margin : place + margin + 1]), -place))
        turn = self._turn(self.first, self.first + at, pad_start=not self.joined, pad_end=False)
        self.spoken, self.first, self.joined = self.spoken[at:], self.first + at, True
        return turn

    def _turn(self, first: int, end: int, *, pad_start: bool, pad_end: bool) -> Turn:
        """Frames as positions. A pad never reaches outside the sound that was heard."""
        start_ms = self.origin_ms + first * FRAME_MS - (self.rules.pad_ms if pad_start else 0)
        end_ms = self.origin_ms + end * FRAME_MS + (self.rules.pad_ms if pad_end else 0)
        heard_ms = self.origin_ms + self.frames * FRAME_MS
        return Turn(max(self.origin_ms, start_ms), min(heard_ms, end_ms))
