"""Uploads against a small tus server that breaks when it is told to."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from shuanglu_cli import uploads
from shuanglu_cli.errors import NoEntry, Refused, Unreachable
from shuanglu_cli.target import Target
from shuanglu_cli.uploads import UploadDoor


@dataclass
class TusServer:
    """tus 1.0 core and creation, for one upload; `breaks` are answers or errors to give instead, in order."""

    size: int = -1
    metadata: str = ""
    stored: bytearray = field(default_factory=bytearray)
    breaks: list[Callable[[httpx.Request], httpx.Response]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request.method)
        if self.breaks and request.method == "PATCH":
            return self.breaks.pop(0)(request)
        if request.method == "POST":
            self.size = int(request.headers["Upload-Length"])
            self.metadata = request.headers["Upload-Metadata"]
            return httpx.Response(201, headers={"Location": "abc123"})
        if request.method == "HEAD":
            return httpx.Response(200, headers={"Upload-Offset": str(len(self.stored))})
        assert request.headers["Upload-Offset"] == str(len(self.stored))
        self.stored += request.content
        return httpx.Response(204, headers={"Upload-Offset": str(len(self.stored))})


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "RETRY_DELAYS_S", (0.0, 0.0))
    monkeypatch.setattr(uploads, "PIECE_BYTES", 1000)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "customer.mp4"
    path.write_bytes(bytes(range(256)) * 10)
    return path


def door(server: TusServer) -> UploadDoor:
    return UploadDoor(Target(gateway="https://gateway", token="t"), httpx.MockTransport(server))


def test_a_file_arrives_in_one_stream(file: Path) -> None:
    server, heard = TusServer(), list[int]()
    with door(server) as uploading:
        assert uploading.upload(file, heard.append) == "abc123"
    assert bytes(server.stored) == file.read_bytes()
    assert heard == [0, 1000, 2000, 2560, 2560]
    assert server.requests == ["POST", "PATCH"]


def test_an_upload_says_what_the_file_must_hash_to(file: Path) -> None:
    server = TusServer()
    with door(server) as uploading:
        uploading.create(file, "ab" * 32)
    assert server.metadata.split(",")[1] == "sha256 " + base64.b64encode(b"ab" * 32).decode()


def test_an_empty_file_is_an_upload_without_bytes(tmp_path: Path) -> None:
    empty = tmp_path / "empty.mp4"
    empty.touch()
    server = TusServer()
    with door(server) as uploading:
        uploading.upload(empty)
    assert (server.size, server.requests) == (0, ["POST"])


def test_a_broken_connection_is_taken_up_where_the_server_stands(file: Path) -> None:
    server = TusServer()

    def half_arrives(request: httpx.Request) -> httpx.Response:
        server.stored += request.content[:400]
        raise httpx.ReadError("gone", request=request)

    server.breaks = [half_arrives]
    with door(server) as uploading:
        uploading.upload(file)
    assert bytes(server.stored) == file.read_bytes()


@pytest.mark.parametrize("status", [409, 423, 503])
def test_what_may_pass_is_tried_again(status: int, file: Path) -> None:
    server = TusServer(breaks=[lambda _: httpx.Response(status)])
    with door(server) as uploading:
        uploading.upload(file)
    assert bytes(server.stored) == file.read_bytes()


@pytest.mark.parametrize("status", [429, 507])
def test_a_full_door_is_waited_for_with_words_and_gone_on_with(status: int, file: Path) -> None:
    body = {"message": "the spool is full", "details": [{"reason": "SPOOL_FULL"}]}
    full = [lambda _: httpx.Response(status, json=body, headers={"Retry-After": "7"})] * 3
    server, heard = TusServer(breaks=list(full)), list[tuple[str, float]]()
    target = Target(gateway="https://gateway", token="t")
    with UploadDoor(target, httpx.MockTransport(server), lambda *said: heard.append(said)) as uploading:
        uploading.upload(file)
    assert bytes(server.stored) == file.read_bytes()
    assert heard == [("the spool is full (SPOOL_FULL)", 7.0)] * 3


def test_a_door_that_stays_full_is_told_in_the_end(file: Path) -> None:
    server = TusServer(breaks=[lambda _: httpx.Response(507, headers={"Retry-After": "30"})] * 100)
    target = Target(gateway="https://gateway", token="t")
    transport = httpx.MockTransport(server)
    with UploadDoor(target, transport, lambda *_: None, 60) as uploading, pytest.raises(Unreachable):
        uploading.upload(file)


def test_an_upload_goes_on_where_another_run_stopped(file: Path) -> None:
    server, heard = TusServer(), list[int]()
    with door(server) as uploading:
        url = uploading.create(file)
        server.stored += file.read_bytes()[:1500]
        offset = uploading.offset(url)
        assert offset == 1500
        uploading.send(file, url, heard.append, offset)
    assert bytes(server.stored) == file.read_bytes()
    assert heard == [1500, 2500, 2560, 2560]


def test_an_upload_that_never_moves_is_given_up(file: Path) -> None:
    server = TusServer(breaks=[lambda _: httpx.Response(503)] * 10)
    with door(server) as uploading, pytest.raises(Unreachable) as given_up:
        uploading.upload(file)
    assert given_up.value.reason == "UPLOAD_STUCK"


def test_a_refusal_carries_the_services_reason_and_help(file: Path) -> None:
    body = {
        "message": "too large",
        "details": [{"reason": "UPLOAD_TOO_LARGE", "metadata": {"help": "send at most 20 GiB"}}],
    }
    server = TusServer(breaks=[lambda _: httpx.Response(413, json=body)])
    with door(server) as uploading, pytest.raises(Refused) as refused:
        uploading.upload(file)
    assert (refused.value.reason, refused.value.why, refused.value.help) == (
        "UPLOAD_TOO_LARGE",
        "too large",
        "send at most 20 GiB",
    )


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_does_not_open_is_told_apart(status: int, file: Path) -> None:
    server = TusServer(breaks=[lambda _: httpx.Response(status, text="Jwt is expired")])
    with door(server) as uploading, pytest.raises(NoEntry, match="does not open"):
        uploading.upload(file)
