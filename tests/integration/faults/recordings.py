"""Short recordings for runs with many imports: the first seconds of the committed sample, in a few shapes.

Cut by ffmpeg without encoding anew, so that a shape is always the same bytes and its report always the same.
"""

import json
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from shuanglu_cli.recording import Recording, assign_roles
from shuanglu_stack.sampling import sample_recording

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = ROOT / "samples" / "personal-loan"
# The first two sentences and the first answer: enough for windows of speech, faces and most checks.
SECONDS = "11"
CUT_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Shapes:
    """Recordings by shape."""

    by_name: dict[str, Recording]

    @property
    def names(self) -> list[str]:
        """All shapes, in order."""
        return list(self.by_name)

    def numbered(self, shape: str, order_no: str) -> Recording:
        """A recording of a shape for an order of its own."""
        recording = self.by_name[shape]
        order = type(recording.order)()
        order.CopyFrom(recording.order)
        order.order_no = order_no
        return replace(recording, order=order)


def make_shapes(folder: Path) -> Shapes:
    """Cut the sample into `folder`: two files with a photo, one file with both people, a telephone's sound."""
    pair, single, phone = (folder / name for name in ("pair", "single", "phone"))
    for each in (pair, single, phone):
        each.mkdir(parents=True, exist_ok=True)
        (each / "order.json").write_bytes((SAMPLE / "order.json").read_bytes())
    for name in ("customer", "agent"):
        _ffmpeg("-i", SAMPLE / f"{name}.mp4", "-t", SECONDS, "-c", "copy", pair / f"{name}.mp4")
    (pair / "id_photo.jpg").write_bytes((SAMPLE / "id_photo.jpg").read_bytes())
    (pair / "truth.json").write_text(json.dumps({"channel": "REMOTE"}))
    _ffmpeg("-i", SAMPLE / "agent.mp4", "-t", SECONDS, "-c", "copy", "-f", "matroska", single / "meeting.mkv")
    _ffmpeg("-i", SAMPLE / "agent.mp4", "-t", SECONDS, "-vn", "-ac", "1", "-ar", "8000", phone / "call.wav")
    order, channel = sample_recording(pair).order, sample_recording(pair).channel
    return Shapes(
        {
            "pair": sample_recording(pair),
            "single": Recording(assign_roles([str(single / "meeting.mkv")]), order, channel),
            "phone": Recording(assign_roles([str(phone / "call.wav")]), order, channel),
        }
    )


def _ffmpeg(*arguments: object) -> None:
    command = ["ffmpeg", "-v", "error", "-y", "-bitexact", *map(str, arguments[:-1]), "-bitexact", str(arguments[-1])]
    subprocess.run(command, check=True, timeout=CUT_TIMEOUT_S)
