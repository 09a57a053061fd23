"""Makes the helpers beside the tests importable under names that no other service uses."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

FONTS = Path("/usr/share/fonts/opentype/noto")


@pytest.fixture(scope="session")
def font_dir() -> Path:
    """Debian's fonts-noto-cjk, which the service needs as well."""
    return FONTS
