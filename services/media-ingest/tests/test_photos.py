"""The ID photo of a session that is recorded live."""

import io
from pathlib import Path

import pytest
from ingest_bench import Bench
from ingest_fakes import TENANT
from PIL import Image

from shuanglu_common.access import Role
from shuanglu_common.auth import Principal
from shuanglu_common.errors import ShuangluError
from shuanglu_media_ingest import errors
from shuanglu_media_ingest.recordings.photos import Photos

APP = Principal(TENANT, "app", frozenset({Role.BANK_APP}))


def jpeg(shade: int = 90) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (300, 400), (shade, 120, 150)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def photos(bench: Bench) -> Photos:
    return Photos(bench.sessions, bench.spool, bench.uploads, bench.reader, bench.sealed)


async def test_a_photo_is_sealed_where_the_recorder_looks_and_the_newest_counts(bench: Bench, photos: Photos):
    for shade in (90, 30):
        upload = bench.upload(jpeg(shade))
        await photos.attach(APP, "session-1", upload.upload_id)
        assert await bench.sealed.read(TENANT, "session-1", "id-photo") == jpeg(shade)
        with pytest.raises(errors.UploadNotFound):
            await bench.uploads.find(TENANT, upload.upload_id)
    assert list(bench.store.objects) == [f"{TENANT}/session-1/sealed/id-photo"]
    assert jpeg(30) not in bench.store.objects.values()


@pytest.mark.parametrize(
    ("data", "principal", "state", "error"),
    [
        (b"no picture", APP, "CREATED", errors.IdPhotoInvalid),
        (jpeg(), APP, "INSPECTING", errors.IdPhotoTooLate),
        (jpeg(), APP, "REPORTED", errors.IdPhotoTooLate),
        (jpeg(), Principal(TENANT, "another", frozenset({Role.AGENT})), "CREATED", errors.UploadNotFound),
        (jpeg(), Principal("bank-b", "app", frozenset({Role.BANK_APP})), "CREATED", errors.UploadNotFound),
    ],
)
async def test_what_is_refused_leaves_nothing_and_keeps_the_upload(
    bench: Bench, photos: Photos, data: bytes, principal: Principal, state: str, error: type[ShuangluError]
):
    upload = bench.upload(data)
    bench.sessions.state = state
    with pytest.raises(error):
        await photos.attach(principal, "session-1", upload.upload_id)
    assert bench.store.objects == {}
    assert await bench.uploads.find(TENANT, upload.upload_id) == upload


async def test_an_upload_that_is_not_there_is_told(photos: Photos):
    with pytest.raises(errors.UploadNotFound):
        await photos.attach(APP, "session-1", "f" * 32)
