"""A disk that is full, a quota that is used: 507, nothing lost, and the upload goes on afterwards."""

import asyncio
import hashlib
import resource
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from ingest_bench import Bench
from ingest_door import LIMITS, Trusting
from ingest_fakes import TENANT, FixedClock

from shuanglu_common.clock import SystemClock
from shuanglu_media_ingest.domain.imports import ImportState, SourceFile
from shuanglu_media_ingest.errors import HashingTakesLong, UploadNotFound
from shuanglu_media_ingest.uploads.door import Limits, UploadDoor
from shuanglu_media_ingest.uploads.hashing import Hasher
from shuanglu_media_ingest.uploads.spool import Spool, Upload, Writer
from shuanglu_media_ingest.uploads.tus_errors import DiskFull

MIB = 1 << 20
TUS = {"Tus-Resumable": "1.0.0"}
BODY = {**TUS, "Content-Type": "application/offset+octet-stream"}


class TightDisk(Spool):
    """A disk with `room` bytes for data; what is written beyond is refused as a full disk refuses it."""

    room = 1 << 40

    def free_bytes(self) -> int:
        return self.room - self.used_bytes()

    def writer(self, upload: Upload) -> Writer:
        return TightWriter(self, upload)


class TightWriter(Writer):
    def write(self, data: bytes | bytearray) -> None:
        assert isinstance(self._spool, TightDisk)
        if len(data) > self._spool.free_bytes():
            super().write(data[: self._spool.free_bytes()])
            self.drop()
            raise DiskFull
        super().write(data)


def client_of(spool: Spool, **limits: int) -> httpx.AsyncClient:
    allowed = Limits(LIMITS.max_upload_bytes, LIMITS.max_uploads, LIMITS.expiry_s, **limits)
    door = UploadDoor(spool, allowed, SystemClock(), Hasher(spool))
    return httpx.AsyncClient(transport=httpx.ASGITransport(Trusting(door.app())), base_url="http://door")


async def create(client: httpx.AsyncClient, length: int) -> httpx.Response:
    return await client.post("/files/", headers={**TUS, "Upload-Length": str(length)})


async def in_pieces(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), MIB):
        yield data[at : at + MIB]


def reason_of(answer: httpx.Response) -> str:
    return str(answer.json()["details"][0]["reason"])


async def test_a_new_upload_must_leave_the_disk_some_room(tmp_path: Path) -> None:
    spool = TightDisk(tmp_path)
    spool.room = 10 * MIB
    async with client_of(spool, min_free_bytes=4 * MIB) as client:
        assert (await create(client, 6 * MIB)).status_code == 201
        refused = await create(client, 6 * MIB + 1)
    assert (refused.status_code, reason_of(refused)) == (507, "SPOOL_FULL")
    assert int(refused.headers["Retry-After"]) > 0
    assert len(list(tmp_path.glob("*/*.json"))) == 1


async def test_a_tenant_has_its_part_of_the_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    async with client_of(spool, quota_bytes=2 * MIB) as client:
        first = await create(client, MIB)
        await client.patch(first.headers["Location"], headers={**BODY, "Upload-Offset": "0"}, content=bytes(MIB))
        refused = await create(client, MIB + 1)
        assert (refused.status_code, reason_of(refused)) == (507, "SPOOL_QUOTA_FULL")
        other = {**TUS, "Upload-Length": str(MIB + 1), "Authorization": "bank-b app bank_app"}
        assert (await client.post("/files/", headers=other)).status_code == 201
        await client.delete(first.headers["Location"], headers=TUS)
        assert (await create(client, MIB + 1)).status_code == 201


async def test_a_disk_that_fills_up_in_the_middle_keeps_what_counts_and_goes_on_later(tmp_path: Path) -> None:
    spool, data = TightDisk(tmp_path), bytes(range(256)) * (40 << 10)
    async with client_of(spool) as client:
        url = (await create(client, len(data))).headers["Location"]
        spool.room = 6 * MIB
        full = await client.patch(url, headers={**BODY, "Upload-Offset": "0"}, content=in_pieces(data))
        assert (full.status_code, reason_of(full)) == (507, "SPOOL_FULL")
        stands = int((await client.head(url, headers=TUS)).headers["Upload-Offset"])
        assert 0 < stands <= 6 * MIB
        # Bytes that do not count take no room.
        assert spool.used_bytes() == stands
        spool.room = 1 << 40
        rest = await client.patch(url, headers={**BODY, "Upload-Offset": str(stands)}, content=data[stands:])
        assert (rest.status_code, rest.headers["Upload-Offset"]) == (204, str(len(data)))
    (stored,) = tmp_path.glob("*/*.data")
    assert stored.read_bytes() == data


async def test_a_record_that_finds_no_room_leaves_the_old_one_and_no_leftover(tmp_path: Path) -> None:
    """On a real file system of one megabyte would be better; the limit on a file's size is what needs no privileges."""
    spool = Spool(tmp_path)
    upload = Upload("a" * 32, TENANT, "app", 100, 0, 1)
    spool.create(upload)
    before = (tmp_path / TENANT / f"{upload.upload_id}.json").read_bytes()
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, hard))
        with pytest.raises(DiskFull):
            spool.save(upload)
        writer = spool.writer(upload)
        with pytest.raises(DiskFull):
            writer.write(bytes(100))
        writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert (tmp_path / TENANT / f"{upload.upload_id}.json").read_bytes() == before
    assert list(tmp_path.glob("*/*.tmp")) == []
    assert spool.data_path(upload).stat().st_size == 0


async def test_an_upload_is_hashed_once_when_it_is_whole(tmp_path: Path) -> None:
    spool, data = Spool(tmp_path), b"recording" * 1000
    async with client_of(spool) as client:
        url = (await create(client, len(data))).headers["Location"]
        await client.patch(url, headers={**BODY, "Upload-Offset": "0"}, content=data)
        upload = spool.find(TENANT, url.rpartition("/")[2])
        async with asyncio.timeout(5):
            while not spool.sha256(upload):  # noqa: ASYNC110 - it is on a disk
                await asyncio.sleep(0.01)
        assert spool.sha256(upload) == hashlib.sha256(data).hexdigest()
        await client.delete(url, headers=TUS)
    assert list(tmp_path.glob("*/*")) == []


async def test_a_hash_that_takes_long_is_told_and_goes_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    upload, hasher = bench.upload(b"x" * MIB), Hasher(bench.spool)
    with pytest.raises(HashingTakesLong) as told:
        await hasher.sha256(upload, 0)
    assert told.value.retryable
    assert await hasher.sha256(upload, 5) == hashlib.sha256(b"x" * MIB).hexdigest()


async def test_an_upload_that_goes_away_while_it_is_hashed_is_not_found(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    upload = bench.upload(b"x")
    bench.spool.delete(upload)
    with pytest.raises(UploadNotFound):
        await Hasher(bench.spool).sha256(upload, 5)
    assert list(tmp_path.glob("*/*")) == []


async def test_what_a_crash_left_held_is_let_go_and_what_is_needed_stays(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    uploads = {state: bench.upload(state.encode()) for state in (*ImportState, "unknown")}
    for state, upload in uploads.items():
        if state in set(ImportState):
            record = bench.accepted(SourceFile(upload.upload_id, ()))
            bench.records.records[(TENANT, record.import_id)] = replace(record, state=ImportState(state))
        else:
            bench.spool.save(replace(upload, held_by="nobody"))
    clock: FixedClock = bench.clock
    await bench.uploads.tidy(bench.records)
    left = {upload.upload_id: upload for upload in bench.spool.uploads()}
    assert uploads["STORED"].upload_id not in left
    for state in ("FAILED", "CANCELLED", "unknown"):
        assert left[uploads[state].upload_id].held_by == ""
    for state in ("ACCEPTED", "STORING"):
        kept = left[uploads[state].upload_id]
        assert kept.held_by
        assert kept.expires_at_us > clock.now + 3600 * 1_000_000
