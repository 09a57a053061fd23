from zoneinfo import ZoneInfo

from report_examples import CUSTOMER, LINES, failed, order, report, result, unsure

from shuanglu.common.v1.types_pb2 import Outcome
from shuanglu.media.v1.track_pb2 import TimelineNode
from shuanglu.observation.v1.observations_pb2 import Utterance
from shuanglu.quality.v1.finding_pb2 import Quote
from shuanglu_report.page.transcript import Mark, marks, node_at, spoken_nodes
from shuanglu_report.page.values import StillPicture, page_values

SHANGHAI = ZoneInfo("Asia/Shanghai")
STILLS = [
    StillPicture("f-absent", "customer-video", 41_900, "still-01.jpg"),
    StillPicture("", "agent-video", 5, "a.jpg"),
]


def strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for item in items for text in strings(item)]


def test_the_page_has_every_finding_once_by_outcome() -> None:
    values = page_values(report(), STILLS, SHANGHAI)
    assert values["counts"] == {"failed": 1, "unsure": 1, "passed": 13}
    assert [card["check_id"] for card in values["failed"] + values["unsure"]] == ["face_in_frame", "answer"]
    assert len(values["passed"]) == 13


def test_a_finding_says_what_was_wanted_measured_and_where() -> None:
    card = page_values(report(), STILLS, SHANGHAI)["failed"][0]
    assert (card["time"], card["measured"], card["limit"]) == ("00:42.4–00:47.8", "5.4 秒 s", "3.0 秒 s")
    assert card["expected"]["en"].startswith("The customer is out of the picture")
    assert card["stills"] == [{"file": "still-01.jpg", "time": "00:41.9"}]
    assert card["node"] == {"zh": "风险提示", "en": "Risk"}


def test_nothing_of_the_customer_but_the_masked_name_is_on_the_page() -> None:
    text = "\n".join(strings(page_values(report(), STILLS, SHANGHAI)))
    assert "王**" in text
    assert "…123X" in text
    assert order().customer.name not in text
    assert order().customer.id_number not in text


def test_a_still_that_could_not_be_cut_is_admitted() -> None:
    card = page_values(report(), [], SHANGHAI)["failed"][0]
    assert card["stills_missing"]
    assert not page_values(report(), [], SHANGHAI)["unsure"][0]["stills_missing"]


def test_an_unspecified_verdict_and_outcome_are_read_as_unsure() -> None:
    odd = report()
    odd.verdict = Outcome.OUTCOME_UNSPECIFIED
    odd.result.findings[0].outcome = Outcome.OUTCOME_UNSPECIFIED
    values = page_values(odd, STILLS, SHANGHAI)
    assert values["verdict"]["en"] == "UNSURE"
    assert values["counts"] == {"failed": 0, "unsure": 2, "passed": 13}


def test_a_retake_is_told_apart() -> None:
    again = report()
    again.result.findings[0].take = 2
    assert page_values(again, STILLS, SHANGHAI)["failed"][0]["node"] == {
        "zh": "风险提示（第 2 次）",
        "en": "Risk, take 2",
    }


def test_a_finding_without_measurement_or_role_leaves_them_out() -> None:
    bare = report()
    bare.result.findings[0].ClearField("measured")
    bare.result.findings[0].ClearField("threshold")
    bare.result.findings[0].ClearField("role")
    card = page_values(bare, STILLS, SHANGHAI)["failed"][0]
    assert (card["measured"], card["limit"], card["role"]) == ("", "", None)


def test_persons_are_named_by_finding_or_by_track() -> None:
    persons = page_values(report(), STILLS, SHANGHAI)["persons"]
    assert persons == [{"file": "a.jpg", "time": "00:00.0", "who": "客户经理 Agent"}]


def test_limits_are_listed_once() -> None:
    limits = page_values(report(), STILLS, SHANGHAI)["judged"]["limits"]
    assert len({(item["check_id"], item["limit"]) for item in limits}) == len(limits)
    assert ("face_in_frame", "3.0 秒 s") in {(item["check_id"], item["limit"]) for item in limits}


def test_the_proof_lists_every_track() -> None:
    proof = page_values(report(), STILLS, SHANGHAI)["proof"]
    assert [track["segments"] for track in proof["tracks"]] == [39] * 4
    assert proof["recording_sha256"] == report().proof.recording_sha256


def test_every_utterance_is_in_the_transcript_once_and_in_order() -> None:
    groups = spoken_nodes(result())
    times = [line["time"] for group in groups for line in group["lines"]]
    assert len(times) == len(LINES)
    assert times == sorted(times)
    assert [group["en"] for group in groups] == ["Consent", "Identity", "Terms", "Risk", "Confirm", "Outside of nodes"]


def test_required_phrases_are_marked_where_they_were_found() -> None:
    risk = next(group for group in spoken_nodes(result()) if group["en"] == "Risk")
    assert [part["text"] for part in risk["lines"][0]["parts"] if part["mark"] == "passed"] == [
        "贷款不得用于购房",
        "逾期将影响您的征信",
    ]
    assert "".join(part["text"] for part in risk["lines"][0]["parts"]) == LINES[6][3]
    assert risk["outcome"]["en"] == "FAIL"


def test_an_unintelligible_turn_has_no_parts_and_an_uncertain_one_is_flagged() -> None:
    groups = spoken_nodes(result())
    assert groups[-1]["lines"][0]["parts"] == []
    assert not groups[-1]["lines"][0]["uncertain"]
    assert [line["uncertain"] for line in groups[3]["lines"]] == [False, True]


def test_nodes_that_follow_each_other_without_a_pause_are_told_apart_by_take() -> None:
    twice = result()
    del twice.timeline[:]
    first = TimelineNode(node_id="risk", start_ms=0, end_ms=30_000, take=1)
    second = TimelineNode(node_id="risk", start_ms=30_000, end_ms=90_000, take=2)
    twice.timeline.extend([first, second])
    assert [group["zh"] for group in spoken_nodes(twice)] == ["风险提示", "风险提示（第 2 次）"]


def test_where_two_nodes_overlap_the_later_counts() -> None:
    nodes = [TimelineNode(node_id="a", start_ms=0, end_ms=10), TimelineNode(node_id="b", start_ms=5, end_ms=15)]
    assert [getattr(node_at(nodes, at), "node_id", None) for at in (0, 7, 12, 15)] == ["a", "b", "b", None]


def test_marks_never_overlap_and_need_the_same_speaker_and_time() -> None:
    said = Utterance(role=CUSTOMER, start_ms=0, end_ms=1000, text="逾期将影响您的征信")
    first = Quote(role=CUSTOMER, start_ms=0, end_ms=900, matched="影响您的征信")
    inside = Quote(role=CUSTOMER, start_ms=0, end_ms=900, matched="征信")
    later = Quote(role=CUSTOMER, start_ms=2000, end_ms=2500, matched="逾期")
    found = marks(said, [(inside, Outcome.OUTCOME_PASS), (first, Outcome.OUTCOME_FAIL), (later, Outcome.OUTCOME_PASS)])
    assert found == [Mark(3, 9, Outcome.OUTCOME_FAIL)]


def test_a_still_belongs_to_its_own_finding_only() -> None:
    two = report()
    other = failed()
    other.finding_id = ""
    two.result.findings.append(other)
    two.result.findings.append(unsure())
    cards = page_values(two, STILLS, SHANGHAI)["failed"]
    assert sorted(len(card["stills"]) for card in cards) == [0, 1]
