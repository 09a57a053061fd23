from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shuanglu_samples.script import COMPACT, FULL, Script
from shuanglu_samples.timeline import FRAME_RATE, LEAD_IN_MS, Timeline, lay_out

scripts = st.sampled_from([FULL, COMPACT])
lengths = st.integers(200, 12_000)


def timeline_of(script: Script, lengths_ms: list[int]) -> Timeline:
    lines = {line for node in script.nodes for line in node.lines}
    ordered = sorted(lines, key=lambda line: line.text)
    return lay_out(script, {line: lengths_ms[i % len(lengths_ms)] for i, line in enumerate(ordered)})


@given(scripts, st.lists(lengths, min_size=1, max_size=20))
def test_nodes_cover_the_session_without_gap_or_overlap(script: Script, lengths_ms: list[int]) -> None:
    timeline = timeline_of(script, lengths_ms)
    starts = [span.start_ms for span in timeline.nodes]
    ends = [span.end_ms for span in timeline.nodes]
    assert [0, *ends[:-1]] == starts
    assert ends[-1] == timeline.duration_ms


@given(scripts, st.lists(lengths, min_size=1, max_size=20))
def test_lines_follow_each_other_inside_their_node(script: Script, lengths_ms: list[int]) -> None:
    timeline = timeline_of(script, lengths_ms)
    for before, after in pairwise(timeline.utterances):
        assert before.end_ms < after.start_ms
    for said in timeline.utterances:
        span = timeline.node(said.node_id)
        assert span.start_ms < said.start_ms < said.end_ms < span.end_ms


@given(scripts, st.lists(lengths, min_size=1, max_size=20))
def test_duration_is_a_whole_number_of_pictures(script: Script, lengths_ms: list[int]) -> None:
    timeline = timeline_of(script, lengths_ms)
    assert timeline.frames * 1000 // FRAME_RATE == timeline.duration_ms


def test_first_line_starts_after_the_lead_in() -> None:
    assert timeline_of(FULL, [1000]).utterances[0].start_ms == LEAD_IN_MS
