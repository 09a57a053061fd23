"""Run a small TensorFlow.js graph with NumPy alone.

Only what MediaPipe's face mesh needs: the portraits are measured once, so a slow and readable
evaluation is worth more than a converter. An operation that is not known is an error, never a guess.
"""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float32]


def _text(value: str) -> str:
    """Text attributes are base64 in the JSON form of a graph."""
    return base64.b64decode(value).decode()


def read_weights(model: dict[str, Any], folder: Path) -> dict[str, NDArray[Any]]:
    """All weights by name; they stand in the shards in the order of the manifest.

    Raises ValueError when bytes are left over, which means that a format was misread.
    """
    weights: dict[str, NDArray[Any]] = {}
    for group in model["weightsManifest"]:
        data = b"".join((folder / path).read_bytes() for path in group["paths"])
        offset = 0
        for spec in group["weights"]:
            stored = np.dtype(spec.get("quantization", {}).get("dtype", spec["dtype"]))
            count = int(np.prod(spec["shape"], dtype=np.int64))
            array = np.frombuffer(data, stored, count, offset).reshape(spec["shape"])
            offset += count * stored.itemsize
            weights[spec["name"]] = array.astype(spec["dtype"])
        if offset != len(data):
            raise ValueError(f"weights: used {offset} of {len(data)} bytes")
    return weights


def _padded(x: Array, size: int, stride: int, padding: str) -> Array:
    if padding == "VALID":
        return x
    pads = []
    for length in x.shape[:2]:
        total = max((-(-length // stride) - 1) * stride + size - length, 0)
        pads.append((total // 2, total - total // 2))
    return np.pad(x, [*pads, (0, 0)])


def _windows(x: Array, size: int, stride: int, padding: str) -> NDArray[np.float32]:
    """Views of size x size patches: rows, columns, channels, patch row, patch column."""
    return sliding_window_view(_padded(x, size, stride, padding), (size, size), axis=(0, 1))[::stride, ::stride]


def _prelu(x: Array, slope: Array) -> Array:
    return np.where(x < 0, x * slope, x)


_SIMPLE: Final[dict[str, Callable[..., Any]]] = {
    "AddV2": np.add,
    "Identity": lambda x: x,
    "MaxPool": lambda x: _windows(x, 2, 2, "VALID").max(axis=(-2, -1)),
    "Pad": lambda x, pads: np.pad(x, pads[1:]),
    "Prelu": _prelu,
    "Reshape": lambda x, _: x.reshape(-1),
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}


class FaceMeshGraph:
    """One graph with one image input; values are height, width, channels without the batch axis."""

    def __init__(self, path: Path) -> None:
        model = json.loads(path.read_text())
        self._nodes: dict[str, dict[str, Any]] = {node["name"]: node for node in model["modelTopology"]["node"]}
        self._weights = read_weights(model, path.parent)

    def run(self, image: Array, output: str) -> Array:
        """The value of `output` for an RGB image in 0..1 of the graph's input size."""
        values: dict[str, NDArray[Any]] = {}
        pending = [output]
        while pending:
            name = pending[-1]
            inputs = [each.split(":")[0] for each in self._nodes[name].get("input", [])]
            missing = [each for each in inputs if each not in values]
            if missing:
                pending.extend(missing)
                continue
            values[name] = self._evaluate(self._nodes[name], [values[each] for each in inputs], image)
            pending.pop()
        return values[output]

    def _evaluate(self, node: dict[str, Any], inputs: list[NDArray[Any]], image: Array) -> NDArray[Any]:
        operation = node["op"]
        if operation == "Placeholder":
            return image
        if operation == "Const":
            return self._weights[node["name"]]
        if operation in _SIMPLE:
            return np.asarray(_SIMPLE[operation](*inputs))
        if operation in {"_FusedConv2D", "DepthwiseConv2dNative"}:
            return _convolve(node, inputs)
        raise ValueError(f"unknown operation {operation} at {node['name']}")


def _convolve(node: dict[str, Any], inputs: list[NDArray[Any]]) -> NDArray[Any]:
    attributes, (x, kernel) = node["attr"], inputs[:2]
    patches = _windows(
        x, kernel.shape[0], int(attributes["strides"]["list"]["i"][1]), _text(attributes["padding"]["s"])
    )
    if node["op"] == "DepthwiseConv2dNative":
        return np.asarray(np.einsum("hwcij,ijcm->hwc", patches, kernel, optimize=True))
    result = np.tensordot(patches, kernel, axes=((3, 4, 2), (0, 1, 2)))
    for kind, extra in zip(map(_text, attributes["fused_ops"]["list"]["s"]), inputs[2:], strict=True):
        if kind == "BiasAdd":
            result = result + extra
        elif kind == "Prelu":
            result = _prelu(result, extra)
        else:
            raise ValueError(f"unknown fused operation {kind} at {node['name']}")
    return np.asarray(result)
