"""The S3 adapter and its fake keep the same contract: a real S3 gateway against the dictionary."""

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shuanglu_common.s3_store import S3ObjectStore
from shuanglu_common.settings import ServiceSettings
from shuanglu_common.store import (
    REMOVED,
    ChecksumWrong,
    MemoryStore,
    ObjectMissing,
    ObjectStore,
    StoreUnavailable,
)
from shuanglu_stack.ports import choose_ports
from shuanglu_stack.process import ManagedProcess, Spawner
from shuanglu_stack.s3_gateway import s3_command

pytestmark = pytest.mark.integration
SECRET = "test-only-secret"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("s3")
    port = choose_ports(["s3"], "free", 0, 0)["s3"]
    spawner = Spawner()
    process = ManagedProcess(s3_command(folder, folder, port, "tester", SECRET), spawner)
    process.start()
    url = f"http://127.0.0.1:{port}"
    for _ in range(200):
        try:
            httpx.get(url, timeout=1)
            break
        except httpx.TransportError:
            asyncio.run(asyncio.sleep(0.1))
    yield url
    process.request_stop()
    process.wait_stopped()
    spawner.close()


@pytest.fixture(params=["memory", "s3"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    if request.param == "memory":
        return MemoryStore()
    endpoint = request.getfixturevalue("endpoint")
    return S3ObjectStore(ServiceSettings(s3_endpoint=endpoint, s3_access_key="tester", s3_secret_key=SECRET))


async def test_what_was_put_is_got_and_verified(store: ObjectStore) -> None:
    ref = await store.put("bank/s1/a", b"data")
    assert (ref.size_bytes, ref.sha256) == (4, hashlib.sha256(b"data").hexdigest())
    assert await store.get(ref) == b"data"
    assert await store.head("bank/s1/a") == 4


async def test_a_changed_object_does_not_pass_for_the_old_one(store: ObjectStore) -> None:
    ref = await store.put("bank/s1/b", b"data")
    await store.put("bank/s1/b", b"dat4")
    with pytest.raises(ChecksumWrong):
        await store.get(ref)


async def test_what_is_not_there_is_missing(store: ObjectStore) -> None:
    assert await store.head("bank/s1/none") is None
    with pytest.raises(ObjectMissing):
        await store.read("bank/s1/none")
    with pytest.raises(ObjectMissing):
        _ = [chunk async for chunk in store.stream("bank/s1/none")]


async def test_a_range_is_streamed(store: ObjectStore) -> None:
    await store.put("bank/s1/c", bytes(range(100)))
    part = b"".join([chunk async for chunk in store.stream("bank/s1/c", 10, 20)])
    rest = b"".join([chunk async for chunk in store.stream("bank/s1/c", 90)])
    assert part == bytes(range(10, 20))
    assert rest == bytes(range(90, 100))


async def test_a_large_file_goes_in_parts_and_comes_back_whole(store: ObjectStore, tmp_path: Path) -> None:
    path = tmp_path / "large"
    data = hashlib.sha256(b"seed").digest() * (20 << 15)  # 20 MiB: three parts
    path.write_bytes(data)
    steps: list[int] = []
    ref = await store.put_file("bank/s1/large", path, steps.append)
    assert ref.sha256 == hashlib.sha256(data).hexdigest()
    assert await store.get(ref) == data
    assert steps[-1] == len(data)
    assert steps == sorted(steps)


async def test_only_what_stands_below_the_prefix_is_listed_and_deleted(store: ObjectStore) -> None:
    for key in ["bank/s9/tracks/1", "bank/s9/tracks/2", "bank/s9/other", "bank/s90/tracks/1"]:
        await store.put(key, b"x")
    assert await store.list("bank/s9/tracks/") == ["bank/s9/tracks/1", "bank/s9/tracks/2"]
    assert await store.delete_prefix("bank/s9/tracks/") == 2
    assert await store.list("bank/s9") == ["bank/s9/other", "bank/s90/tracks/1"]


@pytest.mark.parametrize("prefix", ["", "/", "bank", "bank/", "/s1/", "bank//x"])
async def test_nobody_deletes_a_tenant_by_accident(prefix: str, endpoint: str) -> None:
    store = S3ObjectStore(ServiceSettings(s3_endpoint=endpoint, s3_access_key="tester", s3_secret_key=SECRET))
    with pytest.raises(ValueError, match="tenant and a session"):
        await store.delete_prefix(prefix)


async def test_a_store_that_is_away_is_a_retryable_error() -> None:
    store = S3ObjectStore(ServiceSettings(s3_endpoint="http://127.0.0.1:9", s3_access_key="x", s3_secret_key="y"))
    with pytest.raises(StoreUnavailable) as caught:
        await store.put("bank/s1/x", b"x")
    assert caught.value.retryable


async def test_a_wrong_secret_is_told_without_the_secret(endpoint: str) -> None:
    store = S3ObjectStore(ServiceSettings(s3_endpoint=endpoint, s3_access_key="tester", s3_secret_key="wrong-one"))
    with pytest.raises(StoreUnavailable) as caught:
        await store.put("bank/s1/x", b"x")
    assert "wrong-one" not in str(caught.value)


async def test_pages_tell_keys_in_order_with_their_sizes(store: ObjectStore) -> None:
    for key in ("bank/p1/b", "bank/p1-1/a", "bank/p1/a", "bank/q/a"):
        await store.put(key, key.encode())
    found = [each async for page in store.pages("bank/p1") for each in page]
    assert [(each.key, each.size_bytes) for each in found] == [("bank/p1-1/a", 11), ("bank/p1/a", 9), ("bank/p1/b", 9)]
    assert [page async for page in store.pages("bank/nothing/") if page] == []


async def test_folders_are_what_has_something_below_it(store: ObjectStore) -> None:
    for key in ("bank/f1/a/1", "bank/f1/a/2", "bank/f1/b/1", "bank/f1/c"):
        await store.put(key, b"x")
    assert list(await store.folders("bank/f1/")) == ["bank/f1/a/", "bank/f1/b/"]
    assert "bank/" in await store.folders("")
    assert list(await store.folders("bank/nothing/")) == []


async def test_an_object_that_is_set_aside_is_kept_elsewhere(store: ObjectStore) -> None:
    await store.put("bank/s9/x", b"left over")
    await store.set_aside("bank/s9/x")
    assert await store.head("bank/s9/x") is None
    assert await store.read(f"{REMOVED}bank/s9/x") == b"left over"
    with pytest.raises(ObjectMissing):
        await store.set_aside("bank/s9/x")


async def test_parts_that_a_crash_left_are_given_up_when_the_file_is_stored_again(
    endpoint: str, tmp_path: Path
) -> None:
    store = S3ObjectStore(ServiceSettings(s3_endpoint=endpoint, s3_access_key="tester", s3_secret_key=SECRET))
    file = tmp_path / "file"
    file.write_bytes(bytes(9 << 20))
    for key in ("bank/s10/file", "bank/s10/file-2"):
        store.client.create_multipart_upload(Bucket=store.bucket, Key=key)
    assert [each.key for each in await store.unfinished("bank/s10/")] == ["bank/s10/file", "bank/s10/file-2"]
    await store.put_file("bank/s10/file", file)
    (left,) = await store.unfinished("bank/s10/")
    assert left.key == "bank/s10/file-2"
    await store.give_up(left)
    await store.give_up(left)
    assert await store.unfinished("bank/s10/") == []
