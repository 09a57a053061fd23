import itertools

import numpy as np
import pytest
from asr_media import Cmaf, encoded, later, tone

from shuanglu_asr.av_sound import MOST_SILENCE, Block, SoundReader
from shuanglu_asr.errors import SoundUnreadable
from shuanglu_common.cmaf import SegmentUnreadable


def read(track: Cmaf) -> list[Block]:
    """All blocks, segment by segment."""
    reader = SoundReader()
    blocks = [block for one in track.segments for block in reader.read(track.init + one.data)]
    return [*blocks, *reader.finish()]


def joined(blocks: list[Block]) -> np.ndarray:
    for before, after in itertools.pairwise(blocks):
        assert after.start == before.start + len(before.samples)
    return np.concatenate([block.samples for block in blocks])


def rms(sound: np.ndarray) -> float:
    return float(np.sqrt(np.mean(sound.astype(np.float64) ** 2)))


@pytest.mark.parametrize("codec", ["aac", "libopus"])
def test_a_track_is_read_without_a_click_between_segments(codec: str):
    track = encoded(tone(7, 300), codec)
    assert len(track.segments) > 2
    sound = joined(read(track))
    assert abs(len(sound) - 7 * 16_000) < 1600
    steady = sound[3200:-3200]
    assert np.abs(steady).max() < 0.55
    for at in range(0, len(steady) - 800, 800):
        assert rms(steady[at : at + 800]) == pytest.approx(0.5 / np.sqrt(2), rel=0.03)


def test_reading_segments_together_or_one_by_one_is_the_same():
    track = encoded(tone(5))
    reader = SoundReader()
    together = [*reader.read(track.whole()), *reader.finish()]
    assert np.array_equal(joined(together), joined(read(track)))


def test_positions_are_the_sessions():
    track = later(tone(3), 12.5)
    blocks = read(track)
    assert abs(blocks[0].start - 12.5 * 16_000) <= 1024 / 3 + 1


def test_a_hole_is_silence_and_nothing_after_it_is_shifted():
    loud_at_the_end = np.concatenate((tone(5, 300, 0.1), tone(3, 300, 0.8)))
    sound = joined(read(encoded(loud_at_the_end, hole=(2.0, 3.5))))
    assert rms(sound[int(2.2 * 16_000) : int(3.4 * 16_000)]) < 0.001
    assert rms(sound[int(3.7 * 16_000) : int(4.9 * 16_000)]) == pytest.approx(0.1 / np.sqrt(2), rel=0.05)
    assert rms(sound[int(5.2 * 16_000) : int(6.8 * 16_000)]) == pytest.approx(0.8 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize("codec", ["aac", "libopus"])
def test_a_voice_on_both_channels_is_as_loud_as_on_one(codec: str):
    """Browsers' Opus is decoded as two channels with the same in both."""
    alone, twice = (joined(read(encoded(tone(3, 300), codec, layout=layout))) for layout in ("mono", "stereo"))
    assert rms(twice[3200:-3200]) == pytest.approx(rms(alone[3200:-3200]), rel=0.02)


def test_packets_of_a_call_that_were_lost_shift_nothing():
    """Twenty seconds of Opus in segments of one second, each twentieth packet lost: the beeps stay where they were."""
    beeps = np.concatenate([np.concatenate((tone(0.5, 300, 0.8), tone(0.5, 300, 0))) for _ in range(20)])
    track = encoded(beeps, "libopus", lost_every=20, segment_ms=1000)
    assert len(track.segments) >= 19
    sound = joined(read(track))
    assert abs(len(sound) - 20 * 16_000) < 1600
    for second in range(1, 19):
        start = second * 16_000
        assert rms(sound[start + 800 : start + 7200]) > 0.45
        assert rms(sound[start + 8800 : start + 15_200]) < 0.02


def test_the_silence_of_a_long_hole_comes_in_pieces():
    first, second = encoded(tone(2)), later(tone(2), 200)
    reader = SoundReader()
    blocks = [*reader.read(first.whole()), *reader.read(second.whole()), *reader.finish()]
    assert max(len(block.samples) for block in blocks) == MOST_SILENCE
    assert abs(len(joined(blocks)) - 202 * 16_000) < 1600


def test_a_segment_that_comes_twice_is_heard_once():
    track = encoded(tone(4))
    reader = SoundReader()
    blocks = [block for one in (*track.segments, track.segments[-1]) for block in reader.read(track.init + one.data)]
    assert abs(len(joined(blocks)) - 4 * 16_000) < 1600


def test_a_text_file_is_unreadable():
    with pytest.raises(SegmentUnreadable):
        list(SoundReader().read(b"a text file called .m4s"))


def test_a_segment_with_broken_media_is_unreadable():
    track = encoded(tone(2))
    body = bytearray(track.segments[0].data)
    begin = body.index(b"mdat") + 4
    body[begin:] = b"\xff" * (len(body) - begin)
    with pytest.raises(SoundUnreadable):
        list(SoundReader().read(track.init + bytes(body)))
