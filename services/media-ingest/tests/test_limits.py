from fractions import Fraction

import pytest

from shuanglu_media_ingest.domain import limits
from shuanglu_media_ingest.domain.survey import Medium, Stream
from shuanglu_media_ingest.errors import RecordingTooLarge


def picture(width: int, height: int) -> Stream:
    return Stream(0, Medium.VIDEO, "h264", Fraction(1, 25), width=width, height=height)


def sound(rate: int = 48_000, channels: int = 2) -> Stream:
    return Stream(1, Medium.AUDIO, "aac", Fraction(1, rate), sample_rate=rate, channels=channels)


def test_what_cameras_and_recorders_give_is_allowed():
    limits.require_streams([picture(7680, 4320), picture(4320, 7680), sound(192_000, 8)])


@pytest.mark.parametrize(
    "streams", [[picture(8193, 16)], [picture(8192, 8192)], [sound(768_000)], [sound(channels=17)], [sound()] * 17]
)
def test_what_no_recording_of_a_session_has_is_refused_with_the_figure(streams: list[Stream]):
    with pytest.raises(RecordingTooLarge) as refused:
        limits.require_streams(streams)
    assert any(figure in str(refused.value) for figure in ("8193", "8192", "768000", "17"))


def test_a_day_is_the_longest_recording():
    stream = picture(160, 120)
    for at in (0, 24 * 3600 * 25 - 1):
        stream.add(at, 1, 10, key=True, hidden=False)
    limits.require_duration([stream])
    stream.add(24 * 3600 * 25, 1, 10, key=True, hidden=False)
    with pytest.raises(RecordingTooLarge):
        limits.require_duration([stream])


def test_packets_are_counted():
    limits.require_packets(limits.MAX_PACKETS)
    with pytest.raises(RecordingTooLarge):
        limits.require_packets(limits.MAX_PACKETS + 1)
