from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_examples import DURATION_MS, failed, result, tracks, unsure

from shuanglu.common.v1.types_pb2 import Interval, Outcome
from shuanglu.media.v1.track_pb2 import Gap, GapCause, TimelineNode
from shuanglu.quality.v1.finding_pb2 import InspectionResult
from shuanglu_report.domain.scale import Scale, without
from shuanglu_report.page import svg
from shuanglu_report.page.gaps import look_of, told
from shuanglu_report.page.timeline import LEFT, RIGHT, WIDTH, node_outcome, timeline_picture

SVG = "{http://www.w3.org/2000/svg}"
STRETCHES = st.lists(
    st.tuples(st.integers(0, 1000), st.integers(0, 1000)).map(lambda pair: (min(pair), max(pair))), max_size=8
)


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - our own


def covered(stretches: list[tuple[int, int]]) -> set[int]:
    return {at for start, end in stretches for at in range(start, end)}


@given(STRETCHES, STRETCHES)
def test_cutting_holes_leaves_exactly_what_is_not_in_them(
    stretches: list[tuple[int, int]], holes: list[tuple[int, int]]
) -> None:
    left = without(stretches, holes)
    assert covered(left) == covered(stretches) - covered(holes)
    assert left == sorted(left)
    assert all(start < end for start, end in left)


@given(st.integers(1, 6 * 3_600_000))
def test_there_are_a_few_round_ticks_for_every_length(duration_ms: int) -> None:
    ticks = Scale(duration_ms, LEFT, RIGHT).ticks()
    assert ticks[0] == 0
    assert len(ticks) <= 13
    assert ticks[-1] <= duration_ms


@given(st.integers(1, 1_000_000), st.lists(st.integers(-1000, 2_000_000), min_size=2))
def test_x_grows_with_time_and_stays_in_the_picture(duration_ms: int, positions: list[int]) -> None:
    places = [Scale(duration_ms, LEFT, RIGHT).x(at) for at in sorted(positions)]
    assert places == sorted(places)
    assert 0 <= places[0] <= places[-1] <= WIDTH


def test_the_picture_is_well_formed_and_names_every_lane() -> None:
    root = parsed(timeline_picture(result()))
    words = [element.text for element in root.iter(f"{SVG}text")]
    assert {"客户 画面", "客户经理 画面", "客户 说话", "客户经理 说话", "环节", "质检结果"} <= set(words)
    assert "风险提示" in words
    assert "Risk" in words


def test_absence_and_gap_are_drawn_at_their_time() -> None:
    root = parsed(timeline_picture(result()))
    scale = Scale(DURATION_MS, LEFT, RIGHT)
    seen = [float(item.get("x", 0)) for item in root.iter(f"{SVG}rect") if item.get("fill") == svg.ACCENT]
    assert any(abs(x - scale.x(47_800)) < 0.1 for x in seen)
    gaps = [item for item in root.iter(f"{SVG}rect") if item.get("stroke-dasharray") and item.get("height") == "13.0"]
    assert [float(gap.get("x", 0)) for gap in gaps] == [pytest.approx(scale.x(69_000), abs=0.1)]


def test_a_failure_tints_its_stretch_and_a_finding_on_the_whole_session_does_not() -> None:
    def tints(findings: list[object]) -> int:
        own = result()
        del own.findings[:]
        own.findings.extend(findings)  # type: ignore[arg-type]
        return timeline_picture(own).count("fill-opacity")

    whole = failed()
    whole.interval.CopyFrom(Interval(start_ms=0, end_ms=DURATION_MS))
    assert tints([failed()]) == 1
    assert tints([failed(), unsure()]) == 2
    assert tints([whole]) == 0


def test_signs_that_would_touch_stand_in_rows() -> None:
    crowded = result()
    for number in range(5):
        finding = failed()
        finding.finding_id = f"f-{number}"
        crowded.findings.append(finding)
    few, many = (parsed(timeline_picture(item)) for item in (result(), crowded))
    assert float(many.get("height", 0)) > float(few.get("height", 0))


def test_a_recording_without_anything_still_has_a_picture() -> None:
    empty = result()
    for name in ("findings", "timeline", "utterances", "tracks", "gaps", "presence"):
        empty.ClearField(name)  # type: ignore[arg-type]
    empty.duration_ms = 0
    assert parsed(timeline_picture(empty)).tag == f"{SVG}svg"


def test_hostile_titles_cannot_break_the_picture() -> None:
    hostile = result()
    hostile.nodes[0].title_zh = '<script>"&'
    root = parsed(timeline_picture(hostile))
    assert not list(root.iter(f"{SVG}script"))


def test_a_take_is_as_good_as_its_worst_finding() -> None:
    node = TimelineNode(node_id="risk", take=1)
    assert node_outcome([unsure()], node) == Outcome.OUTCOME_UNSURE
    assert node_outcome([unsure(), failed()], node) == Outcome.OUTCOME_FAIL
    assert node_outcome([failed()], TimelineNode(node_id="risk", take=2)) == Outcome.OUTCOME_PASS
    assert node_outcome([], node) == Outcome.OUTCOME_PASS


def test_long_words_are_cut_to_their_room() -> None:
    assert svg.fitted("风险提示", 10, 100) == "风险提示"
    assert svg.fitted("风险提示与确认", 10, 45).endswith("…")
    assert svg.fitted("风险提示", 10, 8) == ""


def test_every_outcome_has_its_own_sign_and_colour() -> None:
    outcomes = (Outcome.OUTCOME_PASS, Outcome.OUTCOME_FAIL, Outcome.OUTCOME_UNSURE)
    assert len({svg.sign_picture(outcome) for outcome in outcomes}) == 3
    assert len({svg.colour(outcome) for outcome in outcomes}) == 3
    assert svg.colour(0) == svg.colour(Outcome.OUTCOME_UNSURE)


CAUSES = [cause for cause in GapCause.values() if cause > GapCause.GAP_CAUSE_MISSING]


def called() -> InspectionResult:
    """A call: nobody's file, and a gap of each cause on the customer's picture and sound."""
    own = result()
    del own.gaps[:]
    for track in own.tracks:
        track.ClearField("original")
    for number, cause in enumerate(CAUSES):
        for track_id in ("customer-video", "customer-audio"):
            start = 2000 + number * 9000
            own.gaps.append(Gap(track_id=track_id, start_ms=start, end_ms=start + 5000, cause=cause))
    return own


def test_each_cause_of_a_gap_is_drawn_named_and_told_apart() -> None:
    picture = timeline_picture(called())
    words = [element.text or "" for element in parsed(picture).iter(f"{SVG}text")]
    assert len({(look_of(cause).fill, look_of(cause).mark) for cause in CAUSES}) == len(CAUSES)
    for cause in CAUSES:
        look = look_of(cause)
        assert sum(word == look.mark for word in words) == 2, look.said.en
        assert any(look.said.zh in word and look.said.en in word for word in words)
        if look.fill.startswith("url("):
            assert f'id="{look.fill[5:-1]}"' in picture


def test_gaps_are_counted_by_cause_and_the_long_ones_listed() -> None:
    track = tracks()[0]
    short = [
        Gap(track_id=track.track_id, start_ms=at, end_ms=at + 40, cause=GapCause.GAP_CAUSE_LOST)
        for at in range(0, 2000, 100)
    ]
    long = Gap(track_id=track.track_id, start_ms=9000, end_ms=12_500, cause=GapCause.GAP_CAUSE_RECORDER)
    elsewhere = Gap(track_id="agent-audio", start_ms=0, end_ms=9000, cause=GapCause.GAP_CAUSE_AWAY)
    said = told(track, [*short, long, elsewhere])
    assert said["sums"] == [
        "网络丢失 lost on the network 20 × · 0.8 s",
        "录制服务中断 our recorder was down 1 × · 3.5 s",
    ]
    assert said["listed"] == ["录制服务中断 00:09.0–00:12.5"]
    many = [
        Gap(track_id=track.track_id, start_ms=at, end_ms=at + 1000, cause=GapCause.GAP_CAUSE_AWAY)
        for at in range(0, 40_000, 2000)
    ]
    assert told(track, many)["listed"][-1] == "… +8"
