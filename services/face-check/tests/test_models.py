"""The real models against somebody else's implementation: OpenCV's own use of the same networks."""

import itertools

import cv2
import numpy as np
import pytest
from face_check_media import MODELS, PORTRAITS
from PIL import Image

from shuanglu_face_check.domain.embedding import cosine
from shuanglu_face_check.domain.faces import FoundFace, largest_first
from shuanglu_face_check.domain.geometry import Box, Point
from shuanglu_face_check.photo import PhotoPicture
from shuanglu_face_check.worker import Worker
from shuanglu_face_check.yunet import YuNet

pytestmark = pytest.mark.models

# File -> who it is. The ID photos are other photos of the same persons.
PEOPLE = {
    "customer.webp": "customer",
    "id_customer.jpg": "customer",
    "other.webp": "other",
    "id_other.jpg": "other",
    "agent.webp": "agent",
}


def portrait(name: str) -> PhotoPicture:
    with Image.open(PORTRAITS / name) as image:
        return PhotoPicture(image.convert("RGB"))


def bgr(picture: PhotoPicture) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(picture.image)[:, :, ::-1])


@pytest.mark.parametrize("name", PEOPLE)
def test_faces_are_where_opencv_finds_them(worker: Worker, name: str):
    picture = portrait(name)
    network = cv2.FaceDetectorYN.create(str(MODELS / "yunet.onnx"), "", (picture.width, picture.height), 0.6, 0.3)
    (expected,) = network.detect(bgr(picture))[1]
    (face,) = worker.examiner.finder.find(picture)
    box = face.box
    ours = [box.x, box.y, box.width, box.height, *(v for point in face.landmarks for v in (point.x, point.y))]
    assert ours == pytest.approx(expected[:14].tolist(), abs=0.1)
    assert face.score == pytest.approx(expected[14], abs=0.001)


@pytest.mark.parametrize("name", PEOPLE)
def test_embeddings_are_those_of_opencv(worker: Worker, name: str):
    picture = portrait(name)
    (face,) = worker.examiner.finder.find(picture)
    numbers = [face.box.x, face.box.y, face.box.width, face.box.height]
    numbers += [value for point in face.landmarks for value in (point.x, point.y)]
    row = np.array([*numbers, face.score], np.float32)
    network = cv2.FaceRecognizerSF.create(str(MODELS / "sface.onnx"), "")
    expected = network.feature(network.alignCrop(bgr(picture), row)).ravel()
    similarity = cosine(worker.examiner.embedder.embed(picture, face), tuple(map(float, expected)))
    assert similarity is not None
    assert similarity > 0.998


def test_photos_of_one_person_are_alike_and_of_two_are_not(worker: Worker):
    embeddings = {name: worker.examiner.portrait([portrait(name)]) for name in PEOPLE}
    for one, other in itertools.combinations(PEOPLE, 2):
        first, second = embeddings[one], embeddings[other]
        assert first is not None
        assert second is not None
        similarity = cosine(first, second)
        assert similarity is not None
        if PEOPLE[one] == PEOPLE[other]:
            assert similarity > 0.6
        else:
            assert similarity < 0.35


@pytest.mark.parametrize("width", [32, 48, 80, 200])
def test_a_face_is_found_wherever_it_is_and_whatever_its_size(worker: Worker, width: int):
    source = portrait("customer.webp")
    face = largest_first(worker.examiner.finder.find(source))[0]
    scale = width / face.box.width
    small = source.image.resize((round(source.width * scale), round(source.height * scale)), Image.Resampling.LANCZOS)
    stage = Image.new("RGB", (1000, 800), (120, 130, 120))
    stage.paste(small, (30, 20))
    network = worker.examiner.finder
    assert isinstance(network, YuNet)
    finder = YuNet(MODELS / "yunet.onnx", "cpu", 1, longest_edge=1000, min_score=network.min_score)
    (found,) = finder.find(PhotoPicture(stage))
    assert found.box.x == pytest.approx(30 + face.box.x * scale, abs=0.15 * width)
    assert found.box.width == pytest.approx(width, rel=0.25)


def test_a_smaller_look_gives_places_in_the_whole_picture(worker: Worker):
    picture = portrait("customer.webp")
    (face,) = worker.examiner.finder.find(picture)
    (rough,) = YuNet(MODELS / "yunet.onnx", "cpu", 1, longest_edge=320, min_score=0.6).find(picture)
    assert rough.box.iou(face.box) > 0.8


def test_a_picture_without_a_face_has_none(worker: Worker):
    noise = np.random.default_rng(3).integers(0, 255, (480, 640, 3), np.uint8)
    assert worker.examiner.finder.find(PhotoPicture(Image.fromarray(noise))) == []
    assert worker.examiner.finder.find(PhotoPicture(Image.new("RGB", (33, 7)))) == []


def test_a_face_half_outside_the_picture_can_be_embedded(worker: Worker):
    picture = portrait("customer.webp")
    points = tuple(Point(x, y) for x, y in ((-20, 40), (10, 40), (-5, 60), (-15, 80), (8, 80)))
    embedding = worker.examiner.embedder.embed(picture, FoundFace(Box(-40, 0, 80, 100), points, 0.7))
    assert len(embedding) == 128
