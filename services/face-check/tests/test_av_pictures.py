import struct
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from face_check_media import boxes, cut, live_like, video
from numpy.typing import NDArray

from shuanglu_common.cmaf import SegmentUnreadable
from shuanglu_face_check.av_pictures import read_samples
from shuanglu_face_check.domain.geometry import Box
from shuanglu_face_check.pixels import LumaMotion, PixelFormat, PixelPicture

FPS = 10


def numbered(number: int) -> NDArray[np.uint8]:
    """A picture whose grey tells its number, on some texture so that frames differ."""
    picture = np.full((96, 128, 3), 20 + 5 * number, np.uint8)
    picture[:8, :8] = number * 7 % 255
    return picture


def number_of(picture: PixelPicture) -> int:
    return round((float(picture.full(PixelFormat.GREY)[20:, 20:].mean()) - 20) / 5)


# Frames that are stored out of order start the track later by their delay.
@pytest.mark.parametrize(("bframes", "start_ms"), [(0, 0), (3, 200)])
@pytest.mark.parametrize("points", [(0, 500, 1000, 1500), (130, 150, 199), (1900, 1999), (50,)])
def test_a_point_shows_the_frame_that_a_viewer_sees(bframes: int, start_ms: int, points: tuple[int, ...]):
    data = video((numbered(n) for n in range(20)), FPS, bframes)
    samples = list(read_samples(data, [start_ms + point for point in points]))
    assert [sample.at_ms - start_ms for sample in samples] == list(points)
    assert [number_of(sample.picture) for sample in samples] == [point * FPS // 1000 for point in points]


def test_two_points_in_one_long_frame_share_the_picture():
    data = video((numbered(n) for n in range(4)), fps=1)
    first, second, third = read_samples(data, (1000, 1500, 2000))
    assert first.picture is second.picture
    assert second.picture is not third.picture


def test_no_points_need_no_decoding():
    assert list(read_samples(video([numbered(0)]), ())) == []


def test_light_is_0_for_black_and_1_for_white():
    black, white = np.zeros((96, 128, 3), np.uint8), np.full((96, 128, 3), 255, np.uint8)
    dark, bright = (sample.picture for sample in read_samples(video([black, white], gop=1), (0, 100)))
    assert dark.light() == pytest.approx((0, 0), abs=0.01)
    assert bright.light() == pytest.approx((1, 0), abs=0.01)
    assert LumaMotion().motion(bright, dark) == pytest.approx(1, abs=0.01)


def test_a_frozen_picture_has_no_motion_and_a_moving_one_has():
    still = [numbered(3)] * 8
    pictures = [sample.picture for sample in read_samples(video(still), range(0, 800, 100))]
    assert max(LumaMotion().motion(now, then) for then, now in pairwise(pictures)) < 0.002
    moving = [sample.picture for sample in read_samples(video(map(numbered, range(8))), range(0, 800, 100))]
    assert min(LumaMotion().motion(now, then) for then, now in pairwise(moving)) > 0.01


def test_a_sharp_face_is_sharper_than_a_blurred_one_and_a_box_outside_has_no_look():
    edges = np.zeros((96, 128, 3), np.uint8)
    edges[:, ::16] = 255
    flat = np.full((96, 128, 3), 90, np.uint8)
    sharp, soft = (sample.picture for sample in read_samples(video([edges, flat], gop=1), (0, 100)))
    box = Box(-10, 10, 80, 80)
    assert sharp.look(box).sharpness > 100 * max(soft.look(box).sharpness, 0.01)
    assert soft.look(box).brightness == pytest.approx(90 / 255, abs=0.02)
    assert sharp.look(Box(500, 500, 50, 50)).sharpness == 0


def small(number: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(numbered(number)[::2, ::2])


def test_a_calls_picture_that_changes_its_size_inside_a_segment_is_read_all_the_same():
    data = live_like([[numbered(n) for n in range(10)], [small(n) for n in range(10, 20)]])
    assert data.count(b"avc3") == 1
    samples = list(read_samples(data, (0, 500, 1000, 1500)))
    assert [(one.picture.width, one.picture.height) for one in samples] == [(128, 96)] * 2 + [(64, 48)] * 2
    assert [number_of(one.picture) for one in samples[:2]] == [0, 5]
    assert [number_of_small(one.picture) for one in samples[2:]] == [10, 15]
    assert LumaMotion().motion(samples[2].picture, samples[1].picture) == 1.0


def test_a_segment_of_a_call_is_read_by_itself_though_the_track_began_with_another_size():
    data = live_like([[numbered(n) for n in range(10)], [small(n) for n in range(10, 20)]])
    init = b"".join(box for kind, box in boxes(data) if kind in (b"ftyp", b"moov"))
    media = [box for kind, box in boxes(data) if kind in (b"moof", b"mdat")]
    (sample,) = read_samples(init + b"".join(media[-2:]), (1500,))
    assert (sample.picture.width, number_of_small(sample.picture)) == (64, 15)


def number_of_small(picture: PixelPicture) -> int:
    return round((float(picture.full(PixelFormat.GREY)[12:, 12:].mean()) - 20) / 5)


def test_where_pictures_of_a_call_were_lost_the_last_one_stays():
    data = live_like([[numbered(n) for n in range(10)], [numbered(n) for n in range(10, 20)]], lost=range(6, 10))
    assert [number_of(one.picture) for one in read_samples(data, (500, 900, 1000))] == [5, 5, 10]


def turned(data: bytes, matrix: tuple[int, ...]) -> bytes:
    """The same track with another display matrix (ISO/IEC 14496-12, 8.3.2)."""
    unit = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    at = data.index(unit, data.index(b"tkhd"))
    return data[:at] + struct.pack(">9i", *matrix) + data[at + len(unit) :]


@pytest.mark.parametrize(
    ("matrix", "size", "bright_corner"),
    [
        ((0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000), (128, 96), (0, 0)),
        ((0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000), (96, 128), (0, -1)),  # a quarter turn clockwise
        ((-0x10000, 0, 0, 0, -0x10000, 0, 0, 0, 0x40000000), (128, 96), (-1, -1)),
        ((0, -0x10000, 0, 0x10000, 0, 0, 0, 0, 0x40000000), (96, 128), (-1, 0)),
    ],
)
def test_a_track_that_was_filmed_turned_is_seen_upright(
    matrix: tuple[int, ...], size: tuple[int, int], bright_corner: tuple[int, int]
):
    picture = np.zeros((96, 128, 3), np.uint8)
    picture[:40, :40] = 255
    (sample,) = read_samples(turned(video([picture]), matrix), (0,))
    seen = sample.picture
    assert (seen.width, seen.height) == size
    grey = seen.full(PixelFormat.GREY)
    assert grey.shape == (size[1], size[0])
    assert grey[bright_corner] > 200
    assert sum(int(grey[corner]) > 200 for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1))) == 1


def broken_middle() -> bytes:
    """A segment whose media bytes are noise."""
    noise = np.random.default_rng(1)
    parts = []
    for kind, box in boxes(video(map(numbered, range(10)))):
        parts.append(box[:8] + noise.bytes(len(box) - 8) if kind == b"mdat" else box)
    return b"".join(parts)


@pytest.mark.parametrize(
    "data",
    [b"", b"this is a text file called .mp4\n" * 20, video([numbered(0)])[:600], broken_middle()],
    ids=["empty", "text", "truncated", "noise"],
)
def test_bytes_that_are_no_segment_are_refused(data: bytes):
    with pytest.raises(SegmentUnreadable):
        list(read_samples(data, (0, 500)))


def test_a_track_without_a_picture_is_refused(tmp_path: Path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w", format="mp4") as output:
        stream = output.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        frame.pts = 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with pytest.raises(SegmentUnreadable):
        list(read_samples(path.read_bytes(), (0,)))


def test_cutting_a_file_keeps_positions(tmp_path: Path):
    path = tmp_path / "film.mp4"
    path.write_bytes(video((numbered(n) for n in range(45)), FPS))
    track = cut(path)
    assert [(segment.start_ms, segment.end_ms) for segment in track.segments][:2] == [(0, 2000), (2000, 4000)]
    (sample,) = read_samples(track.init + track.segments[1].data, (2500,))
    assert number_of(sample.picture) == 25


def test_a_segment_whose_damaged_picture_others_build_on_is_unreadable():
    """A decoder conceals damage; what it guesses must not be judged."""
    grain = np.random.default_rng(3)
    data = bytearray(video(grain.integers(0, 255, (96, 128, 3), np.uint8) for _ in range(20)))
    assert len(list(read_samples(bytes(data), (0, 500, 1000, 1500)))) == 4
    at = data.index(b"mdat") + len(data) // 3
    data[at : at + 600] = grain.bytes(600)
    with pytest.raises(SegmentUnreadable):
        list(read_samples(bytes(data), (0, 500, 1000, 1500)))
