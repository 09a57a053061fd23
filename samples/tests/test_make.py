import hashlib
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from shuanglu_samples import __main__ as command
from shuanglu_samples.errors import PackageUnavailable
from shuanglu_samples.fetch import Package, fetch
from shuanglu_samples.make import content_key, make_session
from shuanglu_samples.script import COMPACT, FULL
from shuanglu_samples.variants import CLEAN, VARIANTS
from shuanglu_samples.voice import RATE_HZ, Sound

COMMITTED = Path(__file__).parent.parent / "personal-loan"
SHORT = replace(CLEAN, script=replace(COMPACT, nodes=COMPACT.nodes[:1]))


class Hum:
    """A voice that hums for half a second, whatever is to be said."""

    def __init__(self) -> None:
        self.lines = 0

    def speak(self, text: str, voice: str, speed: float) -> Sound:
        self.lines += 1
        return (0.3 * np.sin(np.arange(RATE_HZ // 2) / 20)).astype(np.float32)


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples") / "short"
    assert make_session(SHORT, folder, Hum())
    return folder


def key_times(path: Path) -> list[float]:
    with av.open(str(path)) as file:
        return [
            float(packet.pts * packet.time_base)
            for packet in file.demux(video=0)
            if packet.is_keyframe and packet.pts is not None
        ]


@pytest.mark.parametrize("name", ["customer.mp4", "agent.mp4"])
def test_a_track_is_h264_and_aac_from_zero_to_the_same_end(short: Path, name: str) -> None:
    duration_ms = json.loads((short / "truth.json").read_text(encoding="utf-8"))["duration_ms"]
    with av.open(str(short / name)) as file:
        video, audio = file.streams.video[0], file.streams.audio[0]
        assert (video.codec_context.name, video.width, video.height) == ("h264", 640, 480)
        assert video.average_rate == Fraction(15)
        assert (audio.codec_context.name, audio.layout.nb_channels) == ("aac", 1)
        pictures = [frame.time for frame in file.decode(video)]
        file.seek(0)
        samples = [(frame.time, frame.samples) for frame in file.decode(audio)]
    assert pictures[0] == 0
    assert len(pictures) * 1000 // 15 == duration_ms
    assert samples[0][0] == pytest.approx(0, abs=0.001)
    assert sum(count for _, count in samples) / 48 == pytest.approx(duration_ms, abs=1024 / 48 + 1)


def test_there_is_a_key_frame_each_second_and_no_other(short: Path) -> None:
    times = key_times(short / "customer.mp4")
    assert times == [float(second) for second in range(len(times))]


def test_a_second_call_does_nothing(short: Path) -> None:
    voice = Hum()
    assert make_session(SHORT, short, voice) is False
    assert voice.lines == 0


def test_a_changed_script_is_made_again(short: Path) -> None:
    (short / ".made").write_text("made by something else")
    assert make_session(SHORT, short, Hum()) is True


def test_nothing_half_made_is_left(tmp_path: Path) -> None:
    class Hoarse:
        def speak(self, text: str, voice: str, speed: float) -> Sound:
            raise PackageUnavailable("voice", "test")

    with pytest.raises(PackageUnavailable):
        make_session(SHORT, tmp_path / "broken", Hoarse())
    assert [path.name for path in tmp_path.iterdir()] == [".broken.lock"]


def test_each_variant_has_a_key_of_its_own() -> None:
    assert len({content_key(variant) for variant in VARIANTS}) == len(VARIANTS)


def test_the_committed_sample_says_what_the_script_says() -> None:
    truth = json.loads((COMMITTED / "truth.json").read_text(encoding="utf-8"))
    said = [(each["node_id"], each["role"], each["text"]) for each in truth["utterances"]]
    assert said == [(node.node_id, line.role.value, line.text) for node in FULL.nodes for line in node.lines]
    assert json.loads((COMMITTED / "timeline.json").read_text(encoding="utf-8")) == truth["nodes"]
    assert truth["expected"] == []
    assert 60_000 <= truth["duration_ms"] <= 90_000


def test_the_committed_sample_is_small_and_complete() -> None:
    names = {path.name for path in COMMITTED.iterdir()}
    assert names == {"customer.mp4", "agent.mp4", "id_photo.jpg", "order.json", "timeline.json", "truth.json"}
    assert sum(path.stat().st_size for path in COMMITTED.iterdir()) < 6_000_000


@pytest.mark.parametrize("name", ["customer.mp4", "agent.mp4"])
def test_the_committed_tracks_have_the_length_of_the_truth(name: str) -> None:
    duration_ms = json.loads((COMMITTED / "truth.json").read_text(encoding="utf-8"))["duration_ms"]
    with av.open(str(COMMITTED / name)) as file:
        for stream in (file.streams.video[0], file.streams.audio[0]):
            assert stream.duration is not None
            assert stream.time_base is not None
            assert float(stream.duration * stream.time_base) * 1000 == pytest.approx(duration_ms, abs=70)


def npm_that_writes(content: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = folder / "npm"
    npm.write_text(f"#!/bin/sh\nprintf '{content}' > thing-1.0.0.tgz\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_a_package_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm_that_writes("thing", tmp_path, monkeypatch)
    package = Package("npm", "thing", "1.0.0", "thing-1.0.0.tgz", hashlib.sha256(b"thing").hexdigest())
    path = fetch(package, tmp_path / "dl")
    assert path.read_bytes() == b"thing"
    (tmp_path / "npm").unlink()
    monkeypatch.setenv("PATH", "")
    assert fetch(package, tmp_path / "dl") == path


def test_a_package_with_another_hash_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm_that_writes("something else", tmp_path, monkeypatch)
    package = Package("npm", "thing", "1.0.0", "thing-1.0.0.tgz", hashlib.sha256(b"thing").hexdigest())
    with pytest.raises(PackageUnavailable, match="expected sha256"):
        fetch(package, tmp_path / "dl")
    assert list((tmp_path / "dl").iterdir()) == []


def test_a_registry_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    package = Package("npm", "thing", "1.0.0", "thing-1.0.0.tgz", "0" * 64)
    with pytest.raises(PackageUnavailable, match="npm is not installed") as caught:
        fetch(package, tmp_path)
    assert "npm pack" in caught.value.diagnostics()


def test_list_names_every_variant(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [variant.name for variant in VARIANTS]


def test_an_unknown_variant_ends_with_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["make", "--variant", "nobody"]) == 1
    assert "--all" in capsys.readouterr().err
