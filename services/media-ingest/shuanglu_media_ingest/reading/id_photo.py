"""Is the upload a photo? Through Pillow, with flat memory: JPEG is decoded small, PNG checked by its checksums."""

import warnings
from pathlib import Path

from PIL import Image

from shuanglu_media_ingest.errors import IdPhotoInvalid

MAX_BYTES = 10 << 20
MAX_PIXELS = 40_000_000
MIN_SIDE = 64
_PREVIEW = (512, 512)


def require_photo(path: Path) -> None:
    """Raises IdPhotoInvalid unless the file is a readable JPEG or PNG of a usable size."""
    if not 0 < path.stat().st_size <= MAX_BYTES:
        raise IdPhotoInvalid
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=("JPEG", "PNG")) as image:
                if image.width * image.height > MAX_PIXELS or min(image.size) < MIN_SIDE:
                    raise IdPhotoInvalid
                if image.format == "JPEG":
                    image.draft("RGB", _PREVIEW)
                    image.load()
                else:
                    image.verify()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise IdPhotoInvalid from error
