"""The doors of a call: participants' tokens, invitations, WHIP and WHEP, the pages."""

import json
import re
import struct
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from shuanglu.session.v1 import call_service_pb2, call_service_pb2_grpc
from shuanglu_gateway.bootstrap import render
from shuanglu_gateway.console import MAX_FILE_BYTES
from shuanglu_gateway.errors import ConsoleInvalid
from shuanglu_gateway.settings import GatewaySettings

SESSION = "0192f0c1-0000-7000-8000-000000000000"
ORIGIN = "https://console.bank.example"
CALL = "/shuanglu.session.v1.CallService/"
ACCEPT = "/v1/invitations:accept"
SDP = {"content-type": "application/sdp"}
PARTICIPANT = {"sub": f"{SESSION}/customer", "roles": ["customer"], "session_id": SESSION, "participant_id": "customer"}


def participant(gateway: Any, **changes: Any) -> dict[str, str]:
    """Headers of a call's participant."""
    return {"authorization": f"Bearer {gateway.signaling.token(**(PARTICIPANT | changes))}"}


def reason(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["details"][0]["reason"]


def frame(message: Any) -> bytes:
    data = message.SerializeToString()
    return b"\0" + struct.pack(">I", len(data)) + data


def test_a_participants_token_opens_the_doors(gateway: Any) -> None:
    headers = participant(gateway)
    with gateway.client() as client:
        client.headers.update(headers)
        assert client.get(f"/v1/sessions/{SESSION}/call").status_code == 200
        assert client.post(f"/whip/{SESSION}", content=b"v=0", headers=SDP).status_code == 201
    assert gateway.seen.grpc_metadata[-1]["authorization"] == headers["authorization"]


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"exp": int(time.time()) - 3600}, 401),
        ({"iss": "https://id.bank.example"}, 401),
        ({"iss": "shuanglu-internal"}, 401),
        ({"exp": None}, 401),
        ({"aud": "other"}, 403),
    ],
)
def test_a_participants_token_that_does_not_hold_is_refused(gateway: Any, claims: dict[str, Any], status: int) -> None:
    with gateway.client() as client:
        answer = client.get(f"/v1/sessions/{SESSION}/call", headers=participant(gateway, **claims))
    assert answer.status_code == status


def test_the_banks_key_makes_no_participants(gateway: Any) -> None:
    with gateway.client(iss="shuanglu-session", **PARTICIPANT) as client:
        assert reason(client.get(f"/v1/sessions/{SESSION}/call")) == (401, "UNAUTHENTICATED")


def test_without_signalings_keys_participants_are_refused_and_the_bank_is_not(
    run_gateway: Callable[..., AbstractContextManager[Any]],
) -> None:
    with run_gateway(session_jwks_file=None) as gateway, gateway.client() as client:
        assert client.get(f"/v1/sessions/{SESSION}/call", headers=participant(gateway)).status_code == 401
        assert client.get(f"/v1/sessions/{SESSION}/call").status_code == 200


def test_an_invitation_is_accepted_without_a_token_and_its_cookie_passes_both_ways(gateway: Any) -> None:
    with gateway.client() as client:
        del client.headers["authorization"]
        cookie = {"cookie": "shuanglu_seat=mine"}
        by_json = client.post(ACCEPT, json={"code": "c"}, headers=cookie)
        assert gateway.seen.grpc_metadata[-1]["cookie"] == "shuanglu_seat=mine"
        web = {"content-type": "application/grpc-web+proto", **cookie}
        request = call_service_pb2.AcceptInvitationRequest(code="c")
        by_web = client.post(f"{CALL}AcceptInvitation", content=frame(request), headers=web)
        assert gateway.seen.grpc_metadata[-1]["cookie"] == "shuanglu_seat=mine"
    assert (by_json.status_code, by_json.json()["token"]) == (200, "t")
    assert by_json.headers["set-cookie"] == by_web.headers["set-cookie"]
    assert {"HttpOnly", "Secure", "SameSite=Strict"} <= set(by_json.headers["set-cookie"].split("; "))


def test_an_invitation_is_accepted_by_grpc(gateway: Any) -> None:
    with gateway.channel() as channel:
        stub = call_service_pb2_grpc.CallServiceStub(channel)
        request = call_service_pb2.AcceptInvitationRequest(code="c")
        answer, call = stub.AcceptInvitation.with_call(request, metadata=(("cookie", "shuanglu_seat=x"),), timeout=10)
    assert answer.session_id == "s"
    assert dict(call.initial_metadata())["set-cookie"].startswith("shuanglu_seat=")
    assert gateway.seen.grpc_metadata[-1]["cookie"] == "shuanglu_seat=x"


def test_the_cookie_reaches_no_other_door_and_no_other_door_sets_one(gateway: Any) -> None:
    cookie = {"cookie": "shuanglu_seat=mine"}
    with gateway.client() as client:
        answers = [client.get(f"/v1/sessions/{SESSION}/call", headers=cookie)]
        web = {"content-type": "application/grpc-web+proto", **cookie}
        answers.append(client.post(f"{CALL}GetCall", content=frame(call_service_pb2.GetCallRequest()), headers=web))
        assert not any("cookie" in metadata for metadata in gateway.seen.grpc_metadata[-2:])
        answers.append(client.post(f"/whip/{SESSION}", content=b"v=0", headers=SDP | cookie))
        assert "cookie" not in gateway.seen.media[-1][2]
    assert [answer.status_code for answer in answers] == [200, 200, 201]
    assert not any("set-cookie" in answer.headers for answer in answers)


@pytest.mark.parametrize(
    "path",
    [f"/v1/sessions/{SESSION}/call", "/v1/invitations:accept/", "/v1/invitations", "/whip/x", "/callx", "/call/x"],
)
def test_nothing_beside_it_is_open(gateway: Any, path: str) -> None:
    with gateway.client() as client:
        del client.headers["authorization"]
        assert client.get(path).status_code == 401
        assert client.post(path, content=b"").status_code == 401


def test_who_tries_codes_is_slowed_down_by_address_and_tokens_are_not(
    run_gateway: Callable[..., AbstractContextManager[Any]],
) -> None:
    with run_gateway(accepts_per_10s=5, trusted_hops=1) as gateway, gateway.client() as client:
        first, second = {"x-forwarded-for": "203.0.113.7"}, {"x-forwarded-for": "203.0.113.8"}

        def tries(headers: dict[str, str]) -> list[Any]:
            return [client.post(ACCEPT, json={"code": "c"}, headers=headers) for _ in range(12)]

        answers = tries(first)
        assert [answer.status_code for answer in answers[:5]] == [200] * 5
        # The bucket may be filled up once in between.
        assert reason(next(answer for answer in answers if answer.is_error)) == (429, "TOO_MANY_REQUESTS")
        request = frame(call_service_pb2.AcceptInvitationRequest(code="c"))
        web = {"content-type": "application/grpc-web+proto", **first}
        by_web = [client.post(f"{CALL}AcceptInvitation", content=request, headers=web) for _ in range(6)]
        assert 429 in {answer.status_code for answer in by_web}
        assert tries(second)[0].status_code == 200
        assert client.get(f"/v1/sessions/{SESSION}/call", headers=first).status_code == 200


def test_the_callers_address_is_not_believed_without_a_proxy(
    run_gateway: Callable[..., AbstractContextManager[Any]],
) -> None:
    with run_gateway(accepts_per_10s=5) as gateway, gateway.client() as client:
        headers = [{"x-forwarded-for": f"203.0.113.{number}"} for number in range(12)]
        answers = [client.post(ACCEPT, json={"code": "c"}, headers=each) for each in headers]
        assert 429 in {answer.status_code for answer in answers}


def test_a_node_is_started_by_json(gateway: Any) -> None:
    with gateway.client() as client:
        answer = client.post(f"/v1/sessions/{SESSION}/nodes/consent:start", json={})
        assert reason(client.post(f"/v1/sessions/{SESSION}/nodes/x:start", json={"node_id": "y"}))[0] == 400
    assert answer.json()["call"]["session_id"] == SESSION
    assert answer.json()["call"]["current_node_id"] == "consent"


def test_watching_a_call_outlives_the_timeout_of_a_call(gateway: Any) -> None:
    request = call_service_pb2.WatchSessionRequest(session_id=SESSION)
    with gateway.client() as client:
        client.headers.update(participant(gateway))
        with client.stream("GET", f"/v1/sessions/{SESSION}/call:watch") as stream:
            by_json = [json.loads(line)["call"]["revision"] for line in stream.iter_lines() if line]
        web = {"content-type": "application/grpc-web+proto"}
        by_web = client.post(f"{CALL}WatchSession", content=frame(request), headers=web).content
    assert by_json == ["1", "2", "3"]
    kinds = []
    while by_web:
        (length,) = struct.unpack(">I", by_web[1:5])
        kinds.append(by_web[0])
        by_web = by_web[5 + length :]
    assert kinds == [0, 0, 0, 0x80]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/whip/{SESSION}"),
        ("PATCH", f"/whip/{SESSION}/resource"),
        ("DELETE", f"/whip/{SESSION}/resource"),
        ("POST", f"/whep/{SESSION}/agent"),
        ("PATCH", f"/whep/{SESSION}/agent/resource"),
        ("DELETE", f"/whep/{SESSION}/agent/resource"),
    ],
)
def test_whip_and_whep_pass_as_they_are(gateway: Any, method: str, path: str) -> None:
    body = b"" if method == "DELETE" else "v=0\r\ns=双录\r\n".encode()
    headers = participant(gateway) | SDP | {"if-match": '"one"'}
    with gateway.client() as client:
        answer = client.request(method, path, content=body, headers=headers)
    got_method, got_path, got, got_body = gateway.seen.media[-1]
    assert (got_method, got_path, got_body) == (method, path, body)
    assert (got["authorization"], got["if-match"]) == (headers["authorization"], '"one"')
    assert (answer.status_code, answer.headers["content-type"]) == (201, "application/sdp")
    assert answer.headers["location"] == f"{path}/resource"
    assert answer.headers["link"].endswith('rel="ice-server"')


def test_pages_of_the_named_origins_may_publish(gateway: Any) -> None:
    asked = {"origin": ORIGIN, "access-control-request-method": "PATCH"}
    asked["access-control-request-headers"] = "authorization,content-type,if-match"
    before = len(gateway.seen.media)
    with gateway.client() as client:
        del client.headers["authorization"]
        allowed = client.options(f"/whip/{SESSION}/resource", headers=asked)
        elsewhere = client.options(f"/whip/{SESSION}/resource", headers=asked | {"origin": "https://evil.example"})
        assert len(gateway.seen.media) == before
        answer = client.post(
            f"/whip/{SESSION}", content=b"v=0", headers=participant(gateway) | SDP | {"origin": ORIGIN}
        )
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    assert "PATCH" in allowed.headers["access-control-allow-methods"]
    assert "if-match" in allowed.headers["access-control-allow-headers"]
    assert "access-control-allow-origin" not in elsewhere.headers
    assert {"location", "link", "etag", "accept-patch"} <= set(
        answer.headers["access-control-expose-headers"].split(",")
    )


def test_an_offer_over_the_limit_is_413_and_never_arrives(gateway: Any) -> None:
    before = len(gateway.seen.media)
    with gateway.client() as client:
        answer = client.post(f"/whip/{SESSION}", content=b"x" * (65 << 10), headers=SDP)
    assert reason(answer) == (413, "BODY_TOO_LARGE")
    assert len(gateway.seen.media) == before


def test_the_page_is_open_and_strict(gateway: Any, console: Path) -> None:
    with gateway.client() as client:
        del client.headers["authorization"]
        answer, queried = client.get("/call"), client.get("/call?lang=en")
        assert client.post("/call").status_code == 404
        assert client.head("/call").status_code == 200
    assert answer.content == queried.content == (console / "call.html").read_bytes()
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    policy = dict(rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; "))
    assert (policy["default-src"], policy["frame-ancestors"], policy["script-src"]) == ("'none'", "'none'", "'self'")
    assert not re.search(r"unsafe|\*|https?:", answer.headers["content-security-policy"])
    assert "camera=(self)" in answer.headers["permissions-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("call-4f3a.js", "text/javascript; charset=utf-8"),
        ("call-77b1.css", "text/css; charset=utf-8"),
        ("dot-01.png", "image/png"),
    ],
)
def test_a_hashed_file_comes_byte_for_byte_and_may_be_kept(gateway: Any, console: Path, name: str, kind: str) -> None:
    with gateway.client() as client:
        del client.headers["authorization"]
        answer = client.get(f"/assets/{name}")
    assert answer.content == (console / "assets" / name).read_bytes()
    assert answer.headers["content-type"] == kind
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("path", ["/assets/none.js", "/assets/call-4f3a.js.map", "/assets/", "/assets/../call.html"])
def test_what_is_not_of_the_build_is_not_served(gateway: Any, path: str) -> None:
    with gateway.client() as client:
        assert reason(client.get(path)) == (404, "NO_SUCH_PATH")


def test_pages_are_compressed_and_answers_are_not(gateway: Any) -> None:
    with gateway.client() as client:
        script = client.get("/assets/call-4f3a.js", headers={"accept-encoding": "gzip"})
        plain = client.get("/assets/call-4f3a.js", headers={"accept-encoding": "identity"})
        call = client.get(f"/v1/sessions/{SESSION}/call", headers={"accept-encoding": "gzip"})
    assert script.headers["content-encoding"] == "gzip"
    assert script.content == plain.content
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in call.headers


def test_health_is_still_json(gateway: Any) -> None:
    with gateway.client() as client:
        assert client.get("/healthz").headers["content-type"] == "application/json"


def test_without_a_console_its_address_says_so(run_gateway: Callable[..., AbstractContextManager[Any]]) -> None:
    with run_gateway(console_dir=None) as gateway, gateway.client() as client:
        del client.headers["authorization"]
        answer = client.get("/call")
        assert client.get("/assets/x.js").status_code == 404
    assert reason(answer) == (404, "NO_SUCH_PATH")
    assert "no pages" in answer.json()["details"][0]["metadata"]["detail"]


def test_a_console_that_cannot_be_served_is_refused(
    make_settings: Callable[..., GatewaySettings], tmp_path: Path
) -> None:
    def rendered() -> str:
        return render(make_settings(console_dir=tmp_path))

    with pytest.raises(ConsoleInvalid, match=r"no call\.html"):
        rendered()
    (tmp_path / "call.html").write_text("x")
    assert str(tmp_path / "call.html") in rendered()
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "run.php").write_text("x")
    with pytest.raises(ConsoleInvalid, match="content type"):
        rendered()
    (tmp_path / "assets" / "run.php").rename(tmp_path / "assets" / "big.js")
    (tmp_path / "assets" / "big.js").write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    with pytest.raises(ConsoleInvalid, match="bytes"):
        rendered()


def test_codes_tokens_and_passwords_of_a_call_are_not_in_the_log(gateway: Any) -> None:
    """SDP holds ICE passwords and fingerprints; the code of an invitation lets in."""
    secrets = ["code-of-the-link", "ufrag-and-password", "seat-of-the-browser"]
    with gateway.client() as client:
        client.post(ACCEPT, json={"code": secrets[0]}, headers={"cookie": f"shuanglu_seat={secrets[2]}"})
        client.post(ACCEPT, json={"cod": secrets[0]})
        client.get(f"{ACCEPT}?code={secrets[0]}")
        client.get(f"/call?{secrets[0]}")
        headers = participant(gateway)
        client.post(f"/whip/{SESSION}", content=f"a=ice-pwd:{secrets[1]}".encode(), headers=headers | SDP)
        client.get(f"/v1/sessions/{SESSION}/call", headers=headers)
    deadline = time.monotonic() + 10
    while '"call":"whip"' not in gateway.log.read_text() and time.monotonic() < deadline:
        time.sleep(0.1)
    text = gateway.log.read_text()
    assert '"call":"whip"' in text
    assert not [secret for secret in secrets if secret in text]
    assert headers["authorization"].rpartition(".")[2] not in text


def test_a_foreign_key_makes_no_participants(gateway: Any) -> None:
    """The right issuer and key id, the wrong key."""
    forged = type(gateway.signaling)(ec.generate_private_key(ec.SECP256R1()), "shuanglu-session", "shuanglu-session")
    with gateway.client() as client:
        headers = {"authorization": f"Bearer {forged.token(**PARTICIPANT)}"}
        assert client.get(f"/v1/sessions/{SESSION}/call", headers=headers).status_code == 401
