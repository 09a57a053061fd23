"""Imports one file as the worker does, into a store that keeps nothing: `python ingest_memory.py SPOOL FILE`.

Prints JSON: resident memory in MiB before the work and its peak, seconds, and what came out. The whole service is
loaded, so that the figure is the service's.
"""

import asyncio
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from ingest_bench import EXPIRY_S, Bench
from ingest_fakes import PEOPLE, TENANT

from shuanglu.common.v1.types_pb2 import ObjectRef
from shuanglu_common.store import PART_BYTES, MemoryStore
from shuanglu_media_ingest import __main__ as service
from shuanglu_media_ingest.domain.imports import SourceFile
from shuanglu_media_ingest.memory import keep_little
from shuanglu_media_ingest.spool import Upload


class HashingStore(MemoryStore):
    """Hashes like the real store, in parts of the same size, and forgets."""

    async def put(self, key: str, data: bytes, content_type: str = "") -> ObjectRef:
        digest = await asyncio.to_thread(hashlib.sha256, data)
        return ObjectRef(key=key, size_bytes=len(data), sha256=digest.hexdigest())

    async def put_file(self, key: str, path: Path, progress: Callable[[int], None] | None = None) -> ObjectRef:
        total, size = hashlib.sha256(), 0
        with path.open("rb") as file:
            while data := await asyncio.to_thread(file.read, PART_BYTES):
                total.update(data)
                size += len(data)
                if progress:
                    progress(size)
        return ObjectRef(key=key, size_bytes=size, sha256=total.hexdigest())


def peak_kib() -> int:
    """Peak resident memory since exec; getrusage would begin with that of the process that forked this one."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def main() -> None:
    assert keep_little()
    folder, path = Path(sys.argv[1]), Path(sys.argv[2])
    bench = Bench(folder, store=HashingStore())
    expires_at_us = bench.clock.now + EXPIRY_S * 1_000_000
    size = path.stat().st_size
    upload = Upload("a" * 32, TENANT, "app", size, size, expires_at_us)
    bench.spool.create(upload)
    shutil.copyfile(path, bench.spool.data_path(upload))
    record = bench.accepted(SourceFile(upload.upload_id, PEOPLE))
    loaded = psutil.Process().memory_info().rss
    started, used = time.monotonic(), time.process_time()
    asyncio.run(bench.importer.run(record))
    done = bench.state_of(record)
    print(  # noqa: T201 - the answer
        json.dumps(
            {
                "service": service.NAME,
                "pid": os.getpid(),
                "state": done.state,
                "reason": done.failure_reason,
                "seconds": round(time.monotonic() - started, 2),
                "cpu_seconds": round(time.process_time() - used, 2),
                "loaded_mib": loaded >> 20,
                "peak_mib": peak_kib() >> 10,
                "events": len(bench.published),
            }
        )
    )


if __name__ == "__main__":
    main()
