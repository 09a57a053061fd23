"""At which bitrate do pictures stop being good enough? Made film, encoded anew at each, looked at by the real models.

The film is drawn without loss from the sample's people, with fresh noise and a trembling hand added, and an identity
card held into the picture. Encoded as a browser does for a call: constant rate, no waiting, a key frame each second.
There is no card-reading service in this version: digits are told apart by the likeness to their drawn shapes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from figures import Figure
from live.sizes import Sizes
from material import ROOT
from shuanglu_face_check.photo import PhotoPicture
from shuanglu_face_check.pixels import PixelPicture
from shuanglu_face_check.settings import FaceCheckSettings
from shuanglu_face_check.worker import Worker, open_worker
from shuanglu_samples import rooms
from shuanglu_samples.scene import STAYS, Presence, Scene, film

Pixels = NDArray[np.uint8]

KBIT_S = (100, 150, 200, 300, 400, 600, 800, 1000, 1500)
RATE = 15
SECONDS = 10
NOISE_SIGMA = 3.0
SWAY_PX = 5.0
# A card at an arm's length from the camera of a phone.
CARD = (190, 116)
CARD_AT = (430, 340)
DIGITS = "110105199001010016"
DIGIT_PX = 10
DIGIT_STEP = 10
DIGITS_AT = (5, 92)
SPREADS = 2
AUDIO_KBIT_S = 32
QUARTER_H_S = 900


@dataclass(frozen=True, slots=True)
class Seen:
    """What can be told from a film: face against ID photo, and the share of digits that are read right.

    `spread`: standard deviation of the similarity from picture to picture.
    """

    similarity: float
    spread: float
    faces: float
    digits: float


def sway(frame: int) -> tuple[float, float]:
    """Where the hand is, in pixels."""
    at_s = frame / RATE
    return (
        SWAY_PX * float(np.sin(2 * np.pi * 0.7 * at_s) + 0.4 * np.sin(2 * np.pi * 2.3 * at_s)),
        SWAY_PX * float(np.cos(2 * np.pi * 0.5 * at_s) + 0.3 * np.sin(2 * np.pi * 3.1 * at_s)),
    )


def moved(picture: Pixels, dx: float, dy: float) -> Pixels:
    """The picture, shifted."""
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float64)
    size = (picture.shape[1], picture.shape[0])
    return np.asarray(cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def card() -> Pixels:
    """A card with a number on it."""
    image = Image.new("RGB", CARD, (214, 224, 232))
    draw = ImageDraw.Draw(image)
    for line in range(0, CARD[1], 9):
        draw.line([(0, line), (CARD[0], (line + 40) % CARD[1])], fill=(200, 214, 226))
    font = ImageFont.load_default(size=DIGIT_PX)
    for number, digit in enumerate(DIGITS):
        draw.text((DIGITS_AT[0] + number * DIGIT_STEP, DIGITS_AT[1]), digit, fill=(30, 34, 40), font=font)
    return np.asarray(image)[:, :, ::-1]


def shapes() -> list[NDArray[np.float64]]:
    """How each digit looks on paper."""
    font = ImageFont.load_default(size=DIGIT_PX)
    found = []
    for digit in "0123456789":
        image = Image.new("L", (DIGIT_STEP, DIGIT_PX + 6), 220)
        ImageDraw.Draw(image).text((0, 0), digit, fill=34, font=font)
        found.append(normal(np.asarray(image, np.float64)))
    return found


def normal(patch: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean 0, length 1."""
    centred: NDArray[np.float64] = patch - patch.mean()
    return centred / max(float(np.linalg.norm(centred)), 1e-9)


def digits_read(picture: Pixels, known: Sequence[NDArray[np.float64]]) -> float:
    """Share of the digits that look most like what they are."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float64)
    right = 0
    for number, digit in enumerate(DIGITS):
        x, y = CARD_AT[0] + DIGITS_AT[0] + number * DIGIT_STEP, CARD_AT[1] + DIGITS_AT[1]
        patch = normal(grey[y : y + DIGIT_PX + 6, x : x + DIGIT_STEP])
        right += int(np.argmax([float((patch * shape).sum()) for shape in known])) == int(digit)
    return right / len(DIGITS)


def scene_pictures() -> list[Pixels]:
    """The film without loss."""
    frames = RATE * SECONDS
    opened = np.abs(np.sin(np.arange(frames) * 0.9)).astype(np.float32)
    noise, pasted = np.random.default_rng(7), card()
    pictures = []
    for number, picture in enumerate(film(Scene(rooms.living_room, (Presence("customer", 0, STAYS),), seed=1), opened)):
        held = np.array(picture)
        held[CARD_AT[1] : CARD_AT[1] + CARD[1], CARD_AT[0] : CARD_AT[0] + CARD[0]] = pasted
        shaken = moved(held, *sway(number)).astype(np.float32)
        noisy = shaken + noise.normal(0, NOISE_SIGMA, shaken.shape)
        pictures.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return pictures


def encoded(pictures: Sequence[Pixels], kbit_s: int) -> list[tuple[bool, bytes]]:
    """Whether a key frame, and its bytes (Annex B), of each picture."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = pictures[0].shape[1], pictures[0].shape[0], "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(RATE), Fraction(1, RATE)
    rate = f"{kbit_s}k"
    encoder.options = {
        "preset": "superfast",
        "tune": "zerolatency",
        "profile": "baseline",
        "g": str(RATE),
        "b": rate,
        "maxrate": rate,
        "bufsize": f"{kbit_s // 2}k",
    }
    found = []
    for number, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, RATE)
        found += [(packet.is_keyframe, bytes(packet)) for packet in encoder.encode(frame)]
    return found + [(packet.is_keyframe, bytes(packet)) for packet in encoder.encode(None)]


def coded(pictures: Sequence[Pixels], kbit_s: int) -> tuple[list[Pixels], float]:
    """What comes out at the other end, and the kbit/s that it took."""
    packets = encoded(pictures, kbit_s)
    decoder = av.CodecContext.create("h264", "r")
    frames = [frame for _, data in packets for frame in decoder.decode(av.Packet(data))] + decoder.decode(None)
    took = sum(len(data) for _, data in packets) * 8 / 1000 / (len(pictures) / RATE)
    return [frame.to_ndarray(format="bgr24").astype(np.uint8, copy=False) for frame in frames], took


def seen_in(pictures: Sequence[Pixels], eyes: Worker, reference: Sequence[float]) -> Seen:
    """Looked at twice a second, as face-check does."""
    known = shapes()
    similarities, digits = [], []
    looked = range(RATE // 2, len(pictures), RATE // 2)
    for number in looked:
        dx, dy = sway(number)
        digits.append(digits_read(moved(pictures[number], -dx, -dy), known))
        shown: PixelPicture = PhotoPicture(Image.fromarray(np.ascontiguousarray(pictures[number][:, :, ::-1])))
        face = eyes.examiner.reference(shown)
        if face is not None:
            similarities.append(cosine(face, reference))
    faces = len(similarities) / len(looked)
    if not similarities:
        return Seen(0.0, 0.0, 0.0, float(np.mean(digits)))
    return Seen(float(np.median(similarities)), float(np.std(similarities)), faces, float(np.mean(digits)))


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """-1..1."""
    return float(np.dot(one, other) / (np.linalg.norm(one) * np.linalg.norm(other)))


def measure(_sizes: Sizes) -> list[Figure]:
    """Similarity and digits at each bitrate against the undamaged film; the lowest at which each is equal.

    Equal: closer than the similarity differs from picture to picture anyway (two standard deviations).
    """
    eyes = open_worker(FaceCheckSettings(models_dir=ROOT / "build" / "models"))
    reference = eyes.from_photo((ROOT / "samples" / "personal-loan" / "id_photo.jpg").read_bytes())
    assert reference is not None
    pictures = scene_pictures()
    best = seen_in(pictures, eyes, reference)
    baseline = f"no loss: {best.similarity:.3f} ± {best.spread:.3f}"
    digits_baseline = f"no loss: {best.digits * 100:.0f} %"
    figures, equal_face, equal_digits = [], [], []
    for kbit_s in KBIT_S:
        decoded, took = coded(pictures, kbit_s)
        seen = seen_in(decoded, eyes, reference)
        difference = abs(seen.similarity - best.similarity)
        figures.append(
            Figure(
                f"{took:.0f} kbit/s: similarity differs by",
                difference,
                "",
                "lower",
                None,
                baseline,
            )
        )
        figures.append(
            Figure(f"{took:.0f} kbit/s: digits read", seen.digits * 100, "%", "higher", None, digits_baseline)
        )
        if difference <= SPREADS * best.spread and seen.faces >= best.faces:
            equal_face.append(kbit_s)
        if seen.digits >= best.digits:
            equal_digits.append(kbit_s)
    for what, equal in (("face similarity", equal_face), ("digits of a card", equal_digits)):
        lowest = lowest_of(equal)
        figures.append(Figure(f"{what} equal from", lowest, "kbit/s", "lower", None, baseline))
    stored = (800 + AUDIO_KBIT_S) * 1000 / 8 * QUARTER_H_S * 2 / 1e6
    figures.append(Figure("two people for 15 min at the cap of 800 kbit/s", stored, "MB", "lower", None, "arithmetic"))
    return figures


def lowest_of(equal: Sequence[int]) -> float:
    """The lowest from which all higher ones are equal too; infinite if not even the highest is."""
    lowest = float("inf")
    for kbit_s in reversed(KBIT_S):
        if kbit_s not in equal:
            break
        lowest = kbit_s
    return lowest
