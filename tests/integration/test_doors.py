"""Every door gives the same report, to those who may have it and to nobody else."""

import json
import ssl
import struct
from collections.abc import Iterator

import grpc
import httpx
import pytest
from google.protobuf.json_format import ParseDict

from shuanglu.common.v1.types_pb2 import Channel
from shuanglu.quality.v1.strategy_service_pb2 import ResolveStrategyRequest
from shuanglu.report.v1.report_pb2 import Report
from shuanglu.report.v1.report_service_pb2 import GetReportRequest, GetReportResponse
from shuanglu.session.v1.session_service_pb2 import ListSessionsRequest
from shuanglu_cli.errors import NoEntry, Refused
from shuanglu_stack import EmbeddedStack
from shuanglu_stack.sampling import Client, client_of

TRAILERS = 0x80


@pytest.fixture(scope="module")
def web(stack: EmbeddedStack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.gateway_url, verify=_trust(stack), timeout=30) as client:
        yield client


def _trust(stack: EmbeddedStack) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(stack.ca))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def path_of(report: Report) -> str:
    return f"/v1/sessions/{report.session_id}/report"


def frames(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Frames of gRPC-Web: a flag byte, four bytes of length, the message or the trailers."""
    at = 0
    while at < len(body):
        flag, size = struct.unpack_from(">BI", body, at)
        yield flag, body[at + 5 : at + 5 + size]
        at += 5 + size


def test_json_over_https_gives_the_report(stack: EmbeddedStack, web: httpx.Client, clean_report: Report) -> None:
    answer = web.get(path_of(clean_report), headers=bearer(stack.token()))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/json")
    assert ParseDict(answer.json(), GetReportResponse()).report == clean_report


def test_a_grpc_web_client_gets_the_same_report(stack: EmbeddedStack, web: httpx.Client, clean_report: Report) -> None:
    request = GetReportRequest(session_id=clean_report.session_id).SerializeToString()
    answer = web.post(
        "/shuanglu.report.v1.ReportService/GetReport",
        headers={**bearer(stack.token()), "Content-Type": "application/grpc-web+proto", "X-Grpc-Web": "1"},
        content=struct.pack(">BI", 0, len(request)) + request,
    )
    assert answer.status_code == 200
    got = list(frames(answer.content))
    messages = [body for flag, body in got if not flag & TRAILERS]
    trailers = b"".join(body for flag, body in got if flag & TRAILERS)
    assert b"grpc-status:0" in trailers.replace(b" ", b"")
    assert GetReportResponse.FromString(messages[0]).report == clean_report


def test_the_pdf_comes_as_pdf(stack: EmbeddedStack, web: httpx.Client, clean_report: Report) -> None:
    answer = web.get(path_of(clean_report) + ".pdf", headers=bearer(stack.token()))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    assert len(answer.content) > 20_000


def test_a_replay_link_plays_without_a_token_and_not_when_changed(
    stack: EmbeddedStack, web: httpx.Client, clean_report: Report
) -> None:
    made = web.post(
        f"/v1/sessions/{clean_report.session_id}/replays", headers=bearer(stack.token()), json={"ttl_s": 120}
    )
    assert made.status_code == 200, made.text
    path = made.json()["playlist_path"]
    master = web.get(path)
    assert master.status_code == 200
    assert "#EXT-X-STREAM-INF" in master.text
    lines = master.text.splitlines()
    media = next(line for line in lines if line and not line.startswith("#"))
    folder = path.rpartition("/")[0]
    playlist = web.get(f"{folder}/{media}")
    assert playlist.status_code == 200
    assert "#EXT-X-MAP" in playlist.text
    assert playlist.text.rstrip().endswith("#EXT-X-ENDLIST")
    parts = path.split("/")
    token = parts[2]
    parts[2] = token[:-2] + ("AA" if not token.endswith("AA") else "BB")
    assert web.get("/".join(parts)).status_code in {403, 404}


def test_without_a_token_nobody_enters(web: httpx.Client, clean_report: Report) -> None:
    assert web.get(path_of(clean_report)).status_code == 401
    assert web.post("/files/", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "3"}).status_code == 401


def test_an_expired_token_opens_nothing(stack: EmbeddedStack, web: httpx.Client, clean_report: Report) -> None:
    expired = stack.token(ttl_s=-3600)
    assert web.get(path_of(clean_report), headers=bearer(expired)).status_code == 401


def test_a_token_of_a_foreign_key_opens_nothing(stack: EmbeddedStack, web: httpx.Client, clean_report: Report) -> None:
    head, _, signature = stack.token().rpartition(".")
    forged = f"{head}.{signature[::-1]}"
    assert web.get(path_of(clean_report), headers=bearer(forged)).status_code == 401


@pytest.mark.parametrize("ending", ["", "/report", "/report.pdf", "/inspection"])
def test_another_tenants_session_does_not_exist(
    ending: str, stack: EmbeddedStack, web: httpx.Client, clean_report: Report
) -> None:
    other = bearer(stack.token(tenant="other-bank"))
    answer = web.get(f"/v1/sessions/{clean_report.session_id}{ending}", headers=other)
    missing = web.get(f"/v1/sessions/0192f0c1-0000-7000-8000-000000000000{ending}", headers=other)
    assert answer.status_code == missing.status_code == 404
    body, missing_body = answer.json(), missing.json()
    assert body["details"][0]["reason"] == missing_body["details"][0]["reason"] == "SESSION_NOT_FOUND"


def test_lists_hold_nothing_of_other_tenants(stack: EmbeddedStack, clean_report: Report) -> None:
    with client_of(stack, stack.token(tenant="other-bank")) as other:
        listed = other.gateway.call(other.gateway.sessions.ListSessions, ListSessionsRequest())
        assert clean_report.session_id not in {session.session_id for session in listed.sessions}


def test_a_role_that_may_not_is_told_so(stack: EmbeddedStack, web: httpx.Client, clean_report: Report) -> None:
    ops = bearer(stack.token(roles=["ops"]))
    answer = web.get(path_of(clean_report), headers=ops)
    assert answer.status_code == 403
    assert answer.json()["details"][0]["reason"] == "ROLE_FORBIDDEN"


def test_a_token_for_one_session_opens_no_other(stack: EmbeddedStack, clean_report: Report) -> None:
    bound = stack.token(session_id="0192f0c1-0000-7000-8000-000000000001")
    with client_of(stack, bound) as caller, pytest.raises((Refused, NoEntry)):
        caller.report(clean_report.session_id)
    with client_of(stack, stack.token(session_id=clean_report.session_id)) as caller:
        assert caller.report(clean_report.session_id) == clean_report


def test_calls_between_services_are_not_public(client: Client) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        client.gateway.strategies.ResolveStrategy(
            ResolveStrategyRequest(channel=Channel.CHANNEL_REMOTE), timeout=5, metadata=client.gateway.metadata
        )
    assert refused.value.code() in {
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.NOT_FOUND,
    }


def test_an_error_says_its_reason_and_what_to_do_as_json(stack: EmbeddedStack, web: httpx.Client) -> None:
    answer = web.post("/v1/orders", headers=bearer(stack.token()), json={"order": {"order_no": ""}})
    assert answer.status_code == 400
    body = json.loads(answer.content)
    assert body["details"][0]["@type"].endswith("google.rpc.ErrorInfo")
    assert body["details"][0]["reason"]
    assert body["message"]


def test_unknown_paths_do_not_exist(stack: EmbeddedStack, web: httpx.Client) -> None:
    assert web.get("/v1/nothing", headers=bearer(stack.token())).status_code == 404
