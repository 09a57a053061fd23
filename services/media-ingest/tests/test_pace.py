"""How slow a sender may be."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from ingest_door import LIMITS, Trusting
from starlette.types import Message

from shuanglu_common.clock import SystemClock
from shuanglu_media_ingest.domain.pace import WINDOW_S, Pace
from shuanglu_media_ingest.uploads.door import UploadDoor
from shuanglu_media_ingest.uploads.hashing import Hasher
from shuanglu_media_ingest.uploads.spool import Spool

steps = st.lists(st.tuples(st.floats(0, 5), st.integers(0, 100_000)), max_size=200)


@given(steps)
def test_a_sender_that_keeps_up_the_speed_in_every_window_may_stay(taken: list[tuple[float, int]]) -> None:
    pace = Pace(1024)
    assert all(pace.took(seconds, round(seconds * 1024) + 1 + size) for seconds, size in taken)


@given(st.lists(st.floats(0.01, 5), min_size=1, max_size=100))
def test_a_sender_that_drips_is_found_within_a_window(seconds: list[float]) -> None:
    pace, waited = Pace(1024), 0.0
    for each in seconds:
        waited += each
        if not pace.took(each, 1):
            break
        assert waited < WINDOW_S + 1e-6


def test_without_a_least_speed_nobody_is_too_slow() -> None:
    pace = Pace(0)
    assert all(pace.took(WINDOW_S, 0) for _ in range(3))
    assert 0 < pace.patience_s <= WINDOW_S


async def test_a_dripping_upload_ends_with_408_and_keeps_what_came(tmp_path: Path) -> None:
    """With a window of a moment; the client never says that it is done, and never goes away."""
    spool = Spool(tmp_path)
    limits = replace(LIMITS, pace_window_s=0.2)
    app = Trusting(UploadDoor(spool, limits, SystemClock(), Hasher(spool)).app())
    created = await ask(app, "POST", "/files/", [{"type": "http.request"}], {"upload-length": "100"})
    path = created["headers"][b"location"].decode()
    body = {"upload-offset": "0", "content-type": "application/offset+octet-stream"}
    parts: list[Message] = [{"type": "http.request", "body": b"12345", "more_body": True}]
    answer = await ask(app, "PATCH", path, parts, body)
    assert answer["status"] == 408
    assert b"UPLOAD_TOO_SLOW" in answer["body"]
    stands = await ask(app, "HEAD", path, [{"type": "http.request"}], {})
    assert stands["headers"][b"upload-offset"] == b"5"


async def ask(app: Any, method: str, path: str, parts: list[Message], headers: dict[str, str]) -> dict[str, Any]:
    """One request by hand: after its parts nothing more comes, as from a client that hangs."""
    queue: asyncio.Queue[Message] = asyncio.Queue()
    for part in parts:
        queue.put_nowait(part)
    answer: dict[str, Any] = {"body": b""}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer["status"], answer["headers"] = message["status"], dict(message["headers"])
        else:
            answer["body"] += message.get("body", b"")

    raw = [(b"tus-resumable", b"1.0.0"), *((key.encode(), value.encode()) for key, value in headers.items())]
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": raw, "root_path": ""}
    await app(scope, queue.get, send)
    return answer
