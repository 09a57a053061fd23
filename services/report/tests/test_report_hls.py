import math
import re
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_examples import AGENT, tracks
from report_examples import stored as stored_proto
from report_media import store_track

from shuanglu.common.v1.types_pb2 import Participant, TrackKind
from shuanglu.media.v1.track_pb2 import Track
from shuanglu_common.store import MemoryStore
from shuanglu_report.domain import hls
from shuanglu_report.replay_tracks import replay_track


def stored(track: Track) -> hls.ReplayTrack:
    return replay_track(stored_proto(track))


def durations(playlist: str) -> list[float]:
    return [float(value) for value in re.findall(r"#EXTINF:([\d.]+),", playlist)]


def with_segments(*spans: tuple[int, int]) -> hls.ReplayTrack:
    segments = tuple(hls.ReplaySegment(number, start, end, 1000) for number, (start, end) in enumerate(spans, start=1))
    return hls.ReplayTrack("t", hls.Kind.VIDEO, ("customer",), "t", "avc1.42e01f", 0, 0, segments)


def test_a_media_playlist_names_init_and_every_segment() -> None:
    playlist = hls.media_playlist(stored(tracks()[0]))
    assert playlist.startswith("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n")
    assert '#EXT-X-MAP:URI="init.mp4"' in playlist
    assert [line for line in playlist.splitlines() if line.endswith(".m4s")] == [f"{n:06d}.m4s" for n in range(1, 40)]
    assert playlist.endswith("#EXT-X-ENDLIST\n")
    assert sum(durations(playlist)) == pytest.approx(76.3)


def test_a_track_that_begins_late_says_where_to_begin_and_one_that_does_not_says_nothing() -> None:
    """Else hls.js asks for the gap for ever: in a call people come at different times."""
    lines = hls.media_playlist(with_segments((2500, 4500), (4500, 6500))).splitlines()
    assert "#EXT-X-START:TIME-OFFSET=2.500,PRECISE=YES" in lines
    assert lines.index("#EXT-X-START:TIME-OFFSET=2.500,PRECISE=YES") < lines.index("#EXT-X-GAP")
    assert "EXT-X-START" not in hls.media_playlist(with_segments((20, 2000), (4000, 6000)))


def test_a_late_start_and_a_hole_are_gaps_of_their_length() -> None:
    playlist = hls.media_playlist(with_segments((3200, 5200), (5200, 7200), (9700, 11_700)))
    assert re.findall(r"#EXT-X-GAP\n#EXTINF:([\d.]+),\n(gap-\d+\.m4s)", playlist) == [
        ("3.200", "gap-000001.m4s"),
        ("2.500", "gap-000003.m4s"),
    ]
    assert sum(durations(playlist)) == pytest.approx(11.7)


SPANS = st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 4000)), min_size=1, max_size=12)


@given(SPANS)
def test_a_position_is_the_same_moment_in_the_playlist_and_in_the_segment(steps: list[tuple[int, int]]) -> None:
    spans, at_ms = [], 0
    for hole, length in steps:
        spans.append((at_ms + hole, at_ms + hole + length))
        at_ms += hole + length
    playlist = hls.media_playlist(with_segments(*spans))
    at_s = 0.0
    starts = {}
    for duration, name in re.findall(r"#EXTINF:([\d.]+),\n(\S+)", playlist):
        starts[name] = at_s
        at_s += float(duration)
    for number, (start, _) in enumerate(spans, start=1):
        assert abs(starts[hls.segment_name(number)] * 1000 - start) < 100
    target = int(re.findall(r"TARGETDURATION:(\d+)", playlist)[0])
    assert target >= math.floor(max(durations(playlist)))


def test_rounding_does_not_add_up_over_an_hour() -> None:
    spans = [(round(number * 2002.66), round(number * 2002.66) + 2001) for number in range(1800)]
    playlist = hls.media_playlist(with_segments(*spans))
    assert "EXT-X-GAP" not in playlist
    assert abs(sum(durations(playlist)) * 1000 - spans[-1][1]) < 5


def test_the_session_has_one_variant_and_the_others_as_alternatives() -> None:
    master = hls.master_playlist([stored(item) for item in tracks()])
    assert master.count("#EXT-X-STREAM-INF") == 1
    assert master.splitlines()[-1] == "tracks/customer-video/playlist.m3u8"
    voices = [line for line in master.splitlines() if "TYPE=AUDIO" in line]
    assert [("customer" in line, "DEFAULT=YES" in line) for line in voices] == [(True, True), (False, False)]
    assert master.count("TYPE=VIDEO") == 2
    assert 'CODECS="avc1.42e01f,mp4a.40.2"' in master
    assert "RESOLUTION=640x480" in master
    assert int(re.findall(r",AVERAGE-BANDWIDTH=(\d+)", master)[0]) <= int(re.findall(r":BANDWIDTH=(\d+)", master)[0])


def test_each_role_has_a_playlist_with_picture_and_voice() -> None:
    all_tracks = [stored(item) for item in tracks()]
    agent = hls.role_playlist(all_tracks, "agent")
    assert agent is not None
    assert "customer" not in agent
    assert "agent-video/playlist.m3u8" in agent
    assert "agent-audio/playlist.m3u8" in agent
    assert hls.role_playlist(all_tracks, "witness") is None


def test_a_shared_track_names_both_people() -> None:
    shared = []
    for track in tracks()[:2]:
        track.participants.append(Participant(participant_id="agent", role=AGENT))
        shared.append(stored(track))
    master = hls.master_playlist(shared)
    assert 'NAME="客户 Customer / 客户经理 Agent"' in master
    assert "TYPE=VIDEO" not in master


def test_sound_alone_can_be_played() -> None:
    sounds = [stored(item) for item in tracks() if item.kind == TrackKind.TRACK_KIND_AUDIO]
    master = hls.master_playlist(sounds)
    assert master.splitlines()[-1] == "tracks/customer-audio/playlist.m3u8"
    assert master.count("TYPE=AUDIO") == 2
    assert "TYPE=AUDIO" not in hls.master_playlist(sounds[:1])
    assert "STREAM-INF" not in hls.master_playlist([])


def test_odd_track_ids_cannot_leave_their_place() -> None:
    odd = tracks()[0]
    odd.track_id = '../x"\n/y'
    odd.ClearField("participants")
    master = hls.master_playlist([stored(odd), stored(tracks()[2])])
    assert all(line.startswith(("#EXT", "tracks/")) for line in master.splitlines())
    master = hls.master_playlist([stored(odd)])
    assert master.splitlines()[-1] == "tracks/..%2Fx%22%0A%2Fy/playlist.m3u8"


async def test_a_foreign_player_plays_it_and_finds_the_same_times(tmp_path: Path) -> None:
    store = MemoryStore()
    track = await store_track(store, seconds=6)
    folder = tmp_path / "tracks" / "customer-video"
    folder.mkdir(parents=True)
    (tmp_path / "master.m3u8").write_text(hls.master_playlist([replay_track(track)]))
    (folder / "playlist.m3u8").write_text(hls.media_playlist(replay_track(track)))
    (folder / "init.mp4").write_bytes(store.objects[track.track.init.key])
    for segment in track.segments:
        (folder / hls.segment_name(segment.index)).write_bytes(store.objects[segment.object.key])
    with av.open(str(tmp_path / "master.m3u8"), options={"allowed_extensions": "ALL"}) as player:
        assert player.duration == pytest.approx(6_000_000, abs=1000)
        times = [frame.time for frame in player.decode(video=0)]
    assert times == pytest.approx([number / 10 for number in range(60)])
