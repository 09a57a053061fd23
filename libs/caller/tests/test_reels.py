"""Samples leave in order and when they are due."""

import asyncio

import pytest
from aiortc.mediastreams import MediaStreamError

from shuanglu_caller.film import Reel, Sample
from shuanglu_caller.reels import Projector, ReelTrack

LENGTH_S = 0.2


def reel() -> Reel:
    return Reel("video", 1000, 200, [Sample(at, at % 100 == 0, bytes([at])) for at in range(0, 200, 20)])


def soon() -> float:
    """Late enough for a busy machine to be there in time."""
    return asyncio.get_running_loop().time() + 0.3


async def taken(track: ReelTrack, count: int) -> list[int]:
    return [(await track.recv()).pts for _ in range(count)]


async def test_a_reel_repeats_on_a_timeline_that_goes_on() -> None:
    projector = Projector()
    projector.begin(soon())
    assert await taken(ReelTrack(reel(), LENGTH_S, projector), 12) == [*range(0, 200, 20), 200, 220]


async def test_nothing_leaves_before_the_film_begins() -> None:
    track = ReelTrack(reel(), LENGTH_S, Projector())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(track.recv(), 0.1)


async def test_a_track_that_joins_in_later_begins_at_the_next_key_frame() -> None:
    projector = Projector()
    projector.begin(asyncio.get_running_loop().time() - 0.05)
    first, second = await taken(ReelTrack(reel(), LENGTH_S, projector), 2)
    assert first in range(100, 10_000, 100)
    assert second == first + 20


async def test_a_muted_track_sends_nothing_and_comes_back_with_a_key_frame() -> None:
    projector = Projector()
    projector.begin(soon())
    track = ReelTrack(reel(), LENGTH_S, projector)
    first, second = await taken(track, 2)
    assert second == first + 20
    track.muted = True
    waiting = asyncio.ensure_future(track.recv())
    await projector.until(0.13)
    assert not waiting.done()
    track.muted = False
    assert (await waiting).pts in range(100, 10_000, 100)


async def test_a_film_that_is_shown_once_ends() -> None:
    projector = Projector(repeat=False)
    projector.begin(soon())
    track = ReelTrack(reel(), LENGTH_S, projector)
    assert len(await taken(track, 10)) == 10
    with pytest.raises(MediaStreamError):
        await track.recv()
