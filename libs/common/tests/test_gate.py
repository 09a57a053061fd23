import asyncio

import pytest

from shuanglu_common.gate import Gate


class Runs:
    """Work that goes on until it is told to stop."""

    def __init__(self) -> None:
        self.begun = self.ended = 0

    async def run(self, stopping: asyncio.Event) -> None:
        self.begun += 1
        await stopping.wait()
        self.ended += 1


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_work_runs_while_the_gate_is_open_and_ends_with_the_service():
    gate, runs, stopping = Gate(), Runs(), asyncio.Event()
    task = asyncio.create_task(gate.run_while_open(runs.run, stopping))
    await settle()
    assert (gate.is_open, runs.begun) == (False, 0)
    gate.open()
    await settle()
    assert (gate.is_open, runs.begun, runs.ended) == (True, 1, 0)
    gate.close()
    await settle()
    assert (gate.is_open, runs.begun, runs.ended) == (False, 1, 1)
    gate.open()
    await settle()
    stopping.set()
    await task
    assert (runs.begun, runs.ended) == (2, 2)


async def test_a_service_that_stops_before_the_gate_opens_runs_nothing():
    gate, runs, stopping = Gate(), Runs(), asyncio.Event()
    task = asyncio.create_task(gate.run_while_open(runs.run, stopping))
    await settle()
    stopping.set()
    await task
    assert runs.begun == 0


async def test_work_that_fails_is_not_hidden():
    async def fail(stopping: asyncio.Event) -> None:
        del stopping
        raise LookupError

    gate = Gate()
    gate.open()
    with pytest.raises(LookupError):
        await gate.run_while_open(fail, asyncio.Event())
