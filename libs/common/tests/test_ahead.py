import asyncio

import pytest

from shuanglu_common.doctor import AHEAD, ahead


async def test_results_come_in_the_order_of_the_work_with_a_few_running_ahead() -> None:
    running, most = 0, 0

    async def work(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        # The later ones are the faster ones.
        await asyncio.sleep(0.002 * (20 - number) / 20)
        running -= 1
        return number

    assert [each async for each in ahead(work(number) for number in range(20))] == list(range(20))
    assert 1 < most <= AHEAD


async def test_an_error_ends_the_work_that_runs_ahead() -> None:
    async def work(number: int) -> int:
        await asyncio.sleep(0.001 if number < 2 else 60)
        if number == 1:
            raise KeyError(number)
        return number

    with pytest.raises(KeyError):
        assert [each async for each in ahead(work(number) for number in range(3))]
    assert asyncio.all_tasks() == {asyncio.current_task()}
