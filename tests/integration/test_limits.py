"""Limits and odd names at the real doors: pages, uploads, text from callers. Of connections: services/gateway."""

import base64
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import grpc
import httpx
import pytest
from botocore.config import Config
from google.protobuf.json_format import ParseDict

from shuanglu.media.v1.import_service_pb2 import GetImportRequest, ImportRecordingRequest, ListImportBatchesRequest
from shuanglu.quality.v1.strategy_service_pb2 import GetStrategyRequest, ListStrategiesRequest
from shuanglu.report.v1.report_service_pb2 import CreateReplayRequest, ListReportsRequest
from shuanglu.session.v1.session_pb2 import Order
from shuanglu.session.v1.session_service_pb2 import (
    CreateOrderRequest,
    CreateSessionRequest,
    GetSessionRequest,
    ListSessionsRequest,
)
from shuanglu_cli.errors import Refused
from shuanglu_stack import EmbeddedStack
from shuanglu_stack.s3_gateway import BUCKET
from shuanglu_stack.sampling import Client, client_of

TENANT = "limits-bank"
TUS = {"Tus-Resumable": "1.0.0"}
ODD = {
    "parent folders": "../../../etc/passwd",
    "encoded parents": "..%2f..%2fetc%2fpasswd",
    "backslashes": "..\\..\\windows",
    "absolute": "/etc/passwd",
    "turned around": "张\u202egpj.exe",
    "joined": "a\u200db\ufeff",
    "emoji": "😀👨‍👩‍👧‍👦",
    "wide": "Ａ／．．／Ｂ",
    "combining": "e" + "\u0301" * 200,
    "quotes": "'; DROP TABLE orders; --",
    "shell": "$(id) `id` | id ; id &",
    "template": "#panic() {{7*7}} ${7*7} <script>alert(1)</script>",
    "wildcards": "*.> demo.* $JS.API.>",
    "line breaks": "a\r\nSet-Cookie: x=1\r\n\r\nb",
    "control": "a\x1b[31m\x07b",
    "empty": "",
    "space": " ",
    "ten thousand": "长" * 10_000,
}


@pytest.fixture(scope="module")
def caller(doors: EmbeddedStack) -> Iterator[Client]:
    with client_of(doors, doors.token(TENANT)) as client:
        yield client


@pytest.fixture(scope="module")
def web(doors: EmbeddedStack) -> Iterator[httpx.Client]:
    trust = ssl.create_default_context(cafile=str(doors.ca))
    headers = {"Authorization": f"Bearer {doors.token(TENANT)}"}
    with httpx.Client(base_url=doors.gateway_url, verify=trust, headers=headers, timeout=30) as client:
        yield client


def good_order(number: str) -> Order:
    order = {"order_no": number, "product": "personal_loan", "purpose": "consumption", "term_months": 12}
    order |= {"amount": {"amount_fen": "100000", "currency": "CNY"}}
    order |= {"customer": {"customer_no": "C-1", "name": "张三", "id_number": "110101199003070000"}}
    return ParseDict(order, Order())


def refusal(client: Client, method: Any, request: Any) -> str:
    """The reason, after looking that the fault is the caller's."""
    with pytest.raises(Refused) as caught:
        client.gateway.call(method, request)
    assert caught.value.help
    return str(caught.value.reason)


LISTS = {
    "sessions": ("sessions", "ListSessions", ListSessionsRequest),
    "strategies": ("strategies", "ListStrategies", ListStrategiesRequest),
    "reports": ("reports", "ListReports", ListReportsRequest),
    "batches": ("imports", "ListImportBatches", ListImportBatchesRequest),
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("size", [-1, 201, 2**31 - 1, -(2**31)])
def test_a_page_has_a_largest_size(name: str, size: int, caller: Client) -> None:
    stub, method, request = LISTS[name]
    refusal(caller, getattr(getattr(caller.gateway, stub), method), request(page_size=size))


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    "token", ["x", "AAAA", "....", "长", "A" * 5000, base64.b64encode(b"id:personal-loan").decode()]
)
def test_a_page_token_that_is_not_ours_is_refused(name: str, token: str, caller: Client) -> None:
    stub, method, request = LISTS[name]
    refusal(caller, getattr(getattr(caller.gateway, stub), method), request(page_token=token))


def test_a_page_token_of_another_tenant_or_list_is_refused(doors: EmbeddedStack, caller: Client) -> None:
    call, sessions = caller.gateway.call, caller.gateway.sessions
    order = call(sessions.CreateOrder, CreateOrderRequest(order=good_order("PAGES-1"))).order
    for _ in range(3):
        call(sessions.CreateSession, CreateSessionRequest(order_id=order.order_id, channel=1))
    first = call(sessions.ListSessions, ListSessionsRequest(page_size=1, order_id=order.order_id))
    token = first.next_page_token
    second = call(sessions.ListSessions, ListSessionsRequest(page_size=1, order_id=order.order_id, page_token=token))
    assert second.sessions[0].session_id != first.sessions[0].session_id
    for request in (
        ListSessionsRequest(page_size=1, page_token=token),
        ListSessionsRequest(page_size=1, order_id=order.order_id, page_token=token[:-4] + "AAAA"),
        ListSessionsRequest(page_size=1, order_id=order.order_id, page_token="A" + token[1:]),
    ):
        assert refusal(caller, sessions.ListSessions, request) == "PAGE_TOKEN_INVALID"
    with client_of(doors, doors.token("another-bank")) as other:
        request = ListSessionsRequest(page_size=1, order_id=order.order_id, page_token=token)
        assert refusal(other, other.gateway.sessions.ListSessions, request) == "PAGE_TOKEN_INVALID"
    assert refusal(caller, caller.gateway.reports.ListReports, ListReportsRequest(page_token=token))


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_odd_text_in_an_order_is_refused_or_kept_as_it_is(text: str, caller: Client) -> None:
    for field in ("order_no", "product", "purpose", "branch", "agent_no"):
        order = good_order("ODD-FIELDS")
        setattr(order, field, text)
        order.order_no = text if field == "order_no" else f"ODD-{field}-{hash(text)}"
        kept_or_refused(caller, order)
    for field in ("customer_no", "name", "id_number"):
        order = good_order(f"ODD-{field}-{hash(text)}")
        setattr(order.customer, field, text)
        kept_or_refused(caller, order)


def kept_or_refused(caller: Client, order: Order) -> None:
    try:
        made = caller.gateway.call(caller.gateway.sessions.CreateOrder, CreateOrderRequest(order=order)).order
    except Refused as error:
        reason = error.reason
    else:
        reason = ""
        order.order_id, order.created_at_us = made.order_id, made.created_at_us
        assert made == order
    assert reason in {"", "ORDER_INVALID", "ORDER_NO_TAKEN"}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_odd_text_as_an_id_names_nothing(text: str, caller: Client) -> None:
    gateway = caller.gateway
    for method, request in (
        (gateway.sessions.GetSession, GetSessionRequest(session_id=text)),
        (gateway.imports.GetImport, GetImportRequest(import_id=text)),
        (gateway.reports.CreateReplay, CreateReplayRequest(session_id=text)),
        (gateway.sessions.CreateSession, CreateSessionRequest(order_id=text, channel=1)),
        (gateway.strategies.GetStrategy, GetStrategyRequest(strategy_id=text or "x", version=text)),
        (gateway.imports.ImportRecording, import_request(text)),
    ):
        refusal(caller, method, request)


def import_request(text: str) -> ImportRecordingRequest:
    request = ImportRecordingRequest(session_id=text)
    files = [{"upload_id": text, "participants": [{"participant_id": text, "role": 1}]}]
    return ParseDict({"files": files, "timeline": [{"node_id": text, "end_ms": 5, "take": 1}]}, request)


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_odd_file_names_are_kept_or_refused_and_never_a_path(
    text: str, doors: EmbeddedStack, web: httpx.Client, tmp_path: Path
) -> None:
    before = folders(doors)
    encoded = base64.b64encode(text.encode()).decode()
    answer = web.post(
        "/files/", headers={**TUS, "Upload-Length": "3", "Upload-Metadata": f"filename {encoded}".strip()}
    )
    if answer.status_code != 201:
        # Longer than a request's head, or than metadata, may be.
        assert answer.status_code in {400, 431}
        assert len(text.encode()) > 3000
        return
    kept = web.head(answer.headers["location"], headers=TUS).headers["upload-metadata"]
    assert kept == f"filename {encoded}".strip()
    new = folders(doors) - before
    name = answer.headers["location"].rpartition("/")[2]
    assert {path.name for path in new if path.is_file()} <= {f"{name}.json", f"{name}.data"}
    web.delete(answer.headers["location"], headers=TUS)


def folders(stack: EmbeddedStack) -> set[Path]:
    return set((stack.data_dir / "spool").rglob("*"))


@pytest.mark.parametrize(
    "metadata",
    ["filename", "filename !!!", "a b,a b", "äö YQ==", "filename YQ==,", "k" * 5000 + " YQ==", "a\tb YQ=="],
)
def test_metadata_that_is_none_is_refused_or_harmless(metadata: str, web: httpx.Client) -> None:
    headers = {**TUS, "Upload-Length": "3", "Upload-Metadata": metadata.encode("utf-8")}
    assert web.post("/files/", headers=headers).status_code in {201, 400}


@pytest.mark.parametrize("tenant", ["../x", "A", "a" * 64, "a.b", "a>b", "a*", "", "张", "a\0b"])
def test_a_tenant_is_a_plain_word(tenant: str, doors: EmbeddedStack, web: httpx.Client) -> None:
    headers = {"Authorization": f"Bearer {doors.token(tenant)}"}
    assert web.get("/v1/sessions", headers=headers).status_code == 401
    assert web.post("/files/", headers={**headers, **TUS, "Upload-Length": "1"}).status_code == 401


@pytest.mark.parametrize("length", ["-1", "1.5", "1e3", "0x10", "", "9" * 30, str((20 << 30) + 1)])
def test_the_length_of_an_upload_is_a_number_within_the_limit(length: str, web: httpx.Client) -> None:
    answer = web.post("/files/", headers={**TUS, "Upload-Length": length})
    assert answer.status_code in {400, 413}


def test_a_body_longer_than_announced_is_refused(web: httpx.Client) -> None:
    path = web.post("/files/", headers={**TUS, "Upload-Length": "3"}).headers["location"]
    headers = {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    assert web.patch(path, headers=headers, content=b"xxxx").status_code == 413
    assert web.patch(path, headers=headers, content=iter([b"xx", b"xx"])).status_code == 413
    assert web.head(path, headers=TUS).headers["upload-offset"] in {"0", "2", "3"}


def test_a_grpc_message_over_the_limit_is_refused(doors: EmbeddedStack) -> None:
    credentials = grpc.ssl_channel_credentials(doors.ca.read_bytes())
    path = "/shuanglu.quality.v1.StrategyService/ValidateStrategy"
    metadata = (("authorization", f"Bearer {doors.token(TENANT)}"),)
    with grpc.secure_channel(doors.gateway_url.removeprefix("https://"), credentials) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(path)(b"\x0a\x80\x80\x80\x05" + b"x" * (10 << 20), metadata=metadata, timeout=30)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_misspelt_field_is_refused_and_makes_nothing(web: httpx.Client, caller: Client) -> None:
    order = {"order_no": "MISSPELT-1", "product": "personal_loan", "amount": {"amount_fe": "1", "currency": "CNY"}}
    answer = web.post("/v1/orders", json={"order": order})
    info = answer.json()["details"][0]
    assert (answer.status_code, info["reason"]) == (400, "JSON_INVALID")
    assert info["metadata"]["field"] == "order.amount.amount_fe"


def test_no_key_in_the_store_is_made_of_what_callers_wrote(doors: EmbeddedStack) -> None:
    """After all of the above: tenants, ids that we made, and names of ours."""
    client = boto3.client(
        "s3",
        endpoint_url=doors.service_environment["SHUANGLU_S3_ENDPOINT"],
        aws_access_key_id=doors.keys.s3_access_key,
        aws_secret_access_key=doors.keys.s3_secret_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )
    keys = [each["Key"] for each in client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
    allowed = set("abcdefghijklmnopqrstuvwxyz0123456789-_./")
    assert not [key for key in keys if set(key) - allowed or ".." in key]
