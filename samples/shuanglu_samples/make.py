"""Makes one sample: speech, timeline, two films, documents. Cached by the content of this package."""

import fcntl
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, Final, Protocol

from shuanglu_samples import documents, rooms, scene
from shuanglu_samples.media import write_track
from shuanglu_samples.portrait import Picture
from shuanglu_samples.scene import STAYS, Presence, Scene
from shuanglu_samples.script import Delivery, Line, Role
from shuanglu_samples.sound import envelope, levelled, mix, mumbled, muted
from shuanglu_samples.timeline import lay_out
from shuanglu_samples.variants import Staging, Variant
from shuanglu_samples.voice import RATE_HZ, Sound

Progress = Callable[[str, float], None]

_VOICES: Final = {Role.CUSTOMER: "zm_yunxi", Role.AGENT: "zf_xiaoyi"}
_UNDERSTUDY: Final = ("zm_yunjian", 1.2)  # a slow voice, hurried a little
_KEY_FILE: Final = ".made"
_TRACKS: Final = {Role.CUSTOMER: "customer.mp4", Role.AGENT: "agent.mp4"}


class Voice(Protocol):
    """Speaks lines; `Speaker` is the real one."""

    def speak(self, text: str, voice: str, speed: float) -> Sound:
        """Mono samples at 24 kHz that begin and end with the voice."""


def make_session(variant: Variant, folder: Path, voice: Voice, progress: Progress | None = None) -> bool:
    """Make the variant's files in `folder` and say whether there was anything to do.

    Nothing is done when the folder was made by this very script. Else the folder is replaced as a
    whole, when all files are complete; a second process that wants the same folder waits. `progress`
    is told the stage and how much of it is done, 0..1.
    """
    key = content_key(variant)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        if (folder / _KEY_FILE).exists() and (folder / _KEY_FILE).read_text(encoding="ascii") == key:
            return False
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as work:
            made = Path(work) / folder.name
            made.mkdir()
            _make(variant, made, voice, progress or _silent)
            (made / _KEY_FILE).write_text(key, encoding="ascii")
            if folder.exists():
                shutil.rmtree(folder)
            made.replace(folder)
    return True


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time makes one folder; the lock goes with the process."""
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _silent(stage: str, done: float) -> None:
    """Progress that nobody wants to see."""
    del stage, done


def content_key(variant: Variant) -> str:
    """SHA-256 over everything that the result depends on: the variant's name and this package's files."""
    digest = hashlib.sha256(variant.name.encode())
    package = resources.files("shuanglu_samples")
    for entry in sorted((*package.iterdir(), *(package / "data").iterdir()), key=lambda entry: entry.name):
        if entry.is_file() and entry.name != "py.typed":
            digest.update(entry.name.encode() + b"\0" + entry.read_bytes())
    return digest.hexdigest()


def _make(variant: Variant, folder: Path, speaker: Voice, progress: Progress) -> None:
    voices = _speak(variant, speaker, progress)
    timeline = lay_out(variant.script, {line: round(voice.size * 1000 / RATE_HZ) for line, voice in voices.items()})
    staging = variant.stage(timeline)
    for role, name in _TRACKS.items():
        track = mix(
            ((said.start_ms, voices[said.line]) for said in timeline.utterances if said.line.role is role),
            timeline.duration_ms,
            seed=list(Role).index(role),
        )
        opened = envelope(track, timeline.frames)
        for start_ms, end_ms in staging.mute:
            track = muted(track, start_ms, end_ms)
        pictures = _counted(scene.film(_scene(role, staging), opened), timeline.frames, name, progress)
        write_track(folder / name, pictures, track)
    data = resources.files("shuanglu_samples") / "data"
    (folder / "id_photo.jpg").write_bytes((data / staging.id_photo).read_bytes())
    _write_json(folder / "order.json", documents.order(variant))
    _write_json(folder / "timeline.json", documents.timeline_nodes(timeline))
    _write_json(folder / "truth.json", documents.truth(variant, timeline, staging))


def _speak(variant: Variant, speaker: Voice, progress: Progress) -> dict[Line, Sound]:
    lines = [line for node in variant.script.nodes for line in node.lines]
    voices: dict[Line, Sound] = {}
    for number, line in enumerate(lines):
        progress("speech", number / len(lines))
        voice, pace = _UNDERSTUDY if line.understudy else (_VOICES[line.role], 1.0)
        said = levelled(speaker.speak(line.text, voice, variant.script.speed * pace))
        voices[line] = mumbled(said) if line.delivery is Delivery.MUMBLED else said
    progress("speech", 1)
    return voices


def _scene(role: Role, staging: Staging) -> Scene:
    if role is Role.AGENT:
        return Scene(rooms.office, (Presence("agent", 0, STAYS),), seed=2)
    return Scene(rooms.living_room, staging.people, staging.black, seed=1)


def _counted(pictures: Iterator[Picture], total: int, stage: str, progress: Progress) -> Iterator[Picture]:
    for number, picture in enumerate(pictures):
        if number % 30 == 0:
            progress(stage, number / total)
        yield picture
    progress(stage, 1)


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
