"""Joins of what services hold: a whole session is healthy, and each thing taken away, added or changed is named."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu_cli.doctor.case import (
    OBJECTS_SETTLE_US,
    PLACES,
    STEP_SETTLES_US,
    Case,
    Circumstances,
    Held,
    Kind,
    Part,
    Stored,
    ailments,
)
from shuanglu_cli.doctor.merge import Item, OutOfOrder, cases
from shuanglu_cli.errors import CliError, Unreachable
from shuanglu_common.ailments import KINDS, Code

NOW_US = 1_800_000_000_000_000
LONG_AGO_US = NOW_US - 86_400_000_000
TENANT, SESSION = "bank", "s-1"
ROOT = f"{TENANT}/{SESSION}/"
TRACK = ROOT + "tracks/customer-video/"
INIT, SEGMENT = TRACK + "init.mp4", TRACK + "000001.m4s"
ORIGINAL, PHOTO = ROOT + "originals/u1", ROOT + "sealed/id-photo"
RESULT, ARCHIVE = ROOT + "sealed/results/preliminary-1", ROOT + "sealed/observations/archive-1"
WORDS = ROOT + "sealed/transcripts/w1"
REPORT, PDF = ROOT + "sealed/reports/preliminary/report.pb", ROOT + "sealed/reports/preliminary/report.pdf"
MEDIA_PLACES = ("tracks/", "originals/", "sealed/id-photo")
VERDICT_PLACES = ("sealed/results/", "sealed/observations/", "sealed/folds/")


def held(kind: Kind, state: str = "", id_: str = "", keys: Iterable[str] = (), places: tuple[str, ...] = ()) -> Held:
    return Held(SESSION, kind, id_, state, LONG_AGO_US, tuple((key, 0) for key in keys), places)


WHOLE = (
    held(Kind.SESSION, "REPORTED", "order-1"),
    held(Kind.IMPORT, "STORED", "import-1", (INIT, SEGMENT, ORIGINAL, PHOTO), MEDIA_PLACES),
    replace(held(Kind.TRACK, "", "customer-video"), objects=((INIT, 10), (SEGMENT, 10), (ORIGINAL, 10))),
    held(Kind.VERDICT, "OUTCOME_PASS", "", (RESULT, ARCHIVE, WORDS), VERDICT_PLACES),
    held(Kind.REPORT, "STAGE_PRELIMINARY", "report-1", (REPORT, PDF), ("sealed/reports/preliminary/",)),
)
OBJECTS = tuple(
    Stored(key, 10, LONG_AGO_US)
    for key in sorted(
        (INIT, SEGMENT, ORIGINAL, PHOTO, RESULT, ARCHIVE, WORDS, REPORT, PDF, ROOT + "sealed/templates/t")
    )
)


def found(
    held_: Iterable[Held] = WHOLE, stored: Iterable[Stored] = OBJECTS, now: Circumstances | None = None
) -> list[tuple[Code, str]]:
    case = Case(SESSION, list(held_), list(stored))
    return [(each.code, each.subject) for each in ailments(case, now or Circumstances(TENANT, NOW_US))]


def without(kind: Kind) -> tuple[Held, ...]:
    return tuple(each for each in WHOLE if each.kind is not kind)


def changed(kind: Kind, **values: object) -> tuple[Held, ...]:
    return tuple(replace(each, **values) if each.kind is kind else each for each in WHOLE)  # type: ignore[arg-type]


def codes(*arguments: object, **values: object) -> set[Code]:
    return {code for code, _ in found(*arguments, **values)}  # type: ignore[arg-type]


def test_a_whole_session_has_no_ailment() -> None:
    assert found() == []
    assert found(now=Circumstances(TENANT, NOW_US, at_rest=True)) == []


@pytest.mark.parametrize("lost", OBJECTS, ids=lambda each: each.key)
def test_each_lost_object_is_named(lost: Stored) -> None:
    wanted = [] if "templates" in lost.key else [(Code.OBJECT_MISSING, lost.key)]
    assert found(stored=[each for each in OBJECTS if each != lost]) == wanted


def test_an_object_of_another_size_is_named() -> None:
    stored = [replace(each, size_bytes=9) if each.key == SEGMENT else each for each in OBJECTS]
    assert found(stored=stored) == [(Code.OBJECT_DIFFERS, SEGMENT)]


@pytest.mark.parametrize(
    "key",
    [
        "tracks/customer-video/000002.m4s",
        "originals/u2",
        "sealed/results/preliminary-2",
        "sealed/observations/archive-2",
        "sealed/folds/1",
        "sealed/reports/preliminary/still-09.jpg",
        "sealed/reports/final/report.pb",
        "somewhere/else",
    ],
)
def test_an_object_that_nobody_names_is_an_orphan_when_it_has_had_its_hour(key: str) -> None:
    old = Stored(ROOT + key, 5, LONG_AGO_US)
    young = replace(old, modified_at_us=NOW_US - OBJECTS_SETTLE_US + 1_000_000)
    wanted = {Code.OBJECT_ORPHANED} if key != "sealed/reports/final/report.pb" else set()
    assert codes(stored=[*OBJECTS, old]) == wanted
    assert codes(stored=[*OBJECTS, young]) == set()
    assert codes(stored=[*OBJECTS, young], now=Circumstances(TENANT, NOW_US, at_rest=True)) == wanted


def test_everything_of_a_session_that_nobody_knows_is_an_orphan() -> None:
    assert len(found([], OBJECTS)) == len(OBJECTS)
    assert codes([], OBJECTS) == {Code.OBJECT_ORPHANED}


def test_objects_of_an_import_in_work_are_no_orphans() -> None:
    session = held(Kind.SESSION, "RECORDING", "order-1")
    import_ = held(Kind.IMPORT, "STORING", "import-1")
    assert found([session, import_], [each for each in OBJECTS if "sealed" not in each.key]) == []


def test_nothing_is_concluded_of_a_part_that_did_not_answer() -> None:
    for kind, part in (
        (Kind.SESSION, Part.SIGNALING),
        (Kind.IMPORT, Part.MEDIA),
        (Kind.VERDICT, Part.QUALITY),
        (Kind.REPORT, Part.REPORT),
    ):
        now = Circumstances(TENANT, NOW_US, answered=set(Part) - {part})
        kinds = {kind} | ({Kind.TRACK} if part is Part.REPORT else set())
        assert found([each for each in WHOLE if each.kind not in kinds], now=now) == []
    assert found(stored=[], now=Circumstances(TENANT, NOW_US, answered=set(Part) - {Part.STORE})) == []


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        (
            without(Kind.SESSION),
            {Code.IMPORT_WITHOUT_SESSION, Code.REPORT_WITHOUT_SESSION, Code.VERDICT_WITHOUT_SESSION},
        ),
        (without(Kind.REPORT), {Code.SESSION_WITHOUT_REPORT, Code.VERDICT_WITHOUT_REPORT}),
        (without(Kind.VERDICT), {Code.REPORT_WITHOUT_VERDICT}),
        (without(Kind.TRACK), {Code.TRACK_MISSING}),
        (changed(Kind.SESSION, state="INSPECTING"), {Code.SESSION_BEHIND}),
        (changed(Kind.SESSION, state="CREATED"), {Code.SESSION_BEHIND}),
        (WHOLE[:3], {Code.SESSION_WITHOUT_REPORT, Code.SESSION_WITHOUT_VERDICT}),
    ],
)
def test_rows_that_do_not_belong_together_are_named(rows: tuple[Held, ...], wanted: set[Code]) -> None:
    assert wanted <= codes(rows)
    assert codes(rows) - wanted <= {Code.OBJECT_ORPHANED, Code.TRACK_WITHOUT_IMPORT}


def test_a_recorded_session_without_import_is_named_with_its_objects() -> None:
    assert {Code.SESSION_WITHOUT_IMPORT, Code.TRACK_WITHOUT_IMPORT, Code.OBJECT_ORPHANED} == codes(without(Kind.IMPORT))


def test_what_was_changed_just_now_is_work_in_progress() -> None:
    rows = tuple(replace(each, changed_at_us=NOW_US - 1_000_000) for each in without(Kind.REPORT))
    assert found(rows, [each for each in OBJECTS if "reports" not in each.key]) == []
    late = tuple(replace(each, changed_at_us=NOW_US - STEP_SETTLES_US // 2) for each in without(Kind.REPORT))
    assert Code.VERDICT_WITHOUT_REPORT not in codes(late)


def test_a_failed_import_leaves_nothing_behind() -> None:
    rows = (held(Kind.SESSION, "FAILED", "order-1"), held(Kind.IMPORT, "FAILED", "import-1", (), MEDIA_PLACES))
    assert found(rows, []) == []
    assert found(rows, [Stored(SEGMENT, 10, LONG_AGO_US)]) == [(Code.OBJECT_ORPHANED, SEGMENT)]


def test_every_ailment_says_what_it_means_and_what_to_do() -> None:
    assert set(KINDS) == set(Code)
    assert all(kind.meaning and kind.help for kind in KINDS.values())


def test_every_place_has_a_service_that_names_it() -> None:
    assert all(owners for owners in PLACES.values())


SESSIONS = st.lists(st.text("ab-", min_size=1, max_size=3), unique=True, max_size=8)


@given(SESSIONS, SESSIONS, SESSIONS)
def test_a_merge_gives_each_session_once_with_all_that_is_known(
    sessions: list[str], imports: list[str], objects: list[str]
) -> None:
    def in_order(names: list[str]) -> list[str]:
        return sorted(names, key=lambda name: name + "/")

    parts: dict[Part, list[Item]] = {
        Part.SIGNALING: [Held(name, Kind.SESSION) for name in in_order(sessions)],
        Part.MEDIA: [Held(name, Kind.IMPORT) for name in in_order(imports)],
        Part.STORE: [Stored(f"t/{name}/{n}", 1, 0) for name in in_order(objects) for n in "12"],
    }
    broken: list[Part] = []
    got = list(cases(parts, lambda part, _: broken.append(part)))
    assert [each.session_id for each in got] == in_order(list({*sessions, *imports, *objects}))
    assert not broken
    for each in got:
        assert len(each.of(Kind.SESSION)) == (each.session_id in sessions)
        assert len(each.of(Kind.IMPORT)) == (each.session_id in imports)
        assert len(each.stored) == 2 * (each.session_id in objects)


def test_a_stream_that_breaks_is_told_before_anything_is_concluded_from_its_silence() -> None:
    def breaking() -> Iterator[Item]:
        yield Held("a", Kind.IMPORT)
        raise Unreachable("gone")

    broken: list[tuple[Part, type[CliError]]] = []
    parts: dict[Part, Iterable[Item]] = {
        Part.SIGNALING: [Held("a", Kind.SESSION), Held("b", Kind.SESSION)],
        Part.MEDIA: breaking(),
    }
    merged = cases(parts, lambda part, error: broken.append((part, type(error))))
    seen = [(case.session_id, list(broken)) for case in merged]
    assert seen == [("a", [(Part.MEDIA, Unreachable)]), ("b", [(Part.MEDIA, Unreachable)])]


def test_a_stream_out_of_order_counts_as_broken() -> None:
    broken: list[type[CliError]] = []
    parts = {Part.MEDIA: [Held("b", Kind.IMPORT), Held("a", Kind.IMPORT)]}
    assert [case.session_id for case in cases(parts, lambda _, error: broken.append(type(error)))] == ["b"]
    assert broken == [OutOfOrder]


CALL = (
    held(Kind.SESSION, "REPORTED", "order-1"),
    held(Kind.CALL, "ENDED"),
    replace(held(Kind.TRACK, "", "customer-video"), objects=((INIT, 10), (SEGMENT, 10), (TRACK + "track.binpb", 0))),
    held(Kind.VERDICT, "OUTCOME_PASS", "", (RESULT, ARCHIVE, WORDS), VERDICT_PLACES),
    held(Kind.REPORT, "STAGE_PRELIMINARY", "report-1", (REPORT, PDF), ("sealed/reports/preliminary/",)),
)
CALL_OBJECTS = tuple(
    Stored(key, 10, LONG_AGO_US)
    for key in sorted((INIT, SEGMENT, TRACK + "track.binpb", PHOTO, RESULT, ARCHIVE, WORDS, REPORT, PDF))
)


def test_a_recorded_call_is_no_stranger_while_it_goes_on_and_afterwards() -> None:
    rest = Circumstances(TENANT, NOW_US, at_rest=True)
    assert found(CALL, CALL_OBJECTS) == []
    assert found(CALL, CALL_OBJECTS, rest) == []
    going_on = (held(Kind.SESSION, "RECORDING", "order-1"), held(Kind.CALL, "ACTIVE"), held(Kind.FOLD, "OPEN"))
    media = [each for each in CALL_OBJECTS if "/tracks/" in each.key or each.key == PHOTO]
    assert found(going_on, media) == []
    assert found(going_on, media, rest) == []


def test_a_photo_may_wait_for_its_call() -> None:
    photo = [each for each in CALL_OBJECTS if each.key == PHOTO]
    assert found([held(Kind.SESSION, "CREATED", "order-1")], photo) == []


def test_what_is_lost_of_a_call_is_named() -> None:
    for key in (INIT, SEGMENT, TRACK + "track.binpb"):
        left = [each for each in CALL_OBJECTS if each.key != key]
        assert found(CALL, left) == [(Code.OBJECT_MISSING, key)]
    unjudged = (replace(CALL[0], state="INSPECTING"), *CALL[1:3])
    assert codes(unjudged, CALL_OBJECTS[:0]) >= {Code.SESSION_WITHOUT_VERDICT}
