"""What was heard on a whole track."""

from dataclasses import dataclass

from shuanglu_asr.domain.loudness import Loudness
from shuanglu_asr.domain.turns import Turn


@dataclass(frozen=True, slots=True)
class Listened:
    """Turns and levels of a track, in time order; `seconds` of sound."""

    turns: tuple[Turn, ...]
    loudness: tuple[Loudness, ...]
    seconds: float
    unheard: tuple[tuple[int, int], ...] = ()  # milliseconds that could not be decoded, in time order
    unread: tuple[int, ...] = ()  # segments, counted from 0, of which nothing could be read
