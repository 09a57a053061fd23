import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu_media_ingest.domain.live import opus


@pytest.mark.parametrize("milliseconds", ["2.5", "5", "10", "20", "40", "60", "80", "120"])
@pytest.mark.parametrize("application", ["voip", "audio", "lowdelay"])
@pytest.mark.parametrize("rate", [8000, 16_000, 64_000])
def test_lengths_are_those_that_the_encoder_says(milliseconds: str, application: str, rate: int):
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = 48_000, "mono", "flt", rate
    encoder.options = {"frame_duration": milliseconds, "application": application}
    encoder.open()
    samples = np.sin(np.arange(48_000) / 20).astype(np.float32)
    size = encoder.frame_size
    for start in range(0, 48_000 - size + 1, size):
        piece = av.AudioFrame.from_ndarray(samples[None, start : start + size], format="flt", layout="mono")
        piece.sample_rate, piece.pts = 48_000, start
        assert {opus.duration(bytes(packet)) for packet in encoder.encode(piece)} <= {round(float(milliseconds) * 48)}


@pytest.mark.parametrize("packet", [b"", b"\x79a", b"\x7b", b"\x7b\x00", b"\x7b\x3f", b"\x7a", b"\x7a\x50"])
def test_what_is_no_packet_has_no_length(packet: bytes):
    assert opus.duration(packet) == 0


@given(st.binary(max_size=50))
def test_no_packet_is_longer_than_120_ms(packet: bytes):
    assert 0 <= opus.duration(packet) <= 5760
