import math
from dataclasses import dataclass, field

from shuanglu_face_check.domain.embedding import Embedding
from shuanglu_face_check.domain.examiner import Examiner, Templates
from shuanglu_face_check.domain.faces import FaceLook, FoundFace
from shuanglu_face_check.domain.geometry import Box, Point
from shuanglu_face_check.domain.ports import Sample

ANNA: Embedding = (1.0, 0.0)
BEN: Embedding = (0.0, 1.0)


@dataclass
class Scene:
    """A picture that knows who is on it: place -> embedding."""

    people: dict[float, Embedding]
    luma: float = 0.5
    size: float = 100
    score: float = 0.9
    width: int = 640
    height: int = 480

    def light(self) -> tuple[float, float]:
        return self.luma, 0.2

    def look(self, box: Box) -> FaceLook:
        return FaceLook(box.width, self.luma)


@dataclass
class Eyes:
    """Finds and embeds what a scene says, and counts."""

    found: int = 0
    embedded: list[float] = field(default_factory=list)

    def find(self, picture: Scene) -> list[FoundFace]:
        self.found += 1
        return [
            FoundFace(Box(x, 0, picture.size, picture.size), (Point(x, 0),) * 5, picture.score) for x in picture.people
        ]

    def embed(self, picture: Scene, face: FoundFace) -> Embedding:
        self.embedded.append(face.box.x)
        return picture.people[face.box.x]

    def motion(self, picture: Scene, before: Scene) -> float:
        return abs(picture.luma - before.luma)


def examiner() -> tuple[Examiner[Scene], Eyes]:
    eyes = Eyes()
    return Examiner(eyes, eyes, eyes), eyes


def every_half_second(*scenes: Scene) -> list[Sample[Scene]]:
    return [Sample(500 * number, scene) for number, scene in enumerate(scenes)]


def test_a_face_is_compared_with_both_templates():
    look, _ = examiner()
    (frame,) = look.examine(every_half_second(Scene({0: ANNA})), Templates(id_photo=ANNA, reference=BEN))
    assert frame.faces[0].id_photo_similarity == 1
    assert frame.faces[0].reference_similarity == 0


def test_without_templates_nothing_is_embedded():
    look, eyes = examiner()
    (frame,) = look.examine(every_half_second(Scene({0: ANNA})), Templates())
    assert frame.faces[0].id_photo_similarity is None
    assert frame.faces[0].reference_similarity is None
    assert eyes.embedded == []


def test_a_face_that_stays_is_embedded_once_a_second():
    look, eyes = examiner()
    look.examine(every_half_second(*(Scene({0: ANNA}) for _ in range(4))), Templates(id_photo=ANNA))
    assert len(eyes.embedded) == 2


def test_another_person_on_the_same_seat_shows_within_a_second():
    look, _ = examiner()
    scenes = [Scene({0: ANNA}), Scene({0: BEN}), Scene({0: BEN}), Scene({0: BEN})]
    frames = look.examine(every_half_second(*scenes), Templates(reference=ANNA))
    assert [frame.faces[0].reference_similarity for frame in frames] == [1, None, 0, None]


def test_an_embedding_that_is_not_finite_gives_no_similarity():
    look, _ = examiner()
    (frame,) = look.examine(every_half_second(Scene({0: (math.nan, 1.0)})), Templates(ANNA, ANNA))
    assert frame.faces[0].id_photo_similarity is None
    assert frame.faces[0].reference_similarity is None


def test_a_face_with_numbers_that_are_not_finite_is_not_reported():
    look, _ = examiner()
    (frame,) = look.examine(every_half_second(Scene({0: ANNA}, score=math.nan)), Templates(ANNA, ANNA))
    assert frame.faces == ()


def test_motion_is_measured_against_the_sample_before_and_unset_on_the_first():
    look, _ = examiner()
    frames = look.examine(every_half_second(Scene({}, 0.5), Scene({}, 0.75), Scene({}, 0.75)), Templates())
    assert [frame.motion for frame in frames] == [None, 0.25, 0]


def test_a_picture_under_two_points_is_looked_at_once_and_shows_as_a_freeze():
    look, eyes = examiner()
    scene = Scene({0: ANNA})
    frames = look.examine([Sample(0, scene), Sample(500, scene)], Templates(id_photo=ANNA))
    assert eyes.found == 1
    assert [frame.at_ms for frame in frames] == [0, 500]
    assert [frame.motion for frame in frames] == [None, 0]
    assert frames[0].faces == frames[1].faces


def test_no_samples_give_no_frames():
    look, _ = examiner()
    assert look.examine([], Templates(ANNA, BEN)) == ()


def test_the_reference_is_the_embedding_of_a_good_face():
    look, _ = examiner()
    assert look.reference(Scene({0: ANNA})) == ANNA
    assert look.reference(Scene({0: ANNA}, size=50)) is None
    assert look.reference(Scene({})) is None


def test_a_reference_that_is_not_finite_is_none():
    look, _ = examiner()
    assert look.reference(Scene({0: (math.inf, 0.0)})) is None


def test_an_id_photo_is_read_the_way_up_that_shows_the_face_best():
    look, _ = examiner()
    assert look.portrait([Scene({0: BEN}, score=0.7), Scene({0: ANNA}, score=0.9), Scene({})]) == ANNA
    assert look.portrait([Scene({}), Scene({})]) is None
