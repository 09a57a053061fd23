"""What is ill about a tenant's uploads on this machine's spool, and what may be removed of it. Blocks."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from shuanglu_common.ailments import Ailment, Code
from shuanglu_media_ingest.domain.imports import ImportState

# The service itself tidies the spool every ten minutes: what it does not get to in this time it does not do.
SETTLE_S = 1800
LEFTOVER_S = 3600
SUBJECT = "spool/"
NAME = re.compile(r"[0-9a-f]{32}\.(json|data|tmp|sha256|sha256\.tmp)")
US = 1_000_000

StateOf = Callable[[str], ImportState | None]


@dataclass(frozen=True, slots=True)
class Record:
    """What the record of an upload says, as far as it matters here."""

    offset: int
    expires_at_us: int
    held_by: str


def held_by(folder: Path) -> set[str]:
    """Imports that uploads are held for."""
    records = (_read(path) for path in folder.glob("*.json"))
    return {record.held_by for record in records if record and record.held_by}


def examine(folder: Path, now_us: int, state_of: StateOf) -> Iterator[Ailment]:
    """`folder`: of one tenant; `state_of` an import, None if there is none."""
    for path in sorted(folder.glob("*")):
        try:
            age_s = now_us / US - path.stat().st_mtime
        except FileNotFoundError:
            continue
        if path.suffix == ".json":
            if age_s > SETTLE_S:
                yield from _upload(path, now_us, state_of)
        elif not _record_of(path).exists() and age_s > LEFTOVER_S:
            yield Ailment(Code.SPOOL_LEFTOVER, subject=SUBJECT + path.name, detail=f"{round(age_s / 3600)} h old")


def _upload(path: Path, now_us: int, state_of: StateOf) -> Iterator[Ailment]:
    subject, data = SUBJECT + path.name, path.with_suffix(".data")
    record = _read(path)
    if record is None:
        if path.exists():
            yield Ailment(Code.SPOOL_UPLOAD_DAMAGED, subject=subject, detail="the record cannot be read")
        return
    size = data.stat().st_size if data.exists() else -1
    if size < record.offset and path.exists():
        have = "are missing" if size < 0 else f"are {size}"
        yield Ailment(Code.SPOOL_UPLOAD_DAMAGED, subject=subject, detail=f"{record.offset} bytes {have}")
    if record.held_by:
        state = state_of(record.held_by)
        if state is None or state in (ImportState.STORED, ImportState.FAILED, ImportState.CANCELLED):
            detail = f"import {record.held_by} is {state or 'unknown'}"
            yield Ailment(Code.SPOOL_UPLOAD_LEFT, subject=subject, detail=detail)
    elif record.expires_at_us + SETTLE_S * US < now_us:
        late_s = (now_us - record.expires_at_us) // US
        yield Ailment(Code.SPOOL_UPLOAD_EXPIRED, subject=subject, detail=f"since {late_s} s")


def clear(folder: Path, subject: str, now_us: int, state_of: StateOf) -> str:
    """Remove what an ailment names, if it is still so: leftovers, and uploads of imports that are stored.

    Returns an empty string, or a stable reason why not.
    """
    name = subject.removeprefix(SUBJECT)
    if not NAME.fullmatch(name):
        return "NOT_OF_THE_SPOOL"
    path = folder / name
    found = {each.subject: each for each in examine(folder, now_us, state_of)}
    ailment = found.get(subject)
    if ailment is None:
        return "NOT_ILL"
    if ailment.code is Code.SPOOL_LEFTOVER:
        path.unlink(missing_ok=True)
        return ""
    record = _read(path)
    if record is None or not record.held_by or state_of(record.held_by) is not ImportState.STORED:
        return "MAY_BE_NEEDED"
    for suffix in (".json", ".data", ".sha256"):
        path.with_suffix(suffix).unlink(missing_ok=True)
    return ""


def _record_of(path: Path) -> Path:
    return path.with_name(path.name.partition(".")[0] + ".json")


def _read(path: Path) -> Record | None:
    try:
        values = json.loads(path.read_bytes())
        return Record(int(values["offset"]), int(values["expires_at_us"]), str(values["held_by"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
