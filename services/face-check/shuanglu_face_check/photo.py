"""Reads ID photos with Pillow."""

import io

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from shuanglu_face_check.errors import PhotoUnreadable
from shuanglu_face_check.pixels import Array, PixelFormat, PixelPicture

# Enough to find the face on a scan of a whole card; larger photos are made smaller when they are read.
LONGEST_EDGE = 1280
# Pixels that are unpacked at most. A larger JPEG is unpacked at a fraction of its size; a larger PNG cannot be.
MOST_PIXELS = 24_000_000


class PhotoPicture(PixelPicture):
    """A still picture."""

    def __init__(self, image: Image.Image) -> None:
        """`image` in RGB."""
        super().__init__(image.width, image.height)
        self.image = image

    def render(self, width: int, height: int, layout: PixelFormat) -> Array:
        """See PixelPicture."""
        resized = self.image.resize((width, height), Image.Resampling.BILINEAR)
        if layout is PixelFormat.GREY:
            return np.asarray(resized.convert("L"))
        pixels = np.asarray(resized)
        return np.ascontiguousarray(pixels[:, :, ::-1]) if layout is PixelFormat.BGR else pixels

    def turned(self, quarter_turns: int) -> "PhotoPicture":
        """The same photo, turned counter-clockwise."""
        return PhotoPicture(self.image.rotate(90 * quarter_turns, expand=True))


def read_photo(data: bytes) -> PhotoPicture:
    """A JPEG or PNG, turned as its EXIF data says. Raises PhotoUnreadable."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            image.draft("RGB", (LONGEST_EDGE, LONGEST_EDGE))
            if image.width * image.height > MOST_PIXELS:
                raise PhotoUnreadable("the ID photo has too many pixels")
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PhotoUnreadable(f"the ID photo cannot be read: {type(error).__name__}") from error
    upright.thumbnail((LONGEST_EDGE, LONGEST_EDGE), Image.Resampling.BILINEAR)
    return PhotoPicture(upright)
