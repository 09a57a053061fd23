import hashlib
import random

from hypothesis import given
from hypothesis import strategies as st
from report_examples import result, stored, tracks

from shuanglu_report.domain.hashes import segments_sha256
from shuanglu_report.proof import missing_tracks, prove


def test_the_recording_hash_can_be_computed_by_anybody() -> None:
    proof = prove(tracks(), [stored(item) for item in tracks()])
    every = b"".join(bytes.fromhex(value) for track in proof.tracks for value in track.segment_sha256)
    assert proof.recording_sha256 == hashlib.sha256(every).hexdigest()
    assert [track.track.track_id for track in proof.tracks] == sorted(item.track_id for item in tracks())


@given(st.randoms(use_true_random=False))
def test_the_order_of_the_news_does_not_change_the_proof(chance: random.Random) -> None:
    wanted, known = tracks(), [stored(item) for item in tracks()]
    expected = prove(wanted, known)
    for item in known:
        segments = list(item.segments)
        chance.shuffle(segments)
        del item.segments[:]
        item.segments.extend(segments)
    chance.shuffle(wanted)
    chance.shuffle(known)
    assert prove(wanted, known) == expected


def test_one_changed_segment_changes_the_hash() -> None:
    before = prove(tracks(), [stored(item) for item in tracks()])
    changed = [stored(item) for item in tracks()]
    changed[0].segments[3].object.sha256 = "0" * 64
    assert prove(tracks(), changed).recording_sha256 != before.recording_sha256


def test_a_judged_track_without_its_segments_is_missing() -> None:
    known = [stored(item) for item in tracks()]
    assert missing_tracks(result().tracks, known) == []
    assert missing_tracks(result().tracks, known[1:]) == ["customer-video"]


def test_a_track_of_an_earlier_import_is_missing() -> None:
    known = [stored(item) for item in tracks()]
    known[1].track.init.sha256 = "f" * 64
    assert missing_tracks(result().tracks, known) == ["customer-audio"]


def test_no_segments_have_the_hash_of_nothing() -> None:
    assert segments_sha256([]) == hashlib.sha256(b"").hexdigest()
