"""What the doctor sees in a spool, and what it may remove of it."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shuanglu_common.ailments import Code
from shuanglu_media_ingest.domain.imports import ImportState
from shuanglu_media_ingest.uploads.spool import Spool, Upload
from shuanglu_media_ingest.uploads.spool_examination import LEFTOVER_S, SETTLE_S, clear, examine

NOW_US = 1_800_000_000_000_000
US = 1_000_000
ID = "ab" * 16
TENANT = "bank"


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path)


def keep(spool: Spool, tmp_path: Path, *, held_by: str = "", offset: int = 0, expires_in_s: int = 3600) -> Path:
    """An upload whose record is old enough to be judged."""
    expires_at_us = NOW_US + expires_in_s * US
    spool.create(Upload(ID, TENANT, "somebody", 10, offset, expires_at_us, held_by=held_by))
    record = tmp_path / TENANT / f"{ID}.json"
    age(record, SETTLE_S + 1)
    return record


def age(path: Path, seconds: float) -> None:
    os.utime(path, (NOW_US / US - seconds,) * 2)


def found(folder: Path, states: dict[str, ImportState] | None = None) -> list[tuple[Code, str]]:
    return [(each.code, each.subject) for each in examine(folder, NOW_US, (states or {}).get)]


def test_an_upload_on_its_way_is_well(spool: Spool, tmp_path: Path) -> None:
    keep(spool, tmp_path)
    assert found(tmp_path / TENANT) == []
    assert found(tmp_path / "nobody") == []


def test_an_upload_without_its_bytes_is_damaged(spool: Spool, tmp_path: Path) -> None:
    record = keep(spool, tmp_path, offset=5)
    assert found(record.parent) == [(Code.SPOOL_UPLOAD_DAMAGED, f"spool/{ID}.json")]
    record.with_suffix(".data").write_bytes(b"12345")
    assert found(record.parent) == []
    record.write_text("{}")
    age(record, SETTLE_S + 1)
    assert found(record.parent) == [(Code.SPOOL_UPLOAD_DAMAGED, f"spool/{ID}.json")]
    assert clear(record.parent, f"spool/{ID}.json", NOW_US, {}.get) == "MAY_BE_NEEDED"


def test_an_upload_that_nobody_removed_when_it_expired_is_named(spool: Spool, tmp_path: Path) -> None:
    record = keep(spool, tmp_path, expires_in_s=-SETTLE_S - 1)
    assert found(record.parent) == [(Code.SPOOL_UPLOAD_EXPIRED, f"spool/{ID}.json")]


@pytest.mark.parametrize("state", [*ImportState, None])
def test_an_upload_is_left_when_its_import_has_ended(spool: Spool, tmp_path: Path, state: ImportState | None) -> None:
    record = keep(spool, tmp_path, held_by="import-1")
    states = {} if state is None else {"import-1": state}
    ended = state not in (ImportState.ACCEPTED, ImportState.STORING)
    assert found(record.parent, states) == ([(Code.SPOOL_UPLOAD_LEFT, f"spool/{ID}.json")] if ended else [])
    reason = clear(record.parent, f"spool/{ID}.json", NOW_US, states.get)
    # Only what a stored import left has its bytes in the store for certain.
    assert (reason == "") == (state is ImportState.STORED)
    assert record.exists() == (state is not ImportState.STORED)


def test_a_leftover_may_be_cleared_when_it_is_old(spool: Spool, tmp_path: Path) -> None:
    folder = keep(spool, tmp_path).parent
    for name in (f"{'c' * 32}.data", f"{'c' * 32}.sha256.tmp"):
        (folder / name).write_bytes(b"x")
        age(folder / name, LEFTOVER_S - 60)
        assert clear(folder, f"spool/{name}", NOW_US, {}.get) == "NOT_ILL"
        age(folder / name, LEFTOVER_S + 60)
        assert found(folder) == [(Code.SPOOL_LEFTOVER, f"spool/{name}")]
        assert clear(folder, f"spool/{name}", NOW_US, {}.get) == ""
        assert found(folder) == []


@settings(max_examples=50)
@given(st.text(max_size=60))
def test_nothing_but_a_file_of_the_spool_can_be_cleared(name: str) -> None:
    assert clear(Path("nowhere"), f"spool/{name}", NOW_US, {}.get) in {"NOT_OF_THE_SPOOL", "NOT_ILL"}
