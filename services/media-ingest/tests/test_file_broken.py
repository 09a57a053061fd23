"""Broken files: what can be read is read at its own time, the rest is on the timeline, and nothing is lost silently."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import pytest
from file_breaking import cut, hole, noise, number_behind, written
from file_judge import beeps_of, flashes_of
from file_pack import CLIPS, made
from ingest_media import Result, segmented

from shuanglu_media_ingest.domain import limits
from shuanglu_media_ingest.domain.boxes import split
from shuanglu_media_ingest.domain.gaps import Cause
from shuanglu_media_ingest.errors import FileDamaged, MoovMissing, RecordingRefused, RecordingTooLarge
from shuanglu_media_ingest.reading import av_files

TOLERANCE_S = 0.04
# A flash at the edge of a damaged stretch may be lost with it, or seem to begin where it ends.
EDGE_S = 0.25
INDEX_IN_FRONT = ("fast_start.mp4", "fragmented.mp4")
STREAMED = ("plain.mkv", "vp8_vorbis.webm", "vp9_opus.webm", "h264_aac.flv", "h264_aac.ts", "hevc_aac.ts")
SOUND = ("stereo.wav", "telephone_a_law.wav", "voice.mp3", "voice.ogg", "voice.amr")
INDEX_AT_THE_END = ("moov_at_the_end.mp4", "turned_90.mov", "h263_amr.3gp", "voice.m4a")


def unreadable(result: Result) -> list[tuple[float, float]]:
    """Carried segments with damage that only a decoder sees: the workers say so, and the stretch is not examined."""
    stretches = []
    for piece in result.pieces:
        try:
            with av.open(io.BytesIO(result.track.init + piece.data), format="mp4") as container:
                frames = [getattr(frame, "is_corrupt", False) for frame in container.decode(container.streams[0])]
                damaged = any(frames) or not frames
        except av.FFmpegError:
            damaged = True
        if damaged:
            stretches.append((piece.start_ms / 1000, piece.end_ms / 1000))
    return stretches


def seen(kind: str, result: Result) -> list[float]:
    """Flashes or beeps in the segments that can be decoded."""
    bad = unreadable(result)
    good = [piece.data for piece in result.pieces if (piece.start_ms / 1000, piece.end_ms / 1000) not in bad]
    data = result.track.init + b"".join(good)
    return (flashes_of if kind == "video" else beeps_of)(data) if good else []


def told(result: Result) -> list[tuple[float, float]]:
    """Stretches that somebody says something is wrong with; an empty gap speaks for all that follows."""
    stretches = [
        (gap.start_ms / 1000, gap.end_ms / 1000 if gap.end_ms > gap.start_ms else float("inf"))
        for gap in result.gaps
        if gap.cause is Cause.DAMAGED
    ]
    return stretches + unreadable(result)


def inside(at: float, stretches: Sequence[tuple[float, float]]) -> bool:
    return any(start - EDGE_S <= at <= end + EDGE_S for start, end in stretches)


def check(path: Path, name: str) -> None:
    """Everything is there at its time, or somebody says that it is not."""
    tracks = segmented(path)
    assert tracks
    damaged = 0
    for kind, result in tracks.items():
        expected = CLIPS[name].flashes if kind == "video" else CLIPS[name].beeps
        found, wrong = seen(kind, result), told(result)
        for at in expected:
            assert inside(at, wrong) or any(abs(at - each) <= TOLERANCE_S for each in found), (kind, at, found, wrong)
        for each in found:
            assert inside(each, wrong) or any(abs(at - each) <= TOLERANCE_S for at in expected), (kind, each, wrong)
        damaged += len(wrong)
        assert all(0 <= gap.start_ms <= gap.end_ms for gap in result.gaps)
    # VP9 has nothing that a decoder could miss: damaged bytes are another picture to it.
    assert damaged or name.startswith("vp9")


@pytest.mark.parametrize("share", [0.35, 0.6, 0.97])
@pytest.mark.parametrize("name", [*INDEX_IN_FRONT, *STREAMED, "mpeg4_mp3.avi", *SOUND])
def test_a_file_that_was_cut_off_is_taken_up_to_there_and_the_rest_is_damaged(name: str, share: float, tmp_path: Path):
    check(written(tmp_path, name, lambda data: cut(data, share)), name)


@pytest.mark.parametrize(
    "name", ["fast_start.mp4", "plain.mkv", "h264_aac.flv", "stereo.wav", "telephone_a_law.wav", "mpeg4_mp3.avi"]
)
def test_a_file_that_was_cut_off_is_as_long_on_the_timeline_as_it_says(name: str, tmp_path: Path):
    tracks = segmented(written(tmp_path, name, lambda data: cut(data, 0.6)))
    for result in tracks.values():
        last = max(result.gaps)
        assert last.cause is Cause.DAMAGED
        assert last.start_ms == pytest.approx(result.track.end_ms, abs=1)
        assert last.end_ms == pytest.approx(CLIPS[name].seconds * 1000, abs=60)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("name", INDEX_AT_THE_END)
def test_an_index_that_was_at_the_end_is_missed_by_name(name: str, share: float, tmp_path: Path):
    path = written(tmp_path, name, lambda data: cut(data, share))
    with pytest.raises(MoovMissing) as refused:
        av_files.probe(path)
    assert refused.value.reason == "MOOV_MISSING"
    assert "moov" in refused.value.help


@pytest.mark.parametrize("begin", [0.3, 0.5, 0.7])
@pytest.mark.parametrize(
    "name", ["fast_start.mp4", "fragmented.mp4", "moov_at_the_end.mp4", "turned_90.mov", *STREAMED, "voice.ogg"]
)
def test_damaged_bytes_in_the_middle_are_damaged_there_and_the_rest_is_read(name: str, begin: float, tmp_path: Path):
    check(written(tmp_path, name, lambda data: noise(data, begin, min(3000, len(data) // 20))), name)


@pytest.mark.parametrize("name", ["fast_start.mp4", "moov_at_the_end.mp4", "plain.mkv", "h264_aac.flv", "h264_aac.ts"])
def test_behind_the_damage_reading_goes_on(name: str, tmp_path: Path):
    video = segmented(written(tmp_path, name, lambda data: noise(data, 0.3, 2000)))["video"]
    assert any(abs(CLIPS[name].flashes[-1] - at) <= TOLERANCE_S for at in seen("video", video))
    assert video.track.end_ms == pytest.approx(6000, abs=60)
    assert told(video)
    assert all(end < 5 for _, end in told(video))


@pytest.mark.parametrize("name", ["plain.mkv", "vp9_opus.webm", "h264_aac.flv", "h264_aac.ts", "telephone_a_law.wav"])
def test_bytes_that_are_gone_are_missed(name: str, tmp_path: Path):
    tracks = segmented(written(tmp_path, name, lambda data: hole(data, 0.5, 4000)))
    assert any(told(result) for result in tracks.values())


def test_a_whole_file_with_junk_behind_it_is_whole(tmp_path: Path):
    for name in ("fast_start.mp4", "plain.mkv", "h264_aac.flv", "telephone_a_law.wav"):
        tracks = segmented(written(tmp_path, name, lambda data: data + bytes(5000)))
        assert [result.track.end_ms for result in tracks.values()] == [
            result.track.end_ms for result in segmented(made(name)).values()
        ]


LIES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    # RIFF and data sizes of 4 GiB less one, of a recorder that never came back to write them.
    "size_of_a_stream.wav": ("telephone_a_law.wav", lambda data: number_behind(data, b"data", 0, 4, 0xFFFFFFFF)),
    "size_0.wav": ("telephone_a_law.wav", lambda data: number_behind(data, b"data", 0, 4, 0, "little")),
    # mvhd: the whole lasts ten hours. The index knows better.
    "ten_hours.mp4": ("fast_start.mp4", lambda data: number_behind(data, b"mvhd", 16, 4, 36_000_000)),
}


@pytest.mark.parametrize("name", LIES)
def test_a_header_that_lies_where_the_data_tell_better_changes_nothing(name: str, tmp_path: Path):
    base, lie = LIES[name]
    for kind, result in segmented(written(tmp_path, base, lie)).items():
        assert result.track.end_ms == pytest.approx(6000, abs=60), kind
        assert not [gap for gap in result.gaps if gap.end_ms > gap.start_ms]


def test_a_wav_that_claims_to_be_longer_is_damaged_to_there(tmp_path: Path):
    twice = 2 * 6 * 8000
    path = written(tmp_path, "telephone_a_law.wav", lambda data: number_behind(data, b"data", 0, 4, twice, "little"))
    (gap,) = segmented(path)["audio"].gaps
    assert (gap.start_ms, gap.end_ms, gap.cause) == (6000, 12_000, Cause.DAMAGED)


def test_a_matroska_that_claims_a_month_is_not_believed_but_told(tmp_path: Path):
    def month(data: bytes) -> bytes:
        at = data.index(b"\x44\x89\x88") + 3
        return data[:at] + b"\x41\xe3\x50\xbc\x00\x00\x00\x00" + data[at + 8 :]  # 2 592 000 000 ms as a double

    for result in segmented(written(tmp_path, "plain.mkv", month)).values():
        assert [(gap.start_ms, gap.end_ms, gap.cause) for gap in result.gaps] == [
            (result.track.end_ms, result.track.end_ms, Cause.DAMAGED)
        ]


def test_an_index_that_claims_to_be_larger_than_the_file_is_read_as_far_as_it_goes(tmp_path: Path):
    path = written(
        tmp_path, "fast_start.mp4", lambda data: data[: (at := data.index(b"moov") - 4)] + b"\x7f" + data[at + 1 :]
    )
    for kind, result in segmented(path).items():
        assert result.track.end_ms == pytest.approx(6000, abs=60), kind


def test_an_mp4_without_its_index_says_so_even_if_it_is_whole(tmp_path: Path):
    path = written(
        tmp_path,
        "fast_start.mp4",
        lambda data: b"".join(box.encoded() for box in split(data) if box.kind != b"moov"),
    )
    with pytest.raises(MoovMissing):
        av_files.probe(path)


def test_a_file_of_which_nothing_can_be_decoded_is_damaged(tmp_path: Path):
    def scrambled(data: bytes) -> bytes:
        at = data.index(b"mdat") + 4
        return data[:at] + b"\xff" * (len(data) - at)

    path = written(tmp_path, "mpeg4.mp4", scrambled)
    with pytest.raises(RecordingRefused):
        segmented(written(tmp_path, "moov_at_the_end.mp4", lambda data: data[:100]))
    with av.open(str(made("mpeg4.mp4"))):
        pass
    with pytest.raises((FileDamaged, MoovMissing)):
        segmented(path)


def test_a_picture_beyond_the_limit_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "MAX_SIDE", 3000)
    with pytest.raises(RecordingTooLarge) as refused:
        av_files.probe(made("four_k.mp4"))
    assert "3840x2160" in str(refused.value)


def test_too_many_packets_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shuanglu_media_ingest.reading.av_packets.MAX_PACKETS", 100)
    monkeypatch.setattr(limits, "MAX_PACKETS", 100)
    with pytest.raises(RecordingTooLarge):
        av_files.survey(made("fast_start.mp4"))


def test_a_recording_of_more_than_a_day_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "MAX_DURATION_S", 5)
    with pytest.raises(RecordingTooLarge):
        av_files.survey(made("fast_start.mp4"))
