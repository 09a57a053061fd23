import json
from dataclasses import replace

import pytest
from ingest_fakes import INSPECTION, PEOPLE

from shuanglu_media_ingest.domain import imports
from shuanglu_media_ingest.domain.imports import MOVES, ImportState, Node, Person, Plan, SourceFile
from shuanglu_media_ingest.errors import FileRolesInvalid, FilesInvalid, SessionNotOpen, TimelineInvalid

FILE = SourceFile("a" * 32, PEOPLE[:1])
NODE = Node("consent", 0, 5000, 1)


def test_the_same_uploads_give_the_same_import_and_others_another():
    first = imports.import_id("bank-a", "s", ["a", "b"])
    assert first == imports.import_id("bank-a", "s", ["a", "b"])
    others = {
        ("bank-b", "s", "a", "b"),
        ("bank-a", "t", "a", "b"),
        ("bank-a", "s", "b", "a"),
        ("bank-a", "s", "a", "c"),
    }
    assert first not in {imports.import_id(tenant, session, rest) for tenant, session, *rest in others}


def test_a_plan_survives_json():
    plan = Plan((FILE, replace(FILE, upload_id="b", people=PEOPLE)), "c", (NODE,), INSPECTION)
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert plan.upload_ids == ("a" * 32, "b", "c")
    assert replace(plan, id_photo_upload_id="").upload_ids == ("a" * 32, "b")


def test_what_is_stored_stays_and_what_came_to_nothing_can_only_be_tried_again():
    assert MOVES[ImportState.STORED] == frozenset()
    assert MOVES[ImportState.FAILED] == MOVES[ImportState.CANCELLED] == {ImportState.ACCEPTED}


@pytest.mark.parametrize("state", ["CREATED", "FAILED"])
def test_an_open_session_takes_a_recording(state: str):
    imports.require_open(state)


@pytest.mark.parametrize("state", ["RECORDING", "INSPECTING", "REPORTED", "UNSPECIFIED"])
def test_any_other_session_does_not(state: str):
    with pytest.raises(SessionNotOpen) as caught:
        imports.require_open(state)
    assert caught.value.details == {"state": state}


@pytest.mark.parametrize(
    ("files", "photo"),
    [
        ([], ""),
        ([replace(FILE, upload_id=str(number)) for number in range(9)], ""),
        ([FILE, FILE], ""),
        ([FILE], FILE.upload_id),
        ([replace(FILE, offset_ms=-1)], ""),
        ([replace(FILE, offset_ms=86_400_001)], ""),
    ],
)
def test_impossible_files_are_refused(files: list[SourceFile], photo: str):
    with pytest.raises(FilesInvalid):
        imports.require_files(files, photo)


def test_possible_files_are_taken():
    imports.require_files([FILE, replace(FILE, upload_id="b", offset_ms=86_400_000)], "c")


def test_people_are_found_by_id_by_role_and_by_both():
    for named in (Person("agent", "AGENT"), Person("", "AGENT"), Person("agent", "")):
        assert imports.resolve_people([named], PEOPLE) == (Person("agent", "AGENT"),)


@pytest.mark.parametrize(
    "named",
    [
        [],
        [Person("", "")],
        [Person("agent", "CUSTOMER")],
        [Person("", "WITNESS")],
        [Person("agent", "AGENT"), Person("", "AGENT")],
    ],
)
def test_strangers_and_repeats_are_refused(named: list[Person]):
    with pytest.raises(FileRolesInvalid):
        imports.resolve_people(named, PEOPLE)


def test_a_role_that_two_have_is_not_clear():
    with pytest.raises(FileRolesInvalid):
        imports.resolve_people([Person("", "CUSTOMER")], [*PEOPLE, Person("second", "CUSTOMER")])


@pytest.mark.parametrize(
    "nodes",
    [
        [replace(NODE, node_id="")],
        [replace(NODE, node_id="x" * 65)],
        [replace(NODE, end_ms=0)],
        [replace(NODE, start_ms=-1)],
        [replace(NODE, take=0)],
        [NODE, NODE],
        [replace(NODE, take=take) for take in range(1, 502)],
    ],
)
def test_impossible_timelines_are_refused(nodes: list[Node]):
    with pytest.raises(TimelineInvalid):
        imports.require_timeline(nodes)


def test_a_retake_is_another_take():
    imports.require_timeline([NODE, replace(NODE, take=2, start_ms=9000, end_ms=12_000)])


def test_a_node_behind_the_recording_is_refused_with_a_little_slack():
    imports.require_within([NODE], 3000)
    with pytest.raises(TimelineInvalid) as caught:
        imports.require_within([NODE], 2999)
    assert caught.value.details == {"node_id": "consent"}
