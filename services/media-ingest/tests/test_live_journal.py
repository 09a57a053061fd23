import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu_media_ingest.live import journal as journal_module
from shuanglu_media_ingest.live.checkpoints import Checkpoint, read_checkpoint, write_checkpoint
from shuanglu_media_ingest.live.clock import RecorderClock, wall_us
from shuanglu_media_ingest.live.journal import Journal, entry_of, line_of, read_entries
from shuanglu_media_ingest.live.spool import MediaFile, media_file

ENTRIES = [{"is": "told"}, {"is": "origin", "at_us": 5}, {"is": "end", "file": "客户", "offset": 1 << 40}]


async def test_what_was_appended_is_read_in_order(tmp_path: Path):
    journal = Journal(tmp_path / "journal")
    await journal.append(*ENTRIES[:2])
    await journal.append(ENTRIES[2], durable=False)
    assert Journal(tmp_path / "journal").read() == ENTRIES


async def test_appends_at_the_same_time_are_all_kept(tmp_path: Path):
    journal = Journal(tmp_path / "journal")
    await asyncio.gather(*(journal.append({"is": "number", "at": number}) for number in range(200)))
    assert [entry["at"] for entry in read_entries(tmp_path / "journal")] == list(range(200))


@pytest.mark.parametrize("cut", [1, 9, 10, 20])
async def test_a_line_that_was_cut_short_is_overwritten_by_the_next_one(tmp_path: Path, cut: int):
    path = tmp_path / "journal"
    await Journal(path).append(*ENTRIES)
    path.write_bytes(path.read_bytes()[:-cut])
    again = Journal(path)
    assert again.read() == ENTRIES[:2]
    await again.append({"is": "told"})
    assert read_entries(path) == [*ENTRIES[:2], {"is": "told"}]


async def test_a_journal_on_a_full_disk_waits_until_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # /dev/full answers every write as a full disk does.
    monkeypatch.setattr(journal_module, "RETRY_S", 0.02)
    path = tmp_path / "journal"
    journal = Journal(path)
    await journal.append(ENTRIES[0])
    kept = path.rename(tmp_path / "kept")
    path.symlink_to("/dev/full")
    waiting = asyncio.create_task(journal.append(ENTRIES[1]))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    path.unlink()
    kept.rename(path)
    await waiting
    assert read_entries(path) == ENTRIES[:2]


@given(st.dictionaries(st.text(), st.integers() | st.text()), st.integers(0, 10_000), st.integers(1, 255))
def test_a_line_with_a_wrong_byte_is_no_entry(entry: dict[str, int | str], place: int, change: int):
    line = line_of(entry)
    assert entry_of(line) == entry
    at = place % len(line)
    damaged = line[:at] + bytes([line[at] ^ change]) + line[at + 1 :]
    # The CRC is written in hexadecimal: another way to write the same digit is the same number.
    assert entry_of(damaged) is None or damaged.lower() == line


def test_a_checkpoint_is_read_as_it_was_written_or_not_at_all(tmp_path: Path):
    path = tmp_path / "track.checkpoint"
    assert read_checkpoint(path) is None
    kept = Checkpoint(15, "customer~1-video-1.mjr", b"{}\n\n{}")
    write_checkpoint(path, kept)
    assert read_checkpoint(path) == kept
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        assert read_checkpoint(path) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("customer~1-audio-0.mjr", MediaFile("customer", "audio", 1, 0, "customer~1-audio-0.mjr")),
        ("co_signer-2~31-video-1.mjr", MediaFile("co_signer-2", "video", 31, 1, "co_signer-2~31-video-1.mjr")),
        ("customer~1-data-2.mjr", None),
        ("customer-audio-0.mjr", None),
        ("../x~1-audio-0.mjr", None),
        ("customer~1-audio-0.mjr.tmp", None),
    ],
)
def test_a_file_name_says_whose_it_is(name: str, expected: MediaFile | None):
    assert media_file(name) == expected


def test_the_clock_goes_on_over_a_restart_and_is_set_only_when_asked(tmp_path: Path):
    first = RecorderClock(tmp_path / "clock.json")
    first.load()
    assert abs(first.now_us() - wall_us()) < 1_000_000
    assert first.ahead_us() == 0
    # As if the wall clock had been set back by an hour: the recorder's goes on where it was.
    first.offset_us += 3_600_000_000
    kept = (tmp_path / "clock.json").read_text().replace(str(first.offset_us - 3_600_000_000), str(first.offset_us))
    (tmp_path / "clock.json").write_text(kept)
    again = RecorderClock(tmp_path / "clock.json")
    again.load()
    assert again.ahead_us() == -3_600_000_000
    again.follow()
    assert again.ahead_us() == 0
    after_boot = (tmp_path / "clock.json").read_text().replace("boot_id", "other_id")
    (tmp_path / "clock.json").write_text(after_boot)
    third = RecorderClock(tmp_path / "clock.json")
    third.load()
    assert third.ahead_us() == 0
