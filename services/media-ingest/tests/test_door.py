import base64
import hashlib
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest
from ingest_door import LIMITS, door

TUS = {"Tus-Resumable": "1.0.0"}
BODY = {**TUS, "Content-Type": "application/offset+octet-stream"}
DATA = bytes(range(256)) * 40


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(door(tmp_path))
    async with httpx.AsyncClient(transport=transport, base_url="http://door") as found:
        yield found


def who(tenant: str = "bank-a", subject: str = "app", role: str = "bank_app") -> dict[str, str]:
    return {"Authorization": f"{tenant} {subject} {role}"}


def digest_of(data: bytes, algorithm: str) -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


async def create(client: httpx.AsyncClient, length: int = len(DATA), **headers: str) -> str:
    answer = await client.post("/files/", headers={**TUS, "Upload-Length": str(length), **headers})
    assert answer.status_code == 201
    return str(answer.headers["Location"])


async def patch(client: httpx.AsyncClient, url: str, data: bytes, offset: int, **headers: str) -> httpx.Response:
    return await client.patch(url, content=data, headers={**BODY, "Upload-Offset": str(offset), **headers})


async def offset_of(client: httpx.AsyncClient, url: str) -> int:
    return int((await client.head(url, headers=TUS)).headers["Upload-Offset"])


def reason(answer: httpx.Response) -> str:
    return str(answer.json()["details"][0]["reason"])


async def test_options_tell_what_the_door_can(client: httpx.AsyncClient):
    answer = await client.options("/files/")
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert set(answer.headers["Tus-Extension"].split(",")) == {
        "creation",
        "creation-with-upload",
        "checksum",
        "expiration",
        "termination",
        "concatenation",
    }
    assert answer.headers["Tus-Max-Size"] == str(LIMITS.max_upload_bytes)
    assert answer.headers["Tus-Checksum-Algorithm"] == "sha1,sha256,md5"


async def test_an_upload_in_two_pieces(client: httpx.AsyncClient, tmp_path: Path):
    url = await create(client)
    assert url.startswith("/files/")
    first = await patch(client, url, DATA[:1000], 0)
    assert (first.status_code, first.headers["Upload-Offset"]) == (204, "1000")
    assert first.headers["Tus-Resumable"] == "1.0.0"
    head = await client.head(url, headers=TUS)
    assert (head.headers["Upload-Offset"], head.headers["Upload-Length"]) == ("1000", str(len(DATA)))
    assert head.headers["Cache-Control"] == "no-store"
    second = await patch(client, url, DATA[1000:], 1000)
    assert second.headers["Upload-Offset"] == str(len(DATA))
    assert next(tmp_path.glob("*/*.data")).read_bytes() == DATA


async def test_uploads_say_when_they_expire(client: httpx.AsyncClient):
    answer = await client.post("/files/", headers={**TUS, "Upload-Length": "5"})
    assert parsedate_to_datetime(answer.headers["Upload-Expires"]).tzinfo is not None


async def test_bytes_may_come_with_the_creation(client: httpx.AsyncClient):
    headers = {**BODY, "Upload-Length": str(len(DATA)), "Upload-Checksum": digest_of(DATA, "sha1")}
    answer = await client.post("/files/", content=DATA, headers=headers)
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, str(len(DATA)))


async def test_an_empty_upload_is_complete_at_once(client: httpx.AsyncClient):
    assert await offset_of(client, await create(client, 0)) == 0


async def test_metadata_comes_back_as_it_was(client: httpx.AsyncClient):
    url = await create(client, **{"Upload-Metadata": "filename eC5tcDQ=,secret"})
    assert (await client.head(url, headers=TUS)).headers["Upload-Metadata"] == "filename eC5tcDQ=,secret"


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
async def test_a_right_checksum_is_taken(client: httpx.AsyncClient, algorithm: str):
    url = await create(client)
    answer = await patch(client, url, DATA, 0, **{"Upload-Checksum": digest_of(DATA, algorithm)})
    assert answer.status_code == 204


async def test_a_wrong_checksum_drops_the_bytes_and_the_right_ones_follow(client: httpx.AsyncClient, tmp_path: Path):
    url = await create(client)
    await patch(client, url, DATA[:100], 0)
    wrong = await patch(client, url, b"x" * 900, 100, **{"Upload-Checksum": digest_of(DATA[100:1000], "sha256")})
    assert (wrong.status_code, reason(wrong)) == (460, "CHECKSUM_MISMATCH")
    assert await offset_of(client, url) == 100
    assert (await patch(client, url, DATA[100:], 100)).status_code == 204
    assert next(tmp_path.glob("*/*.data")).read_bytes() == DATA


async def test_the_wrong_offset_is_a_conflict(client: httpx.AsyncClient):
    url = await create(client)
    answer = await patch(client, url, DATA, 5)
    assert (answer.status_code, reason(answer)) == (409, "OFFSET_MISMATCH")


async def test_more_bytes_than_announced_are_refused(client: httpx.AsyncClient):
    url = await create(client, 10)
    answer = await patch(client, url, b"x" * 11, 0)
    assert (answer.status_code, reason(answer)) == (413, "UPLOAD_TOO_LARGE")
    assert await offset_of(client, url) == 0


async def test_a_body_of_unknown_length_is_cut_at_the_announced_one(client: httpx.AsyncClient):
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"x" * 5

    url = await create(client, 10)
    headers = {**BODY, "Upload-Offset": "0"}
    answer = await client.patch(url, content=endless(), headers=headers)
    assert answer.status_code == 413


async def test_an_upload_larger_than_allowed_is_refused(client: httpx.AsyncClient):
    answer = await client.post("/files/", headers={**TUS, "Upload-Length": str(LIMITS.max_upload_bytes + 1)})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Upload-Length": "-1"},
        {"Upload-Length": "many"},
        {"Upload-Defer-Length": "1"},
        {"Upload-Length": "1", "Upload-Metadata": "a b c"},
        {"Upload-Length": "1", "Upload-Concat": "whole"},
    ],
)
async def test_unclear_creations_are_refused(client: httpx.AsyncClient, headers: dict[str, str], tmp_path: Path):
    answer = await client.post("/files/", headers={**TUS, **headers})
    assert (answer.status_code, reason(answer)) == (400, "HEADER_INVALID")
    assert list(tmp_path.glob("*/*")) == []


async def test_unclear_patches_are_refused(client: httpx.AsyncClient):
    url = await create(client)
    assert (await client.patch(url, content=b"x", headers={**BODY})).status_code == 400
    assert (await patch(client, url, b"x", 0, **{"Upload-Checksum": "crc32 YQ=="})).status_code == 400
    wrong_type = await client.patch(url, content=b"x", headers={**TUS, "Upload-Offset": "0"})
    assert (wrong_type.status_code, reason(wrong_type)) == (415, "CONTENT_TYPE_INVALID")


async def test_another_version_of_tus_is_refused(client: httpx.AsyncClient):
    for headers in ({}, {"Tus-Resumable": "0.2.2"}):
        answer = await client.post("/files/", headers={**headers, "Upload-Length": "1"})
        assert (answer.status_code, answer.headers["Tus-Version"]) == (412, "1.0.0")


async def test_old_proxies_may_name_the_method_in_a_header(client: httpx.AsyncClient):
    url = await create(client)
    headers = {**BODY, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert (await client.post(url, content=DATA, headers=headers)).status_code == 204
    assert (await client.post(url, headers={**TUS, "X-HTTP-Method-Override": "DELETE"})).status_code == 204


async def test_options_is_never_another_method(client: httpx.AsyncClient, tmp_path: Path):
    headers = {**TUS, "Upload-Length": "1", "X-HTTP-Method-Override": "POST"}
    assert (await client.options("/files/", headers=headers)).status_code == 204
    assert list(tmp_path.glob("*/*")) == []


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_other_methods_are_not_allowed(client: httpx.AsyncClient, method: str):
    assert (await client.request(method, "/files/", headers=TUS)).status_code == 405


async def test_a_deleted_upload_is_gone(client: httpx.AsyncClient, tmp_path: Path):
    url = await create(client)
    assert (await client.delete(url, headers=TUS)).status_code == 204
    assert (await client.head(url, headers=TUS)).status_code == 404
    assert list(tmp_path.glob("*/*")) == []


@pytest.mark.parametrize(
    "stranger",
    [who("bank-b"), who(subject="other-app"), who(subject="other", role="agent"), who("bank-b", role="admin")],
)
async def test_for_everybody_else_an_upload_does_not_exist(client: httpx.AsyncClient, stranger: dict[str, str]):
    url = await create(client)
    for answer in (
        await client.head(url, headers={**TUS, **stranger}),
        await patch(client, url, DATA, 0, **stranger),
        await client.delete(url, headers={**TUS, **stranger}),
    ):
        assert answer.status_code == 404
    assert await offset_of(client, url) == 0


async def test_an_administrator_sees_the_tenants_uploads(client: httpx.AsyncClient):
    url = await create(client)
    assert (await client.head(url, headers={**TUS, **who(subject="boss", role="admin")})).status_code == 200


@pytest.mark.parametrize("role", ["customer", "reviewer", "auditor", "ops", "service"])
async def test_other_roles_may_not_upload(client: httpx.AsyncClient, role: str):
    answer = await client.post("/files/", headers={**TUS, "Upload-Length": "1", **who(role=role)})
    assert (answer.status_code, reason(answer)) == (403, "ROLE_FORBIDDEN")


async def test_a_tenant_has_a_limited_number_of_uploads(client: httpx.AsyncClient):
    for _ in range(LIMITS.max_uploads):
        await create(client)
    answer = await client.post("/files/", headers={**TUS, "Upload-Length": "1"})
    assert (answer.status_code, reason(answer)) == (429, "TOO_MANY_UPLOADS")
    assert (await client.post("/files/", headers={**TUS, "Upload-Length": "1", **who("bank-b")})).status_code == 201


async def test_parts_are_concatenated(client: httpx.AsyncClient, tmp_path: Path):
    parts = []
    for data in (DATA[:3000], DATA[3000:]):
        url = await create(client, len(data), **{"Upload-Concat": "partial"})
        await patch(client, url, data, 0)
        assert (await client.head(url, headers=TUS)).headers["Upload-Concat"] == "partial"
        parts.append(url)
    answer = await client.post("/files/", headers={**TUS, "Upload-Concat": "final;" + " ".join(parts)})
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, str(len(DATA)))
    head = await client.head(answer.headers["Location"], headers=TUS)
    assert head.headers["Upload-Concat"] == "final;" + " ".join(parts)
    upload_id = answer.headers["Location"].rpartition("/")[2]
    assert (tmp_path / "bank-a" / f"{upload_id}.data").read_bytes() == DATA
    assert (await patch(client, answer.headers["Location"], b"x", len(DATA))).status_code == 403


async def test_unfinished_and_foreign_parts_are_not_concatenated(client: httpx.AsyncClient):
    unfinished = await create(client, 5, **{"Upload-Concat": "partial"})
    answer = await client.post("/files/", headers={**TUS, "Upload-Concat": f"final;{unfinished}"})
    assert answer.status_code == 400
    foreign = {**TUS, "Upload-Concat": f"final;{unfinished}", **who("bank-b")}
    assert (await client.post("/files/", headers=foreign)).status_code == 404
