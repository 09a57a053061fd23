import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from shuanglu_common.model_files import ModelUnusable, verified


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m").mkdir()
    files = {"m/model.bin": b"weights", "m/tokenizer.json": b"{}"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    entries = [{"path": name, "sha256": digest(data)} for name, data in files.items()]
    (tmp_path / "models.json").write_text(json.dumps({"models": [{"name": "m", "files": entries}]}))
    return tmp_path


def test_a_model_is_named_by_its_weights(folder: Path):
    found = verified(folder, "m")
    assert found.path == folder / "m" / "model.bin"
    assert found.version == digest(b"weights")[:16]


@pytest.mark.parametrize("name", ["model.bin", "tokenizer.json"])
def test_a_file_that_was_changed_is_not_used(folder: Path, name: str):
    (folder / "m" / name).write_bytes(b"other")
    with pytest.raises(ModelUnusable, match=name) as raised:
        verified(folder, "m")
    assert not raised.value.retryable
    assert "models.py" in raised.value.diagnostics()


def test_a_file_that_is_missing_is_told(folder: Path):
    (folder / "m" / "tokenizer.json").unlink()
    with pytest.raises(ModelUnusable, match=r"lacks tokenizer\.json"):
        verified(folder, "m")


@pytest.mark.parametrize(
    "document", ["no json", [], {}, {"models": [{"name": "m", "files": []}]}, {"models": [{"name": "other"}]}]
)
def test_a_manifest_without_the_model_is_told(folder: Path, document: Any):
    (folder / "models.json").write_text(document if isinstance(document, str) else json.dumps(document))
    with pytest.raises(ModelUnusable, match="manifest"):
        verified(folder, "m")


def test_a_folder_without_a_manifest_is_told(tmp_path: Path):
    with pytest.raises(ModelUnusable, match="no manifest"):
        verified(tmp_path, "m")
