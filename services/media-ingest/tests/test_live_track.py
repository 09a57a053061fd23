import hashlib
import subprocess
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_sender import (
    ORIGIN_US,
    Frame,
    Sent,
    arrived,
    decoded,
    fake_pictures,
    fake_sound,
    mjr,
    onsets,
    pictures,
    played,
    records,
    sent,
    sound,
    whole,
)

from shuanglu_media_ingest.domain import boxes
from shuanglu_media_ingest.domain.gaps import Cause, Gap
from shuanglu_media_ingest.domain.live.checkpoints import CheckpointUnreadable
from shuanglu_media_ingest.domain.live.marks import Mark
from shuanglu_media_ingest.domain.live.mjr import Damage, Header, MjrParser, Record
from shuanglu_media_ingest.domain.live.track import LiveSegment, LiveTrack
from shuanglu_media_ingest.domain.survey import Medium

VIDEO, AUDIO = Medium.VIDEO, Medium.AUDIO


def shown_ms(segments: list[LiveSegment], timescale: int) -> list[float]:
    """Presentation of every sample, read from the fragments themselves."""
    out: list[float] = []
    for segment in segments:
        at, trun = boxes.tfdt_of(segment.data), boxes.find(segment.data, b"moof", b"traf", b"trun") or b""
        for row in range(int.from_bytes(trun[4:8], "big")):
            out.append(at * 1000 / timescale)
            at += int.from_bytes(trun[12 + 12 * row : 16 + 12 * row], "big")
    return out


def later(packets: list[Sent], by_ms: int) -> list[Sent]:
    return [replace(each, arrived_ms=each.arrived_ms + by_ms) for each in packets]


def test_pictures_are_cut_at_key_frames_and_every_one_is_decoded():
    frames = pictures(7)
    track, segments = whole(sent(frames, VIDEO, timestamp=0xFFFFFF00), VIDEO)
    assert [each.index for each in segments] == [1, 2, 3, 4]
    # Arrivals are whole milliseconds, so positions are off by up to one.
    assert [each.start_ms for each in segments] == pytest.approx([0, 2000, 4000, 6000], abs=1)
    assert [each.end_ms for each in segments] == [*(each.start_ms for each in segments[1:]), pytest.approx(7000, abs=1)]
    assert (track.codec, track.width, track.height, track.sample_rate) == ("avc3.42c00a", 160, 120, 0)
    shown = decoded(track.init, segments)
    assert [round(at * 15) for at, _ in shown] == list(range(105))
    assert [round(at, 2) for at in onsets(shown, 128)] == [0, 1, 2, 3, 4, 5, 6]


def test_each_segment_decodes_by_itself():
    track, segments = whole(sent(pictures(5), VIDEO), VIDEO, segment_ms=1000)
    assert [len(decoded(track.init, [segment])) for segment in segments] == [15] * 5


def test_sound_is_cut_at_the_same_length_and_played():
    track, segments = whole(sent(sound(7), AUDIO, sequence=65_530), AUDIO)
    assert [(each.start_ms, each.end_ms) for each in segments][:2] == [(0, 1960), (1960, 3920)]
    assert (track.codec, track.sample_rate, segments[-1].end_ms) == ("opus", 48_000, 7000)
    # Opus looks ahead by 6.5 ms.
    assert onsets(decoded(track.init, segments), 0.2) == pytest.approx([0, 1, 2, 3, 4, 5, 6], abs=0.012)


def test_a_player_finds_nothing_to_complain_about(tmp_path: Path):
    for medium, frames in ((VIDEO, pictures(4)), (AUDIO, sound(4))):
        track, segments = whole(sent(frames, medium), medium)
        path = tmp_path / f"{medium}.mp4"
        path.write_bytes(boxes.concatenate(track.init, [each.data for each in segments]))
        command = ["ffmpeg", "-v", "warning", "-i", str(path), "-f", "null", "-"]
        assert subprocess.run(command, check=True, capture_output=True, timeout=60).stderr == b""


def test_flash_and_beep_stay_together_over_a_way_that_trembles():
    def delay(number: int) -> int:
        return 20 + number * number % 29

    tracks = [
        whole(arrived(sent(frames, medium, timestamp=4_000_000_000, ppm=150, delay_ms=delay)), medium)
        for medium, frames in ((VIDEO, pictures(12)), (AUDIO, sound(12)))
    ]
    flashes, beeps = (
        onsets(decoded(track.init, segments), above)
        for (track, segments), above in zip(tracks, (128, 0.2), strict=True)
    )
    assert len(flashes) == len(beeps) == 12
    assert max(abs(one - other) for one, other in zip(flashes, beeps, strict=True)) <= 0.04


def test_a_picture_that_changes_its_size_goes_on_in_the_same_track():
    small, large = pictures(3), pictures(3, size=(320, 240))
    frames = small + [replace(each, at_s=each.at_s + 3) for each in large]
    track, segments = whole(sent(frames, VIDEO), VIDEO)
    assert (track.width, track.height) == (160, 120)
    assert len(decoded(track.init, segments)) == 90


def test_small_corrections_of_the_clock_make_no_hole():
    track, segments = whole(sent(fake_sound(600), AUDIO, ppm=-300), AUDIO)
    assert track.gaps([], segments[-1].end_ms) == []
    at = shown_ms(segments, 48_000)
    assert all(19 < after - before < 21 for before, after in pairwise(at))
    assert abs(at[-1] - 599_980) < 20


def test_lost_packets_longer_than_half_a_second_are_a_gap():
    made = [each for each in sent(fake_sound(10), AUDIO) if not 3 <= each.made_s < 5]
    track, segments = whole(made, AUDIO)
    assert track.gaps([], 10_000) == [Gap(3000, 5000, Cause.LOST)]
    assert sum(each.duration_ms for each in segments) == 8000
    assert not any(each.start_ms < 5000 and each.end_ms > 3000 for each in segments)


def test_short_losses_are_no_gap_and_nothing_moves():
    made = [each for number, each in enumerate(sent(fake_sound(10), AUDIO)) if number % 7]
    track, segments = whole(made, AUDIO)
    assert track.gaps([], 10_000) == []
    assert shown_ms(segments, 48_000) == pytest.approx([number * 20 for number in range(500) if number % 7])


def test_pictures_that_were_dropped_for_long_are_a_gap():
    made = [each for each in sent(fake_pictures(8), VIDEO) if each.made_s != Fraction(33, 15)]
    track, _ = whole(made, VIDEO)
    (gap,) = track.gaps([], 8000)
    assert gap.cause is Cause.LOST
    assert (gap.start_ms, gap.end_ms) == pytest.approx((2200, 3000), abs=1)


def test_a_sender_that_pauses_leaves_a_gap_that_is_nobodys_loss():
    """Numbers go on, time does not."""
    frames = [replace(each, at_s=each.at_s + (4 if each.at_s >= 3 else 0)) for each in fake_sound(6)]
    track, segments = whole(sent(frames, AUDIO), AUDIO)
    assert track.gaps([], 10_000) == [Gap(3000, 7000, Cause.MISSING)]
    assert segments[-1].end_ms == 10_000


def test_a_paused_clock_leaves_the_gap_where_the_pause_was():
    made = sent(fake_sound(6), AUDIO)
    paused = made[:150] + later(made[150:], 4000)
    track, _ = whole(paused, AUDIO)
    assert track.gaps([Mark(Cause.MUTED, 3400, 6600)], 10_000) == [Gap(3000, 7000, Cause.MUTED)]


def test_a_hole_before_a_picture_that_builds_on_others_keeps_the_picture():
    frames = [replace(each, at_s=each.at_s + (3 if each.at_s >= Fraction(6, 5) else 0)) for each in fake_pictures(4)]
    track, segments = whole(sent(frames, VIDEO), VIDEO)
    assert len(shown_ms(segments, 90_000)) == 60
    (gap,) = track.gaps([], segments[-1].end_ms)
    assert (gap.start_ms, gap.end_ms) == pytest.approx((1200, 4200), abs=1)
    assert sum(each.duration_ms for each in segments) == pytest.approx(4000, abs=3)


def reconnected(medium: Medium, frames: list[Frame], away_ms: int) -> tuple[LiveTrack, list[LiveSegment]]:
    """4 s, a cut, the rest with other numbers in another file."""
    track = LiveTrack(medium, ORIGIN_US)
    first = [each for each in sent(frames, medium) if each.made_s < 4]
    second = [each for each in sent(frames, medium, sequence=999, timestamp=1 << 31, source=8) if each.made_s >= 4]
    segments = track.begin_file(1, ORIGIN_US) + played(track, records(first))
    again_at_us = ORIGIN_US + 4_000_000 + away_ms * 1000
    segments += track.begin_file(2, again_at_us) + played(track, records(arrived(second)))
    return track, segments + track.finish()


@pytest.mark.parametrize(("medium", "frames"), [(VIDEO, pictures(8)), (AUDIO, sound(8))])
def test_who_comes_back_goes_on_in_the_same_track_behind_a_gap(medium: Medium, frames: list[Frame]):
    track, segments = reconnected(medium, frames, 8000)
    (gap,) = track.gaps([], 16_000)
    assert gap.cause is Cause.AWAY
    assert (gap.start_ms, gap.end_ms) == pytest.approx((4000, 12_000), abs=7)
    shown = decoded(track.init, segments)
    found = onsets(shown, 128 if medium is VIDEO else 0.2)
    assert found == pytest.approx([0, 1, 2, 3, 12, 13, 14, 15], abs=0.015)


def test_what_overlaps_never_goes_back():
    for medium, frames in ((VIDEO, fake_pictures(8)), (AUDIO, fake_sound(8))):
        track, segments = reconnected(medium, frames, -700)
        at = shown_ms(segments, track.timescale)
        assert all(before < after for before, after in pairwise(at))
        assert all(before.end_ms <= after.start_ms for before, after in pairwise(segments))
        assert abs(segments[-1].end_ms - 7300) <= 70
        assert track.gaps([], 7300) == []


def test_who_comes_late_and_goes_early_was_away():
    track = LiveTrack(AUDIO, ORIGIN_US)
    segments = track.begin_file(1, ORIGIN_US + 5_000_000) + played(track, records(sent(fake_sound(3), AUDIO)))
    segments += track.finish()
    assert track.gaps([], 20_000) == [Gap(0, 5000, Cause.AWAY), Gap(8000, 20_000, Cause.AWAY)]
    assert (track.start_ms, track.end_ms, track.seen_ms) == (5000, 8000, 7980)


def test_a_sender_without_key_frames_does_not_fill_the_memory():
    _, segments = whole(sent(fake_pictures(60, key_every=10_000), VIDEO), VIDEO)
    assert [each.end_ms - each.start_ms for each in segments] == pytest.approx([15_000] * 4, abs=70)


def stream(medium: Medium) -> bytes:
    """A file with loss, repeats, what overtakes, and a stall."""
    frames = fake_pictures(9, size_bytes=1600) if medium is VIDEO else fake_sound(9)
    made = sent(frames, medium, sequence=65_400, timestamp=0xFFFF0000, delay_ms=lambda number: number * number % 90)
    kept = [each for number, each in enumerate(made) if number % 61 != 40]
    stalled = [replace(each, arrived_ms=max(each.arrived_ms, 5200)) if each.made_s > 4 else each for each in kept]
    return mjr(arrived(stalled + stalled[100:120]), medium)


def fed(track: LiveTrack, parser: MjrParser, data: bytes, *, last: bool = False) -> list[LiveSegment]:
    out: list[LiveSegment] = []
    for item in parser.feed(data) + (parser.finish() if last else []):
        if isinstance(item, Header):
            out += track.begin_file(1, item.first_at_us)
        elif isinstance(item, Record):
            out += track.feed(item)
        elif isinstance(item, Damage):
            track.damaged(item)
    return out


STREAMS = {medium: stream(medium) for medium in (VIDEO, AUDIO)}


def told(segments: list[LiveSegment]) -> list[tuple[int, int, int, str]]:
    return [(each.index, each.start_ms, each.end_ms, hashlib.sha256(each.data).hexdigest()) for each in segments]


@cache
def expected(medium: Medium) -> list[tuple[int, int, int, str]]:
    track, data = LiveTrack(medium, ORIGIN_US), STREAMS[medium]
    return told(fed(track, MjrParser(), data, last=True) + track.finish())


@pytest.mark.parametrize("medium", [VIDEO, AUDIO])
@given(data=st.data())
@settings(max_examples=25)
def test_killed_anywhere_it_goes_on_with_the_very_same_segments(medium: Medium, data: st.DataObject):
    whole_file = STREAMS[medium]
    kills = sorted(data.draw(st.lists(st.integers(0, len(whole_file)), max_size=4)))
    track, parser, found, at = LiveTrack(medium, ORIGIN_US), MjrParser(), list[LiveSegment](), 0
    for kill in kills:
        found += fed(track, parser, whole_file[at:kill])
        track = LiveTrack.restored(track.checkpoint())
        parser, at = MjrParser(track.offset), track.offset
    found += fed(track, parser, whole_file[at:], last=True) + track.finish()
    assert told(found) == expected(medium)


@pytest.mark.parametrize("medium", [VIDEO, AUDIO])
@given(data=st.data())
@settings(max_examples=25)
def test_the_beginning_of_a_file_gives_the_first_segments(medium: Medium, data: st.DataObject):
    end = data.draw(st.integers(0, len(STREAMS[medium])))
    found = told(fed(LiveTrack(medium, ORIGIN_US), MjrParser(), STREAMS[medium][:end]))
    assert found == expected(medium)[: len(found)]


def test_a_checkpoint_behind_a_segment_is_small():
    track, parser, data = LiveTrack(VIDEO, ORIGIN_US), MjrParser(), STREAMS[VIDEO]
    for at in range(0, len(data), 100):
        if fed(track, parser, data[at : at + 100]):
            assert len(track.checkpoint()) < 20_000


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b'{"version":0,"state":[]}', b'{"version":1,"state":[1]}', b"\xff"]
)
def test_a_checkpoint_that_cannot_be_read_is_refused(data: bytes):
    with pytest.raises(CheckpointUnreadable):
        LiveTrack.restored(data)


def test_damaged_bytes_are_counted_and_the_rest_is_there():
    data = STREAMS[AUDIO]
    track = LiveTrack(AUDIO, ORIGIN_US)
    segments = fed(track, MjrParser(), data[:3000] + b"rubbish" + data[3200:], last=True) + track.finish()
    assert 0 < track.damaged_bytes < 300
    assert segments[-1].end_ms == expected(AUDIO)[-1][2]


def test_garbage_in_the_packets_is_counted_and_passed_over():
    made = sent(fake_sound(4), AUDIO)
    made.insert(50, Sent(Fraction(0), 1000, b"rubbish"))
    made[60] = replace(made[60], packet=made[60].packet[:12] + b"\x7b\x3f")
    track, segments = whole(made, AUDIO)
    assert track.malformed == 2
    assert segments[-1].end_ms == 4000


def test_a_track_of_which_nothing_came_has_no_segment():
    track = LiveTrack(VIDEO, ORIGIN_US)
    assert track.begin_file(1, ORIGIN_US) + track.finish() == []
    assert (track.init, track.codec) == (b"", "")
