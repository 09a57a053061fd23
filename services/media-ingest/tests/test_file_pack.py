"""Any file: each of the pack becomes tracks whose times, size, length and gaps are those that a player shows."""

import hashlib

import pytest
from file_judge import beeps_of, flashes_of, player
from file_pack import CLIPS, made
from ingest_media import Result, segmented

TOLERANCE_S = 0.04
# Containers round lengths to a frame of sound.
LENGTH_S = 0.1


def near(found: list[float], expected: "list[float] | tuple[float, ...]") -> bool:
    return len(found) == len(expected) and all(
        abs(one - other) <= TOLERANCE_S for one, other in zip(found, expected, strict=True)
    )


def told(result: Result) -> list[tuple[float, float, str]]:
    return [(gap.start_ms / 1000, gap.end_ms / 1000, str(gap.cause)) for gap in result.gaps]


@pytest.mark.parametrize("name", CLIPS)
def test_a_file_shows_on_the_sessions_timeline_what_a_player_shows(name: str):
    clip, path = CLIPS[name], made(name)
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    tracks = segmented(path)
    shown = player(path)

    assert set(tracks) == {kind for kind, codec in (("video", clip.video), ("audio", clip.audio)) if codec}
    assert tuple(name for name, result in tracks.items() if result.track.source.derived) == clip.derived
    if clip.video:
        video = flashes_of(tracks["video"].data)
        assert near(video, clip.flashes), video
        assert near(video, shown.flashes) or not clip.played, (video, shown.flashes)
        source = tracks["video"].track.source
        assert (source.width, source.height) == clip.size
    if clip.audio:
        audio = beeps_of(tracks["audio"].data)
        assert near(audio, clip.beeps), audio
        assert near(audio, shown.beeps) or not clip.played, (audio, shown.beeps)
    end_ms = max(result.track.end_ms for result in tracks.values())
    assert end_ms / 1000 == pytest.approx(clip.seconds, abs=LENGTH_S)
    for kind, count in shown.streams.items():
        assert count == (kind in tracks)
    if clip.length_noted and clip.played and not clip.gaps:
        assert end_ms / 1000 == pytest.approx(shown.seconds, abs=LENGTH_S)
    assert {kind: told(result) for kind, result in tracks.items() if result.gaps} == {
        kind: [(pytest.approx(start, abs=0.06), pytest.approx(end, abs=0.06), cause) for start, end, cause in gaps]
        for kind, gaps in clip.gaps.items()
    }
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
