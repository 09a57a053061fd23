import numpy as np
import pytest

from shuanglu_asr.mel import BANDS, LogMel, mel_filters


def test_a_tone_is_loudest_in_its_own_band():
    at = np.arange(16_000) / 16_000
    filters = mel_filters()
    for hertz in (200, 440, 1000, 3000, 6000):
        mel = LogMel()(np.sin(2 * np.pi * hertz * at).astype(np.float32), 100)
        assert abs(int(mel[:, 50].argmax()) - int(filters[:, round(hertz / 40)].argmax())) <= 1


def test_all_filters_have_the_same_area():
    filters = mel_filters()
    assert filters.shape == (BANDS, 201)
    # In units of Hz: 40 Hz a bin. The narrow triangles of low bands hold few bins.
    assert (filters[40:].sum(axis=1) * 40).tolist() == pytest.approx([1.0] * 40, rel=0.1)


def test_what_comes_after_the_sound_is_silence():
    mel = LogMel()(np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32), 300)
    assert mel.shape == (BANDS, 300)
    assert mel.dtype == np.float32
    assert (mel[:, 110:] == mel.min()).all()
    # Whisper's normalisation: eight decades below the loudest, divided by four.
    assert mel.max() - mel.min() == pytest.approx(2.0)


def test_sound_that_is_too_long_is_cut():
    assert LogMel()(np.ones(48_000, np.float32), 100).shape == (BANDS, 100)


def test_silence_has_a_spectrogram():
    assert np.isfinite(LogMel()(np.zeros(1600, np.float32), 50)).all()
