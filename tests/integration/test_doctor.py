"""`shuanglu doctor` says nothing about a healthy stack, and names each damage that is done to one."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import nats
import pytest
from nats.aio.client import Client as NatsClient
from typer.testing import CliRunner

from shuanglu.media.v1.media_events_pb2 import ImportRequested
from shuanglu.report.v1.report_pb2 import Report
from shuanglu.session.v1.session_pb2 import Order
from shuanglu_cli.__main__ import app
from shuanglu_cli.doctor import Diagnosis, Wanted, examine
from shuanglu_cli.recording import Recording, assign_roles, read_order
from shuanglu_cli.target import Target, find_target
from shuanglu_common.ailments import Code
from shuanglu_common.bus.events import NewEvent
from shuanglu_common.bus.subjects import Stream
from shuanglu_common.s3_store import S3ObjectStore
from shuanglu_common.settings import ServiceSettings
from shuanglu_common.store import REMOVED
from shuanglu_stack import EmbeddedStack, StackOptions
from shuanglu_stack.sampling import client_of

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("signaling", "media-ingest", "quality", "report")
SOON = {
    "SHUANGLU_INSPECTION_DEADLINE_BASE_S": "2",
    "SHUANGLU_INSPECTION_DEADLINE_FACTOR": "0",
    "SHUANGLU_INSPECTION_DEADLINE_CHECK_S": "0.5",
}
TENANT = "demo"
SETTLED_WITHIN_S = 60
REPORTED = 3  # recordings that come to a report
AN_HOUR_S, A_DAY_S = 3600, 86_400


@dataclass(frozen=True, slots=True)
class Small:
    """A stack without models: its recordings are judged UNSURE when their short deadline has passed."""

    stack: EmbeddedStack
    target: Target
    sessions: list[str]

    def examine(self, **wanted: Any) -> Diagnosis:
        services = frozenset(wanted.pop("services", SERVICES))
        return examine(self.target, Wanted(services=services, **wanted))

    def doctor(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """The command: exit code and document."""
        config = ["--config", str(self.stack.data_dir / "stack.json")]
        result = CliRunner().invoke(app, [*config, "doctor", *arguments, "--json"])
        return result.exit_code, json.loads(result.stdout)

    def sql(self, query: str, *values: object) -> list[Any]:
        async def run() -> list[Any]:
            connection = await asyncpg.connect(
                host="127.0.0.1",
                port=self.stack.ports["postgres"],
                user="shuanglu",
                password=self.stack.keys.postgres_password,
                database="shuanglu",
            )
            try:
                return list(await connection.fetch(query, *values))
            finally:
                await connection.close()

        return asyncio.run(run())

    def store(self) -> S3ObjectStore:
        env = {name.removeprefix("SHUANGLU_").lower(): value for name, value in self.stack.service_environment.items()}
        wanted = {name: value for name, value in env.items() if name.startswith("s3_")}
        return S3ObjectStore(ServiceSettings(**wanted))  # type: ignore[arg-type]

    def on_bus(self, work: Callable[[NatsClient], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            client = await nats.connect(self.stack.nats_url)
            try:
                return await work(client)
            finally:
                await client.close()

        return asyncio.run(run())


def recording_of(folder: Path, number: int) -> Recording:
    """Four seconds of test picture and tone; each of its own, for the same recording is imported once."""
    file = folder / f"counter-{number}.mp4"
    picture = f"testsrc=duration=4:size=320x240:rate={10 + number}"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "sine=duration=4"]
    subprocess.run([*command, "-c:v", "libx264", "-g", "20", "-c:a", "aac", str(file)], check=True, timeout=60)
    order, channel = read_order(ROOT / "samples" / "personal-loan" / "order.json")
    own = Order()
    own.CopyFrom(order)
    own.order_no = f"doctor-{number}"
    return Recording(files=assign_roles([f"{file}:CUSTOMER,AGENT"]), order=own, channel=channel)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    folder = tmp_path_factory.mktemp("doctor")
    options = StackOptions(
        data_dir=folder / "stack", root=ROOT, services=SERVICES, service_env={"quality": SOON, "report": {}}
    )
    with EmbeddedStack(options) as stack:
        with client_of(stack) as client:
            sessions = [client.send(recording_of(folder, number)).session_id for number in range(REPORTED)]
            for session_id in sessions:
                client.wait(session_id, SETTLED_WITHIN_S)
        target = find_target(config=stack.data_dir / "stack.json")
        yield Small(stack, target, sessions)


def settled(small: Small, **wanted: Any) -> Diagnosis:
    """The last acknowledgements and states follow the report within moments."""
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while True:
        found = small.examine(**wanted)
        if not found.ailments or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def test_a_healthy_stack_has_nothing_to_mend(small: Small) -> None:
    found = settled(small, deep=True, at_rest=True)
    assert found.ailments == []
    assert found.sessions == REPORTED
    assert found.objects > 10 * REPORTED
    code, document = small.doctor()
    assert (code, document["healthy"], document["ailments"]) == (0, True, [])


def test_an_inspected_session_has_nothing_to_mend(stack: EmbeddedStack, clean_report: Report) -> None:
    target = find_target(config=stack.data_dir / "stack.json")
    found = examine(target, Wanted(session_id=clean_report.session_id, deep=True))
    assert found.ailments == []
    # Transcripts, stills, ID photo and templates are among them.
    assert found.objects > 100


def test_a_service_that_is_away_is_named_and_nothing_is_concluded_from_its_silence(small: Small) -> None:
    settled(small, at_rest=True)
    small.stack.stop_service("report")
    try:
        found = small.examine(at_rest=True)
    finally:
        small.stack.start_service("report")
    assert [(each.code, each.subject) for each in found.ailments] == [(Code.EXAMINATION_INCOMPLETE, "report")]


def test_each_damage_is_named_and_what_is_safe_is_mended(small: Small) -> None:
    settled(small, at_rest=True)
    done = damage(small)
    found = small.examine(deep=True, at_rest=True, services=(*SERVICES, "face-check"))
    named = {(each.code, each.subject or each.session_id) for each in found.ailments}
    assert done - named == set()
    code, document = small.doctor("--at-rest")
    assert code == 8
    assert {Code.OBJECT_MISSING, Code.OUTBOX_STUCK, Code.DEAD_LETTER} <= set(document["counts"])
    _, mended = small.doctor("--at-rest", "--mend", "--yes")
    outcome = {(each["code"], each["subject"] or each["session_id"]): each["reason"] for each in mended["mended"]}
    reported = small.sessions[1]
    assert outcome[Code.VERDICT_WITHOUT_REPORT, reported] == ""
    assert outcome[Code.STREAM_DIFFERS, Stream.REPORTS] == ""
    assert outcome[Code.SPOOL_LEFTOVER, f"spool/{'a' * 32}.data"] == ""
    assert outcome[Code.OUTBOX_STUCK, stuck_row(small)] == "BUS_UNAVAILABLE"
    assert outcome[Code.OBJECT_ORPHANED, f"{TENANT}/nobody/tracks/x/000001.m4s"] == "YOUNGER_THAN_A_DAY"
    assert outcome[Code.OBJECT_ORPHANED, f"{TENANT}/nobody/originals/x"] == "ORIGINAL_STAYS"
    assert_made_again(small, reported)


def stuck_row(small: Small) -> str:
    (row,) = small.sql("select id from signaling.outbox")
    return f"signaling.outbox/{row['id']}"


def assert_made_again(small: Small, session_id: str) -> None:
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while not small.sql("select 1 from report.reports where session_id = $1", session_id):
        assert time.monotonic() < deadline, "the report was not made again"
        time.sleep(0.3)


def damage(small: Small) -> set[tuple[Code, str]]:
    """Every damage, with the code and the subject that must be named for it."""
    first, second, third = small.sessions
    store = small.store()
    segment = next(each for each in asyncio.run(store.list(f"{TENANT}/{first}/tracks/")) if each.endswith("1.m4s"))
    store.client.delete_object(Bucket=store.bucket, Key=segment)
    pdf = f"{TENANT}/{first}/sealed/reports/preliminary/report.pdf"
    data = bytearray(asyncio.run(store.read(pdf)))
    data[len(data) // 2] ^= 1
    asyncio.run(store.put(pdf, bytes(data)))
    orphans = [f"{TENANT}/nobody/tracks/x/000001.m4s", f"{TENANT}/nobody/originals/x", f"{TENANT}/{first}/odd"]
    for orphan in orphans:
        asyncio.run(store.put(orphan, b"orphan"))
    key = f"{TENANT}/{first}/originals/begun"
    parts = store.client.create_multipart_upload(Bucket=store.bucket, Key=key)
    small.sql("delete from report.reports where session_id = $1", second)
    return {
        (Code.OBJECT_MISSING, segment),
        (Code.OBJECT_DIFFERS, pdf),
        *((Code.OBJECT_ORPHANED, orphan) for orphan in orphans),
        (Code.OBJECT_UNFINISHED, f"{key}?uploadId={parts['UploadId']}"),
        (Code.VERDICT_WITHOUT_REPORT, second),
        (Code.SESSION_WITHOUT_REPORT, second),
        *damaged_rows(small),
        *damaged_bus(small),
        *damaged_spool(small),
        *stuck_import(small, third),
    }


def damaged_rows(small: Small) -> set[tuple[Code, str]]:
    """An event that no stream takes blocks the outbox; a schema is not where its service wants it."""
    small.sql(
        "insert into signaling.outbox (tenant, session_id, event_id, subject, message, headers)"
        " values ($1, 's', 'e', 'nobody.takes.this', '', '{}')",
        TENANT,
    )
    small.sql("update quality.alembic_version set version_num = '0000'")
    return {(Code.OUTBOX_STUCK, stuck_row(small)), (Code.MIGRATIONS_BEHIND, "quality")}


def damaged_bus(small: Small) -> set[tuple[Code, str]]:
    """A dead letter, a stream of another shape, a fold that cannot be read; face-check does not run here."""
    event = NewEvent(TENANT, "poison", ImportRequested(import_id="none"), "poison")

    async def harm(client: NatsClient) -> str:
        js = client.jetstream()
        await js.publish(event.subject, b"\xff\xff no envelope", headers={"Nats-Msg-Id": "poison"})
        config = (await js.stream_info(Stream.REPORTS)).config
        await js.update_stream(config.evolve(max_age=60.0 * AN_HOUR_S))
        for _ in range(SETTLED_WITHIN_S * 2):
            state = (await js.stream_info(Stream.DEADLETTER)).state
            if state.messages:
                return str(state.first_seq)
            await asyncio.sleep(0.5)
        raise AssertionError("no dead letter came")

    letter = small.on_bus(harm)
    return {
        (Code.DEAD_LETTER, letter),
        (Code.STREAM_DIFFERS, Stream.REPORTS),
        (Code.CONSUMER_MISSING, f"{Stream.MEDIA}/face-check-live"),
    }


def damaged_spool(small: Small) -> set[tuple[Code, str]]:
    """Bytes without a record, and a record without its bytes; both old."""
    folder = small.stack.data_dir / "spool" / TENANT
    leftover, damaged = folder / f"{'a' * 32}.data", folder / f"{'b' * 32}.json"
    leftover.write_bytes(b"x")
    damaged.write_text(json.dumps({"offset": 5, "expires_at_us": (time.time_ns() // 1000) * 2, "held_by": ""}))
    for file in (leftover, damaged):
        os.utime(file, (time.time() - A_DAY_S / 2,) * 2)
    return {(Code.SPOOL_LEFTOVER, f"spool/{leftover.name}"), (Code.SPOOL_UPLOAD_DAMAGED, f"spool/{damaged.name}")}


def stuck_import(small: Small, session_id: str) -> set[tuple[Code, str]]:
    """An import that is STORING and that nobody beats; its worker would be replaced after 20 s, so it comes last."""
    (row,) = small.sql(
        "update media_ingest.imports set state = 'STORING', lease = 'gone', updated_at_us = updated_at_us - $2"
        " where session_id = $1 returning import_id",
        session_id,
        AN_HOUR_S * 1_000_000,
    )
    return {(Code.IMPORT_STUCK, row["import_id"])}


async def test_what_is_set_aside_can_be_fetched_back(small: Small) -> None:
    store = small.store()
    await store.put(f"{TENANT}/nobody/sealed/x", b"left over")
    await store.set_aside(f"{TENANT}/nobody/sealed/x")
    assert await store.head(f"{TENANT}/nobody/sealed/x") is None
    assert await store.read(f"{REMOVED}{TENANT}/nobody/sealed/x") == b"left over"
