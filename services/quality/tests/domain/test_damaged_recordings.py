"""What of a file cannot be read any more is never taken for examined."""

from dataclasses import replace

import pytest
from quality_scene import Scene

from shuanglu_quality.domain.intervals import Interval
from shuanglu_quality.domain.observations import Gap, SpeechHeard
from shuanglu_quality.domain.words import GapCause, Outcome, Role

DAMAGED = GapCause.DAMAGED


def spoil(scene: Scene, track_id: str, start_ms: int, end_ms: int, cause: GapCause = DAMAGED) -> None:
    scene.gaps = (*scene.gaps, Gap(track_id, Interval(start_ms, end_ms), cause))


@pytest.mark.parametrize("track_id", ["customer-video", "customer-audio", "agent-video", "agent-audio"])
@pytest.mark.parametrize("length_ms", [20, 400, 4000])
def test_a_damaged_stretch_is_unsure_with_its_place_however_short(scene: Scene, track_id: str, length_ms: int):
    assert scene.inspect().verdict is Outcome.PASS
    spoil(scene, track_id, 6000, 6000 + length_ms)
    result = scene.inspect()
    assert result.verdict is Outcome.UNSURE
    (finding,) = [one for one in scene.broken() if one.check == "coverage"]
    assert (finding.outcome, finding.reason) == (Outcome.UNSURE, "DAMAGED")
    assert finding.interval == Interval(6000, 6000 + length_ms)
    assert "agent" in finding.message.en or "customer" in finding.message.en
    assert not [one for one in scene.broken() if one.outcome is Outcome.FAIL]


def test_checks_that_needed_the_damaged_picture_cannot_pass(scene: Scene):
    spoil(scene, "customer-video", 6000, 12_000)
    scene.skip = {("faces", "customer-video", index) for index in (4, 5, 6)}
    unsure = {one.check for one in scene.broken() if one.role is Role.CUSTOMER}
    assert {"face_in_frame", "coverage", "recording_quality"} <= unsure
    assert {one.outcome for one in scene.broken()} == {Outcome.UNSURE}


def test_a_phrase_may_have_been_said_in_the_damaged_part(scene: Scene):
    scene.script = [line for line in scene.script if "征信" not in line.text]
    assert ("must_say", Outcome.FAIL) in {(one.check, one.outcome) for one in scene.broken()}
    at = scene.span("risk").start_ms
    spoil(scene, "agent-audio", at, at + 5000)
    assert ("must_say", Outcome.UNSURE) in {(one.check, one.outcome) for one in scene.broken()}


def test_damaged_sound_is_not_silence(scene: Scene):
    for track_id in ("customer-audio", "agent-audio"):
        spoil(scene, track_id, 6000, 12_000)
    assert "SILENCE" not in {one.reason for one in scene.broken()}
    silence = [one for one in scene.of("recording_quality") if one.subject == "silence"]
    assert [one.outcome for one in silence] == [Outcome.UNSURE]


def test_a_recording_that_was_cut_off_is_unsure_to_where_it_should_have_ended(scene: Scene):
    end_ms = scene.duration_ms
    spoil(scene, "customer-video", end_ms, end_ms + 30_000)
    coverage = [one for one in scene.broken() if one.check == "coverage"]
    assert [(one.outcome, one.interval) for one in coverage] == [(Outcome.UNSURE, Interval(end_ms, end_ms + 30_000))]
    assert 0 < scene.inspect().coverage_ratio < 1


@pytest.mark.parametrize("cause", [GapCause.DAMAGED, GapCause.DISCONTINUITY])
def test_a_place_where_nobody_knows_how_much_is_gone_is_unsure(scene: Scene, cause: GapCause):
    spoil(scene, "agent-audio", 7000, 7000, cause)
    broken = {(one.check, one.outcome, one.reason) for one in scene.broken()}
    assert broken == {
        ("coverage", Outcome.UNSURE, str(cause)),
        ("recording_quality", Outcome.UNSURE, str(cause)),
    }
    assert scene.inspect().verdict is Outcome.UNSURE


def test_a_pause_that_the_file_itself_tells_of_still_fails(scene: Scene):
    spoil(scene, "customer-video", 6000, 9000, GapCause.MISSING)
    assert ("recording_quality", Outcome.FAIL, "RECORDING_GAP") in {
        (one.check, one.outcome, one.reason) for one in scene.broken()
    }


def test_sound_that_could_not_be_decoded_is_unsure_and_no_silence(scene: Scene):
    unheard = Interval(6000, 12_000)
    observations = [
        replace(one, unheard=(unheard,)) if isinstance(one, SpeechHeard) else one for one in scene.observations()
    ]
    result = scene.inspect(observations)
    coverage = [one for one in result.findings if one.check == "coverage" and one.outcome is Outcome.UNSURE]
    assert {(one.reason, one.interval) for one in coverage} == {("SOUND_UNREADABLE", unheard)}
    assert "SILENCE" not in {one.reason for one in result.findings}
    assert result.verdict is Outcome.UNSURE
