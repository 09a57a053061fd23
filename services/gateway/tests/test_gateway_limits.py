"""Limits of the public door, measured with real sockets at a real Envoy."""

import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import httpx
import pytest

from shuanglu.session.v1.session_service_pb2 import GetSessionRequest

RunGateway = Callable[..., AbstractContextManager[Any]]
# Envoy's own granularity, and a machine that is busy.
PATIENCE_S = 20


@pytest.fixture(scope="module")
def hasty(run_gateway: RunGateway) -> Iterator[Any]:
    """A gateway that waits for no one longer than a second."""
    with run_gateway(header_timeout_s=1, idle_timeout_s=1) as running:
        yield running


@contextmanager
def line_to(gateway: Any, *, protocol: str = "http/1.1") -> Iterator[ssl.SSLSocket]:
    """A TLS connection without any library's manners."""
    host, port = gateway.url.removeprefix("https://").split(":")
    context = ssl.create_default_context(cafile=str(gateway.ca))
    context.set_alpn_protocols([protocol])
    with (
        socket.create_connection((host, int(port)), timeout=PATIENCE_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as line,
    ):
        yield line


def until_closed(line: socket.socket, drip: bytes = b"", every_s: float = 0.2) -> bytes:
    """What the door says until it hangs up, while `drip` is sent again and again."""
    said, deadline = b"", time.monotonic() + PATIENCE_S
    line.settimeout(every_s)
    while time.monotonic() < deadline:
        try:
            got = line.recv(65536)
        except TimeoutError:
            if drip:
                line.sendall(drip)
            continue
        except OSError:
            return said
        if not got:
            return said
        said += got
        if drip and b"\r\n\r\n" in said:
            return said  # it has answered although we are not done
    pytest.fail("the door never hung up")


def head(gateway: Any, method: str, path: str, *more: str) -> bytes:
    bearer = gateway.headers()["authorization"]
    lines = [f"{method} {path} HTTP/1.1", "host: localhost", f"authorization: {bearer}", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answered(said: bytes) -> tuple[int, str]:
    """Status and reason of an HTTP/1.1 answer."""
    top, _, body = said.partition(b"\r\n\r\n")
    status = int(top.split(b" ", 2)[1])
    return status, json.loads(body)["details"][0]["reason"] if body.startswith(b"{") else ""


def test_a_connection_that_never_shakes_hands_is_closed(hasty: Any) -> None:
    host, port = hasty.url.removeprefix("https://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as plain:
        assert until_closed(plain) == b""


def test_a_connection_that_asks_nothing_is_closed(hasty: Any) -> None:
    with line_to(hasty) as line:
        assert until_closed(line) == b""


def test_headers_that_drip_are_not_waited_for(hasty: Any) -> None:
    with line_to(hasty) as line:
        line.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n")
        said = until_closed(line, drip=b"x-a: b\r\n")
    assert answered(said)[0] == 408


def test_a_json_body_that_drips_is_not_waited_for(gateway: Any) -> None:
    with line_to(gateway) as line:
        line.sendall(head(gateway, "POST", "/v1/orders", "content-length: 100000", "content-type: application/json"))
        said = until_closed(line, drip=b" ")
    assert answered(said) == (408, "REQUEST_TOO_SLOW")


def test_a_grpc_web_body_that_drips_is_not_waited_for(gateway: Any) -> None:
    path = "/shuanglu.session.v1.SessionService/GetSession"
    with line_to(gateway) as line:
        line.sendall(
            head(gateway, "POST", path, "content-length: 100000", "content-type: application/grpc-web+proto")
            + b"\0\0\0\x90\0"
        )
        said = until_closed(line, drip=b"x")
    assert answered(said)[0] == 408
    assert b"grpc-status-details-bin: " in said


@pytest.mark.parametrize(
    "headers",
    [
        {"x-large": "x" * 20_000},
        {f"x-{number}": "1" for number in range(100)},
        {"authorization": "Bearer " + "x" * 70_000},
    ],
    ids=["one large", "many small", "a large token"],
)
def test_a_head_that_is_too_large_is_431(gateway: Any, headers: dict[str, str]) -> None:
    with gateway.client() as client:
        answer = client.get("/v1/sessions/a", headers=headers)
    assert answer.status_code == 431
    assert answer.json()["details"][0]["reason"] == "HEADERS_TOO_LARGE"


def test_a_path_that_is_too_long_is_refused(gateway: Any) -> None:
    with gateway.client() as client:
        assert client.get("/v1/sessions/" + "a" * 30_000).status_code == 431


@pytest.mark.parametrize("name", [b"bad name", b"bad\x00name", b"under_score"])
def test_a_header_with_an_odd_name_is_refused(gateway: Any, name: bytes) -> None:
    with line_to(gateway) as line:
        line.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n" + name + b": 1\r\n\r\n")
        assert until_closed(line, drip=b"").startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "lines",
    [
        b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"content-length: -1\r\n\r\n",
    ],
    ids=["both lengths", "two lengths", "an unknown coding", "a negative length"],
)
def test_a_request_of_two_meanings_is_refused(gateway: Any, lines: bytes) -> None:
    """Request smuggling (RFC 9112 §11.2): the door and the service behind must never count differently."""
    bearer = gateway.headers()["authorization"].encode()
    with line_to(gateway) as line:
        line.sendall(b"POST /files/ HTTP/1.1\r\nhost: x\r\nauthorization: " + bearer + b"\r\n" + lines)
        said = until_closed(line)
    assert said.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501"))
    assert said.count(b"HTTP/1.1") == 1


def test_connections_are_counted_and_operations_still_get_in(run_gateway: RunGateway) -> None:
    with run_gateway(max_connections=3) as small:
        host, port = small.url.removeprefix("https://").split(":")
        held = [socket.create_connection((host, int(port)), timeout=5) for _ in range(6)]
        try:
            closed = 0
            for line in held:
                line.settimeout(1)
                try:
                    closed += line.recv(1) == b""
                except TimeoutError:
                    continue
                except OSError:
                    closed += 1
            assert closed == 3
            assert httpx.get(f"{small.ops_url}/readyz").status_code == 200
        finally:
            for line in held:
                line.close()
        assert answers_again(small)


def answers_again(gateway: Any) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError), gateway.client() as client:
            return bool(client.get("/v1/sessions/a").is_success)
        time.sleep(0.1)
    return False


def test_who_asks_too_often_is_told_when_to_come_back(run_gateway: RunGateway) -> None:
    with run_gateway(requests_per_10s=5) as strict, strict.client(sub="greedy") as client:
        last = [client.get("/v1/sessions/a") for _ in range(11)][-1]
    assert last.status_code == 429
    assert last.headers["retry-after"] == "10"
    assert last.json()["details"][0]["reason"] == "TOO_MANY_REQUESTS"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"order":{"amount":{"amount_fe":"1"}}}', "order.amount.amount_fe"),
        ('{"order":{"order_no":"1","order_no":"2"}}', "order.order_no"),
        ('{"order":{"term_months":4294967296}}', "order.term_months"),
        ('{"order":{}} {}', ""),
    ],
)
def test_json_that_is_not_the_message_is_refused_by_its_place(gateway: Any, body: str, field: str) -> None:
    with gateway.client() as client:
        answer = client.post("/v1/orders", content=body, headers={"content-type": "application/json"})
    told = answer.json()
    assert (answer.status_code, told["code"]) == (400, 3)
    assert answer.headers["content-type"].startswith("application/json")
    info = told["details"][0]
    assert (info["reason"], info["metadata"].get("field", "")) == ("JSON_INVALID", field)
    assert info["metadata"]["help"]


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", None])
def test_no_content_type_gets_around_the_checker(gateway: Any, kind: str | None) -> None:
    with gateway.client() as client:
        answer = client.post("/v1/orders", content=b'{"oder":{}}', headers={"content-type": kind} if kind else {})
    assert answer.json()["details"][0]["reason"] == "JSON_INVALID"


def test_no_spelling_of_a_path_gets_around_the_checker(gateway: Any) -> None:
    with gateway.client() as client:
        for path in ["/v1//orders", "/v1/./orders", "/v1/%6frders", "/v1/x/../orders", "//v1/orders"]:
            answer = client.post(f"{gateway.url}{path}", content=b'{"oder":{}}')
            assert answer.status_code in {400, 404}, path


def test_a_body_in_pieces_is_checked_too(gateway: Any) -> None:
    with gateway.client() as client:
        answer = client.post("/v1/orders", content=iter([b'{"oder', b'":{}}']))
    assert answer.json()["details"][0]["reason"] == "JSON_INVALID"


def test_a_call_without_a_body_says_so(gateway: Any) -> None:
    with gateway.client() as client:
        read = client.request("GET", "/v1/sessions/a", content=b'{"x":1}')
    assert read.status_code == 400
    assert read.json()["details"][0]["reason"] == "JSON_INVALID"


def test_without_the_checker_no_body_passes_and_reading_goes_on(run_gateway: RunGateway, backends: Any) -> None:
    with run_gateway(check_target=backends.nobody) as alone, alone.client() as client:
        refused = client.post("/v1/orders", json={"order": {}})
        read = client.get("/v1/sessions/a")
        request = GetSessionRequest(session_id="a").SerializeToString()
        frame = b"\0" + len(request).to_bytes(4, "big") + request
        path = "/shuanglu.session.v1.SessionService/GetSession"
        web = client.post(path, content=frame, headers={"content-type": "application/grpc-web+proto"})
    assert (refused.status_code, refused.json()["details"][0]["reason"]) == (503, "SERVICE_AWAY")
    assert read.status_code == 200
    assert web.status_code == 200
