"""One session as all services together keep it, and what is ill about that. Pure: no call is made here.

Rows are judged a minute after their last change, objects an hour after they were written: what is younger is work in
progress. A stack at rest has no such excuse.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from shuanglu_common.ailments import Ailment, Code

US = 1_000_000
ROWS_SETTLE_US = 60 * US
# Judging and printing wait for their turn when many recordings come at once.
STEP_SETTLES_US = 600 * US
OBJECTS_SETTLE_US = 3600 * US


class Part(StrEnum):
    """Who tells."""

    SIGNALING = "signaling"
    MEDIA = "media-ingest"
    STORE = "object store"
    QUALITY = "quality"
    REPORT = "report"


class Kind(StrEnum):
    """What is kept; see HoldingKind in the contract."""

    SESSION = "session"
    IMPORT = "import"
    FOLD = "fold"
    VERDICT = "verdict"
    REPORT = "report"
    TRACK = "track"
    CALL = "call"


# Who writes below `<tenant>/<session_id>/`. What stands elsewhere was written by nobody of ours.
PLACES: dict[str, tuple[Kind, ...]] = {
    "tracks/": (Kind.IMPORT, Kind.CALL),
    "originals/": (Kind.IMPORT,),
    "sealed/id-photo": (Kind.IMPORT, Kind.CALL, Kind.SESSION),
    "sealed/templates/": (Kind.IMPORT, Kind.CALL),
    "sealed/transcripts/": (Kind.IMPORT, Kind.CALL),
    "sealed/windows/": (Kind.IMPORT, Kind.CALL),
    "sealed/results/": (Kind.VERDICT, Kind.FOLD, Kind.REPORT),
    "sealed/observations/": (Kind.VERDICT, Kind.FOLD, Kind.REPORT),
    "sealed/folds/": (Kind.FOLD,),
    "sealed/reports/": (Kind.REPORT, Kind.VERDICT),
}
TELLS = {
    Kind.SESSION: Part.SIGNALING,
    Kind.IMPORT: Part.MEDIA,
    Kind.FOLD: Part.QUALITY,
    Kind.VERDICT: Part.QUALITY,
    Kind.REPORT: Part.REPORT,
    Kind.TRACK: Part.REPORT,
    Kind.CALL: Part.SIGNALING,
}
WITHOUT_SESSION = {
    Kind.IMPORT: Code.IMPORT_WITHOUT_SESSION,
    Kind.FOLD: Code.VERDICT_WITHOUT_SESSION,
    Kind.VERDICT: Code.VERDICT_WITHOUT_SESSION,
    Kind.REPORT: Code.REPORT_WITHOUT_SESSION,
    Kind.TRACK: Code.TRACK_WITHOUT_IMPORT,
}
IN_WORK = frozenset({"ACCEPTED", "STORING"})
STORED = "STORED"
ENDED = "ENDED"
INIT = "/init.mp4"
HAVE_RECORDING = frozenset({"RECORDING", "INSPECTING", "REPORTED"})
COMPLETE = frozenset({"INSPECTING", "REPORTED"})


@dataclass(frozen=True, slots=True)
class Held:
    """What one service keeps of the session. `objects` are keys with their size, 0 if it is not known."""

    session_id: str
    kind: Kind
    id: str = ""
    state: str = ""
    changed_at_us: int = 0
    objects: tuple[tuple[str, int], ...] = ()
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """An object of the store."""

    key: str
    size_bytes: int
    modified_at_us: int


@dataclass(slots=True)
class Circumstances:
    """Under which a case is judged. `answered`: who told all that it keeps; of others nothing is concluded."""

    tenant: str
    now_us: int
    at_rest: bool = False
    answered: set[Part] = field(default_factory=lambda: set(Part))
    verdicts_from_us: int = 0

    def older(self, at_us: int, than_us: int) -> bool:
        """Whether something has had its time."""
        return self.at_rest or at_us <= self.now_us - than_us


@dataclass(slots=True)
class Case:
    """One session."""

    session_id: str
    held: list[Held] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)

    def of(self, kind: Kind) -> list[Held]:
        """What is kept of one kind."""
        return [each for each in self.held if each.kind is kind]

    @property
    def changed_at_us(self) -> int:
        """The newest change of any row."""
        return max((each.changed_at_us for each in self.held), default=0)


def ailments(case: Case, now: Circumstances) -> Iterator[Ailment]:
    """Everything that is ill about a case."""
    if now.older(case.changed_at_us, ROWS_SETTLE_US):
        yield from _orphaned_rows(case, now)
        yield from _recording(case, now)
        yield from _inspection(case, now)
    if Part.STORE in now.answered:
        yield from _objects(case, now)


def _orphaned_rows(case: Case, now: Circumstances) -> Iterator[Ailment]:
    """Rows of a session that does not exist."""
    if Part.SIGNALING in now.answered and not case.of(Kind.SESSION):
        for each in (one for one in case.held if one.kind in WITHOUT_SESSION):
            yield Ailment(WITHOUT_SESSION[each.kind], case.session_id, each.id, each.state)
    elif Part.MEDIA in now.answered and not case.of(Kind.IMPORT) and not case.of(Kind.CALL):
        for each in case.of(Kind.TRACK):
            yield Ailment(Code.TRACK_WITHOUT_IMPORT, case.session_id, each.id)


def _recording(case: Case, now: Circumstances) -> Iterator[Ailment]:
    """A session's state against its imports and reports."""
    for session in case.of(Kind.SESSION):
        states = {each.state for each in case.of(Kind.IMPORT)}
        if Part.MEDIA in now.answered:
            if session.state in HAVE_RECORDING and not states and not case.of(Kind.CALL):
                yield Ailment(Code.SESSION_WITHOUT_IMPORT, case.session_id, "", session.state)
            elif behind := _behind(session.state, states):
                yield Ailment(Code.SESSION_BEHIND, case.session_id, "", behind)
        if Part.REPORT in now.answered:
            reports = case.of(Kind.REPORT)
            if session.state == "REPORTED" and not reports:
                yield Ailment(Code.SESSION_WITHOUT_REPORT, case.session_id)
            elif session.state != "REPORTED" and reports:
                yield Ailment(Code.SESSION_BEHIND, case.session_id, "", f"{session.state}, a report is there")


def _behind(session: str, imports: set[str]) -> str:
    """What signaling has missed; empty if nothing."""
    if STORED in imports and session not in COMPLETE:
        return f"{session}, an import is STORED"
    if imports and not imports & (IN_WORK | {STORED}) and session == "RECORDING":
        return "RECORDING, no import goes on"
    if imports & IN_WORK and session == "CREATED":
        return "CREATED, an import goes on"
    return ""


def _inspection(case: Case, now: Circumstances) -> Iterator[Ailment]:
    """From the stored recording to the verdict, and from the verdict to the report."""
    verdicts, reports = case.of(Kind.VERDICT), case.of(Kind.REPORT)
    if Part.QUALITY in now.answered:
        begun = verdicts or case.of(Kind.FOLD) or reports
        for each in case.of(Kind.IMPORT):
            due = now.older(each.changed_at_us, STEP_SETTLES_US) and each.changed_at_us > now.verdicts_from_us
            if each.state == STORED and not begun and due:
                yield Ailment(Code.SESSION_WITHOUT_VERDICT, case.session_id, each.id, "quality knows nothing of it")
        yield from _unjudged_calls(() if begun else case.of(Kind.CALL), case, now)
        for each in reports:
            if not verdicts and each.changed_at_us > now.verdicts_from_us:
                yield Ailment(Code.REPORT_WITHOUT_VERDICT, case.session_id, each.id)
    if Part.REPORT in now.answered:
        yield from _tracks(case, now)
    if Part.REPORT in now.answered and not reports:
        for each in verdicts:
            if now.older(each.changed_at_us, STEP_SETTLES_US):
                yield Ailment(Code.VERDICT_WITHOUT_REPORT, case.session_id, "", each.state)


def _unjudged_calls(calls: Iterable[Held], case: Case, now: Circumstances) -> Iterator[Ailment]:
    """Calls that are over, of which something was recorded, and that quality knows nothing of."""
    recorded = any(each.state in HAVE_RECORDING for each in case.of(Kind.SESSION))
    for each in calls:
        due = now.older(each.changed_at_us, STEP_SETTLES_US) and each.changed_at_us > now.verdicts_from_us
        if each.state == ENDED and recorded and due:
            yield Ailment(Code.SESSION_WITHOUT_VERDICT, case.session_id, "", "quality knows nothing of the call")


def _tracks(case: Case, now: Circumstances) -> Iterator[Ailment]:
    """Tracks of stored imports that report was not told of: it can neither replay nor prove them."""
    known = {each.id for each in case.of(Kind.TRACK)}
    for stored in case.of(Kind.IMPORT):
        if stored.state == STORED and now.older(stored.changed_at_us, STEP_SETTLES_US):
            inits = [key.split("/") for key, _ in stored.objects if key.endswith(INIT)]
            for track_id in sorted({parts[-2] for parts in inits} - known):
                yield Ailment(Code.TRACK_MISSING, case.session_id, track_id, f"of import {stored.id}")


def _objects(case: Case, now: Circumstances) -> Iterator[Ailment]:
    """What is named against what is there."""
    named = _named(case, now)
    sizes = {each.key: each.size_bytes for each in case.stored}
    if now.older(case.changed_at_us, ROWS_SETTLE_US):
        for key, (size, kind) in named.items():
            if key not in sizes:
                yield Ailment(Code.OBJECT_MISSING, case.session_id, key, f"named by its {kind}")
            elif size and size != sizes[key]:
                yield Ailment(Code.OBJECT_DIFFERS, case.session_id, key, f"{sizes[key]} bytes, stored were {size}")
    for each in case.stored:
        old = now.older(each.modified_at_us, OBJECTS_SETTLE_US)
        if each.key not in named and old and (why := _left_over(case, now, each.key)):
            yield Ailment(Code.OBJECT_ORPHANED, case.session_id, each.key, f"{each.size_bytes} bytes; {why}")


def _named(case: Case, now: Circumstances) -> dict[str, tuple[int, Kind]]:
    """Keys with size and who names them. A track counts with its stored import: another's are removed again.

    Of a call nothing is ever removed.
    """
    imported = any(each.state == STORED for each in case.of(Kind.IMPORT))
    stored = imported or bool(case.of(Kind.CALL)) or Part.MEDIA not in now.answered
    found: dict[str, tuple[int, Kind]] = {}
    for held in case.held:
        if held.kind is Kind.TRACK and not stored:
            continue
        for key, size in held.objects:
            if size or key not in found:
                found[key] = (size, held.kind)
    return found


def _left_over(case: Case, now: Circumstances, key: str) -> str:
    """Why an object that is not named has no right to be there; empty if it may have one."""
    rest = key.removeprefix(f"{now.tenant}/{case.session_id}/")
    place = next((place for place in PLACES if rest.startswith(place)), None)
    if place is None:
        return "nobody of ours writes there"
    if Kind.IMPORT in PLACES[place] and any(each.state in IN_WORK for each in case.of(Kind.IMPORT)):
        return ""
    if any(rest.startswith(each) for held in case.held for each in held.places):
        return "nobody names it"
    owners = PLACES[place]
    known = all(TELLS[owner] in now.answered for owner in owners)
    return f"there is no {owners[0]} of this session" if known and not any(map(case.of, owners)) else ""
