"""What was said in a session, as one line of sounds for each group of speakers, with the time of every sound."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from shuanglu_quality.domain.findings import Quote
from shuanglu_quality.domain.intervals import Interval
from shuanglu_quality.domain.matching import Heard, Match, listen
from shuanglu_quality.domain.observations import Said
from shuanglu_quality.domain.syllables import Syllable, syllables
from shuanglu_quality.domain.words import Role


@dataclass(frozen=True, slots=True)
class Line:
    """Utterances in time order and their sounds. `owners[i]` is the utterance of sound i, `times[i]` its place."""

    utterances: tuple[Said, ...]
    heard: Heard
    owners: tuple[int, ...]
    times: tuple[Interval, ...]

    def interval_of(self, match: Match) -> Interval:
        """When a match was said."""
        return Interval(self.times[match.start].start_ms, self.times[match.end - 1].end_ms)

    def quote(self, match: Match) -> Quote:
        """The words around a match: all utterances it touches."""
        first, last = self.owners[match.start], self.owners[match.end - 1]
        touched = self.utterances[first : last + 1]
        matched = ""
        for index in range(first, last + 1):
            places = [at for at in range(match.start, match.end) if self.owners[at] == index]
            text = self.utterances[index].text
            matched += text[self.heard.text[places[0]].start : self.heard.text[places[-1]].end] if places else ""
        return Quote(
            touched[0].role,
            " ".join(said.text for said in touched),
            Interval(touched[0].interval.start_ms, max(said.interval.end_ms for said in touched)),
            matched,
        )

    def within(self, interval: Interval) -> "Line":
        """The sounds that lie in a stretch, each by its middle."""
        kept = [at for at, time in enumerate(self.times) if interval.contains((time.start_ms + time.end_ms) // 2)]
        text = [self.heard.text[at] for at in kept]
        return Line(
            self.utterances,
            listen(text),
            tuple(self.owners[at] for at in kept),
            tuple(self.times[at] for at in kept),
        )


def line_of(utterances: Sequence[Said], wanted: Callable[[Role | None], bool]) -> Line:
    """The line of the speakers that are wanted."""
    chosen = tuple(
        sorted((said for said in utterances if wanted(said.role)), key=lambda said: (said.interval, said.text))
    )
    text: list[Syllable] = []
    owners: list[int] = []
    times: list[Interval] = []
    for index, said in enumerate(chosen):
        sounds = syllables(said.text)
        text.extend(sounds)
        owners.extend([index] * len(sounds))
        times.extend(_times(said, sounds))
    return Line(chosen, listen(text), tuple(owners), tuple(times))


def _times(said: Said, sounds: Sequence[Syllable]) -> list[Interval]:
    """Times of sounds: from the words where they spell the text, else spread evenly over the utterance."""
    spread = _char_times(said)
    return [Interval(spread[sound.start].start_ms, spread[sound.end - 1].end_ms) for sound in sounds]


def _char_times(said: Said) -> list[Interval]:
    spoken = "".join(word.text for word in said.words)
    if spoken == said.text and spoken:
        times: list[Interval] = []
        for word in said.words:
            times.extend(_spread(word.interval, len(word.text)))
        # Recognisers sometimes give times that go back; a later sound never starts before an earlier one.
        for at, (before, here) in enumerate(pairwise(times), 1):
            start = max(before.start_ms, here.start_ms)
            times[at] = Interval(start, max(start, here.end_ms))
        return times
    return _spread(said.interval, len(said.text))


def _spread(interval: Interval, count: int) -> list[Interval]:
    length = interval.duration_ms
    return [
        Interval(interval.start_ms + length * at // count, interval.start_ms + length * (at + 1) // count)
        for at in range(count)
    ]


@dataclass(slots=True)
class Lines:
    """Lines of a session by role, each made once; utterances whose speaker could not be told are on every line."""

    utterances: Sequence[Said]
    _made: dict[Role, Line] = field(default_factory=dict)

    def of(self, role: Role) -> Line:
        """What a role said."""
        if role not in self._made:
            self._made[role] = line_of(self.utterances, speaks_as(role))
        return self._made[role]


def in_time_order(utterances: Sequence[Said]) -> tuple[Said, ...]:
    """All utterances by time, each once."""
    return tuple(sorted(set(utterances), key=lambda said: (said.interval, said.track_id, said.text)))


def speaks_as(role: Role) -> Callable[[Role | None], bool]:
    """Utterances of a role, and those whose speaker could not be told."""
    return lambda speaker: speaker is None or speaker is role


def not_customer(speaker: Role | None) -> bool:
    """Utterances that may be the agent's: everybody's but the customer's."""
    return speaker is not Role.CUSTOMER
