"""What pages in a browser may do, and what operations see."""

import json
import socket
import time
from typing import Any

import httpx
import pytest

SESSION = "0190-session"
GET_SESSION = "/shuanglu.session.v1.SessionService/GetSession"
ORIGIN = "https://console.bank.example"


@pytest.mark.parametrize("path", [f"/v1/sessions/{SESSION}", GET_SESSION, "/files/"])
def test_pages_of_a_named_origin_may_call(gateway: Any, path: str) -> None:
    asked = {
        "origin": ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
    }
    with gateway.client() as client:
        del client.headers["authorization"]
        answer = client.options(path, headers=asked)
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "upload-offset" in answer.headers["access-control-allow-headers"]


def test_pages_of_other_origins_may_not(gateway: Any) -> None:
    asked = {"origin": "https://evil.example", "access-control-request-method": "PATCH"}
    before = len(gateway.seen.uploads)
    with gateway.client() as client:
        del client.headers["authorization"]
        answer = client.options("/files/", headers=asked)
    assert "access-control-allow-origin" not in answer.headers
    assert len(gateway.seen.uploads) == before


def test_a_refusal_can_be_read_by_the_page(gateway: Any) -> None:
    with gateway.client() as client:
        del client.headers["authorization"]
        answer = client.get(f"/v1/sessions/{SESSION}", headers={"origin": ORIGIN})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, ORIGIN)


def test_healthz_needs_no_token_and_operations_have_their_own_port(gateway: Any) -> None:
    with gateway.client() as client:
        del client.headers["authorization"]
        assert client.get("/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{gateway.ops_url}/healthz").status_code == 200
    assert "envoy_http_downstream_rq_total" in httpx.get(f"{gateway.ops_url}/metrics").text
    assert httpx.get(f"{gateway.ops_url}/config_dump").status_code == 404


def test_plain_http_is_not_served(gateway: Any) -> None:
    host, port = gateway.url.removeprefix("https://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert not plain.recv(100).startswith(b"HTTP/1.1 200")


def log_lines(gateway: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gateway.log.read_text().splitlines() if line.startswith("{")]


def test_the_log_has_paths_but_no_tokens(gateway: Any) -> None:
    token = gateway.issuer.token(sub="logged")
    with gateway.client() as client:
        client.headers["authorization"] = f"Bearer {token}"
        client.get("/v1/sessions/in-the-log", params={"secret": "query-secret"})
        client.get("/hls/link-secret/master.m3u8")
        client.get(f"{gateway.url}//hls/link-secret/master.m3u8")
        client.get("/v1/sessions/01a209c0-1c3b-7dc0-9508-f01f8ecdcd7a")
        client.get("/v1/orders/51010719880214937X")
        client.get("/v1/orders/欧阳")
        client.get("/nothing/51010719880214937X")
    uuid = "/v1/sessions/01a209c0-1c3b-7dc0-9508-f01f8ecdcd7a"
    wanted = {"/v1/sessions/in-the-log", "/hls/…", "…", uuid}
    deadline = time.monotonic() + 15
    while wanted - {line["path"] for line in log_lines(gateway)} and time.monotonic() < deadline:
        time.sleep(0.2)
    tenants = {line["path"]: line["tenant"] for line in log_lines(gateway)}
    assert tenants["/v1/sessions/in-the-log"] == "demo"
    assert tenants["/hls/…"] is None
    calls = {line["path"]: line["call"] for line in log_lines(gateway)}
    assert calls[uuid] == "/shuanglu.session.v1.SessionService/GetSession"
    log = gateway.log.read_text()
    for secret in (token, token.split(".")[2], "query-secret", "link-secret", "51010719880214937X", "%E6%AC%A7"):
        assert secret not in log


@pytest.mark.parametrize(
    ("claims", "status", "word"),
    [
        ({"iss": "https://id.other.example"}, 401, "issuer_is_not_configured"),
        ({"exp": 1}, 401, "expired"),
        ({"aud": "another"}, 403, "Audiences"),
    ],
)
def test_the_log_says_why_a_token_was_refused(gateway: Any, claims: dict[str, Any], status: int, word: str) -> None:
    """A wrong `oidc.issuer` in the values is seen here: every token of the bank is then one of a stranger."""
    path = f"/v1/sessions/refused-{word}"
    with gateway.client(**claims) as client:
        assert client.get(path).status_code == status
    deadline = time.monotonic() + 15
    details: list[str] = []
    while not details and time.monotonic() < deadline:
        time.sleep(0.2)
        details = [line["detail"] for line in log_lines(gateway) if line["path"] == path]
    assert word in details[0]
