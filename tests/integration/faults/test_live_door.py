"""The recorder beside the media server is killed, and what it rests on is away: the store holds the same in the end."""

import random
import time
from collections.abc import Iterator

import pytest
from tests.integration.faults.live_door import LIVE, LiveDoor, Writer, expected_objects, live_door, make_call, told_once
from tests.integration.faults.proxy import Fault

from shuanglu_stack.readiness import http_ok

KILLS = 6


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return make_call()


@pytest.fixture(scope="module")
def expected(files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return expected_objects(tmp_path_factory.mktemp("at-once"), files)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDoor]:
    with live_door(tmp_path_factory.mktemp("live-door")) as opened:
        yield opened


def test_a_recorder_killed_at_any_moment_makes_the_same_objects_and_events(
    door: LiveDoor, files: dict[str, bytes], expected: dict[str, bytes]
) -> None:
    chance = random.Random(5)
    folder = door.open("killed")
    with Writer(folder, files, seconds=8):
        for _ in range(KILLS):
            time.sleep(0.3 + chance.random())
            door.stack.kill_service(LIVE)
    door.close("killed")
    door.stack.kill_service(LIVE)
    recording = door.until_complete("killed")
    assert {track.track_id for track in recording.tracks} == {
        f"{person}-{kind}" for person in ("customer", "agent") for kind in ("audio", "video")
    }
    objects = door.objects("killed")
    assert objects == expected
    told_once(door.events("killed"), objects)


def test_a_recorder_that_starts_and_records_while_bus_and_store_are_away_loses_nothing(
    door: LiveDoor, files: dict[str, bytes], expected: dict[str, bytes]
) -> None:
    for proxy in door.proxies.values():
        proxy.be(Fault.AWAY)
    try:
        door.stack.stop_service(LIVE)
        door.stack.start_service(LIVE)  # returns when it is ready
        folder = door.open("away")
        with Writer(folder, files, seconds=4):
            growing = door.until(
                "away", lambda found: len(found.tracks) == 4 and all(each.seen_ms for each in found.tracks)
            )
            assert all(track.stored_ms == 0 for track in growing.tracks)
            assert http_ok(door.stack.ports[f"{LIVE}-ops"], "/readyz")()
        door.proxies["s3"].be(Fault.NONE)
        stored = door.until("away", lambda found: all(track.stored_ms > 10_000 for track in found.tracks))
        assert len(stored.tracks) == 4
        assert door.events("away") == []
        door.close("away")
    finally:
        for proxy in door.proxies.values():
            proxy.be(Fault.NONE)
    door.until_complete("away")
    objects = door.objects("away")
    assert objects == expected
    told_once(door.events("away"), objects)


def test_a_store_that_is_slow_damages_and_breaks_off_gets_every_byte_in_the_end(
    door: LiveDoor, files: dict[str, bytes], expected: dict[str, bytes]
) -> None:
    folder = door.open("wrong")
    with Writer(folder, files, seconds=6):
        for fault, rate in (
            (Fault.SLOW, 1.0),
            (Fault.DAMAGES_REQUESTS, 0.2),
            (Fault.ANSWERS_503, 0.7),
            (Fault.AWAY, 1.0),
        ):
            door.proxies["s3"].be(fault, rate)
            time.sleep(1.5)
        door.proxies["nats"].cut()
        door.proxies["s3"].be(Fault.NONE)
    door.close("wrong")
    door.until_complete("wrong")
    objects = door.objects("wrong")
    assert objects == expected
    told_once(door.events("wrong"), objects)
