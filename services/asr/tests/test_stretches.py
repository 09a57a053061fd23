import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shuanglu_asr.av_sound import Block
from shuanglu_asr.domain.turns import Turn
from shuanglu_asr.stretches import stretches

turn_lists = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 60)), max_size=6)


def turns_of(parts: list[tuple[int, int]], begin_ms: int) -> list[Turn]:
    made, at = [], begin_ms
    for silence, length in parts:
        made.append(Turn(at + silence, at + silence + length))
        at += silence + length
    return made


@given(turn_lists, st.integers(0, 50), st.integers(0, 50), st.lists(st.integers(1, 900), max_size=30))
def test_each_turn_gets_its_own_samples_however_the_sound_comes(
    parts: list[tuple[int, int]], begin_ms: int, sound_ms: int, sizes: list[int]
):
    turns = turns_of(parts, begin_ms)
    origin = sound_ms * 16
    # Each sample is its own position, so a sample in the wrong place shows.
    blocks, at = [], origin
    for size in sizes:
        blocks.append(Block(at, np.arange(at + 1, at + size + 1, dtype=np.float32)))
        at += size
    found = list(stretches(blocks, turns))
    assert [turn for turn, _ in found] == turns
    for turn, sound in found:
        place = np.arange(turn.start_ms * 16, turn.end_ms * 16)
        expected = np.where((place >= origin) & (place < at), place + 1, 0)
        assert np.array_equal(sound, expected.astype(np.float32))
