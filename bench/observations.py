"""What the models see and hear in recordings, and what it costs; to compare two versions of the code.

`python bench/observations.py OUT FOLDER…` writes the observations of each sample folder to OUT and prints core-seconds.
`python bench/observations.py OUT FOLDER… --same-as BEFORE` also says what differs from an earlier run; exit code 1 if
anything does. Cutting, listening, recognising and looking run here, without bus, store and gateway.
"""

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from shuanglu_asr.domain.heard import Utterance
from shuanglu_asr.domain.windows import Span, needed, windows
from shuanglu_asr.settings import AsrSettings
from shuanglu_asr.worker import Worker as Ears
from shuanglu_asr.worker import open_worker as open_ears
from shuanglu_face_check.domain.examiner import Templates
from shuanglu_face_check.domain.grid import grid_points
from shuanglu_face_check.domain.reference import segments_to_ask
from shuanglu_face_check.settings import FaceCheckSettings
from shuanglu_face_check.worker import Worker as Eyes
from shuanglu_face_check.worker import open_worker as open_eyes
from shuanglu_media_ingest.domain import sound
from shuanglu_media_ingest.domain.survey import Medium
from shuanglu_media_ingest.reading import av_files
from shuanglu_media_ingest.reading.segmenter import Piece, Segmenter

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "build" / "models"
FACES_PER_KILOSECOND = 2000
LANGUAGES = ("zh-CN",)


class Costs:
    """Core-seconds of this process by step."""

    def __init__(self) -> None:
        """Nothing spent yet."""
        self.spent: dict[str, float] = defaultdict(float)

    @contextmanager
    def of(self, step: str) -> Iterator[None]:
        """Adds what the block costs."""
        started = time.process_time()
        yield
        self.spent[step] += time.process_time() - started


def tracks_of(file: Path) -> dict[str, list[Piece]]:
    """The segments of each track of a file, as media-ingest cuts them."""
    survey = av_files.survey(file)
    parts = sound.parts(survey, None)
    names = [f"{file.stem}-{part.streams[0].medium}" for part in parts]
    tracks: dict[str, list[Piece]] = {name: [] for name in names}
    for piece in Segmenter(file, survey, parts, names, 0).pieces():
        tracks[piece.track.track_id].append(piece)
    return tracks


def heard(ears: Ears, pieces: list[Piece], costs: Costs) -> dict[str, Any]:
    """Turns, loudness and utterances of a track."""
    init = pieces[0].track.init
    listener = ears.listener()
    with costs.of("listen"):
        for piece in pieces:
            listener.add(init + piece.data)
        listened = listener.finish()
    spans = [Span(piece.index, piece.start_ms, piece.end_ms) for piece in pieces]
    said: list[Utterance] = []
    for turns in windows(listened.turns):
        wanted = set(needed(spans, turns))
        data = init + b"".join(piece.data for piece in pieces if piece.index in wanted)
        with costs.of("recognise"):
            said += ears.recognise(data, turns, LANGUAGES)
    return {
        "turns": [asdict(turn) for turn in listened.turns],
        "loudness": [asdict(level) for level in listened.loudness],
        "utterances": [asdict(utterance) for utterance in said],
    }


def seen(eyes: Eyes, pieces: list[Piece], id_photo: tuple[float, ...] | None, costs: Costs) -> list[dict[str, Any]]:
    """Frames of a track."""
    init = pieces[0].track.init
    reference = None
    frames: list[dict[str, Any]] = []
    for piece in pieces:
        with costs.of("look"):
            if reference is None and piece.index in segments_to_ask(piece.index):
                reference = eyes.from_segment(init + piece.data)
            points = grid_points(piece.start_ms, piece.end_ms, FACES_PER_KILOSECOND)
            frames += map(asdict, eyes.examine(init + piece.data, points, Templates(id_photo, reference)))
    return frames


def observed(folder: Path, ears: Ears, eyes: Eyes, costs: Costs) -> dict[str, Any]:
    """Everything that is seen and heard in a sample's folder."""
    photo = folder / "id_photo.jpg"
    with costs.of("look"):
        template = eyes.from_photo(photo.read_bytes()) if photo.exists() else None
    found: dict[str, Any] = {}
    for file in sorted(folder.glob("*.mp4")):
        with costs.of("cut"):
            tracks = tracks_of(file)
        for name, pieces in tracks.items():
            if pieces[0].track.stream.medium is Medium.AUDIO:
                found[name] = heard(ears, pieces, costs)
            else:
                found[name] = seen(eyes, pieces, template if "customer" in name else None, costs)
    return found


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Where two documents differ, as paths with both values."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from differences(before.get(key), after.get(key), f"{path}/{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, other, f"{path}/{number}")
    elif before != after:
        yield f"{path}: {json.dumps(before, ensure_ascii=False)} is now {json.dumps(after, ensure_ascii=False)}"


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--same-as", type=Path)
    options = parser.parse_args()
    console = Console()
    ears = open_ears(AsrSettings(models_dir=MODELS))
    eyes = open_eyes(FaceCheckSettings(models_dir=MODELS))
    found, total = {}, Costs()
    for folder in options.folders:
        costs = Costs()
        found[folder.name] = observed(folder, ears, eyes, costs)
        for step, seconds in costs.spent.items():
            total.spent[step] += seconds
        console.print(folder.name, {step: round(seconds, 2) for step, seconds in costs.spent.items()})
    options.out.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    console.print("all", {step: round(seconds, 2) for step, seconds in total.spent.items()})
    if options.same_as:
        before = json.loads(options.same_as.read_text(encoding="utf-8"))
        wrong = list(differences(before, json.loads(options.out.read_text(encoding="utf-8"))))
        console.print(*wrong[:50], sep="\n", markup=False, highlight=False)
        console.print(f"{len(wrong)} differences")
        sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
