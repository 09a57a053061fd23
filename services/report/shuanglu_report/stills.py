"""Cuts stills out of a segment with PyAV: cropped to what matters, others' faces made unrecognisable."""

from io import BytesIO

import av
from PIL import Image, ImageDraw, ImageFilter

from shuanglu.observation.v1.observations_pb2 import Box
from shuanglu_common.cmaf import open_cmaf
from shuanglu_report.errors import StillUnreadable
from shuanglu_report.page import svg
from shuanglu_report.page.choice import WantedStill

_WIDEST = 400
_QUALITY = 85
# The crop is this many times the box, and at least so many pixels wide: a face needs its surroundings.
_AROUND = 2.2
_LEAST_CROP = 200
# A face is reduced to so few pixels that nobody can be told from it.
_COARSE = 6
_BLUR_AROUND = 0.25
# By quarters, counter-clockwise.
_TURNS = {1: Image.Transpose.ROTATE_90, 2: Image.Transpose.ROTATE_180, 3: Image.Transpose.ROTATE_270}


def picture(data: bytes, still: WantedStill) -> bytes:
    """The JPEG of a still from init and segment. Raises StillUnreadable, SegmentUnreadable."""
    image = _decoded(data, still.frame.at_ms)
    for box in still.frame.blur:
        _hide(image, box)
    if still.frame.HasField("box") and still.frame.box.width > 0 and still.frame.box.height > 0:
        image = _cropped(image, still.frame.box, svg.colour(still.outcome))
    image.thumbnail((_WIDEST, _WIDEST), Image.Resampling.LANCZOS)
    out = BytesIO()
    image.save(out, "JPEG", quality=_QUALITY, optimize=True)
    return out.getvalue()


def _decoded(data: bytes, at_ms: int) -> Image.Image:
    """The frame nearest to a position."""
    nearest: av.VideoFrame | None = None
    try:
        with open_cmaf(data) as container:
            stream = container.streams.video[0]
            stream.thread_count = 1
            for frame in container.decode(stream):
                if nearest is None or _distance(frame, at_ms) < _distance(nearest, at_ms):
                    nearest = frame
                if frame.time is not None and frame.time * 1000 >= at_ms:
                    break
            if nearest is None:
                raise StillUnreadable("the segment has no picture")
            image: Image.Image = nearest.to_image()  # type: ignore[no-untyped-call]
            return _upright(image, nearest.rotation)
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise StillUnreadable(f"the segment cannot be decoded: {type(error).__name__}") from error


def _upright(image: Image.Image, degrees: int) -> Image.Image:
    """As the track says that it is shown; boxes are places on the upright picture."""
    quarters = round(degrees / 90) % 4
    return image.transpose(_TURNS[quarters]) if quarters else image


def _distance(frame: av.VideoFrame, at_ms: int) -> float:
    return abs((frame.time or 0.0) * 1000 - at_ms)


def _hide(image: Image.Image, box: Box) -> None:
    """Make a face unrecognisable for good: few pixels first, so that the blur cannot be undone."""
    margin_x, margin_y = box.width * _BLUR_AROUND, box.height * _BLUR_AROUND
    left, top = max(int(box.x - margin_x), 0), max(int(box.y - margin_y), 0)
    right = min(int(box.x + box.width + margin_x), image.width)
    bottom = min(int(box.y + box.height + margin_y), image.height)
    if right <= left or bottom <= top:
        return
    face = image.crop((left, top, right, bottom))
    coarse = face.resize((_COARSE, _COARSE), Image.Resampling.BOX).resize(face.size, Image.Resampling.BILINEAR)
    image.paste(coarse.filter(ImageFilter.GaussianBlur(max(face.width // 20, 1))), (left, top))


def _cropped(image: Image.Image, box: Box, colour: str) -> Image.Image:
    """A square around the box, as far as the frame goes, with the box drawn in the outcome's colour."""
    side = min(max(int(max(box.width, box.height) * _AROUND), _LEAST_CROP), image.width, image.height)
    left = min(max(int(box.x + box.width / 2 - side / 2), 0), image.width - side)
    top = min(max(int(box.y + box.height / 2 - side / 2), 0), image.height - side)
    corners = (box.x, box.y, box.x + box.width, box.y + box.height)
    ImageDraw.Draw(image).rectangle(corners, outline=colour, width=max(side // 110, 2))
    return image.crop((left, top, left + side, top + side))
