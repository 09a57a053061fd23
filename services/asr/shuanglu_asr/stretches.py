"""Cuts the turns out of a track's sound."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from shuanglu_asr.av_sound import Block, Samples
from shuanglu_asr.domain.placing import RATE
from shuanglu_asr.domain.turns import Turn


def stretches(blocks: Iterable[Block], turns: Sequence[Turn]) -> Iterator[tuple[Turn, Samples]]:
    """Each turn with its sound, in order; `turns` in time order, never overlapping. What the sound lacks is silence.

    Holds no more sound than one turn's.
    """
    wanted = iter(turns)
    turn = next(wanted, None)
    sound = silence(turn)
    for block in blocks:
        end = block.start + len(block.samples)
        while turn is not None and position(turn.start_ms) < end:
            copy(block, sound, position(turn.start_ms))
            if position(turn.end_ms) > end:
                break
            yield turn, sound
            turn = next(wanted, None)
            sound = silence(turn)
    while turn is not None:
        yield turn, sound
        turn = next(wanted, None)
        sound = silence(turn)


def position(at_ms: int) -> int:
    """Milliseconds as samples."""
    return at_ms * RATE // 1000


def silence(turn: Turn | None) -> Samples:
    """As long as the turn."""
    return np.zeros(position(turn.end_ms) - position(turn.start_ms) if turn else 0, np.float32)


def copy(block: Block, sound: Samples, start: int) -> None:
    """The part of the block that lies in the sound, whose first sample is at `start`."""
    begin, end = max(block.start, start), min(block.start + len(block.samples), start + len(sound))
    if begin < end:
        sound[begin - start : end - start] = block.samples[begin - block.start : end - block.start]
