"""The doors: gRPC, JSON, gRPC-Web, uploads and replay through a real Envoy."""

import base64
import json
import struct
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2, status_pb2

from shuanglu.media.v1 import import_service_pb2, import_service_pb2_grpc
from shuanglu.quality.v1 import strategy_service_pb2, strategy_service_pb2_grpc
from shuanglu.report.v1 import report_service_pb2, report_service_pb2_grpc
from shuanglu.session.v1 import session_service_pb2, session_service_pb2_grpc

SESSION = "0190-session"
GET_SESSION = "/shuanglu.session.v1.SessionService/GetSession"
ORIGIN = "https://console.bank.example"


def frame(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return b"\0" + struct.pack(">I", len(data)) + data


def frames(body: bytes) -> Iterator[tuple[int, bytes]]:
    while body:
        kind, size = body[0], struct.unpack(">I", body[1:5])[0]
        yield kind, body[5 : 5 + size]
        body = body[5 + size :]


def error(answer: httpx.Response) -> tuple[int, int, str]:
    """HTTP status, code and detail's reason of a JSON error."""
    assert answer.headers["content-type"].startswith("application/json")
    body = answer.json()
    info = body["details"][0]
    assert info["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert info["domain"] == "shuanglu"
    return answer.status_code, body["code"], info["reason"]


def get_session(gateway: Any, session_id: str = SESSION, **claims: Any) -> Any:
    with gateway.channel() as channel:
        stub = session_service_pb2_grpc.SessionServiceStub(channel)
        request = session_service_pb2.GetSessionRequest(session_id=session_id)
        return stub.GetSession(request, metadata=list(gateway.headers(**claims).items()), timeout=10)


def get_sessions(gateway: Any, times: int, **claims: Any) -> None:
    """The same call again and again over one channel."""
    with gateway.channel() as channel:
        stub = session_service_pb2_grpc.SessionServiceStub(channel)
        request = session_service_pb2.GetSessionRequest(session_id=SESSION)
        metadata = list(gateway.headers(**claims).items())
        for _ in range(times):
            stub.GetSession(request, metadata=metadata, timeout=10)


def refused(call: Any) -> tuple[grpc.StatusCode, str]:
    """Status and reason of a refused gRPC call."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error: Any = caught.value
    status = status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    assert (status.code, status.message) == (error.code().value[0], error.details())
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return error.code(), info.reason


def test_grpc_json_and_grpc_web_give_the_same_session(gateway: Any) -> None:
    by_grpc = get_session(gateway).session.session_id
    request = session_service_pb2.GetSessionRequest(session_id=SESSION)
    with gateway.client() as client:
        by_json = client.get(f"/v1/sessions/{SESSION}").json()["session"]["session_id"]
        answer = client.post(
            GET_SESSION, content=frame(request), headers={"content-type": "application/grpc-web+proto"}
        )
    parts = list(frames(answer.content))
    by_web = session_service_pb2.GetSessionResponse.FromString(parts[0][1]).session.session_id
    assert [by_grpc, by_json, by_web] == [SESSION] * 3
    assert parts[-1][0] == 0x80
    assert b"grpc-status:0" in parts[-1][1].replace(b" ", b"")


def test_the_service_gets_the_token_to_verify_it_again(gateway: Any) -> None:
    with gateway.client() as client:
        client.get(f"/v1/sessions/{SESSION}", headers={"x-jwt-payload": "forged"})
        sent = client.headers["authorization"]
    metadata = gateway.seen.grpc_metadata[-1]
    assert metadata["authorization"] == sent
    assert "x-jwt-payload" not in metadata
    assert metadata["x-request-id"]


def test_trace_context_is_passed_on(gateway: Any) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with gateway.client() as client:
        client.get(f"/v1/sessions/{SESSION}", headers={"traceparent": trace})
    assert gateway.seen.grpc_metadata[-1]["traceparent"] == trace


def test_without_a_collector_no_trace_is_begun(gateway: Any) -> None:
    with gateway.client() as client:
        client.get(f"/v1/sessions/{SESSION}")
    assert "traceparent" not in gateway.seen.grpc_metadata[-1]


def test_with_a_collector_a_trace_begins_or_goes_on(traced_gateway: Any) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    with traced_gateway.client() as client:
        client.get(f"/v1/sessions/{SESSION}")
        assert traced_gateway.seen.grpc_metadata[-1]["traceparent"].endswith("-01")
        client.get(f"/v1/sessions/{SESSION}", headers=headers)
        _, continued, parent, _ = traced_gateway.seen.grpc_metadata[-1]["traceparent"].split("-")
        assert continued == trace
        assert parent != "00f067aa0ba902b7"
        again = partial(client.get, f"/v1/sessions/{SESSION}", headers=headers)
        sent = wait_for_spans(traced_gateway, bytes.fromhex(trace), again)
    assert b"gateway" in sent
    assert client.headers["authorization"].encode() not in sent


def test_of_traces_that_begin_here_a_share_is_kept_and_a_caller_is_followed(run_gateway: Any, backends: Any) -> None:
    parent = "00-6bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with run_gateway(otlp_endpoint=f"http://{backends.web}", trace_sample_ratio=0) as kept, kept.client() as client:
        client.get(f"/v1/sessions/{SESSION}")
        assert kept.seen.grpc_metadata[-1]["traceparent"].endswith("-00")
        client.get(f"/v1/sessions/{SESSION}", headers={"traceparent": parent})
        assert kept.seen.grpc_metadata[-1]["traceparent"].endswith("-01")


def wait_for_spans(gateway: Any, wanted: bytes, call: Callable[[], object]) -> bytes:
    """What the collector got, after calls that leave a span. Envoy gives one up that is not taken within a second."""
    deadline = time.monotonic() + 20
    while wanted not in b"".join(gateway.seen.spans) and time.monotonic() < deadline:
        call()
        time.sleep(0.5)
    sent = b"".join(gateway.seen.spans)
    assert wanted in sent
    return sent


def test_a_replay_link_is_not_in_the_spans(traced_gateway: Any) -> None:
    trace = "5bf92f3577b34da6a3ce929d0e0e4737"
    with traced_gateway.client() as client:
        headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
        assert client.get("/hls/link-secret/master.m3u8", headers=headers).is_success
        again = partial(client.get, f"/v1/sessions/{SESSION}", headers=headers)
        assert b"link-secret" not in wait_for_spans(traced_gateway, bytes.fromhex(trace), again)


def test_json_body_keeps_proto_names(gateway: Any) -> None:
    order = {"order_no": "L-1", "amount": {"amount_fen": "100", "currency": "CNY"}}
    with gateway.client() as client:
        answer = client.post("/v1/orders", json={"order": order})
    assert answer.json()["order"]["order_no"] == "L-1"
    assert answer.json()["order"]["amount"]["amount_fen"] == "100"


def test_a_services_error_arrives_with_its_reason(gateway: Any) -> None:
    with gateway.client() as client:
        assert error(client.get("/v1/sessions/missing")) == (404, 5, "SESSION_NOT_FOUND")
    assert refused(lambda: get_session(gateway, "missing")) == (grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND")


@pytest.mark.parametrize(
    "claims",
    [{"exp": int(time.time()) - 3600}, {"iss": "https://evil.example"}, {"iss": "shuanglu-internal"}, {"exp": None}],
)
def test_a_wrong_token_is_401(gateway: Any, claims: dict[str, Any]) -> None:
    with gateway.client(**claims) as client:
        assert error(client.get(f"/v1/sessions/{SESSION}")) == (401, 16, "UNAUTHENTICATED")
    assert refused(lambda: get_session(gateway, **claims)) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


@pytest.mark.parametrize("path", [f"/v1/sessions/{SESSION}", GET_SESSION, "/files/", "/nothing", "/metrics"])
def test_no_token_is_401_everywhere(gateway: Any, path: str) -> None:
    with gateway.client() as client:
        del client.headers["authorization"]
        assert error(client.post(path))[0] == 401


def test_a_token_in_the_query_is_no_token(gateway: Any) -> None:
    with gateway.client() as client:
        del client.headers["authorization"]
        answer = client.get(f"/v1/sessions/{SESSION}", params={"access_token": gateway.issuer.token()})
    assert answer.status_code == 401


def test_a_forged_signature_is_401(gateway: Any) -> None:
    with gateway.client() as client:
        head, body, signature = gateway.issuer.token().split(".")
        forged = f"{head}.{body}.{'A' * len(signature)}"
        answer = client.get(f"/v1/sessions/{SESSION}", headers={"authorization": f"Bearer {forged}"})
    assert error(answer) == (401, 16, "UNAUTHENTICATED")


def test_another_audience_is_403(gateway: Any) -> None:
    with gateway.client(aud="other") as client:
        assert error(client.get(f"/v1/sessions/{SESSION}")) == (403, 7, "FORBIDDEN")


@pytest.mark.parametrize("path", ["/v1/nothing", "/nothing", "/", "/v1/sessions/a/b/c", "/v1", "/filesystem", "/stats"])
def test_an_unknown_path_is_404(gateway: Any, path: str) -> None:
    with gateway.client() as client:
        assert error(client.get(path)) == (404, 5, "NO_SUCH_PATH")


def test_an_unknown_query_parameter_is_400(gateway: Any) -> None:
    with gateway.client() as client:
        assert client.get(f"/v1/sessions/{SESSION}", params={"tipo": "1"}).status_code == 400


@pytest.mark.parametrize("path", ["/v1/sessions/x%2Fy", "/files/..%2F..%2Fhls", "/hls/%2e%2e%2fv1"])
def test_hidden_slashes_are_refused(gateway: Any, path: str) -> None:
    with gateway.client() as client:
        assert client.get(path).status_code == 400


def test_an_internal_call_is_not_reachable(gateway: Any) -> None:
    name = "/shuanglu.quality.v1.StrategyService/ResolveStrategy"
    request = strategy_service_pb2.ResolveStrategyRequest(strategy_id="x")
    with gateway.channel() as channel:
        stub = strategy_service_pb2_grpc.StrategyServiceStub(channel)
        code = refused(lambda: stub.ResolveStrategy(request, metadata=list(gateway.headers().items()), timeout=10))
    assert code == (grpc.StatusCode.UNIMPLEMENTED, "NO_SUCH_PATH")
    with gateway.client() as client:
        assert error(client.post(name, json={}))[0] == 404
        assert error(client.post(name, content=b"x", headers={"content-type": "text/plain"}))[0] == 404
    assert web_call(gateway, name, request) == ("12", "NO_SUCH_PATH")
    assert gateway.seen.resolved == 0


def test_a_public_call_of_the_same_service_is_reachable(gateway: Any) -> None:
    with gateway.client() as client:
        assert client.post("/v1/strategies:validate", json={"yaml": "x"}).json()["version"] == "x"


def test_health_is_not_reachable_by_grpc(gateway: Any) -> None:
    with gateway.channel() as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/grpc.health.v1.Health/Check")(b"", metadata=list(gateway.headers().items()), timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_stream_outlives_the_timeout_of_a_call(gateway: Any) -> None:
    with gateway.channel() as channel:
        stub = report_service_pb2_grpc.ReportServiceStub(channel)
        request = report_service_pb2.WatchInspectionRequest(session_id=SESSION)
        steps = list(stub.WatchInspection(request, metadata=list(gateway.headers().items())))
    assert [step.observed for step in steps] == [0, 1, 2]


def test_a_stream_as_json_is_a_line_a_message(gateway: Any) -> None:
    with gateway.client() as client, client.stream("GET", f"/v1/sessions/{SESSION}/inspection") as answer:
        lines = [json.loads(line) for line in answer.iter_lines() if line]
    assert [line["observed"] for line in lines] == [0, 1, 2]


def test_a_stream_by_grpc_web(gateway: Any) -> None:
    request = report_service_pb2.WatchInspectionRequest(session_id=SESSION)
    path = "/shuanglu.report.v1.ReportService/WatchInspection"
    headers = {"content-type": "application/grpc-web-text", "accept": "application/grpc-web-text"}
    with gateway.client() as client:
        answer = client.post(path, content=base64.b64encode(frame(request)), headers=headers)
    decoded = b"".join(base64.b64decode(part + b"=" * (-len(part) % 4)) for part in split_base64(answer.content))
    kinds = [kind for kind, _ in frames(decoded)]
    assert kinds == [0, 0, 0, 0x80]


def split_base64(body: bytes) -> list[bytes]:
    """grpc-web-text joins base64 pieces that each may end in padding."""
    parts: list[bytes] = []
    start = 0
    for end in range(4, len(body) + 1, 4):
        if body[end - 1 : end] == b"=":
            parts.append(body[start:end])
            start = end
    return [*parts, body[start:]]


def test_a_pdf_comes_as_a_pdf(gateway: Any) -> None:
    with gateway.client() as client:
        answer = client.get(f"/v1/sessions/{SESSION}/report.pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    assert len(answer.content) > 3 << 20


def test_an_upload_passes_and_keeps_its_token(gateway: Any) -> None:
    with gateway.client() as client:
        answer = client.patch("/files/abc", content=b"x" * (5 << 20), headers={"upload-offset": "0"})
        sent = client.headers["authorization"]
    assert answer.json() == {"size": 5 << 20}
    assert answer.headers["tus-resumable"] == "1.0.0"
    assert gateway.seen.uploads[-1] == (sent, 5 << 20)


def test_an_upload_is_streamed_not_buffered(gateway: Any) -> None:
    times: list[float] = []

    def slow() -> Iterator[bytes]:
        for _ in range(4):
            yield b"x" * 65536
            times.append(time.monotonic())
            time.sleep(0.4)

    with gateway.client() as client:
        answer = client.patch("/files/slow", content=slow(), headers={"upload-offset": "0"})
    assert answer.json() == {"size": 4 * 65536}
    assert gateway.seen.first_upload_byte_at < times[-1]


def test_replay_needs_no_token(gateway: Any) -> None:
    with gateway.client() as client:
        del client.headers["authorization"]
        answer = client.get("/hls/signed/master.m3u8")
    assert answer.text == "#EXTM3U\n"


def web_call(gateway: Any, path: str, request: Any) -> tuple[str, str]:
    """gRPC status and reason of a call by gRPC-Web that is refused."""
    with gateway.client() as client:
        answer = client.post(path, content=frame(request), headers={"content-type": "application/grpc-web+proto"})
    status = status_pb2.Status.FromString(base64.b64decode(answer.headers["grpc-status-details-bin"] + "=="))
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return answer.headers["grpc-status"], info.reason


def test_a_service_that_is_away_is_named_so_at_every_door(gateway: Any) -> None:
    request = import_service_pb2.GetImportRequest(import_id="x")
    with gateway.client() as client:
        assert error(client.get("/v1/imports/x")) == (503, 14, "SERVICE_AWAY")
    with gateway.channel() as channel:
        stub = import_service_pb2_grpc.ImportServiceStub(channel)
        metadata = list(gateway.headers().items())
        code = refused(lambda: stub.GetImport(request, metadata=metadata, timeout=10))
    assert code == (grpc.StatusCode.UNAVAILABLE, "SERVICE_AWAY")
    path = "/shuanglu.media.v1.ImportService/GetImport"
    assert web_call(gateway, path, request) == ("14", "SERVICE_AWAY")


def test_a_service_that_is_too_slow_is_named_so_at_every_door(gateway: Any) -> None:
    """Envoy tells the service how much time there is: either of them may be the first to say that it is over."""
    request = session_service_pb2.CreateSessionRequest(order_id="x")
    with gateway.client() as client:
        answer = client.post("/v1/sessions", json={"order_id": "x"})
        assert (answer.status_code, answer.json()["code"]) == (504, 4)
    with gateway.channel() as channel:
        stub = session_service_pb2_grpc.SessionServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.CreateSession(request, metadata=list(gateway.headers().items()))
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    with gateway.client() as client:
        headers = {"content-type": "application/grpc-web+proto"}
        path = "/shuanglu.session.v1.SessionService/CreateSession"
        answer = client.post(path, content=frame(request), headers=headers)
    # gRPC-Web's status is made of HTTP's 504 where the gateway speaks (https://grpc.io/docs/guides/status-codes/).
    assert answer.headers["grpc-status"] in {"4", "14"}


def test_a_json_body_over_the_limit_is_413(gateway: Any) -> None:
    with gateway.client() as client:
        answer = client.post("/v1/strategies:validate", json={"yaml": "x" * 10_000})
    assert error(answer) == (413, 8, "BODY_TOO_LARGE")


def test_one_subject_is_limited_and_another_is_not(gateway: Any) -> None:
    with gateway.client(sub="greedy") as client:
        assert client.get("/v1/sessions/a").status_code == 200
        # The bucket may be filled up once while it is emptied.
        answers = (client.get("/v1/sessions/a") for _ in range(450))
        last = next(answer for answer in answers if not answer.is_success)
    assert error(last) == (429, 8, "TOO_MANY_REQUESTS")
    # It may also be filled up between the doors.
    assert refused(lambda: get_sessions(gateway, 450, sub="greedy")) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "TOO_MANY_REQUESTS",
    )
    with gateway.client(sub="modest") as client:
        assert client.get("/v1/sessions/a").status_code == 200
    with gateway.client(sub="greedy", tenant="other") as client:
        assert client.get("/v1/sessions/a").status_code == 200
