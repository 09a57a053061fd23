"""Names, numbers, words and secrets of one marked case are looked for in everything that the system wrote.

The sample is taken in as a case whose customer, files and metadata are unmistakable, somebody comes into a call, errors
are provoked with the same data, all services log at DEBUG and send their spans to a collector. Then every log, metric,
span, message of the bus, answer with an error, row of the database and object that is not media is searched, in every
spelling in which a program may have written it.
"""

import asyncio
import base64
import http.server
import json
import re
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import httpx
import nats
import psutil
import pytest
import zstandard
from aiortc import RTCPeerConnection
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack
from botocore.config import Config

from shuanglu.media.v1.import_service_pb2 import ImportRecordingRequest, SourceFile
from shuanglu.report.v1.report_pb2 import Report
from shuanglu_cli.errors import CliError
from shuanglu_cli.recording import Recording, open_session
from shuanglu_cli.sending import import_recording
from shuanglu_stack import EmbeddedStack, StackOptions
from shuanglu_stack.postgres_server import DATABASE, USER, _program
from shuanglu_stack.s3_gateway import BUCKET
from shuanglu_stack.sampling import Client, client_of, sample_recording

ROOT = Path(__file__).resolve().parents[2]
NAME = "欧阳锦麟"
ID_NUMBER = "51010719880214937X"
PHONE = "13987654321"
FILE_NAME = f"{NAME}-{PHONE}.mp4"
ZSTD = b"\x28\xb5\x2f\xfd"
MEDIA = (".mp4", ".m4s", "/original")
# Shorter pieces of what was said would be found in strategies and reports of any case.
PIECE = 7


class Collector:
    """Keeps all spans as they came."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        collector = self

        class Door(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.bodies.append(self.whole())
                self.send_response(200)
                self.end_headers()

            def whole(self) -> bytes:
                """The gateway sends in chunks, the services do not."""
                if length := self.headers["Content-Length"]:
                    return self.rfile.read(int(length))
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                return body

            def log_message(self, *_: object) -> None:
                """Tests are quiet."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"


@dataclass
class Case:
    """The marked case: what must be found nowhere, and what the callers were told."""

    stack: EmbeddedStack
    session_id: str = ""
    report: Report | None = None
    secrets: dict[str, str] = field(default_factory=dict)
    answers: list[bytes] = field(default_factory=list)
    metrics: dict[str, bytes] = field(default_factory=dict)


def spellings(text: str) -> set[bytes]:
    """How a program may have written a text: UTF-8, escapes of JSON and Python, percent, base64 at any offset."""
    plain = text.encode()
    found = {plain, json.dumps(text)[1:-1].encode(), repr(plain)[2:-1].encode(), quote(text).encode()}
    found |= {quote(text).lower().encode(), text.encode("gb18030"), text.encode("utf-16-le")}
    for offset in range(3):
        whole = base64.b64encode(b"\0" * offset + plain).decode()
        # What depends on the neighbours at both ends is left out.
        core = whole[(0, 2, 3)[offset] : len(whole) - (4 if (offset + len(plain)) % 3 else 0)]
        if len(core) >= 12:
            found |= {core.encode(), core.replace("+", "-").replace("/", "_").encode()}
    return {one for one in found if len(one) >= 4}


def pieces_said(report: Report, strategy: str) -> set[str]:
    """Runs of what people said that stand in no strategy."""
    known = re.sub(r"\s", "", strategy)
    texts = [re.sub(r"\s", "", one.text) for one in report.result.utterances]
    runs = {text[at : at + PIECE] for text in texts for at in range(0, len(text) - PIECE + 1, 3)}
    return {run for run in runs if run not in known}


class Marks:
    """What is searched."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.by_spelling = {spelling: name for name, text in texts.items() for spelling in spellings(text)}
        self.pattern = re.compile(b"|".join(map(re.escape, sorted(self.by_spelling, key=len, reverse=True))))

    def found_in(self, data: bytes) -> set[str]:
        return {f"{self.by_spelling[hit]} as {hit!r}" for hit in set(self.pattern.findall(data))}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    running = Collector()
    yield running
    running.server.shutdown()
    running.server.server_close()


def marked(sample: Path, folder: Path) -> Recording:
    """The sample as the case of somebody else, its files named after him."""
    recording = sample_recording(sample)
    order = type(recording.order)()
    order.CopyFrom(recording.order)
    order.order_no = "MARKED-CASE-1"
    order.customer.name, order.customer.id_number = NAME, ID_NUMBER
    files = []
    for number, (file, roles) in enumerate(recording.files):
        named = folder / (FILE_NAME if number == 0 else f"{ID_NUMBER}-{number}.mp4")
        named.write_bytes(file.read_bytes())
        files.append((named, roles))
    return replace(recording, order=order, files=tuple(files))


def provoke(case: Case, client: Client, web: httpx.Client, recording: Recording, folder: Path) -> None:
    """Errors of all kinds, each with marked data in it; the answers are kept."""

    def refused(call: Callable[[], Any]) -> None:
        with pytest.raises(CliError) as caught:
            call()
        error = caught.value
        case.answers.append(f"{error} {error.__cause__} {error.reason} {error.help}".encode())

    order = type(recording.order)()
    order.CopyFrom(recording.order)
    order.term_months += 1
    refused(lambda: open_session(client.gateway, replace(recording, order=order)))  # ORDER_NO_TAKEN
    for field_name, value in (("name", NAME * 40), ("id_number", f"{ID_NUMBER}\n"), ("name", f" {NAME}")):
        wrong = type(order)()
        wrong.CopyFrom(order)
        wrong.order_no = "MARKED-CASE-2"
        setattr(wrong.customer, field_name, value)
        refused(lambda wrong=wrong: open_session(client.gateway, replace(recording, order=wrong)))
    damaged = folder / f"{NAME}.mp4"
    damaged.write_text(f"{NAME} {ID_NUMBER} {PHONE}\n" * 500)
    session = open_session(client.gateway, replace(recording, order=other_order(recording)))
    source = SourceFile(upload_id=client.door.upload(damaged))
    source.participants.add(participant_id="customer", role=1)
    bad = ImportRecordingRequest(session_id=session.session_id, files=[source])
    refused(lambda: client.gateway.call(client.gateway.imports.ImportRecording, bad))
    for request in requests_in_json():
        answer = web.request(**request)
        assert answer.is_error, request
        case.answers.append(answer.content + str(answer.headers).encode())


def other_order(recording: Recording) -> Any:
    order = type(recording.order)()
    order.CopyFrom(recording.order)
    order.order_no = "MARKED-CASE-3"
    return order


def requests_in_json() -> Iterator[dict[str, Any]]:
    """Refused by the checker, by the gateway, by services and by the upload door."""
    customer = {"name": NAME, "id_number": ID_NUMBER, "phone": PHONE}
    yield {"method": "POST", "url": "/v1/orders", "json": {"order": {"customer": customer}}}
    yield {"method": "POST", "url": "/v1/orders", "json": {"order": {"customer": {"name": NAME}, "order_no": [PHONE]}}}
    yield {"method": "POST", "url": "/v1/orders", "content": f'{{"order": {{"customer": "{NAME} {ID_NUMBER}'.encode()}
    yield {"method": "GET", "url": f"/v1/orders/{quote(NAME)}"}
    yield {"method": "GET", "url": f"/v1/orders/{ID_NUMBER}"}
    yield {"method": "GET", "url": "/v1/sessions", "params": {"order_id": PHONE, "page_token": ID_NUMBER}}
    yield {"method": "GET", "url": "/v1/sessions", "params": {"customer": f"{NAME} {ID_NUMBER}"}}
    yield {"method": "GET", "url": f"/files/{quote(NAME)}", "headers": {"Tus-Resumable": "1.0.0"}}
    metadata = "filename " + base64.b64encode(FILE_NAME.encode()).decode()
    tus = {"Tus-Resumable": "1.0.0", "Upload-Metadata": metadata}
    yield {"method": "POST", "url": "/files/", "headers": {**tus, "Upload-Length": PHONE + PHONE}}
    yield {"method": "POST", "url": "/files/", "headers": {**tus, "Upload-Length": "x", "x-note": PHONE}}
    yield {"method": "POST", "url": "/files/", "headers": {**tus, "Upload-Concat": f"final;/files/{ID_NUMBER}"}}
    yield {"method": "GET", "url": "/hls/" + base64.urlsafe_b64encode(NAME.encode()).decode() + ".x/master.m3u8"}


async def offer() -> str:
    """Of somebody who would publish."""
    peer = RTCPeerConnection()
    peer.addTransceiver(AudioStreamTrack(), direction="sendonly")
    peer.addTransceiver(VideoStreamTrack(), direction="sendonly")
    await peer.setLocalDescription(await peer.createOffer())
    text = str(peer.localDescription.sdp)
    await peer.close()
    return text


def come_into_a_call(case: Case, web: httpx.Client, order_id: str) -> None:
    """Invited, accepted, joined, published, and out again; all that is secret about it is kept."""
    session = web.post("/v1/sessions", json={"order_id": order_id, "channel": "CHANNEL_REMOTE"}).raise_for_status()
    path = f"/v1/sessions/{session.json()['session']['session_id']}"
    invited = web.post(f"{path}/invitations", json={"participant_id": "customer"}).raise_for_status().json()
    code = invited["invitation"]["code"]
    case.answers.append(web.post("/v1/invitations:accept", json={"code": code, "cod": code}).content)
    accepted = web.post("/v1/invitations:accept", json={"code": code}).raise_for_status()
    token = accepted.json()["token"]
    own = {"Authorization": f"Bearer {token}"}
    joined = web.post(f"{path}/call:join", json={}, headers=own).raise_for_status().json()
    text = asyncio.run(offer())
    place, sdp = joined["publish_path"], {**own, "Content-Type": "application/sdp"}
    published = web.post(place, content=text, headers=sdp).raise_for_status()
    case.answers.append(web.post(place, content=text.replace("H264", "VP9X"), headers=sdp).content)
    web.delete(published.headers["location"], headers=own).raise_for_status()
    web.cookies.clear()
    passwords = re.compile(r"a=ice-pwd:(\S+)")
    case.secrets |= {
        "an invitation's code": code,
        "a browser's secret": accepted.cookies["shuanglu_seat"],
        "a participant's token": token.rpartition(".")[2],
        "a password for the relay": joined["ice_servers"][0]["credential"],
        "the client's ICE password": passwords.findall(text)[0],
        "the media server's ICE password": passwords.findall(published.text)[0],
    }


def keep_metrics(case: Case) -> None:
    names = [*(f"{service}-ops" for service in case.stack.service_pids()), "envoy-ops", "gateway-check"]
    for name in names:
        case.metrics[name] = httpx.get(f"http://127.0.0.1:{case.stack.ports[name]}/metrics", timeout=20).content


def keep_secrets(case: Case) -> None:
    keys = case.stack.keys
    case.secrets |= {
        "the bus's password": keys.nats_password,
        "the database's password": keys.postgres_password,
        "the store's key": keys.s3_secret_key,
        "the master key": keys.master_key.read_text().strip(),
        "the signing key": keys.signing_key.read_text().splitlines()[1],
        "the services' key": keys.internal_key.read_text().splitlines()[1],
        "signaling's key": keys.session_key.read_text().splitlines()[1],
        "the media server's secret": keys.janus_secret,
        "the relay's secret": keys.turn_secret,
    }


@pytest.fixture(scope="module")
def case(
    collector: Collector, sample: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Case]:
    folder = tmp_path_factory.mktemp("leaks")
    environment = {
        "SHUANGLU_LOG_LEVEL": "DEBUG",
        "SHUANGLU_OTLP_ENDPOINT": collector.url,
        "SHUANGLU_TRACE_SAMPLE_RATIO": "1",
    }
    with EmbeddedStack(StackOptions(data_dir=folder / "stack", root=ROOT, env=environment)) as stack:
        made = Case(stack)
        keep_secrets(made)
        recording = marked(sample("clean"), folder)
        token = stack.token(tenant="marked")
        made.secrets["a caller's token"] = token.rpartition(".")[2]
        trust = ssl.create_default_context(cafile=str(stack.ca))
        headers = {"Authorization": f"Bearer {token}"}
        with (
            client_of(stack, token) as client,
            httpx.Client(base_url=stack.gateway_url, verify=trust, headers=headers, timeout=30) as web,
        ):
            made.session_id = import_recording(client.gateway, client.door, recording, lambda *_: None).session_id
            provoke(made, client, web, recording, folder)
            order_id = web.get(f"/v1/sessions/{made.session_id}").json()["session"]["order_id"]
            come_into_a_call(made, web, order_id)
            made.report = client.wait(made.session_id)
            link = web.post(f"/v1/sessions/{made.session_id}/replays").json()["playlist_path"]
            made.secrets["a replay link"] = link.split("/")[2].partition(".")[2]
            assert web.get(link).is_success
            assert web.get(f"/v1/sessions/{made.session_id}/report.pdf").is_success
            keep_metrics(made)
        yield made


@pytest.fixture(scope="module")
def marks(case: Case) -> Marks:
    assert case.report is not None
    strategies = "".join(file.read_text() for file in ROOT.glob("services/quality/*/strategies/*.yaml"))
    said = pieces_said(case.report, strategies)
    assert len(said) >= 10
    texts = {"the name": NAME, "the ID number": ID_NUMBER, "the telephone number": PHONE, **case.secrets}
    return Marks(texts | {f"what was said ({piece})": piece for piece in said})


def test_the_search_finds_what_is_there(marks: Marks) -> None:
    """A search that finds nothing proves nothing: every spelling is found where it stands."""
    texts = [
        f'{{"name": "{NAME}"}}',
        json.dumps({"name": NAME}),
        repr({"name": NAME.encode()}),
        quote(f"/v1/{NAME}"),
    ]
    assert all(marks.found_in(text.encode()) for text in texts)
    for pad in range(3):
        encoded = base64.b64encode(f"{'x' * pad}{FILE_NAME}".encode())
        assert marks.found_in(b"filename " + encoded), pad
        assert marks.found_in(base64.b64encode(f"{'x' * pad}{ID_NUMBER} ".encode())), pad
    assert not marks.found_in(b"filename customer.mp4 01a209c0-1c3b-7dc0-9508-f01f8ecdcd7a")


def test_logs(case: Case, marks: Marks) -> None:
    files = [file for file in case.stack.logs_dir.rglob("*") if file.is_file()]
    expected = {"signaling.log", "media-ingest.log", "media-ingest-live.log", "asr.log", "gateway.log", "postgres.log"}
    assert expected | {"janus.log", "coturn.log"} <= {file.name for file in files}
    assert any(b'"level": "debug"' in file.read_bytes() or b"rpc" in file.read_bytes() for file in files)
    leaks = {file.name: marks.found_in(file.read_bytes()) for file in files}
    assert not {name: hits for name, hits in leaks.items() if hits}


def test_metrics(case: Case, marks: Marks) -> None:
    assert len(case.metrics) >= 8
    assert b"shuanglu_" in case.metrics["signaling-ops"]
    leaks = {name: marks.found_in(text) for name, text in case.metrics.items()}
    assert not {name: hits for name, hits in leaks.items() if hits}
    ids = re.compile(case.session_id.encode())
    assert not {name for name, text in case.metrics.items() if ids.search(text)}, "a series for each session"


def test_spans(case: Case, collector: Collector, marks: Marks) -> None:
    spans = b"".join(collector.bodies)
    assert b"gateway" in spans
    assert b"ImportRecording" in spans
    assert not marks.found_in(spans)


def test_answers_with_errors(case: Case, marks: Marks) -> None:
    assert len(case.answers) >= 15
    assert not set().union(*(marks.found_in(answer) for answer in case.answers))


async def test_everything_on_the_bus(case: Case, marks: Marks) -> None:
    client = await nats.connect(case.stack.nats_url)
    jetstream, leaks, seen = client.jetstream(), {}, 0
    try:
        for info in await jetstream.streams_info():
            name, state = str(info.config.name), info.state
            for sequence in range(max(state.first_seq, 1), state.last_seq + 1):
                try:
                    message = await jetstream.get_msg(name, sequence)
                except nats.js.errors.NotFoundError:
                    continue
                data = message.data or b""
                if data.startswith(ZSTD):
                    data += zstandard.ZstdDecompressor().decompress(data, max_output_size=64 << 20)
                seen += 1
                text = f"{message.subject} {message.headers}".encode()
                if hits := marks.found_in(data + text):
                    leaks[f"{name} {message.subject}"] = hits
    finally:
        await client.close()
    assert seen > 100
    assert not leaks


def objects(stack: EmbeddedStack) -> Iterator[tuple[str, bytes]]:
    client = boto3.client(
        "s3",
        endpoint_url=stack.service_environment["SHUANGLU_S3_ENDPOINT"],
        aws_access_key_id=stack.keys.s3_access_key,
        aws_secret_access_key=stack.keys.s3_secret_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for each in page.get("Contents", []):
            yield each["Key"], client.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read()


def test_objects_and_their_keys(case: Case, marks: Marks) -> None:
    found = dict(objects(case.stack))
    assert len(found) > 20
    assert not marks.found_in("\n".join(found).encode())
    others = {key: data for key, data in found.items() if not key.endswith(MEDIA)}
    assert len(others) > 5
    leaks = {key: marks.found_in(data) for key, data in others.items()}
    assert not {key: hits for key, hits in leaks.items() if hits}


def test_the_database(case: Case, marks: Marks) -> None:
    """What is dumped from the database shows nothing: personal fields are sealed."""
    port, password = case.stack.ports["postgres"], case.stack.keys.postgres_password
    dump = subprocess.run(
        [_program("pg_dump"), "-h", "127.0.0.1", "-p", str(port), "-U", USER, "--inserts", DATABASE],
        env={"PGPASSWORD": password},
        capture_output=True,
        check=True,
        timeout=120,
    ).stdout
    assert b"MARKED-CASE-1" in dump
    assert not marks.found_in(dump)


def test_command_lines(case: Case, marks: Marks) -> None:
    """Every user of a machine can read the command lines of all processes."""
    mine = psutil.Process().children(recursive=True)
    lines = b"\n".join(" ".join(process.cmdline()).encode() for process in mine if process.is_running())
    assert b"shuanglu_report" in lines
    assert not marks.found_in(lines)
