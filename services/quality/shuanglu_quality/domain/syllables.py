"""Text as sounds. Recognisers confuse characters that sound alike, so words are compared by toneless pinyin.

Finals -ng/-n and initials zh/z, ch/c, sh/s are folded, as southern speakers and recognisers mix them. A character
keeps its readings, whatever stands around it, so that a phrase sounds the same alone and inside a sentence.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

from shuanglu_quality.domain.numerals import spoken_number

NEGATIONS = frozenset("不没无未非勿别莫毋否")
# Characters that are commonly read in two ways; of all others the commonest reading is the only one that counts.
_TWO_READINGS = frozenset(
    "还行重率了得地着长数单便乐调传种曾差应降处发分干更假间教觉看空量难片强切散少省盛似为兴要与载占涨只中转"
)
# Initials that differ in aspiration or place only: what a recogniser takes for one another.
_CONFUSED = tuple(frozenset(group) for group in ("bp", "dt", "gkh", "jqx", "zcs", "ln", "lr", "fh"))
_TOKEN = re.compile(
    r"(?P<number>\d+(?:,\d{3})*(?:\.\d+)?\s?[%％]?)|(?P<han>[\u3400-\u9fff])|(?P<latin>[A-Za-z])", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Syllable:
    """One sound: its character, its readings, where it stands in the text, and whether a pause stands before it."""

    char: str
    sounds: frozenset[str]
    start: int
    end: int
    after_break: bool = False


@lru_cache(maxsize=8192)
def sounds_of(char: str) -> frozenset[str]:
    """Folded readings of a character; a character that has none sounds like itself."""
    readings = _dictionary()(char)[: 2 if char in _TWO_READINGS else 1]
    return frozenset(_fold(reading) for reading in readings)


@cache
def _dictionary() -> Callable[[str], list[str]]:
    """Toneless readings of a character, the commonest first. Loaded when the first word is compared.

    Phrases are never looked up: without their dictionary pypinyin takes 12 MB in place of 56. It reads that wish from
    the environment, which is put back, because child processes would inherit it.
    """
    wishes = {"PYPINYIN_NO_PHRASES": "true", "PYPINYIN_NO_DICT_COPY": "true"}
    before = {name: os.environ.get(name) for name in wishes}
    os.environ.update(wishes)
    try:
        from pypinyin import Style, pinyin  # noqa: PLC0415 - see above
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    return lambda char: list(pinyin(char, style=Style.NORMAL, heteronym=True)[0])


def _fold(reading: str) -> str:
    folded = reading.lower()
    for initial in ("zh", "ch", "sh"):
        if folded.startswith(initial):
            folded = initial[0] + folded[2:]
    return folded[:-1] if folded.endswith("ng") else folded


@lru_cache(maxsize=65536)
def distance(left: frozenset[str], right: frozenset[str]) -> float:
    """How far two characters' nearest readings are apart, 0..1."""
    return min((_apart(one, two) for one in left for two in right), default=1.0)


def _apart(one: str, two: str) -> float:
    """0 if equal, 0.25 if only easily confused initials differ, 0.5 if only the initial or only the final differs."""
    if one == two:
        return 0.0
    if not _is_syllable(one) or not _is_syllable(two):
        return 1.0
    if _final(one) == _final(two):
        initials = {_initial(one), _initial(two)}
        return 0.25 if any(initials <= group for group in _CONFUSED) else 0.5
    return 0.5 if _initial(one) and _initial(one) == _initial(two) else 1.0


def _is_syllable(sound: str) -> bool:
    """A reading, not a letter or sign that stands for itself: those are equal or not."""
    return sound.isascii() and (len(sound) > 1 or sound in "aeo")


def _initial(sound: str) -> str:
    return "" if sound[0] in "aeo" else sound[0]


def _final(sound: str) -> str:
    return sound[len(_initial(sound)) :]


def syllables(text: str) -> tuple[Syllable, ...]:
    """The sounds of a text.

    Numbers become the words they are spoken with; punctuation leaves a break and nothing else.
    """
    return tuple(_syllables(text))


def _syllables(text: str) -> Iterator[Syllable]:
    last_end = 0
    first = True
    for token in _TOKEN.finditer(text):
        gap = text[last_end : token.start()]
        broken = first or bool(gap.strip())
        first = False
        last_end = token.end()
        spelled = spoken_number(token.group()) if token.lastgroup == "number" else token.group().lower()
        for char in spelled:
            yield Syllable(char, sounds_of(char), token.start(), token.end(), broken)
            broken = False
