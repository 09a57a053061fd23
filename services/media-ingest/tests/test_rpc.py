import base64
import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Media
from ingest_bench import Bench, request_of
from ingest_fakes import TENANT, calling_as
from ingest_media import KEY_EVERY_SECOND, Recipe
from PIL import Image

from shuanglu.common.v1.types_pb2 import Participant, ParticipantRole
from shuanglu.media.v1.import_service_pb2 import GetImportRequest, ImportRecordingRequest, ImportState
from shuanglu.media.v1.media_events_pb2 import ImportRequested
from shuanglu.media.v1.track_pb2 import TimelineNode
from shuanglu_common.access import Role
from shuanglu_common.auth import SessionHidden
from shuanglu_common.errors import ShuangluError
from shuanglu_media_ingest import errors
from shuanglu_media_ingest.uploads.spool import Upload

RECORDING = Recipe("libx264", "aac", options=KEY_EVERY_SECOND)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def recording(media: Media) -> bytes:
    return media("rpc.mp4", RECORDING).read_bytes()


def photo(kind: str = "JPEG", size: tuple[int, int] = (300, 400)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (90, 120, 150)).save(buffer, kind)
    return buffer.getvalue()


async def ask(bench: Bench, request: ImportRecordingRequest, **who: Any) -> Any:
    with calling_as(**who):
        return getattr(await bench.rpc.ImportRecording(request, None), "import")


def spooled(bench: Bench) -> dict[Path, bytes]:
    """The spool without hashes, which are kept beside uploads and go with them."""
    return {path: path.read_bytes() for path in bench.folder.glob("*/*") if path.suffix != ".sha256"}


async def refused(
    bench: Bench, request: ImportRecordingRequest, error: type[ShuangluError], **who: Any
) -> ShuangluError:
    """The request is refused and nothing is left: no record, no event, no object, no held upload."""
    before = spooled(bench)
    with pytest.raises(error) as caught:
        await ask(bench, request, **who)
    assert bench.records.records == {}
    assert bench.records.outbox == []
    assert bench.store.objects == {}
    assert spooled(bench) == before
    assert caught.value.help
    return caught.value


async def test_an_import_is_accepted_and_asked_for(bench: Bench, recording: bytes):
    uploads = [bench.upload(recording), bench.upload(recording + b"\0" * 8)]
    id_photo = bench.upload(photo())
    found = await ask(bench, request_of(*uploads, photo=id_photo))
    assert found.state == ImportState.IMPORT_STATE_ACCEPTED
    assert found.session_id == "session-1"
    (event,) = bench.records.outbox
    assert (event.tenant, event.session_id) == (TENANT, "session-1")
    assert event.payload == ImportRequested(import_id=found.import_id)
    with calling_as():
        again = await bench.rpc.GetImport(GetImportRequest(import_id=found.import_id), None)
    assert getattr(again, "import") == found


async def test_its_uploads_are_held(bench: Bench, recording: bytes):
    upload = bench.upload(recording)
    found = await ask(bench, request_of(upload))
    held = bench.spool.find(TENANT, upload.upload_id)
    assert held.held_by == found.import_id
    assert held.expires_at_us > upload.expires_at_us


async def test_the_same_call_again_returns_the_same_import_even_when_the_session_has_moved_on(
    bench: Bench, recording: bytes
):
    request = request_of(bench.upload(recording))
    first = await ask(bench, request)
    bench.sessions.state = "RECORDING"
    assert await ask(bench, request) == first
    assert len(bench.records.outbox) == 1


async def test_an_upload_must_be_what_its_client_announced(bench: Bench, recording: bytes):
    def announced(data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest().upper()
        return f"filename YQ==,sha256 {base64.b64encode(digest.encode()).decode()}"

    damaged = bench.upload(recording, metadata=announced(recording + b"more"))
    await refused(bench, request_of(damaged), errors.UploadDiffers)
    whole = bench.upload(recording, metadata=announced(recording))
    assert await ask(bench, request_of(whole))


async def test_a_role_alone_names_a_participant(bench: Bench, recording: bytes):
    request = request_of(bench.upload(recording))
    request.files[0].participants[0].participant_id = ""
    await ask(bench, request)
    (record,) = bench.records.records.values()
    assert record.plan.files[0].people[0].participant_id == "customer"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"Just some text\n" * 99, errors.NotARecording),
        (b"", errors.EmptyFile),
        (b"\0\0\0\x20ftypisom" + bytes(200), errors.MoovMissing),
    ],
)
async def test_what_is_no_recording_is_refused_at_once(bench: Bench, data: bytes, error: type[ShuangluError]):
    await refused(bench, request_of(bench.upload(data)), error)


async def test_unknown_foreign_partial_and_expired_uploads_are_not_found(bench: Bench, recording: bytes):
    upload = bench.upload(recording)
    unknown = request_of(replace(upload, upload_id="0" * 32))
    foreign = request_of(bench.upload(recording, tenant="bank-b"))
    await refused(bench, unknown, errors.UploadNotFound)
    await refused(bench, foreign, errors.UploadNotFound)
    await refused(bench, request_of(replace(upload, upload_id="../../etc/passwd")), errors.UploadNotFound)
    part = replace(upload, upload_id="1" * 32, partial=True, offset=0, length=0)
    bench.spool.create(part)
    await refused(bench, request_of(part), errors.UploadNotFound)
    bench.clock.now = upload.expires_at_us
    await refused(bench, request_of(upload), errors.UploadNotFound)


async def test_an_unfinished_upload_is_refused(bench: Bench, recording: bytes):
    await refused(bench, request_of(bench.upload(recording, missing=1)), errors.UploadIncomplete)


async def test_a_session_that_does_not_exist_is_refused(bench: Bench, recording: bytes):
    await refused(bench, request_of(bench.upload(recording), session_id="other"), errors.SessionNotFound)


@pytest.mark.parametrize("state", ["RECORDING", "INSPECTING", "REPORTED"])
async def test_a_session_with_a_recording_is_refused(bench: Bench, recording: bytes, state: str):
    bench.sessions.state = state
    await refused(bench, request_of(bench.upload(recording)), errors.SessionNotOpen)


async def test_a_second_import_of_a_session_is_refused_and_its_uploads_stay_free(bench: Bench, recording: bytes):
    await ask(bench, request_of(bench.upload(recording)))
    other = bench.upload(recording + b"\0" * 8)
    with pytest.raises(errors.SessionNotOpen):
        await ask(bench, request_of(other))
    assert bench.spool.find(TENANT, other.upload_id) == other


def stranger(request: ImportRecordingRequest) -> None:
    witness = Participant(participant_id="w", role=ParticipantRole.PARTICIPANT_ROLE_WITNESS)
    request.files[0].participants.append(witness)


def nobody(request: ImportRecordingRequest) -> None:
    del request.files[0].participants[:]


def unknown_role(request: ImportRecordingRequest) -> None:
    request.files[0].participants[0].role = 99


@pytest.mark.parametrize("spoil", [stranger, nobody, unknown_role])
async def test_wrong_people_are_refused(
    bench: Bench, recording: bytes, spoil: Callable[[ImportRecordingRequest], None]
):
    request = request_of(bench.upload(recording))
    spoil(request)
    await refused(bench, request, errors.FileRolesInvalid)


async def test_no_files_are_refused(bench: Bench):
    await refused(bench, request_of(), errors.FilesInvalid)


@pytest.mark.parametrize("node", [TimelineNode(node_id="a", start_ms=5, end_ms=5), TimelineNode(start_ms=0, end_ms=5)])
async def test_a_timeline_that_contradicts_itself_is_refused(bench: Bench, recording: bytes, node: TimelineNode):
    request = request_of(bench.upload(recording))
    request.timeline.append(node)
    await refused(bench, request, errors.TimelineInvalid)


async def test_a_timeline_behind_the_recording_is_refused(bench: Bench, recording: bytes):
    request = request_of(bench.upload(recording))
    request.timeline.append(TimelineNode(node_id="a", start_ms=0, end_ms=6500))
    await refused(bench, request, errors.TimelineInvalid)
    request.files[0].offset_ms = 1000
    assert (await ask(bench, request)).state == ImportState.IMPORT_STATE_ACCEPTED


def large_png() -> bytes:
    return photo("PNG", (7000, 6000))


@pytest.mark.parametrize(
    "data",
    [
        b"not a picture",
        b"",
        photo("GIF"),
        photo(size=(32, 32)),
        photo()[:300],
        photo("PNG")[:-30],
        b"\xff\xd8\xff" + bytes(11 << 20),
        large_png(),
    ],
    ids=["text", "empty", "gif", "tiny", "cut jpeg", "cut png", "11 MiB", "42 megapixels"],
)
async def test_a_photo_that_cannot_be_used_is_refused(bench: Bench, recording: bytes, data: bytes):
    await refused(bench, request_of(bench.upload(recording), photo=bench.upload(data)), errors.IdPhotoInvalid)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
async def test_jpeg_and_png_are_photos(bench: Bench, recording: bytes, kind: str):
    found = await ask(bench, request_of(bench.upload(recording), photo=bench.upload(photo(kind))))
    assert found.state == ImportState.IMPORT_STATE_ACCEPTED


async def test_a_token_of_another_session_opens_nothing(bench: Bench, recording: bytes):
    request = request_of(bench.upload(recording))
    with pytest.raises(SessionHidden):
        await ask(bench, request, session_id="other")
    found = await ask(bench, request, session_id="session-1")
    with calling_as(session_id="other"), pytest.raises(errors.ImportNotFound):
        await bench.rpc.GetImport(GetImportRequest(import_id=found.import_id), None)


async def test_somebody_elses_upload_does_not_exist(bench: Bench, recording: bytes):
    request = request_of(bench.upload(recording))
    with pytest.raises(errors.UploadNotFound):
        await ask(bench, request, subject="somebody")
    assert await ask(bench, request, subject="somebody", role=Role.ADMIN)


async def test_another_tenants_import_does_not_exist(bench: Bench, recording: bytes):
    found = await ask(bench, request_of(bench.upload(recording)))
    with calling_as(tenant="bank-b"), pytest.raises(errors.ImportNotFound):
        await bench.rpc.GetImport(GetImportRequest(import_id=found.import_id), None)


async def test_a_database_that_is_away_leaves_the_hold_because_the_row_may_be_there(bench: Bench, recording: bytes):
    from shuanglu_common.errors import DependencyError

    async def away(*_: object) -> None:
        raise DependencyError

    bench.records.create = away  # type: ignore[assignment,method-assign]
    upload: Upload = bench.upload(recording)
    with pytest.raises(DependencyError):
        await ask(bench, request_of(upload))
    assert bench.spool.find(TENANT, upload.upload_id).held_by
