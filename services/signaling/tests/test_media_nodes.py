"""Media nodes that come and go while signaling runs."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from shuanglu_signaling import media_nodes, node_names
from shuanglu_signaling.media_nodes import MediaNodes
from shuanglu_signaling.node_names import NodeNames
from shuanglu_signaling.settings import MediaNode


def node(name: str) -> MediaNode:
    return MediaNode(name=name, janus=f"ws://{name}:8188", recorder=f"{name}:9000")


class Names:
    """A name server that a test writes; `down` answers nothing."""

    def __init__(self) -> None:
        self.table: dict[str, set[str]] = {}
        self.down = False
        self.asked: list[str] = []

    def pods(self, service: str, *numbers: int, generation: int = 0) -> None:
        pod = service.split(".", 1)[0]
        of = {f"{pod}-{number}.{service}": {f"10.0.{generation}.{number}"} for number in numbers}
        self.table = {**of, service: set().union(*of.values())}

    async def addresses(self, name: str) -> frozenset[str]:
        self.asked.append(name)
        if self.down:
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return frozenset(self.table.get(name, ()))


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    made = Names()
    monkeypatch.setattr(node_names, "addresses", made.addresses)
    return made


async def test_pods_are_found_by_number_and_keep_their_name_when_the_service_is_called_otherwise(names: Names):
    service = "bank-media.calls.svc"
    names.pods(service, 0, 1, 4)
    found = await NodeNames(service).look()
    assert [each.name for each in found] == ["media-0", "media-1", "media-4"]
    assert found[2].janus == "ws://bank-media-4.bank-media.calls.svc:8188"
    assert found[2].recorder == "bank-media-4.bank-media.calls.svc:9000"


async def test_only_a_change_of_the_service_has_the_pods_asked_again(names: Names):
    looking = NodeNames("media")
    assert await looking.look() == []
    names.pods("media", 0)
    await looking.look()
    names.asked.clear()
    await looking.look()
    assert names.asked == ["media"]
    names.pods("media", 0, 1)
    assert [each.name for each in await looking.look()] == ["media-0", "media-1"]
    names.pods("media", 1)
    assert [each.name for each in await looking.look()] == ["media-1"]


async def test_a_pod_whose_own_name_is_late_is_asked_for_again(names: Names):
    names.pods("media", 0, 1)
    theirs = names.table.pop("media-1.media")
    looking = NodeNames("media")
    assert [each.name for each in await looking.look()] == ["media-0"]
    names.table["media-1.media"] = theirs
    assert [each.name for each in await looking.look()] == ["media-0", "media-1"]


async def test_a_real_lookup_finds_this_machine():
    assert await node_names.addresses("localhost") & {"127.0.0.1", "::1"}
    assert await node_names.addresses("127.0.0.1") == {"127.0.0.1"}


class House:
    """Attends to nodes; `there` are those that answer."""

    def __init__(self) -> None:
        self.attended: list[str] = []
        self.left: list[str] = []
        self.there: set[str] = set()
        self.breaks = asyncio.Event()

    async def attend(self, each: MediaNode, stopping: asyncio.Event) -> None:
        self.attended.append(each.name)
        broken = asyncio.create_task(self.breaks.wait())
        told = asyncio.create_task(stopping.wait())
        await asyncio.wait([broken, told], return_when=asyncio.FIRST_COMPLETED)
        broken.cancel()
        told.cancel()
        self.left.append(each.name)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - another task tells
            await asyncio.sleep(0.01)


@asynccontextmanager
async def kept(house: House, names: Names) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    nodes = MediaNodes([node("fixed")], NodeNames("media").look, house.attend, house.there.__contains__)
    task = asyncio.create_task(nodes.run(stopping))
    yield
    stopping.set()
    await asyncio.wait_for(task, 5)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_nodes, "LOOK_S", 0.02)
    monkeypatch.setattr(media_nodes, "GONE_S", 0.2)


async def test_a_new_pod_is_attended_to_and_one_that_is_gone_is_not(names: Names):
    house = House()
    async with kept(house, names):
        names.pods("media", 0)
        await until(lambda: house.attended == ["fixed", "media-0"])
        names.pods("media", 0, 1)
        await until(lambda: house.attended == ["fixed", "media-0", "media-1"])
        house.there |= {"media-0"}
        names.pods("media")
        # Its name is gone, but it still has calls: only who answers no more is left alone.
        await until(lambda: house.left == ["media-1"])
        house.there.clear()
        await until(lambda: house.left == ["media-1", "media-0"])
        names.pods("media", 1, generation=1)
        await until(lambda: house.attended[3:] == ["media-1"])
    assert sorted(house.left[2:]) == ["fixed", "media-1"]


async def test_while_nobody_can_say_which_pods_there_are_none_is_given_up(names: Names):
    house = House()
    async with kept(house, names):
        names.pods("media", 0)
        await until(lambda: "media-0" in house.attended)
        names.down = True
        asked = len(names.asked)
        await until(lambda: len(names.asked) > asked + 20)
        assert house.left == []


async def test_an_attendance_that_ends_by_itself_is_told(names: Names):
    house = House()
    nodes = MediaNodes([node("fixed")], None, house.attend, lambda _: True)
    house.breaks.set()
    with pytest.raises(ExceptionGroup) as failed:
        await asyncio.wait_for(nodes.run(asyncio.Event()), 5)
    assert "fixed" in str(failed.value.exceptions[0])
