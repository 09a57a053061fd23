"""The journal outlives kills, torn lines and other gateways; it never decides that something is imported."""

from pathlib import Path

import pytest

from shuanglu_cli.errors import Usage
from shuanglu_cli.journal import Journal

GATEWAY = "https://gateway"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.csv.journal"


def test_what_one_run_did_the_next_one_knows(path: Path) -> None:
    with Journal(path, GATEWAY) as journal:
        journal.begin("batch-1")
        journal.opened("k", "s-1")
        journal.uploading("k", "sha", "https://gateway/files/1")
        journal.accepted("k2", "s-2", "i-2")
    with Journal(path, GATEWAY) as journal:
        assert journal.batch_id == "batch-1"
        assert (journal.of("k").session_id, journal.of("k").uploads) == ("s-1", {"sha": "https://gateway/files/1"})
        assert (journal.of("k2").import_id, journal.of("unknown").import_id) == ("i-2", "")


def test_a_torn_line_loses_itself_alone(path: Path) -> None:
    with Journal(path, GATEWAY) as journal:
        journal.accepted("k", "s-1", "i-1")
    with path.open("a") as file:
        file.write('{"v": 1, "gateway": "https://gateway", "key": "torn", "imp')
    with Journal(path, GATEWAY) as journal:
        assert journal.of("torn").import_id == ""
        journal.accepted("k2", "s-2", "i-2")
    with Journal(path, GATEWAY) as journal:
        assert (journal.of("k").import_id, journal.of("k2").import_id) == ("i-1", "i-2")


def test_another_gateway_knows_nothing_of_it(path: Path) -> None:
    with Journal(path, GATEWAY) as journal:
        journal.begin("batch-1")
        journal.accepted("k", "s-1", "i-1")
    with Journal(path, "https://elsewhere") as journal:
        assert (journal.batch_id, journal.of("k").import_id) == ("", "")


def test_two_runs_at_once_are_kept_apart(path: Path) -> None:
    with Journal(path, GATEWAY), pytest.raises(Usage) as refused, Journal(path, GATEWAY):
        pass
    assert refused.value.reason == "IMPORT_RUNNING"


def test_a_file_is_hashed_again_when_it_has_changed(path: Path, tmp_path: Path) -> None:
    file, made = tmp_path / "a.mp4", list[str]()

    def digest(each: Path) -> str:
        made.append(each.read_text())
        return made[-1]

    with Journal(path, GATEWAY) as journal:
        for text in ("one", "one", "three"):
            if not file.exists() or file.read_text() != text:
                file.write_text(text)
            assert journal.digest(file, digest) == text
    assert made == ["one", "three"]


def test_a_journal_that_cannot_be_written_says_where_else(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Usage) as refused, Journal(tmp_path / "file" / "journal", GATEWAY):
        pass
    assert "--journal" in refused.value.help
