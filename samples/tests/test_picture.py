"""Portraits, heads and scenes: pictures are computed and measured."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from shuanglu_samples.portrait import MOUTH_STEPS, Face, Picture, load_portrait, move_lids, move_mouth
from shuanglu_samples.pose import Head, Pose
from shuanglu_samples.rooms import living_room, office
from shuanglu_samples.scene import STAYS, Presence, Scene, film

PEOPLE = ["customer", "agent", "other"]
INNER_LIPS = (13, 14)
UPPER_LID, LOWER_LID = 159, 145


@pytest.mark.parametrize("name", PEOPLE)
def test_a_shut_mouth_is_shut_whatever_the_portrait_smiles(name: str) -> None:
    portrait = load_portrait(name)
    points = move_mouth(portrait, 0)
    assert points[INNER_LIPS[1], 1] - points[INNER_LIPS[0], 1] < 0.005 * portrait.face_height


@pytest.mark.parametrize("name", PEOPLE)
def test_the_mouth_opens_by_what_is_asked(name: str) -> None:
    portrait = load_portrait(name)
    points = move_mouth(portrait, 10)
    assert points[INNER_LIPS[1], 1] - points[INNER_LIPS[0], 1] == pytest.approx(11.5, abs=0.7)


@pytest.mark.parametrize("name", PEOPLE)
def test_a_blink_brings_the_lids_together(name: str) -> None:
    portrait = load_portrait(name)
    points = move_lids(portrait.mesh[:, :2], portrait.mesh, 1)
    before = portrait.mesh[LOWER_LID, 1] - portrait.mesh[UPPER_LID, 1]
    assert points[LOWER_LID, 1] - points[UPPER_LID, 1] < 0.1 * before


@pytest.mark.parametrize("name", PEOPLE)
def test_a_speaking_face_changes_below_the_eyes_only(name: str) -> None:
    portrait = load_portrait(name)
    face = Face(portrait)
    changed = cv2.absdiff(face.texture(0, 0), face.texture(MOUTH_STEPS - 1, 0)).max(axis=2)
    eyes, chin = int(portrait.mesh[LOWER_LID, 1]), int(portrait.mesh[152, 1])
    assert changed[:eyes].max() <= 2
    assert changed[eyes:chin].max() > 40
    assert changed[chin + 60 :].max() <= 2


def test_textures_are_made_once() -> None:
    face = Face(load_portrait("customer"))
    assert face.texture(2, 0) is face.texture(2, 0)


def test_a_head_at_rest_is_the_portrait() -> None:
    portrait = load_portrait("customer")
    moved = Head(portrait).moved(portrait.picture, Pose())
    assert cv2.absdiff(moved, portrait.picture).max() <= 1


def test_a_turned_head_moves_the_nose_much_more_than_the_shoulders() -> None:
    portrait = load_portrait("customer")
    moved = Head(portrait).moved(portrait.picture, Pose(yaw=6))
    changed = cv2.absdiff(moved, portrait.picture).max(axis=2)
    nose = portrait.mesh[1].astype(int)
    face = float(changed[nose[1] - 30 : nose[1] + 30, nose[0] - 40 : nose[0] + 40].mean())
    assert face > 4
    assert float(changed[440:].mean()) < face / 4


def pictures_of(scene: Scene, frames: int) -> list[Picture]:
    return list(film(scene, np.zeros(frames, np.float32)))


def test_black_means_black_and_only_then() -> None:
    scene = Scene(living_room, (Presence("customer", 0, STAYS),), black=((1000, 2000),))
    pictures = pictures_of(scene, 45)
    assert [bool(picture.max() == 0) for picture in pictures] == [False] * 15 + [True] * 15 + [False] * 15


def test_an_absent_customer_leaves_the_room() -> None:
    scene = Scene(living_room, (Presence("customer", 0, 1000), Presence("customer", 2000, STAYS)))
    pictures = pictures_of(scene, 45)
    away = [float(cv2.absdiff(picture, living_room()).mean()) for picture in pictures]
    assert min(away[:15]) > 5
    assert max(away[15:30]) < 2
    assert away[-1] > 5


def test_no_two_pictures_are_the_same() -> None:
    pictures = pictures_of(Scene(office, (Presence("agent", 0, STAYS),)), 20)
    assert all(cv2.absdiff(a, b).any() for a, b in pairwise(pictures))


def test_a_film_is_the_same_every_time() -> None:
    scene = Scene(office, (Presence("agent", 0, STAYS),), seed=4)
    assert all(np.array_equal(a, b) for a, b in zip(pictures_of(scene, 5), pictures_of(scene, 5), strict=True))
