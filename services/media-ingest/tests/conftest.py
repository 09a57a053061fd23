"""Helpers beside the tests, importable under names that no other service uses."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from ingest_media import Recipe, make


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> "Media":
    """Makes recordings, each once."""
    return Media(tmp_path_factory.mktemp("media"))


class Media:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, name: str, recipe: Recipe) -> Path:
        path = self._folder / name
        if not path.exists():
            make(path, recipe)
        return path
