import io

import pytest
from PIL import Image, ImageDraw, ImageStat
from report_media import Painter, encode, grey, store_track

from shuanglu.common.v1.types_pb2 import Outcome
from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu.observation.v1.observations_pb2 import Box
from shuanglu.quality.v1.finding_pb2 import EvidenceFrame
from shuanglu_common.store import MemoryStore
from shuanglu_report.clips import StoredClips, segment_at
from shuanglu_report.errors import StillUnreadable
from shuanglu_report.page.choice import WantedStill
from shuanglu_report.press import cut_all
from shuanglu_report.stills import picture


def wanted(
    at_ms: int, box: Box | None = None, blur: tuple[Box, ...] = (), track_id: str = "customer-video"
) -> WantedStill:
    frame = EvidenceFrame(track_id=track_id, at_ms=at_ms, box=box, blur=blur)
    return WantedStill("f", frame, Outcome.OUTCOME_FAIL)


def opened(jpeg: bytes) -> Image.Image:
    return Image.open(io.BytesIO(jpeg)).convert("RGB")


def two_faces(at_ms: int) -> Image.Image:
    """A striped face on the left, one on the right."""
    image = Image.new("RGB", (320, 240), "white")
    for left in (40, 200):
        for x in range(left, left + 80, 8):
            ImageDraw.Draw(image).rectangle((x, 60, x + 3, 160), fill="black")
    return image


async def cut(*stills: WantedStill, painter: Painter = grey) -> list[bytes]:
    """Through the store and the decoder, as in the service."""
    store = MemoryStore()
    stored = await store_track(store, painter)
    return cut_all(stills, await StoredClips(store).clips(stills, [stored]), 10)


@pytest.mark.parametrize("at_ms", [0, 1900, 2000, 3300, 5900])
async def test_the_frame_of_the_asked_moment_is_cut(at_ms: int) -> None:
    (jpeg,) = await cut(wanted(at_ms))
    level = ImageStat.Stat(opened(jpeg)).mean[0]
    assert abs(level - (20 + at_ms // 100 * 3)) < 2.5


async def test_a_box_crops_to_what_matters_and_is_drawn() -> None:
    (jpeg,) = await cut(wanted(1000, Box(x=100, y=80, width=60, height=80)))
    image = opened(jpeg)
    assert image.size == (200, 200)
    red, _, blue = (band.tobytes() for band in image.split())
    assert sum(r > b + 60 for r, b in zip(red, blue, strict=True)) > 200


async def test_other_faces_cannot_be_recognised() -> None:
    blur = Box(x=200, y=60, width=80, height=100)
    (jpeg,) = await cut(wanted(500, blur=(blur,)), painter=two_faces)
    image = opened(jpeg).convert("L")
    shown, hidden = image.crop((50, 70, 110, 150)), image.crop((210, 70, 270, 150))
    assert ImageStat.Stat(shown).stddev[0] > 60
    assert ImageStat.Stat(hidden).stddev[0] < 25


async def test_boxes_outside_of_the_frame_do_no_harm() -> None:
    outside = Box(x=-400, y=-400, width=50, height=50)
    huge = Box(x=-100, y=-100, width=900, height=900)
    pictures = await cut(wanted(0, outside, (outside,)), wanted(0, huge, (huge,)), wanted(0, Box(x=1, y=1)))
    assert [opened(jpeg).size for jpeg in pictures] == [(200, 200), (240, 240), (320, 240)]


async def test_a_damaged_or_missing_segment_costs_only_its_own_still() -> None:
    store = MemoryStore()
    stored = await store_track(store)
    store.objects[stored.segments[1].object.key] = b"damaged"
    del store.objects[stored.segments[2].object.key]
    stills = [wanted(500), wanted(2500), wanted(4500), wanted(500, track_id="unknown")]
    clips = await StoredClips(store).clips(stills, [stored])
    assert [bool(clip) for clip in clips] == [True, False, False, False]
    assert [bool(jpeg) for jpeg in cut_all(stills, clips, 10)] == [True, False, False, False]


def test_bytes_that_are_no_video_cost_their_still() -> None:
    init = encode(2, grey).init
    with pytest.raises(StillUnreadable):
        picture(init, wanted(0))
    assert cut_all([wanted(0), wanted(0)], [init, b"no video at all"], 10) == [b"", b""]


def test_stills_that_there_is_no_time_for_are_left_out() -> None:
    clip = encode(2, grey)
    assert cut_all([wanted(0)], [clip.init + clip.fragments[0]], 0) == [b""]


async def test_a_position_in_a_gap_takes_the_nearest_segment() -> None:
    stored = await store_track(MemoryStore())
    del stored.segments[1]
    nearest = [segment_at(stored, at_ms) for at_ms in (0, 1999, 2400, 3900, 9000)]
    assert [segment.index for segment in nearest if segment] == [1, 1, 1, 3, 3]
    assert segment_at(TrackStored(), 0) is None


# Track header matrices (ISO/IEC 14496-12, 8.3.2): upright, and shown turned by a quarter.
UPRIGHT = (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
TURNED = {90: (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30), 270: (0, -1 << 16, 0, 1 << 16, 0, 0, 0, 0, 1 << 30)}


def matrix(values: tuple[int, ...]) -> bytes:
    return b"".join((value % (1 << 32)).to_bytes(4, "big") for value in values)


def light_above(at_ms: int) -> Image.Image:
    image = Image.new("RGB", (320, 240), "black")
    ImageDraw.Draw(image).rectangle((0, 0, 319, 119), fill="white")
    return image


@pytest.mark.parametrize(("clockwise", "light_is"), [(90, "right"), (270, "left")])
def test_a_still_of_a_turned_track_is_upright_and_hides_the_right_place(clockwise: int, light_is: str) -> None:
    track = encode(2, light_above)
    at = track.init.index(matrix(UPRIGHT), track.init.index(b"tkhd"))
    init = track.init[:at] + matrix(TURNED[clockwise]) + track.init[at + 36 :]
    image = opened(picture(init + track.fragments[0], wanted(0)))
    assert image.size == (240, 320)
    left, right = (ImageStat.Stat(image.crop((x, 0, x + 100, 320))).mean[0] for x in (0, 140))
    assert (right > left + 200) == (light_is == "right")
    assert (left > right + 200) == (light_is == "left")
    # A face across the edge of the light is hidden where it is on the upright picture.
    face = Box(x=80, y=240, width=80, height=60)
    hidden = opened(picture(init + track.fragments[0], wanted(0, blur=(face,))))
    assert hidden.getpixel((110, 270)) != image.getpixel((110, 270))
    assert hidden.getpixel((110, 60)) == image.getpixel((110, 60))
