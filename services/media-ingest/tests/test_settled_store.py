import asyncio
import threading

import pytest

from shuanglu_common.settings import ServiceSettings
from shuanglu_media_ingest.importing.settled_store import SettledStore


@pytest.mark.parametrize("operation", ["put", "put_part", "complete_upload"])
async def test_a_write_whose_task_was_cancelled_is_waited_for(operation: str):
    store = SettledStore(ServiceSettings())
    begun, let_go, written = threading.Event(), threading.Event(), list[str]()

    def write() -> None:
        begun.set()
        let_go.wait(10)
        written.append(operation)

    task = asyncio.create_task(store.call(operation, write))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    settling = asyncio.create_task(store.settle())
    await asyncio.sleep(0.05)
    assert not settling.done()
    let_go.set()
    await settling
    assert written == [operation]
