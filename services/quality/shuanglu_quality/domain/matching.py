"""Finding a phrase in what was said: approximate search on sounds (Sellers 1980), and an exact look at negation.

The score is 1 - cost / syllables of the phrase: 1 for equal sounds. Sounds alone decide nothing: "保证本金" sounds 96
% like "不保证本金", so a match also says whether a negation was dropped or added, and which must-have words are not
there exactly.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from shuanglu_quality.domain.syllables import NEGATIONS, Syllable, distance, syllables

_VOTE_SHARE = 0.3
_SLACK = 2
_LOOK_BACK = 3
_ADD, _DROP = 1.0, 1.0


@dataclass(frozen=True, slots=True)
class Match:
    """Where a phrase was found: syllables `[start, end)` of the text.

    `pairs` says which syllable stands for which of the phrase.
    """

    score: float
    start: int
    end: int
    pairs: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """Text that phrases are looked for in, with an index of its sounds."""

    text: tuple[Syllable, ...]
    places: dict[str, list[int]]


def listen(text: Sequence[Syllable]) -> Heard:
    """Makes a text searchable."""
    places: dict[str, list[int]] = {}
    for at, syllable in enumerate(text):
        for sound in syllable.sounds:
            places.setdefault(sound, []).append(at)
    return Heard(tuple(text), places)


@lru_cache(maxsize=4096)
def phrase_sounds(phrase: str) -> tuple[Syllable, ...]:
    """Sounds of a phrase of a strategy."""
    return syllables(phrase)


def find(phrase: str, heard: Heard, least: float) -> tuple[Match, ...]:
    """Places that sound like the phrase with at least that score, disjoint, in order of place.

    Empty phrases are nowhere.
    """
    wanted = phrase_sounds(phrase)
    if not wanted or not heard.text:
        return ()
    found: list[Match] = []
    for start, end in _windows(wanted, heard):
        found.extend(_in_window(wanted, heard.text, start, end, least))
    found.sort(key=lambda match: (-match.score, match.start))
    kept: list[Match] = []
    for match in found:
        if all(match.end <= other.start or match.start >= other.end for other in kept):
            kept.append(match)
    return tuple(sorted(kept, key=lambda match: match.start))


def best(phrase: str, heard: Heard, least: float = 0.0) -> Match | None:
    """The place that sounds most like the phrase; the first of equals."""
    return max(find(phrase, heard, least), key=lambda match: (match.score, -match.start), default=None)


def _windows(wanted: tuple[Syllable, ...], heard: Heard) -> list[tuple[int, int]]:
    """Stretches where enough of the phrase's sounds stand in about the right places: there it pays to look."""
    votes: Counter[int] = Counter()
    for at, syllable in enumerate(wanted):
        places = {place for sound in syllable.sounds for place in heard.places.get(sound, ())}
        votes.update(place - at for place in places)
    enough = max(1.0, _VOTE_SHARE * len(wanted))
    likely = sorted(
        shift for shift in votes if sum(votes.get(shift + near, 0) for near in range(-_SLACK, _SLACK + 1)) >= enough
    )
    windows: list[tuple[int, int]] = []
    for shift in likely:
        start = max(0, shift - _SLACK)
        end = min(len(heard.text), shift + len(wanted) + _SLACK)
        if windows and start <= windows[-1][1]:
            windows[-1] = (windows[-1][0], max(end, windows[-1][1]))
        else:
            windows.append((start, end))
    return windows


def _in_window(
    wanted: tuple[Syllable, ...], text: tuple[Syllable, ...], start: int, end: int, least: float
) -> list[Match]:
    """All disjoint matches inside one stretch, best first: look, cut the best out, look again left and right of it."""
    if end - start <= 0:
        return []
    match = _align(wanted, text, start, end)
    if match is None or match.score < least:
        return []
    return [
        match,
        *_in_window(wanted, text, start, match.start, least),
        *_in_window(wanted, text, match.end, end, least),
    ]


def _align(wanted: tuple[Syllable, ...], text: tuple[Syllable, ...], start: int, end: int) -> Match | None:
    """The cheapest place of the phrase in `text[start:end]`."""
    width = end - start
    rows = [[0.0] * (width + 1)]
    for depth, syllable in enumerate(wanted, 1):
        above, row = rows[-1], [depth * _DROP]
        for at in range(1, width + 1):
            swap = above[at - 1] + distance(syllable.sounds, text[start + at - 1].sounds)
            row.append(min(swap, above[at] + _DROP, row[-1] + _ADD))
        rows.append(row)
    last = rows[-1]
    finish = min(range(width + 1), key=lambda at: (last[at], at))
    score = 1 - last[finish] / len(wanted)
    if finish == 0 or score <= 0:
        return None
    pairs, begin = _trace(rows, wanted, text, start, finish)
    return Match(score, start + begin, start + finish, pairs) if begin < finish else None


def _trace(
    rows: list[list[float]], wanted: tuple[Syllable, ...], text: tuple[Syllable, ...], start: int, finish: int
) -> tuple[tuple[int | None, ...], int]:
    pairs: list[int | None] = [None] * len(wanted)
    depth, at = len(wanted), finish
    while depth > 0:
        here = rows[depth][at]
        if at > 0:
            swap = rows[depth - 1][at - 1] + distance(wanted[depth - 1].sounds, text[start + at - 1].sounds)
            if here == swap:
                depth, at = depth - 1, at - 1
                pairs[depth] = start + at
                continue
        if here == rows[depth - 1][at] + _DROP:
            depth -= 1
        else:
            at -= 1
    return tuple(pairs), at


def negation_changed(phrase: str, heard: Heard, match: Match) -> bool:
    """Whether a negation of the phrase was not heard, or one was heard that the phrase does not have.

    A syllable that only sounds like the negation counts as heard (recognisers write 部 for 不); a negation right
    before the match, without a pause between, counts as added.
    """
    wanted = phrase_sounds(phrase)
    meant: set[int] = set()
    for syllable, place in zip(wanted, match.pairs, strict=True):
        if place is not None and distance(syllable.sounds, heard.text[place].sounds) == 0:
            meant.add(place)
        elif syllable.char in NEGATIONS:
            return True
    added = (at for at in range(match.start, match.end) if at not in meant and heard.text[at].char in NEGATIONS)
    return any(True for _ in added) or _negated_before(heard, match.start)


def _negated_before(heard: Heard, start: int) -> bool:
    for at in range(start - 1, max(-1, start - 1 - _LOOK_BACK), -1):
        if heard.text[at + 1].after_break:
            return False
        if heard.text[at].char in NEGATIONS:
            return True
    return False


def words_missing(words: Sequence[str], heard: Heard, match: Match) -> tuple[str, ...]:
    """Must-have words that were not heard exactly inside the match (one syllable of margin on both sides)."""
    inside = heard.text[max(0, match.start - 1) : match.end + 1]
    return tuple(word for word in words if not _stands_in(phrase_sounds(word), inside))


def _stands_in(word: tuple[Syllable, ...], text: Sequence[Syllable]) -> bool:
    return any(
        all(one.sounds & text[at + offset].sounds for offset, one in enumerate(word))
        for at in range(len(text) - len(word) + 1)
    )
