import io

import numpy as np
import pytest
from face_check_media import PORTRAITS
from PIL import Image

from shuanglu_face_check.domain.embedding import cosine
from shuanglu_face_check.errors import PhotoUnreadable
from shuanglu_face_check.photo import LONGEST_EDGE, MOST_PIXELS, read_photo
from shuanglu_face_check.pixels import PixelFormat
from shuanglu_face_check.worker import Worker

CLOCKWISE_TO_SHOW = 6


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def quarter() -> Image.Image:
    """Red left, blue right."""
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, :40, 0] = 255
    pixels[:, 40:, 2] = 255
    return Image.fromarray(pixels)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_a_photo_is_read_in_each_layout(form: str):
    photo = read_photo(encoded(quarter(), form))
    assert (photo.width, photo.height) == (80, 40)
    assert photo.full(PixelFormat.RGB)[20, 10].tolist() == pytest.approx([255, 0, 0], abs=8)
    assert photo.full(PixelFormat.BGR)[20, 10].tolist() == pytest.approx([0, 0, 255], abs=8)
    assert photo.at(40, 20, PixelFormat.GREY).shape == (20, 40)


def test_a_photo_is_turned_as_its_exif_data_says():
    exif = Image.Exif()
    exif[0x0112] = CLOCKWISE_TO_SHOW
    photo = read_photo(encoded(quarter(), "JPEG", exif=exif))
    assert (photo.width, photo.height) == (40, 80)
    assert photo.full(PixelFormat.RGB)[10, 20].tolist() == pytest.approx([255, 0, 0], abs=8)


def test_a_large_photo_is_made_smaller():
    photo = read_photo(encoded(Image.new("RGB", (4000, 3000)), "JPEG"))
    assert max(photo.width, photo.height) <= LONGEST_EDGE


def test_a_photo_with_too_many_pixels_is_refused():
    huge = encoded(Image.new("L", (6000, MOST_PIXELS // 6000 + 1)), "PNG")
    with pytest.raises(PhotoUnreadable):
        read_photo(huge)


@pytest.mark.parametrize("data", [b"", b"not a photo", encoded(quarter(), "PNG")[:60], encoded(quarter(), "GIF")])
def test_bytes_that_are_no_photo_are_refused(data: bytes):
    with pytest.raises(PhotoUnreadable):
        read_photo(data)


@pytest.mark.models
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_photo_that_lies_on_its_side_gives_the_same_face(worker: Worker, quarters: int):
    data = (PORTRAITS / "id_customer.jpg").read_bytes()
    upright = worker.from_photo(data)
    turned = worker.from_photo(encoded(read_photo(data).turned(quarters).image, "PNG"))
    assert upright is not None
    assert turned is not None
    similarity = cosine(upright, turned)
    assert similarity is not None
    assert similarity > 0.95
