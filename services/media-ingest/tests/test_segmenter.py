"""Files made by FFmpeg's encoders go through the segmenter; FFmpeg's own demuxer and decoders say what came out."""

import hashlib
import io
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import Media
from ingest_media import KEY_EVERY_SECOND, Recipe, segmented, source_packets

from shuanglu_media_ingest.domain import boxes
from shuanglu_media_ingest.domain.gaps import Cause, Gap
from shuanglu_media_ingest.domain.survey import Medium
from shuanglu_media_ingest.domain.timeline import Stretch
from shuanglu_media_ingest.errors import EmptyFile, MoovMissing, NoMedia, NotARecording, RecordingRefused
from shuanglu_media_ingest.reading import av_files

MS = Fraction(1, 1000)
H264 = Recipe("libx264", "aac", options={**KEY_EVERY_SECOND, "bf": "3"})
CARRIED = {
    "b_pictures.mp4": H264,
    "b_pictures.mkv": H264,
    "b_pictures.mov": H264,
    "b_pictures.flv": H264,
    "annex_b_and_adts.ts": H264,
    "hevc.mp4": Recipe("libx265", "aac", options={"x265-params": "keyint=25:open-gop=0:log-level=none"}),
    "vp9_opus.webm": Recipe("libvpx-vp9", "libopus", options={"g": "25", "deadline": "realtime"}),
    "opus.mp4": Recipe("libx264", "libopus", options=KEY_EVERY_SECOND),
    "late_picture.mp4": Recipe("libx264", "aac", options=KEY_EVERY_SECOND, video_from=25),
    "stereo.m4a": Recipe("", "aac", rate=44_100, layout="stereo"),
    "voice.mp3": Recipe("", "mp3", rate=44_100),
    "voice.flac": Recipe("", "flac", rate=16_000),
}
CODECS = {
    "b_pictures.mp4": ("avc1.64000b", "mp4a.40.2"),
    "annex_b_and_adts.ts": ("avc1.64000b", "mp4a.40.2"),
    "hevc.mp4": ("hvc1.1.6.L30.90", "mp4a.40.2"),
    "vp9_opus.webm": ("vp09.00.10.08", "opus"),
    "voice.mp3": (None, "mp4a.40.34"),
    "voice.flac": (None, "fLaC"),
}


def origin_of(path: Path) -> Fraction:
    return av_files.survey(path).origin


@pytest.mark.parametrize("name", CARRIED)
def test_carried_packets_keep_their_bytes_and_their_times(name: str, media: Media):
    path = media(name, CARRIED[name])
    for kind, result in segmented(path).items():
        assert not result.track.source.derived
        expected = [(at, data) for at, data in source_packets(path, kind)]
        if name.endswith(".ts"):  # start codes and ADTS headers become lengths
            expected = [(at, None) for at, _ in expected]
        found = result.packets()
        # An encoder's priming before the file's start is left out.
        expected = expected[len(expected) - len(found) :]
        assert len(expected) >= 4 * 10
        for (at, data, _), (source_at, source_data) in zip(found[1:], expected[1:], strict=True):
            assert abs(at - (source_at - origin_of(path))) <= MS
            assert source_data is None or data == source_data


@pytest.mark.parametrize("name", CARRIED)
def test_segments_are_contiguous_begin_with_key_frames_and_are_about_two_seconds(name: str, media: Media):
    for result in segmented(media(name, CARRIED[name])).values():
        pieces = result.pieces
        assert [piece.index for piece in pieces] == list(range(1, len(pieces) + 1))
        assert all(before.end_ms == after.start_ms for before, after in pairwise(pieces))
        assert all(1900 <= piece.end_ms - piece.start_ms <= 3000 for piece in pieces[:-1])
        assert (pieces[0].start_ms, pieces[-1].end_ms) == (result.track.start_ms, result.track.end_ms)
        for piece in pieces:
            with av.open(_file(result.track.init + piece.data)) as container:
                assert next(container.demux(container.streams[0])).is_keyframe
            with av.open(_file(result.track.init + piece.data)) as container:
                times = [frame.time for frame in container.decode(container.streams[0])]
            assert min(times) * 1000 == pytest.approx(piece.start_ms, abs=_lost_ms(name))
            assert max(times) * 1000 < piece.end_ms


@pytest.mark.parametrize("name", CARRIED)
def test_decoding_gives_every_picture_and_every_sample(name: str, media: Media):
    path = media(name, CARRIED[name])
    for kind, result in segmented(path).items():
        with av.open(str(path)) as container:
            stream = next(stream for stream in container.streams if stream.type == kind)
            frames = list(container.decode(stream))
        found = result.frame_times()
        origin = origin_of(path)
        if kind == "video":
            assert [frame.to_ndarray().tobytes() for frame in frames] == result.pictures()
            assert [frame.pts * frame.time_base - origin for frame in frames] == pytest.approx(found, abs=0.001)
        else:
            assert abs(len(frames) - len(found)) <= 1
            assert found[-1] == pytest.approx(float(frames[-1].pts * frames[-1].time_base - origin), abs=0.0011)


@pytest.mark.parametrize(("name", "names"), CODECS.items())
def test_codecs_have_their_names_of_rfc_6381(name: str, names: tuple[str | None, str], media: Media):
    tracks = segmented(media(name, CARRIED[name]))
    assert tuple(tracks[kind].track.codec if kind in tracks else None for kind in ("video", "audio")) == names


def test_sound_and_picture_keep_their_distance(media: Media):
    tracks = segmented(media("late_picture.mp4", CARRIED["late_picture.mp4"]))
    assert (tracks["video"].track.start_ms, tracks["audio"].track.start_ms) == (1000, 0)


def test_a_late_picture_and_an_early_end_of_sound_are_gaps(media: Media):
    tracks = segmented(media("late_picture.mp4", CARRIED["late_picture.mp4"]))
    whole = max(result.track.end_ms for result in tracks.values())
    stretch = Stretch(0, whole)
    assert tracks["video"].track.gaps(stretch) == [Gap(0, 1000, Cause.MISSING)]
    assert tracks["audio"].track.gaps(stretch) == [Gap(tracks["audio"].track.end_ms, whole, Cause.MISSING)]


def test_a_hole_in_the_picture_is_a_gap(media: Media):
    recipe = Recipe("libx264", "aac", seconds=6, options=KEY_EVERY_SECOND, picture_hole=(60, 100))
    video = segmented(media("hole.mp4", recipe))["video"].track
    gaps = video.gaps(Stretch(video.start_ms, video.end_ms))
    assert [(gap.start_ms, gap.end_ms) for gap in gaps] == [(2400, 4000)]


def test_an_offset_moves_everything(media: Media):
    path = media("b_pictures.mp4", H264)
    here, there = segmented(path), segmented(path, offset_ms=7040)
    for kind in here:
        moved = [at for at, _, _ in there[kind].packets()]
        assert moved == [at + Fraction(7040, 1000) for at, _, _ in here[kind].packets()]
        assert there[kind].track.start_ms == here[kind].track.start_ms + 7040


@pytest.mark.parametrize("name", ["b_pictures.mp4", "vp8.webm", "telephone.wav"])
def test_the_same_file_gives_the_same_bytes(name: str, media: Media):
    path = media(name, {**CARRIED, **DERIVED}[name])
    first, second = (
        {kind: hashlib.sha256(result.data).hexdigest() for kind, result in segmented(path).items()} for _ in range(2)
    )
    assert first == second


DERIVED = {
    "vp8.webm": Recipe("libvpx", "libopus", options={"deadline": "realtime"}),
    "odd_size.avi": Recipe("mpeg4", "pcm_s16le", size=(161, 121)),
    "telephone.wav": Recipe("", "pcm_s16le", rate=8000),
    "stereo.wav": Recipe("", "pcm_s16le", rate=44_100, layout="stereo"),
    "no_key_frames.mp4": Recipe("libx264", "aac", seconds=12, options={"g": "9999", "x264-params": "scenecut=0"}),
}


@pytest.mark.parametrize("name", ["vp8.webm", "odd_size.avi", "no_key_frames.mp4"])
def test_pictures_that_cannot_be_carried_get_a_working_copy(name: str, media: Media):
    path = media(name, DERIVED[name])
    video = segmented(path)["video"]
    assert video.track.source.derived
    assert video.track.codec.startswith("avc1.")
    assert (video.track.source.width % 2, video.track.source.height % 2) == (0, 0)
    with av.open(str(path)) as container:
        expected = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    assert video.frame_times() == pytest.approx([float(at - origin_of(path)) for at in expected], abs=0.001)
    assert [piece.start_ms for piece in video.pieces] == list(range(0, 2000 * len(video.pieces), 2000))


@pytest.mark.parametrize(("name", "rate"), [("telephone.wav", 8000), ("stereo.wav", 44_100)])
def test_plain_sound_becomes_aac_of_the_same_length(name: str, rate: int, media: Media):
    path = media(name, DERIVED[name])
    audio = segmented(path)["audio"]
    assert audio.track.source.derived
    assert audio.track.codec == "mp4a.40.2"
    assert audio.track.sample_rate == rate
    assert (audio.track.start_ms, audio.track.end_ms) == (0, 4000)
    with av.open(_file(audio.data)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert 0 <= samples - 4 * rate < 1024


def test_sound_stays_in_step_through_the_working_copy(media: Media, tmp_path: Path):
    """A click in the middle of plain sound comes out where it went in, within a millisecond."""
    path = tmp_path / "click.wav"
    samples = np.zeros(16_000 * 4, np.int16)
    samples[33_333] = 30_000
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
    audio = segmented(path)["audio"]
    loudest = (0.0, 0.0)
    with av.open(_file(audio.data)) as container:
        for frame in container.decode(audio=0):
            block = np.abs(frame.to_ndarray()[0])
            loudest = max(loudest, (float(block.max()), frame.time + int(block.argmax()) / 16_000))
    assert loudest[1] == pytest.approx(33_333 / 16_000, abs=0.001)


def test_a_turned_picture_keeps_its_note_when_carried(media: Media, tmp_path: Path):
    turned = _turned(media("b_pictures.mp4", H264), tmp_path)
    video = segmented(turned)["video"]
    with av.open(_file(video.data)) as container:
        assert abs(next(container.decode(video=0)).rotation) == 90
    assert not video.track.source.derived


def test_a_turned_picture_is_upright_in_a_working_copy(media: Media, tmp_path: Path):
    turned = _turned(media("no_key_frames.mp4", DERIVED["no_key_frames.mp4"]), tmp_path)
    video = segmented(turned)["video"]
    assert (video.track.source.width, video.track.source.height) == (120, 160)
    with av.open(_file(video.data)) as container:
        assert next(container.decode(video=0)).rotation == 0


def test_a_text_file_is_no_recording(tmp_path: Path):
    _refused(tmp_path, b"This is not a video.\n" * 50, NotARecording)


@pytest.mark.parametrize(
    "text", [b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", b"ffconcat version 1.0\nfile /etc/passwd\n"]
)
def test_a_list_of_other_files_is_no_recording(text: bytes, tmp_path: Path):
    _refused(tmp_path, text, NotARecording)


def test_zero_bytes_are_an_empty_file(tmp_path: Path):
    _refused(tmp_path, b"", EmptyFile)


@pytest.mark.parametrize("kept", [0.3, 0.99])
def test_an_mp4_that_lost_its_index_with_its_end_is_refused_and_says_so(kept: float, media: Media, tmp_path: Path):
    data = media("b_pictures.mp4", H264).read_bytes()
    _refused(tmp_path, data[: int(len(data) * kept)], MoovMissing)


def test_a_container_without_tracks_is_refused(media: Media, tmp_path: Path):
    data = boxes.without(media("b_pictures.mp4", H264).read_bytes(), b"trak")
    _refused(tmp_path, data, NoMedia)


def test_a_recording_without_a_single_sample_is_refused(tmp_path: Path):
    path = tmp_path / "silent.wav"
    with av.open(str(path), "w") as container:
        container.add_stream("pcm_s16le", rate=8000, layout="mono")
        container.start_encoding()
    _refused(tmp_path, path.read_bytes(), NoMedia)


def test_a_probe_tells_media_and_length(media: Media):
    found = av_files.probe(media("b_pictures.mp4", H264))
    assert found.media == {Medium.VIDEO, Medium.AUDIO}
    assert found.duration_ms == pytest.approx(4000, abs=50)


def _refused(folder: Path, data: bytes, error: type[RecordingRefused]) -> None:
    path = folder / "upload"
    path.write_bytes(data)
    with pytest.raises(error) as probed:
        av_files.probe(path)
    with pytest.raises(error):
        av_files.survey(path)
    assert probed.value.help


def _lost_ms(name: str) -> float:
    """What a decoder drops when it begins in the middle: Opus 6.5 ms of pre-skip, MP3 a frame of its bit reservoir."""
    return 27 if name.endswith(".mp3") else 8


def _file(data: bytes) -> io.BytesIO:
    return io.BytesIO(data)


UPRIGHT = b"".join(number.to_bytes(4, "big") for number in (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30))
TURNED = b"".join(number.to_bytes(4, "big") for number in (0, 1 << 16, 0, (1 << 32) - (1 << 16), 0, 0, 0, 0, 1 << 30))


def _turned(path: Path, folder: Path) -> Path:
    """The same file, whose picture track says: show me turned by 90 degrees (ISO/IEC 14496-12, 8.3.2)."""
    data = path.read_bytes()
    at = data.index(b"tkhd")
    matrix = data.index(UPRIGHT, at)
    turned = folder / "turned.mp4"
    turned.write_bytes(data[:matrix] + TURNED + data[matrix + len(UPRIGHT) :])
    return turned
