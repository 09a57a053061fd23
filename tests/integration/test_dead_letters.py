"""A poison event is kept with its reason, shown and sent again by `shuanglu deadletter`."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import nats
import pytest
from typer.testing import CliRunner

from shuanglu.media.v1.media_events_pb2 import ImportRequested
from shuanglu_cli.__main__ import app
from shuanglu_common.bus.bus import Bus
from shuanglu_common.bus.events import NewEvent
from shuanglu_common.clock import SystemClock
from shuanglu_stack import EmbeddedStack

APPEARS_WITHIN_S = 60
SESSION = "poison-session"

Run = Callable[..., Any]


@pytest.fixture
def shuanglu(stack: EmbeddedStack) -> Run:
    """Runs a command beside the stack; its JSON."""

    def run(*arguments: str) -> Any:
        result = CliRunner().invoke(app, ["--config", str(stack.data_dir / "stack.json"), *arguments, "--json"])
        assert result.exit_code in {0, 5}, result.output
        return json.loads(result.stdout)

    return run


def publish(stack: EmbeddedStack, data: bytes, event: NewEvent) -> None:
    async def send() -> None:
        client = await nats.connect(stack.nats_url)
        await Bus(client, "test", SystemClock()).publish_raw(event.subject, data, event.event_id)
        await client.close()

    asyncio.run(send())


def letters_for(shuanglu: Run, session_id: str) -> list[dict[str, Any]]:
    listed = shuanglu("deadletter", "list")["dead_letters"]
    return [letter for letter in listed if letter["session_id"] == session_id]


def wait_for_letter(shuanglu: Run, session_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + APPEARS_WITHIN_S
    while time.monotonic() < deadline:
        if found := letters_for(shuanglu, session_id):
            return found[0]
        time.sleep(0.5)
    raise AssertionError("no dead letter came")


def test_a_poison_event_is_kept_shown_and_sent_again(stack: EmbeddedStack, shuanglu: Run) -> None:
    # An import for a session that nobody made: signaling finds no row for it.
    event = NewEvent("demo", SESSION, ImportRequested(import_id="there-is-no-such-import"), "poison")
    publish(stack, event.envelope("test", time.time_ns() // 1000), event)
    letter = wait_for_letter(shuanglu, SESSION)
    assert letter["reason"]
    assert letter["event"] == "shuanglu.media.v1.ImportRequested"
    assert shuanglu("deadletter", "show", str(letter["number"]))["event_id"] == event.event_id
    replayed = shuanglu("deadletter", "replay", str(letter["number"]))["replayed"]
    assert [one["number"] for one in replayed] == [letter["number"]]
    again = wait_for_letter(shuanglu, SESSION)
    assert again["number"] > letter["number"]


def test_bytes_that_are_no_event_are_kept_too(stack: EmbeddedStack, shuanglu: Run) -> None:
    event = NewEvent("demo", "garbage-session", ImportRequested(import_id="x"), "garbage")
    publish(stack, b"\xff\xfe this is no envelope", event)
    letter = wait_for_letter(shuanglu, "garbage-session")
    assert letter["event"] == "not an event"


def test_a_number_that_does_not_exist_is_refused(shuanglu: Run) -> None:
    assert shuanglu("deadletter", "show", "999999")["error"]["reason"] == "DEAD_LETTER_NOT_FOUND"
