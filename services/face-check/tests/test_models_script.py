"""scripts/models.py: what it makes, and that it refuses what is not expected."""

import hashlib
import importlib.util
import json
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import onnxruntime
import pytest
from face_check_media import MODELS, ROOT
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = ROOT / "scripts" / "models.py"
    spec = importlib.util.spec_from_file_location("models_script", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["models_script"] = module
    spec.loader.exec_module(module)
    return module


def quantised_model() -> onnx.ModelProto:
    """A convolution whose weights are stored as OpenCV stores them: int8, a scale for each block, then reshaped."""
    chance = np.random.default_rng(5)
    constants = {
        "weight_q": chance.integers(-128, 128, (4, 27), np.int8),
        "weight_scales": chance.uniform(0.01, 0.1, (4, 3)).astype(np.float32),
        "weight_zero": chance.integers(-5, 5, (4, 3), np.int8),
        "weight_shape": np.array([4, 3, 3, 3], np.int64),
    }
    nodes = [
        helper.make_node(
            "DequantizeLinear", ["weight_q", "weight_scales", "weight_zero"], ["weight_d"], axis=1, block_size=9
        ),
        helper.make_node("Reshape", ["weight_d", "weight_shape"], ["weight"]),
        helper.make_node("Conv", ["input", "weight"], ["output"], pads=[1, 1, 1, 1]),
    ]
    picture = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 8, 8])
    extra = helper.make_tensor_value_info("weight_shape", TensorProto.INT64, [4])
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 4, 8, 8])
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "g", [picture, extra], [output], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def test_a_folded_model_computes_what_the_quantised_one_means(script: ModuleType):
    model = quantised_model()
    picture = np.random.default_rng(6).uniform(0, 1, (1, 3, 8, 8)).astype(np.float32)
    expected = ReferenceEvaluator(model).run(None, {"input": picture})[0]
    script.fold(model, free_size=False)
    onnx.checker.check_model(model)
    assert [node.op_type for node in model.graph.node] == ["Conv"]
    assert [value.name for value in model.graph.input] == ["input"]
    folded = ReferenceEvaluator(model).run(None, {"input": picture})[0]
    assert folded == pytest.approx(expected, abs=1e-5)


def test_folding_gives_the_same_bytes_each_time(script: ModuleType):
    models = [quantised_model(), quantised_model()]
    for model in models:
        script.fold(model, free_size=True)
    first, second = (model.SerializeToString(deterministic=True) for model in models)
    assert first == second
    assert models[0].graph.input[0].type.tensor_type.shape.dim[2].dim_param == "height"


def test_a_prelu_written_out_computes_the_same_bits(script: ModuleType):
    chance = np.random.default_rng(8)
    slopes = chance.uniform(-1, 1.2, (5, 1, 1)).astype(np.float32)
    picture = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 5, 9, 9])
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 5, 9, 9])
    nodes = [helper.make_node("PRelu", ["input", "slopes"], ["output"], name="bend")]
    graph = helper.make_graph(nodes, "g", [picture], [output], [numpy_helper.from_array(slopes, "slopes")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    pixels = chance.normal(0, 100, (1, 5, 9, 9)).astype(np.float32)
    before = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"input": pixels})[0]
    script.plain_prelu(model)
    onnx.checker.check_model(model)
    assert "PRelu" not in {node.op_type for node in model.graph.node}
    after = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"input": pixels})[0]
    assert np.array_equal(before, after)


@pytest.fixture
def shop(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A manifest with one joined model, whose archive was downloaded already."""
    archive = tmp_path / "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("thing/a", b"abc")
        opened.writestr("thing/b", b"def")
    sha256 = {data: hashlib.sha256(data).hexdigest() for data in (b"abc", b"def", b"abcdef")}
    parts = [
        {"archive": archive.name, "path": f"thing/{name}", "sha256": sha256[data]}
        for name, data in (("a", b"abc"), ("b", b"def"))
    ]
    file = {"path": "thing/whole", "size_bytes": 6, "sha256": sha256[b"abcdef"], "how": "join", "parts": parts}
    source = {
        "package": "thing",
        "version": "1.0",
        "archive": archive.name,
        "archive_sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
    }
    manifest = tmp_path / "models.json"
    manifest.write_text(json.dumps({"sources": [source], "models": [{"name": "thing", "files": [file]}]}))
    monkeypatch.setattr(script, "MANIFEST", manifest)
    monkeypatch.setattr(script, "download", lambda source, _folder: tmp_path / source.archive)
    monkeypatch.setattr(sys, "argv", ["models.py", "--out", str(tmp_path / "out")])
    return tmp_path


def test_a_model_is_put_together_and_left_alone_afterwards(
    script: ModuleType, shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert script.main() == 0
    assert (shop / "out" / "thing" / "whole").read_bytes() == b"abcdef"
    assert (shop / "out" / "models.json").read_bytes() == (shop / "models.json").read_bytes()
    assert [path.name for path in (shop / "out").iterdir() if path.name.startswith(".")] == []
    monkeypatch.setattr(script, "download", lambda *_: pytest.fail("must not download again"))
    assert script.main() == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("up to date")


def test_a_damaged_model_is_made_again(script: ModuleType, shop: Path):
    assert script.main() == 0
    (shop / "out" / "thing" / "whole").write_bytes(b"abcdeX")
    assert script.main() == 0
    assert (shop / "out" / "thing" / "whole").read_bytes() == b"abcdef"


@pytest.mark.parametrize("place", ["archive part", "result"])
def test_bytes_with_another_sha256_are_not_installed(
    script: ModuleType, shop: Path, place: str, capsys: pytest.CaptureFixture[str]
):
    manifest = json.loads((shop / "models.json").read_text())
    file = manifest["models"][0]["files"][0]
    if place == "result":
        file["sha256"] = "0" * 64
    else:
        file["parts"][1]["sha256"] = "0" * 64
    (shop / "models.json").write_text(json.dumps(manifest))
    assert script.main() == 1
    assert "SHA-256" in capsys.readouterr().err
    assert [path for path in (shop / "out").rglob("*") if path.is_file()] == []


@pytest.mark.models
def test_the_manifest_names_the_models_that_are_there_and_their_cards():
    manifest = json.loads((ROOT / "models" / "models.json").read_text())
    assert (MODELS / "models.json").read_bytes() == (ROOT / "models" / "models.json").read_bytes()
    for model in manifest["models"]:
        assert (ROOT / "models" / model["card"]).is_file()
        for file in model["files"]:
            assert (MODELS / file["path"]).stat().st_size == file["size_bytes"]
