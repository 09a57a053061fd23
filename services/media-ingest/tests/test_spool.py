from dataclasses import replace
from pathlib import Path

import pytest

from shuanglu_media_ingest.uploads.spool import Spool, Upload
from shuanglu_media_ingest.uploads.tus_errors import UploadGone, UploadHeld, UploadLocked

ID = "0123456789abcdef" * 2
OTHER = "f" * 32
UPLOAD = Upload(ID, "bank-a", "app", length=10, offset=0, expires_at_us=1000)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def write(spool: Spool, upload: Upload, data: bytes) -> Upload:
    writer = spool.writer(upload)
    writer.write(data)
    writer.checkpoint(upload.expires_at_us)
    writer.close()
    return writer.upload


def test_an_upload_is_found_as_it_was_created(spool: Spool):
    spool.create(UPLOAD)
    assert spool.find("bank-a", ID) == UPLOAD
    assert spool.data_path(UPLOAD).read_bytes() == b""


@pytest.mark.parametrize(
    ("tenant", "upload_id"), [("bank-b", ID), ("bank-a", OTHER), ("../bank-a", ID), ("bank-a", "../x")]
)
def test_other_tenants_other_ids_and_tricks_find_nothing(spool: Spool, tenant: str, upload_id: str):
    spool.create(UPLOAD)
    with pytest.raises(UploadGone):
        spool.find(tenant, upload_id)


def test_files_are_for_this_user_only(spool: Spool):
    spool.create(UPLOAD)
    for path in spool.data_path(UPLOAD).parent.iterdir():
        assert path.stat().st_mode & 0o077 == 0


def test_bytes_count_from_the_checkpoint_on(spool: Spool):
    spool.create(UPLOAD)
    writer = spool.writer(UPLOAD)
    writer.write(b"01234")
    assert spool.find("bank-a", ID).offset == 0
    writer.checkpoint(2000)
    assert spool.find("bank-a", ID) == replace(UPLOAD, offset=5, expires_at_us=2000)
    writer.write(b"lost")
    writer.close()
    assert spool.find("bank-a", ID).offset == 5


def test_what_lies_behind_the_offset_is_cut_off(spool: Spool):
    spool.create(UPLOAD)
    upload = write(spool, UPLOAD, b"01234")
    with spool.data_path(UPLOAD).open("ab") as file:
        file.write(b"torn by a crash")
    assert write(spool, upload, b"56789").complete
    assert spool.data_path(UPLOAD).read_bytes() == b"0123456789"


def test_there_is_one_writer_at_a_time(spool: Spool):
    spool.create(UPLOAD)
    writer = spool.writer(UPLOAD)
    with pytest.raises(UploadLocked):
        spool.writer(UPLOAD)
    writer.close()
    spool.writer(UPLOAD).close()


def test_a_writer_of_nothing_is_refused(spool: Spool):
    with pytest.raises(UploadGone):
        spool.writer(UPLOAD)


def test_parts_are_joined_in_order_and_stay(spool: Spool):
    parts = []
    for upload_id, data in (("a" * 32, b"01234"), ("b" * 32, b"56789")):
        part = replace(UPLOAD, upload_id=upload_id, length=5, partial=True)
        spool.create(part)
        parts.append(write(spool, part, data))
    final = spool.join(replace(UPLOAD, parts=("a" * 32, "b" * 32)), parts)
    assert final.complete
    assert spool.find("bank-a", ID) == final
    assert spool.data_path(final).read_bytes() == b"0123456789"
    assert spool.find("bank-a", "a" * 32).complete


def test_a_deleted_upload_is_gone_and_deleting_again_does_nothing(spool: Spool):
    spool.create(UPLOAD)
    spool.delete(UPLOAD)
    spool.delete(UPLOAD)
    with pytest.raises(UploadGone):
        spool.find("bank-a", ID)
    assert spool.count_open("bank-a") == 0


def test_an_import_holds_its_uploads(spool: Spool):
    held = replace(UPLOAD, held_by="import-1")
    spool.create(held)
    with pytest.raises(UploadHeld):
        spool.delete(held)
    spool.delete(held, by="import-1")
    assert spool.count_open("bank-a") == 0


def test_the_reaper_takes_what_has_expired_and_nothing_else(spool: Spool):
    spool.create(UPLOAD)
    spool.create(replace(UPLOAD, upload_id=OTHER, tenant="bank-b", expires_at_us=5000))
    assert spool.reap(999) == 0
    assert spool.reap(1000) == 1
    assert spool.count_open("bank-a") == 0
    assert spool.count_open("bank-b") == 1


def test_data_without_a_record_goes_after_a_day(spool: Spool):
    import os

    spool.create(replace(UPLOAD, expires_at_us=2**60))
    orphan = spool.data_path(UPLOAD).with_name(f"{OTHER}.data")
    orphan.write_bytes(b"x")
    os.utime(orphan, (100_000, 100_000))
    spool.reap(100_000 * 1_000_000)
    assert orphan.exists()
    spool.reap(200_000 * 1_000_000)
    assert not orphan.exists()
    assert spool.data_path(UPLOAD).exists()
