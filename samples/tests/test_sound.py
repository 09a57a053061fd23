import numpy as np
from numpy.typing import NDArray

from shuanglu_samples.sound import envelope, levelled, mix, mumbled, muted
from shuanglu_samples.voice import RATE_HZ, trim


def tone(seconds: float, level: float = 0.3, hertz: float = 440) -> NDArray[np.float32]:
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE_HZ)) / RATE_HZ)).astype(np.float32)


def rms(sound: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(np.square(sound))))


def test_a_voice_stands_where_its_line_stands() -> None:
    track = mix([(1000, tone(0.5))], duration_ms=3000, seed=1)
    assert track.size == 3 * RATE_HZ
    assert rms(track[RATE_HZ : RATE_HZ + RATE_HZ // 2]) > 0.2
    assert rms(track[: RATE_HZ - 10]) < 0.005


def test_a_room_is_never_digitally_silent() -> None:
    track = mix([], duration_ms=2000, seed=1)
    assert np.count_nonzero(np.round(track * 32767)) > 0.9 * track.size


def test_a_dead_microphone_is_digitally_silent() -> None:
    track = muted(mix([(0, tone(2))], duration_ms=2000, seed=1), 500, 1500)
    assert not track[RATE_HZ // 2 : RATE_HZ * 3 // 2].any()
    assert track[: RATE_HZ // 2].any()
    assert track[RATE_HZ * 3 // 2 :].any()


def test_quiet_and_loud_voices_come_to_one_level() -> None:
    assert abs(rms(levelled(tone(1, 0.9))) - rms(levelled(tone(1, 0.1)))) < 0.005


def test_a_mumble_is_quiet_and_dull() -> None:
    bright, dull = tone(1, hertz=2000), tone(1, hertz=150)
    assert rms(mumbled(bright)) < 0.01 * rms(bright)
    assert 0.3 * rms(dull) < rms(mumbled(dull)) < 0.7 * rms(dull)


def test_the_mouth_opens_with_the_voice_and_is_shut_in_silence() -> None:
    track = mix([(1000, levelled(tone(1)))], duration_ms=3000, seed=2)
    opened = envelope(track, 45)
    assert opened.shape == (45,)
    assert opened[:14].max() == 0
    assert opened[17:28].min() > 0.3
    assert opened[32:].max() == 0


def test_trimming_takes_silence_away_and_keeps_the_voice() -> None:
    silence = np.zeros(RATE_HZ, np.float32)
    trimmed = trim(np.concatenate([silence, tone(0.5), silence]))
    assert 0.5 <= trimmed.size / RATE_HZ < 0.6


def test_trimming_silence_leaves_nothing() -> None:
    assert trim(np.zeros(100, np.float32)).size == 0
