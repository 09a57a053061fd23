"""Many recordings at once: a manifest that is interrupted, cancel and retry, shares of tenants, small before large.

The stack of these tests has no model workers: an import ends when everything is stored and told.
"""

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import boto3
import nats
import pytest
import sqlalchemy as sa
from botocore.config import Config
from nats.js.api import ConsumerConfig, DeliverPolicy
from sqlalchemy.ext.asyncio import create_async_engine

from shuanglu.common.v1.types_pb2 import Money
from shuanglu.media.v1 import import_service_pb2 as pb
from shuanglu.media.v1.media_events_pb2 import SegmentStored
from shuanglu.session.v1.session_pb2 import Customer, Order, SessionState
from shuanglu.session.v1.session_service_pb2 import GetSessionRequest
from shuanglu_cli.errors import CliError, Refused
from shuanglu_cli.manifest import COLUMNS
from shuanglu_cli.recording import Recording, assign_roles, open_session, read_channel
from shuanglu_cli.sending import request_of
from shuanglu_common.bus.subjects import Lane, filter_subject
from shuanglu_stack import EmbeddedStack, StackOptions
from shuanglu_stack.s3_gateway import BUCKET
from shuanglu_stack.sampling import Client, client_of

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("signaling", "media-ingest", "quality")
MANY = 50
JOBS = 3
MOST_WAITING = 50
WAIT_S = 120.0
# A manifest's journal knows an import: something was accepted.
ACCEPTED = '"import_id"'


@pytest.fixture(scope="module")
def small_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    env = {"SHUANGLU_SMALL_IMPORT_BYTES": str(4 << 20), "SHUANGLU_MAX_WAITING_SEGMENTS": str(MOST_WAITING)}
    options = StackOptions(data_dir=tmp_path_factory.mktemp("batches"), root=ROOT, services=SERVICES, env=env)
    with EmbeddedStack(options) as running:
        yield running


@pytest.fixture(scope="module")
def caller(small_stack: EmbeddedStack) -> Iterator[Client]:
    with client_of(small_stack) as client:
        yield client


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two seconds of picture and sound."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.mp4"
    picture = ("-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=2")
    sound = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=16000:duration=2")
    codecs = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-c:a", "aac", "-shortest")
    subprocess.run(["ffmpeg", "-v", "error", *picture, *sound, *codecs, str(path)], check=True, timeout=60)
    return path.read_bytes()


def write_files(folder: Path, content: bytes, count: int, *, pad: int = 0) -> list[Path]:
    """Recordings that differ in a box behind the media that every reader skips."""
    files = []
    for number in range(count):
        file = folder / f"双录 {number:03d}.mp4"
        body = number.to_bytes(4, "big") + bytes(pad)
        file.write_bytes(content + (len(body) + 8).to_bytes(4, "big") + b"free" + body)
        files.append(file)
    return files


def row_of(number: int, file: Path, prefix: str) -> dict[str, str]:
    return {
        "order_no": f"{prefix}-{number:04d}",
        "product": "personal_loan",
        "amount_fen": "5000000",
        "purpose": "consumption",
        "term_months": "12",
        "customer_no": f"C-{number:04d}",
        "customer_name": "张三",
        "customer_id_number": "999999199001010016",
        "channel": "COUNTER",
        "file_1": file.name,
        "roles_1": "CUSTOMER+AGENT",
    }


def write_manifest(folder: Path, files: list[Path], prefix: str) -> Path:
    path = folder / "list.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(row_of(number, each, prefix) for number, each in enumerate(files))
    return path


def recording_of(number: int, file: Path, prefix: str) -> Recording:
    row = row_of(number, file, prefix)
    order = Order(
        order_no=row["order_no"],
        product=row["product"],
        amount=Money(amount_fen=5_000_000, currency="CNY"),
        purpose=row["purpose"],
        term_months=12,
        customer=Customer(customer_no=row["customer_no"], name="张三", id_number=row["customer_id_number"]),
    )
    return Recording(files=assign_roles([str(file)]), order=order, channel=read_channel("COUNTER"))


def command(stack: EmbeddedStack, *arguments: str) -> subprocess.Popen[str]:
    env = {
        **os.environ,
        "SHUANGLU_GATEWAY": stack.gateway_url,
        "SHUANGLU_TOKEN": stack.token(),
        "SHUANGLU_CA": str(stack.ca),
    }
    argv = [sys.executable, "-m", "shuanglu_cli", "import", *arguments]
    # A shell in the background has its children ignore SIGINT, and who runs the tests may be one.
    heeding = ["env", "--default-signal=INT", *argv]
    return subprocess.Popen(heeding, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def prepared(client: Client, recording: Recording) -> pb.ImportRecordingRequest:
    """Order, session and uploads are there; only the import is missing."""
    session = open_session(client.gateway, recording)
    uploads = [client.door.upload(file) for file, _ in recording.files]
    return request_of(recording, session.session_id, uploads)


def batch_of(client: Client, batch_id: str) -> pb.GetImportBatchResponse:
    request = pb.GetImportBatchRequest(batch_id=batch_id, page_size=500)
    answer: pb.GetImportBatchResponse = client.gateway.call(client.gateway.imports.GetImportBatch, request)
    return answer


def counts(batch: pb.ImportBatch) -> dict[str, int]:
    return {pb.ImportState.Name(each.state).removeprefix("IMPORT_STATE_"): each.count for each in batch.counts}


def until(client: Client, batch_id: str, wanted: dict[str, int]) -> pb.GetImportBatchResponse:
    deadline = time.monotonic() + WAIT_S
    while True:
        found = batch_of(client, batch_id)
        if counts(found.batch) == wanted:
            return found
        assert time.monotonic() < deadline, counts(found.batch)
        time.sleep(0.2)


def rows(stack: EmbeddedStack, query: str) -> list[sa.Row[tuple[object, ...]]]:
    """What PostgreSQL itself says."""

    async def ask() -> list[sa.Row[tuple[object, ...]]]:
        engine = create_async_engine(stack.service_environment["SHUANGLU_DATABASE_URL"])
        try:
            async with engine.connect() as connection:
                return list((await connection.execute(sa.text(query))).all())
        finally:
            await engine.dispose()

    return asyncio.run(ask())


def objects_of(stack: EmbeddedStack, session_id: str) -> list[str]:
    client = boto3.client(
        "s3",
        endpoint_url=stack.service_environment["SHUANGLU_S3_ENDPOINT"],
        aws_access_key_id=stack.keys.s3_access_key,
        aws_secret_access_key=stack.keys.s3_secret_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )
    listed = client.list_objects_v2(Bucket=BUCKET, Prefix=f"demo/{session_id}/")
    return [one["Key"] for one in listed.get("Contents", [])]


def wait_for_session(client: Client, session_id: str, state: SessionState.ValueType) -> None:
    deadline = time.monotonic() + WAIT_S
    request = GetSessionRequest(session_id=session_id)
    while client.gateway.call(client.gateway.sessions.GetSession, request).session.state != state:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_fifty_recordings_interrupted_twice_are_imported_once_each(
    small_stack: EmbeddedStack, tiny: bytes, tmp_path: Path
) -> None:
    manifest = write_manifest(tmp_path, write_files(tmp_path, tiny, MANY), "MANY")
    journal = manifest.with_name("list.csv.journal")
    for interruption, part in ((signal.SIGINT, 5), (signal.SIGKILL, 20)):
        running = command(small_stack, "--manifest", str(manifest), "--jobs", str(JOBS))
        deadline = time.monotonic() + WAIT_S
        while not journal.exists() or journal.read_text().count(ACCEPTED) < part:
            assert running.poll() is None, running.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        running.send_signal(interruption)
        _, errors = running.communicate(timeout=60)
        assert running.returncode == (130 if interruption == signal.SIGINT else -signal.SIGKILL), errors
        assert ACCEPTED in journal.read_text()
        assert journal.read_text().count(ACCEPTED) < MANY
    result = tmp_path / "result.json"
    ended = command(small_stack, "--manifest", str(manifest), "--result", str(result))
    _, errors = ended.communicate(timeout=WAIT_S)
    assert ended.returncode == 0, errors
    told = json.loads(result.read_text())
    assert told["counts"] == {"STORED": MANY}
    assert len({each["session_id"] for each in told["recordings"]}) == MANY
    found = rows(small_stack, "select session_id, state from media_ingest.imports where tenant = 'demo'")
    assert sorted(row.state for row in found) == ["STORED"] * MANY
    sessions = rows(small_stack, "select session_id from signaling.sessions where tenant = 'demo'")
    assert {row.session_id for row in sessions} == {row.session_id for row in found}
    # What is left of uploads that the kill cut off is held by nobody and expires: one for each that was under way.
    left = [json.loads(path.read_text()) for path in (small_stack.data_dir / "spool").glob("*/*.json")]
    assert [upload["held_by"] for upload in left if upload["held_by"]] == []
    assert len(left) <= JOBS


def test_without_its_journal_a_manifest_imports_nothing_again(
    small_stack: EmbeddedStack, tiny: bytes, tmp_path: Path
) -> None:
    manifest = write_manifest(tmp_path, write_files(tmp_path, tiny, 3), "AGAIN")
    for _ in range(2):
        ended = command(small_stack, "--manifest", str(manifest), "--json")
        output, errors = ended.communicate(timeout=WAIT_S)
        assert ended.returncode == 0, errors
        assert {each["state"] for each in json.loads(output)["recordings"]} <= {"STORED", "REPORTED"}
        manifest.with_name("list.csv.journal").unlink()
    found = rows(
        small_stack,
        "select i.import_id from media_ingest.imports i join signaling.sessions s using (tenant, session_id) "
        "join signaling.orders o on o.order_id = s.order_id where o.order_no like 'AGAIN-%'",
    )
    assert len(found) == 3


def test_the_same_recording_in_another_session_of_the_order_is_the_import_that_is_there(
    caller: Client, tiny: bytes, tmp_path: Path
) -> None:
    (file,) = write_files(tmp_path, tiny, 1)
    recording = recording_of(1, file, "TWICE")
    imports = caller.gateway.imports
    first = caller.gateway.call(imports.ImportRecording, prepared(caller, recording))
    second_request = prepared(caller, recording)
    second = caller.gateway.call(imports.ImportRecording, second_request)
    assert getattr(second, "import").import_id == getattr(first, "import").import_id
    assert second.duplicate_of == getattr(first, "import").session_id != second_request.session_id
    other_order = caller.gateway.call(imports.ImportRecording, prepared(caller, recording_of(2, file, "TWICE")))
    assert not other_order.duplicate_of


def test_one_bad_item_refuses_itself_alone_and_repeats_change_nothing(
    caller: Client, tiny: bytes, tmp_path: Path
) -> None:
    files = write_files(tmp_path, tiny, 2)
    items = [prepared(caller, recording_of(number, file, "MIXED")) for number, file in enumerate(files)]
    bad = pb.ImportRecordingRequest()
    bad.CopyFrom(items[0])
    bad.files[0].upload_id = "0" * 32
    request = pb.ImportBatchRequest(batch_id="mixed", items=[items[0], bad, items[1]])
    for _ in range(2):
        answer = caller.gateway.call(caller.gateway.imports.ImportBatch, request)
        assert [each.refusal.reason for each in answer.results] == ["", "UPLOAD_NOT_FOUND", ""]
        assert answer.results[1].refusal.help
        assert sum(counts(answer.batch).values()) == 2
    done = until(caller, "mixed", {"STORED": 2})
    assert done.batch.stored_upload_bytes == done.batch.upload_bytes == sum(file.stat().st_size for file in files)
    listed = caller.gateway.call(caller.gateway.imports.ListImportBatches, pb.ListImportBatchesRequest())
    assert "mixed" in [batch.batch_id for batch in listed.batches]


def test_pages_of_a_batch_show_each_import_once(caller: Client, tiny: bytes, tmp_path: Path) -> None:
    files = write_files(tmp_path, tiny, 5)
    items = [prepared(caller, recording_of(number, file, "PAGES")) for number, file in enumerate(files)]
    caller.gateway.call(caller.gateway.imports.ImportBatch, pb.ImportBatchRequest(batch_id="pages", items=items))
    seen: list[str] = []
    request = pb.GetImportBatchRequest(batch_id="pages", page_size=2)
    while True:
        page = caller.gateway.call(caller.gateway.imports.GetImportBatch, request)
        seen += [each.session_id for each in page.imports]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert seen == [item.session_id for item in items]
    request.page_token = "AAAA"
    with pytest.raises(Refused) as refused:
        caller.gateway.call(caller.gateway.imports.GetImportBatch, request)
    assert refused.value.reason == "PAGE_INVALID"


def test_another_tenants_batch_does_not_exist(small_stack: EmbeddedStack, caller: Client, tiny: bytes, tmp_path: Path):
    (file,) = write_files(tmp_path, tiny, 1)
    items = [prepared(caller, recording_of(1, file, "HIDDEN"))]
    caller.gateway.call(caller.gateway.imports.ImportBatch, pb.ImportBatchRequest(batch_id="hidden", items=items))
    with client_of(small_stack, small_stack.token(tenant="other-bank")) as other:
        imports = other.gateway.imports
        for method, request in (
            (imports.GetImportBatch, pb.GetImportBatchRequest(batch_id="hidden")),
            (imports.CancelImportBatch, pb.CancelImportBatchRequest(batch_id="hidden")),
            (imports.RetryImportBatch, pb.RetryImportBatchRequest(batch_id="hidden")),
        ):
            with pytest.raises(Refused) as refused:
                other.gateway.call(method, request)
            assert refused.value.reason == "BATCH_NOT_FOUND"
        assert not other.gateway.call(imports.ListImportBatches, pb.ListImportBatchesRequest()).batches


def test_a_cancelled_batch_leaves_nothing_and_can_be_retried(
    small_stack: EmbeddedStack, caller: Client, tiny: bytes, tmp_path: Path
) -> None:
    """Some wait, some may be in work: all end CANCELLED, their sessions open; retried, all are stored."""
    files = write_files(tmp_path, tiny, 12)
    items = [prepared(caller, recording_of(number, file, "STOP")) for number, file in enumerate(files)]
    imports = caller.gateway.imports
    caller.gateway.call(imports.ImportBatch, pb.ImportBatchRequest(batch_id="stop", items=items))
    caller.gateway.call(imports.CancelImportBatch, pb.CancelImportBatchRequest(batch_id="stop"))
    deadline = time.monotonic() + WAIT_S
    while set(counts(batch_of(caller, "stop").batch)) - {"CANCELLED", "STORED"}:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    cancelled = [
        each for each in batch_of(caller, "stop").imports if each.state == pb.ImportState.IMPORT_STATE_CANCELLED
    ]
    assert cancelled
    for each in cancelled:
        assert objects_of(small_stack, each.session_id) == []
    wait_for_session(caller, cancelled[0].session_id, SessionState.SESSION_STATE_FAILED)
    answer = caller.gateway.call(imports.RetryImportBatch, pb.RetryImportBatchRequest(batch_id="stop"))
    assert (answer.retried, list(answer.refusals)) == (len(cancelled), [])
    until(caller, "stop", {"STORED": len(files)})
    wait_for_session(caller, cancelled[0].session_id, SessionState.SESSION_STATE_INSPECTING)


def test_an_import_in_work_is_cancelled_in_the_middle(
    small_stack: EmbeddedStack, caller: Client, tmp_path: Path
) -> None:
    """A codec that has to be encoded anew keeps a worker busy for a while."""
    file = tmp_path / "long.avi"
    picture = ("-f", "lavfi", "-i", "testsrc=size=640x480:rate=25:duration=120", "-c:v", "mpeg4", "-q:v", "10")
    subprocess.run(["ffmpeg", "-v", "error", *picture, str(file)], check=True, timeout=60)
    imports = caller.gateway.imports
    accepted = caller.gateway.call(imports.ImportRecording, prepared(caller, recording_of(1, file, "MIDDLE")))
    import_id = getattr(accepted, "import").import_id
    request = pb.GetImportRequest(import_id=import_id)

    def state() -> pb.Import:
        return getattr(caller.gateway.call(imports.GetImport, request), "import")

    deadline = time.monotonic() + WAIT_S
    while (seen := state()).state != pb.ImportState.IMPORT_STATE_STORING:
        assert seen.state == pb.ImportState.IMPORT_STATE_ACCEPTED, seen
        assert time.monotonic() < deadline, seen
    caller.gateway.call(imports.CancelImport, pb.CancelImportRequest(import_id=import_id))
    while (seen := state()).state != pb.ImportState.IMPORT_STATE_CANCELLED:
        assert seen.state == pb.ImportState.IMPORT_STATE_STORING, seen
        assert time.monotonic() < deadline, seen
        time.sleep(0.1)
    assert objects_of(small_stack, state().session_id) == []


def test_what_a_killed_worker_had_in_hand_is_taken_up_again(
    small_stack: EmbeddedStack, caller: Client, tiny: bytes, tmp_path: Path
) -> None:
    files = write_files(tmp_path, tiny, 6, pad=1 << 20)
    items = [prepared(caller, recording_of(number, file, "KILLED")) for number, file in enumerate(files)]
    imports = caller.gateway.imports
    caller.gateway.call(imports.ImportBatch, pb.ImportBatchRequest(batch_id="killed", items=items))
    small_stack.kill_service("media-ingest")
    deadline = time.monotonic() + WAIT_S
    found, seen = pb.GetImportBatchResponse(), ""
    while counts(found.batch) != {"STORED": len(files)}:
        assert time.monotonic() < deadline, seen
        time.sleep(0.5)
        try:
            found = batch_of(caller, "killed")
            seen = str(counts(found.batch))
        except CliError as error:
            seen = f"{error.what}: {error.why}"
    assert all(each.attempts <= 2 for each in found.imports)


def test_a_tenant_with_few_imports_does_not_wait_behind_one_with_many(
    small_stack: EmbeddedStack, caller: Client, tiny: bytes, tmp_path: Path
) -> None:
    files = write_files(tmp_path, tiny, 40, pad=100_000)
    flood = [prepared(caller, recording_of(number, file, "FLOOD")) for number, file in enumerate(files)]
    with client_of(small_stack, small_stack.token(tenant="small-bank")) as other:
        few = [prepared(other, recording_of(number, file, "FEW")) for number, file in enumerate(files[:3])]
        caller.gateway.call(caller.gateway.imports.ImportBatch, pb.ImportBatchRequest(batch_id="flood", items=flood))
        other.gateway.call(other.gateway.imports.ImportBatch, pb.ImportBatchRequest(batch_id="few", items=few))
        until(other, "few", {"STORED": 3})
        left = counts(batch_of(caller, "flood").batch)
    # They came last and went between the others: in turns, not after the flood.
    assert left.get("ACCEPTED", 0) >= len(files) / 2, left
    until(caller, "flood", {"STORED": len(files)})


def test_small_imports_pass_large_ones(caller: Client, tiny: bytes, tmp_path: Path) -> None:
    (tmp_path / "large").mkdir()
    large = write_files(tmp_path / "large", tiny, 3, pad=48 << 20)
    small = write_files(tmp_path, tiny, 5)
    first = [prepared(caller, recording_of(number, file, "LARGE")) for number, file in enumerate(large)]
    then = [prepared(caller, recording_of(number, file, "SMALL")) for number, file in enumerate(small)]
    imports = caller.gateway.imports
    caller.gateway.call(imports.ImportBatch, pb.ImportBatchRequest(batch_id="large", items=first))
    caller.gateway.call(imports.ImportBatch, pb.ImportBatchRequest(batch_id="small", items=then))
    until(caller, "small", {"STORED": len(small)})
    assert counts(batch_of(caller, "large").batch).get("STORED", 0) < len(large)
    caller.gateway.call(imports.CancelImportBatch, pb.CancelImportBatchRequest(batch_id="large"))


async def as_face_check(stack: EmbeddedStack, import_is_held_up: asyncio.Event, go_on: asyncio.Event) -> list[int]:
    """A worker that first stands still, then does its work; how much waited at each look."""
    client = await nats.connect(stack.nats_url)
    jetstream = client.jetstream()
    filters, name = [filter_subject(SegmentStored, Lane.OFFLINE)], "face-check-offline"
    config = ConsumerConfig(durable_name=name, filter_subjects=filters, deliver_policy=DeliverPolicy.NEW)
    await jetstream.add_consumer("MEDIA", config)
    seen: list[int] = []
    try:
        while len(seen) < 5 or len(set(seen[-5:])) > 1 or not seen[-1]:
            await asyncio.sleep(1)
            seen.append((await jetstream.consumer_info("MEDIA", "face-check-offline")).num_pending or 0)
        import_is_held_up.set()
        subscription = await jetstream.pull_subscribe_bind(consumer="face-check-offline", stream="MEDIA")
        while not go_on.is_set():
            with suppress(TimeoutError):
                for message in await subscription.fetch(10, timeout=1):
                    await message.ack()
    finally:
        await jetstream.delete_consumer("MEDIA", "face-check-offline")
        await client.close()
    return seen


def test_an_import_waits_for_workers_that_are_behind_and_goes_on_with_them(
    small_stack: EmbeddedStack, caller: Client, tmp_path: Path
) -> None:
    """Two minutes are 120 segments of picture and sound, twice what may wait here."""
    file = tmp_path / "long.mp4"
    picture = ("-f", "lavfi", "-i", "testsrc=size=64x48:rate=5:duration=120")
    sound = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=16000:duration=120")
    codecs = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "5", "-c:a", "aac", "-shortest")
    subprocess.run(["ffmpeg", "-v", "error", *picture, *sound, *codecs, str(file)], check=True, timeout=60)
    request = prepared(caller, recording_of(1, file, "LONG"))

    async def run() -> tuple[list[int], pb.Import, pb.Import]:
        held_up, done = asyncio.Event(), asyncio.Event()
        worker = asyncio.create_task(as_face_check(small_stack, held_up, done))
        await asyncio.sleep(0.5)
        imports = caller.gateway.imports
        accepted = await asyncio.to_thread(caller.gateway.call, imports.ImportRecording, request)
        asked = pb.GetImportRequest(import_id=getattr(accepted, "import").import_id)

        async def look() -> pb.Import:
            return getattr(await asyncio.to_thread(caller.gateway.call, imports.GetImport, asked), "import")

        await asyncio.wait_for(held_up.wait(), WAIT_S)
        waiting = await look()
        async with asyncio.timeout(WAIT_S):
            while (ended := await look()).state == pb.ImportState.IMPORT_STATE_STORING:  # noqa: ASYNC110 - elsewhere
                await asyncio.sleep(0.2)
        done.set()
        return await worker, waiting, ended

    seen, waiting, ended = asyncio.run(run())
    assert waiting.state == pb.ImportState.IMPORT_STATE_STORING
    # What was on its way when the bound was reached comes on top: four segments at a time, half a second between looks.
    assert MOST_WAITING <= max(seen) < 2 * MOST_WAITING
    assert ended.state == pb.ImportState.IMPORT_STATE_STORED
    assert sum(track.segment_count for track in ended.tracks) > 2 * MOST_WAITING
