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
