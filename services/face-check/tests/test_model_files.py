import hashlib
import json
from pathlib import Path

import pytest

from shuanglu_face_check.errors import ModelUnusable
from shuanglu_face_check.model_files import MANIFEST, verified
from shuanglu_face_check.onnx_session import open_session

WEIGHTS = b"weights"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sha256 = hashlib.sha256(WEIGHTS).hexdigest()
    files = [{"path": "yunet.onnx", "sha256": sha256, "size_bytes": len(WEIGHTS)}]
    (tmp_path / MANIFEST).write_text(json.dumps({"models": [{"name": "yunet", "files": files}]}))
    (tmp_path / "yunet.onnx").write_bytes(WEIGHTS)
    return tmp_path


def test_the_right_model_is_found_with_its_version(folder: Path):
    model = verified(folder, "yunet")
    assert model.path.read_bytes() == WEIGHTS
    assert model.version == hashlib.sha256(WEIGHTS).hexdigest()[:16]


def test_changed_weights_are_refused(folder: Path):
    (folder / "yunet.onnx").write_bytes(WEIGHTS + b"!")
    with pytest.raises(ModelUnusable, match="expected"):
        verified(folder, "yunet")


def test_missing_weights_are_refused(folder: Path):
    (folder / "yunet.onnx").unlink()
    with pytest.raises(ModelUnusable, match="missing"):
        verified(folder, "yunet")


def test_a_model_that_the_manifest_does_not_name_is_refused(folder: Path):
    with pytest.raises(ModelUnusable, match="does not name"):
        verified(folder, "sface")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"models": [{"name": "yunet", "files": []}]}', '{"models": 3}'])
def test_a_broken_manifest_is_refused(folder: Path, text: str):
    (folder / MANIFEST).write_text(text)
    with pytest.raises(ModelUnusable):
        verified(folder, "yunet")


def test_a_missing_folder_is_refused(tmp_path: Path):
    with pytest.raises(ModelUnusable, match="no manifest"):
        verified(tmp_path / "nowhere", "yunet")


def test_weights_that_are_no_model_are_refused(folder: Path):
    with pytest.raises(ModelUnusable, match="cannot be loaded"):
        open_session(folder / "yunet.onnx", "cpu", 1)


def test_a_provider_that_this_runtime_does_not_have_is_refused(folder: Path):
    with pytest.raises(ModelUnusable, match="CUDAExecutionProvider"):
        open_session(folder / "yunet.onnx", "cuda", 1)
