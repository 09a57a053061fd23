import re
from collections.abc import AsyncIterator

import httpx
import pytest
from report_examples import SESSION, TENANT
from report_fakes import MemoryRows
from report_media import store_track

from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu_common.store import MemoryStore
from shuanglu_report.domain.link import Grant, sign
from shuanglu_report.replay import Replay

KEY = bytes(32)
NOW_US = 10_000_000
TOKEN = sign(KEY, Grant(TENANT, SESSION, NOW_US + 1))
PART = f"/hls/{TOKEN}/tracks/customer-video"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def track(store: MemoryStore) -> TrackStored:
    return await store_track(store)


@pytest.fixture
async def client(store: MemoryStore, track: TrackStored) -> AsyncIterator[httpx.AsyncClient]:
    rows = MemoryRows()
    await rows.save_track(TENANT, SESSION, track, 1)
    other = TrackStored()
    other.CopyFrom(track)
    other.track.track_id = "hidden"
    await rows.save_track("bank-b", SESSION, other, 1)
    await rows.save_track(TENANT, "other-session", other, 1)
    app = Replay(rows, store, KEY, lambda: NOW_US).app()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://replay") as client:
        yield client


async def test_the_whole_recording_can_be_reached_from_the_master_playlist(
    client: httpx.AsyncClient, store: MemoryStore, track: TrackStored
) -> None:
    at = httpx.URL(f"http://replay/hls/{TOKEN}/master.m3u8")
    master = await client.get(at)
    assert master.headers["content-type"] == "application/vnd.apple.mpegurl"
    at = at.join(master.text.splitlines()[-1])
    media = await client.get(at)
    init = re.search(r'URI="([^"]+)"', media.text)
    assert init is not None
    assert (await client.get(at.join(init[1]))).content == store.objects[track.track.init.key]
    names = [line for line in media.text.splitlines() if line.endswith(".m4s")]
    bodies = [(await client.get(at.join(name))).content for name in names]
    assert bodies == [store.objects[segment.object.key] for segment in track.segments]


async def test_a_role_has_its_own_playlist(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"/hls/{TOKEN}/customer.m3u8")).status_code == 200
    for name in ("agent", "nobody"):
        answer = await client.get(f"/hls/{TOKEN}/{name}.m3u8")
        assert (answer.status_code, answer.json()["details"][0]["reason"]) == (404, "REPLAY_PART_NOT_FOUND")


@pytest.mark.parametrize(
    ("asked", "start", "end"), [("bytes=0-99", 0, 100), ("bytes=100-", 100, None), ("bytes=-50", -50, None)]
)
async def test_ranges_are_answered_with_their_bytes(
    client: httpx.AsyncClient, store: MemoryStore, track: TrackStored, asked: str, start: int, end: int | None
) -> None:
    whole = store.objects[track.segments[0].object.key]
    answer = await client.get(f"{PART}/000001.m4s", headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == whole[start:end]
    first = start if start >= 0 else len(whole) + start
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(whole)}"


async def test_a_range_behind_the_end_cannot_be_met(client: httpx.AsyncClient) -> None:
    for asked in ("bytes=99999999-", "bytes=5-4", "bytes=-0"):
        answer = await client.get(f"{PART}/000001.m4s", headers={"Range": asked})
        assert answer.status_code == 416
        assert answer.headers["content-range"].startswith("bytes */")


async def test_other_ranges_get_the_whole_part(client: httpx.AsyncClient, track: TrackStored) -> None:
    for asked in ("lines=1-2", "bytes=0-1,4-5", "bytes=-"):
        answer = await client.get(f"{PART}/000001.m4s", headers={"Range": asked})
        assert (answer.status_code, len(answer.content)) == (200, track.segments[0].object.size_bytes)


async def test_head_tells_the_length_and_an_unchanged_part_is_not_sent_again(
    client: httpx.AsyncClient, track: TrackStored
) -> None:
    head = await client.head(f"{PART}/000001.m4s")
    assert head.headers["content-length"] == str(track.segments[0].object.size_bytes)
    assert (head.content, head.headers["content-type"]) == (b"", "video/mp4")
    again = await client.get(f"{PART}/000001.m4s", headers={"If-None-Match": head.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_large_parts_are_streamed(
    client: httpx.AsyncClient, store: MemoryStore, track: TrackStored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shuanglu_report.replay._VERIFIED_BYTES", 10)
    whole = store.objects[track.segments[0].object.key]
    assert (await client.get(f"{PART}/000001.m4s")).content == whole
    assert (await client.get(f"{PART}/000001.m4s", headers={"Range": "bytes=7-20"})).content == whole[7:21]


async def test_a_damaged_segment_is_not_sent(client: httpx.AsyncClient, store: MemoryStore, track: TrackStored) -> None:
    store.objects[track.segments[0].object.key] = b"changed"
    answer = await client.get(f"{PART}/000001.m4s")
    assert (answer.status_code, answer.json()["details"][0]["reason"]) == (500, "CHECKSUM_WRONG")


@pytest.mark.parametrize(
    "path",
    [
        "tracks/hidden/playlist.m3u8",
        "tracks/customer-video/gap-000001.m4s",
        "tracks/customer-video/000009.m4s",
        "tracks/customer-video/0000001.m4s",
        "tracks/customer-video/000000.m4s",
        "tracks/customer-video/../../../../secret",
        "tracks/..%2F..%2Fother-session/init.mp4",
        "tracks/customer-video/..%2Finit.mp4",
        "tracks/customer-video/",
        "nothing",
        "../../healthz",
    ],
)
async def test_nothing_but_the_parts_of_this_recording_can_be_reached(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(
        httpx.URL(f"http://replay/hls/{TOKEN}/").copy_with(raw_path=f"/hls/{TOKEN}/{path}".encode())
    )
    assert answer.status_code == 404
    assert answer.json()["details"][0]["reason"] == "REPLAY_PART_NOT_FOUND"


async def test_only_reading_is_allowed(client: httpx.AsyncClient) -> None:
    assert (await client.post(f"/hls/{TOKEN}/master.m3u8")).status_code == 404


async def test_an_expired_and_a_changed_link_are_refused_with_a_reason(client: httpx.AsyncClient) -> None:
    expired = sign(KEY, Grant(TENANT, SESSION, NOW_US))
    for token, reason in ((expired, "REPLAY_LINK_EXPIRED"), (TOKEN[:-2] + "xx", "REPLAY_LINK_REFUSED")):
        for path in ("master.m3u8", "tracks/customer-video/playlist.m3u8", "tracks/customer-video/000001.m4s"):
            answer = await client.get(f"/hls/{token}/{path}")
            assert answer.status_code == 403
            assert answer.json()["details"][0]["reason"] == reason
            assert answer.headers["cache-control"] == "no-store"


async def test_a_link_to_a_recording_that_is_gone_says_so(client: httpx.AsyncClient) -> None:
    token = sign(KEY, Grant(TENANT, "deleted", NOW_US + 1))
    assert (await client.get(f"/hls/{token}/master.m3u8")).status_code == 404


async def test_the_link_does_not_leak_by_referrer_or_shared_cache(client: httpx.AsyncClient) -> None:
    for path in (f"/hls/{TOKEN}/master.m3u8", f"{PART}/000001.m4s"):
        headers = (await client.get(path)).headers
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"].startswith("private")
