"""Cells with real children: what works, and every way in which a child may fail."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

sys.path.insert(0, str(Path(__file__).parent))

from cell_inmates import BITES, MEALS, Spoiled

from shuanglu_common.cell.cell import Cell, Cells
from shuanglu_common.cell.confine import CellLimits
from shuanglu_common.cell.errors import CellCrashed, CellFailed, CellKilled, CellLost, CellMemory, CellTimeout
from shuanglu_common.cell.process import CellProcess, CellSpec

MIB = 1 << 20
SPEC = CellSpec(
    name="test",
    module="cell_inmates",
    arguments={"who": "tests"},
    limits=CellLimits(memory_bytes=200 * MIB),
    timeout_s=20,
    start_timeout_s=20,
    errors=(Spoiled,),
    counters=(BITES, MEALS),
    largest_frame_bytes=1 * MIB,
    environment={"PYTHONPATH": str(Path(__file__).parent)},
)


@pytest.fixture
async def cell() -> AsyncIterator[Cell]:
    made = Cell(SPEC)
    yield made
    await made.close()


def ended(cause: str) -> float:
    return REGISTRY.get_sample_value("shuanglu_cell_ended_total", {"cell": "test", "cause": cause}) or 0.0


def alive() -> float | None:
    return REGISTRY.get_sample_value("shuanglu_cell_alive_processes", {"cell": "test"})


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def gone(pid: int) -> None:
    async with asyncio.timeout(10):
        while exists(pid):  # noqa: ASYNC110 - nobody else tells of it
            await asyncio.sleep(0.02)


async def test_values_go_both_ways_and_one_child_serves_all_calls(cell: Cell):
    assert await cell.open() == {"arguments": {"who": "tests"}}
    value = {"a": [1, 2.5, None, True, "同意", b"\x00\xff"], "nested": {"x": [-(2**63), 2**64 - 1]}}
    assert await cell.call("echo", value) == value
    assert await cell.call("pid") == await cell.call("pid") == cell.pid
    assert cell.epoch == 1


@dataclass(frozen=True, slots=True)
class Sum:
    numbers: tuple[int, ...]
    name: str


async def test_a_value_has_the_type_that_the_caller_asked_for(cell: Cell):
    plain = {"numbers": [1, 2], "name": "n"}
    assert await cell.call("echo", [plain], returns=tuple[Sum, ...]) == (Sum((1, 2), "n"),)
    with pytest.raises(CellCrashed, match="is no"):
        await cell.call("echo", [{"numbers": ["x"], "name": "n"}], returns=tuple[Sum, ...])
    assert not cell.alive


async def test_a_typed_error_arrives_as_itself_and_the_child_lives_on(cell: Cell):
    with pytest.raises(Spoiled, match="it smells"):
        await cell.call("spoil", True)
    assert await cell.call("add", 1, 2) == 3
    assert cell.epoch == 1


@pytest.mark.parametrize(
    ("function", "parameters", "error", "text"),
    [
        ("segfault", (), CellCrashed, "SIGSEGV"),
        ("leave", (3,), CellCrashed, "exit code 3"),
        ("leave", (0,), CellCrashed, "exit code 0"),
        ("gorge", (), CellMemory, "memory"),
        ("gorge_inside", (), CellMemory, "memory"),
        ("stumble", (), CellCrashed, "LookupError at cell_inmates.py"),
        ("spoil", (False,), CellCrashed, "not an answer"),
        ("lie", (), CellCrashed, "not an answer"),
        ("echo", ("x" * 2 * MIB,), CellCrashed, "at most 1048576 are taken"),
        ("giant", (2**32 - 1,), CellCrashed, "at most 1048576 are taken"),
        ("giant", (0,), CellCrashed, "a frame of 0 bytes"),
        ("shout", (b"\x00\x00\x00\x01\xc1",), CellCrashed, "cannot be read"),
        ("shout", (b"\x00\x00\x00\x02\x92\x01",), CellCrashed, "cannot be read"),
        ("shout", (b"\x00\x00\x00\x01\x01",), CellCrashed, "not an answer"),
        ("shout", (b"\x00\x00\x03\xe8" + b"\x91" * 1000,), CellCrashed, "cannot be read"),
        ("hang_up", (), CellCrashed, "gave up its channel"),
        ("no_such_function", (), CellCrashed, "exit code 1"),
    ],
)
async def test_a_child_that_fails_is_told_by_kind_and_the_next_call_has_a_new_one(
    cell: Cell, function: str, parameters: tuple[Any, ...], error: type[CellFailed], text: str
):
    await cell.open()
    pid, before = cell.pid, ended(error.cause)
    assert pid is not None
    with pytest.raises(error, match=text) as told:
        await cell.call(function, *parameters)
    assert "customer" not in str(told.value)
    assert not exists(pid)  # dead and reaped
    assert ended(error.cause) == before + 1
    assert await cell.call("add", 1, 2) == 3
    assert cell.epoch == 2
    assert alive() == 1


@pytest.mark.parametrize(
    ("service_mib", "function", "told"),
    [
        (0, "crash_starved", "CELL_OUT_OF_MEMORY it died near its memory limit"),
        (0, "segfault", "CELL_CRASHED it ended by SIGSEGV"),
        (400, "segfault", "CELL_CRASHED it ended by SIGSEGV"),
    ],
)
async def test_memory_of_the_service_is_not_taken_for_memory_of_its_child(service_mib: int, function: str, told: str):
    """Linux counts the peak of a child from its parent's; here the parent is no test run, whose size nobody knows."""
    service = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVICE_OF_A_SIZE, str(Path(__file__).parent), str(service_mib), function),
        stdout=subprocess.PIPE,
    )
    answer, _ = await service.communicate()
    assert answer.decode().strip().endswith(told)


SERVICE_OF_A_SIZE = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from test_cell import SPEC, Cell, CellFailed

async def main():
    held = b"x" * (int(sys.argv[2]) << 20)
    cell = Cell(SPEC)
    try:
        await cell.call(sys.argv[3])
    except CellFailed as error:
        print(error.reason, error)
    await cell.close()

asyncio.run(main())
"""


async def test_who_meets_a_child_that_was_just_found_dead_learns_of_what():
    child = CellProcess(SPEC)
    await child.open()
    child.watch()
    os.kill(child.pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        while not child.ended:  # noqa: ASYNC110 - the watch tells nobody
            await asyncio.sleep(0.001)
    with pytest.raises(CellKilled):
        await child.call("add", 1, 2)
    await child.end()
    assert not exists(child.pid)


@pytest.mark.parametrize("function", ["hang", "spin"])
async def test_a_child_that_hangs_is_killed_when_its_time_is_over(function: str):
    cell = Cell(replace(SPEC, timeout_s=0.5))
    await cell.open()
    pid, before = cell.pid, ended("timeout")
    assert pid is not None
    with pytest.raises(CellTimeout):
        await cell.call(function)
    assert not exists(pid)
    assert ended("timeout") == before + 1
    assert await cell.call("add", 1, 2) == 3
    await cell.close()


async def test_a_stopped_process_is_a_hanging_one():
    cell = Cell(replace(SPEC, timeout_s=0.5))
    await cell.open()
    assert cell.pid is not None
    os.kill(cell.pid, signal.SIGSTOP)
    with pytest.raises(CellTimeout):
        await cell.call("add", 1, 2)
    assert await cell.call("add", 1, 2) == 3
    await cell.close()


async def test_core_seconds_are_bounded():
    cell = Cell(replace(SPEC, limits=CellLimits(cpu_s=1)))
    with pytest.raises(CellTimeout, match="core-seconds"):
        await cell.call("spin")
    await cell.close()


@pytest.mark.parametrize(
    ("arguments", "patience_s", "error"), [("no", 20, Spoiled), ("greedy", 20, CellMemory), ("hang", 1, CellTimeout)]
)
async def test_a_child_that_does_not_open_is_told_and_not_kept(
    arguments: str, patience_s: float, error: type[Exception]
):
    cell = Cell(replace(SPEC, arguments=arguments, start_timeout_s=patience_s))
    with pytest.raises(error):
        await cell.open()
    assert not cell.alive
    assert alive() == 0


async def test_a_module_that_is_not_there_is_a_crash_with_its_kind():
    cell = Cell(replace(SPEC, module="no_such_module"))
    with pytest.raises(CellCrashed, match="ModuleNotFoundError"):
        await cell.open()


@pytest.mark.parametrize("used", [True, False])
async def test_a_child_killed_between_calls_is_reaped_at_once_and_replaced(cell: Cell, *, used: bool):
    await (cell.call("add", 1, 2) if used else cell.open())
    assert cell.pid is not None
    pid = cell.pid
    os.kill(pid, signal.SIGKILL)
    await gone(pid)
    assert not cell.alive
    assert await cell.call("add", 1, 2) == 3


async def test_a_child_that_died_this_moment_can_be_closed():
    cell = Cell(SPEC)
    await cell.open()
    assert cell.pid is not None
    os.kill(cell.pid, signal.SIGKILL)
    time.sleep(0.2)  # noqa: ASYNC251 - so that the loop has not heard of it
    await cell.close()
    assert alive() == 0


async def test_who_keeps_something_in_a_child_learns_that_it_is_another_one(cell: Cell):
    await cell.open()
    kept_in = cell.epoch
    assert await cell.call("add", 1, 2, epoch=kept_in) == 3
    with pytest.raises(CellCrashed):
        await cell.call("segfault")
    with pytest.raises(CellLost):
        await cell.call("add", 1, 2, epoch=kept_in)
    await cell.open()
    with pytest.raises(CellLost):
        await cell.call("add", 1, 2, epoch=kept_in)


async def test_calls_at_the_same_time_wait_for_each_other(cell: Cell):
    assert await asyncio.gather(*(cell.call("add", number, 1) for number in range(20))) == list(range(1, 21))


async def test_a_cancelled_call_leaves_no_child_behind(cell: Cell):
    await cell.open()
    pid = cell.pid
    assert pid is not None
    task = asyncio.create_task(cell.call("hang"))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gone(pid)
    assert await cell.call("add", 1, 2) == 3


async def test_counters_of_the_child_grow_in_the_service(cell: Cell):
    bread = BITES.labels("bread")
    before, meals = bread._value.get(), MEALS._value.get()
    await cell.call("eat", "bread", 3)
    await cell.call("eat", "bread", 4)
    with pytest.raises(Spoiled):
        await cell.call("spoil", True)
    assert (bread._value.get() - before, MEALS._value.get() - meals) == (7, 3)


async def test_a_child_has_no_secrets_no_files_no_network_and_writes_nothing(
    cell: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SHUANGLU_S3_SECRET_KEY", "hush")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    kept_open = (tmp_path / "secret").open("wb")
    os.set_inheritable(kept_open.fileno(), True)
    me = await cell.call("about_me")
    assert "hush" not in me["environment"].values()
    assert not [name for name in me["environment"] if name.startswith(("SHUANGLU", "AWS"))]
    assert me["limits"] == {"CORE": 0, "FSIZE": 0, "NOFILE": 64, "DATA": 200 * MIB}
    assert me["no_new_privileges"] == "1"
    assert kept_open.fileno() not in me["files"]
    kept_open.close()
    assert len(me["files"]) <= 5  # three standard ones, the channel, the listing itself
    assert not {"nats", "boto3", "sqlalchemy", "asyncpg"} & set(me["modules"])
    assert await cell.call("write_file", str(tmp_path / "written")) == "OSError27"  # EFBIG
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert await cell.call("connect", server.getsockname()[1]) == "OSError"


async def test_many_values_come_in_order_and_no_faster_than_they_are_taken():
    cells = Cells(SPEC)
    async with cells.fresh() as child:
        await child.begin("count_up", 40, 100_000)
        made = []
        more, item = await child.following()
        made.append(item)
        await asyncio.sleep(0.5)
        looked_at = time.monotonic()
        while True:
            more, item = await child.following()
            if not more:
                break
            made.append(item)
        assert [item["number"] for item in made] == list(range(40))
        ahead = sum(item["at"] < looked_at for item in made)
        assert ahead <= 8  # the rest fits into no socket: the child had to wait
        assert await child.call("add", 1, 2) == 3
    await cells.close()


async def test_a_child_that_dies_in_the_middle_of_its_values_is_told():
    cells = Cells(SPEC)
    async with cells.fresh() as child:
        await child.begin("stumble_after", 3)
        assert [await child.following() for _ in range(3)] == [(True, 0), (True, 1), (True, 2)]
        with pytest.raises(CellCrashed, match="SIGSEGV"):
            await child.following()
    await cells.close()
    assert alive() == 0


async def test_every_piece_of_work_has_a_child_of_its_own_and_one_waits():
    cells = Cells(SPEC)
    cells.prepare()
    pids = []
    for _ in range(3):
        async with cells.fresh() as child:
            pids.append(await child.call("pid"))
            assert child.pid == pids[-1]
        assert not exists(pids[-1])
    assert len(set(pids)) == 3
    await cells.close()
    assert alive() == 0


async def test_a_spare_child_that_died_is_not_given_out():
    others = {int(pid) for pid in children()}  # of this process, from other tests
    cells = Cells(SPEC)
    cells.prepare()
    await asyncio.sleep(1)
    async with cells.fresh() as first:
        await asyncio.sleep(1)
        spare = {int(pid) for pid in children()} - others - {first.pid}
        for pid in spare:
            os.kill(pid, signal.SIGKILL)
            await gone(pid)
    async with cells.fresh() as child:
        assert child.pid not in spare
        assert await child.call("add", 1, 2) == 3
    await cells.close()


def children() -> list[str]:
    return [pid for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()]


async def test_nothing_is_left_when_the_service_is_killed():
    """The children have their own session, so only their death signal and their channel can end them."""
    service = subprocess.Popen(  # noqa: ASYNC220 - it is only started here
        [sys.executable, "-c", SERVICE, str(Path(__file__).parent)], stdout=subprocess.PIPE, text=True
    )
    assert service.stdout is not None
    pids = [int(pid) for pid in service.stdout.readline().split()]
    assert len(pids) == 2
    assert all(exists(pid) for pid in pids)
    service.kill()
    service.wait()
    for pid in pids:
        await gone(pid)


SERVICE = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from test_cell import SPEC, Cell

async def main():
    cells = [Cell(SPEC), Cell(SPEC)]
    for cell in cells:
        await cell.open()
    asyncio.create_task(cells[0].call("hang"))
    await asyncio.sleep(0.2)
    print(*(cell.pid for cell in cells), flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""
