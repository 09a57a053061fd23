"""Imports one file as the worker does, into a store that keeps nothing: `python ingest_memory.py SPOOL FILE`.

Prints JSON: resident memory in MiB before the work, its peak and that of the process that reads the file, seconds, and
what came out. The whole service is loaded, so that the figure is the service's.
"""

import asyncio
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
from ingest_bench import EXPIRY_S, Bench
from ingest_fakes import PEOPLE, TENANT

from shuanglu.common.v1.types_pb2 import ObjectRef
from shuanglu_common.s3_store import PART_BYTES
from shuanglu_common.store import MemoryStore
from shuanglu_media_ingest import __main__ as service
from shuanglu_media_ingest.domain.imports import Import, SourceFile
from shuanglu_media_ingest.memory import keep_little
from shuanglu_media_ingest.reading.reader import Reader, ReaderLimits
from shuanglu_media_ingest.uploads.spool import Upload


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


def peak_kib(pid: int) -> int:
    """Peak resident memory since exec; getrusage would begin with that of the process that forked this one."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) if "VmHWM:" in status else 0


async def run(bench: Bench, record: Import) -> int:
    """The import, through real reading processes; the highest peak of one of them in KiB."""
    bench.reader = Reader(ReaderLimits())  # type: ignore[assignment]
    importer = bench.new_importer()
    peaks = {0: 0}

    async def watch() -> None:
        while True:
            for child in psutil.Process().children():
                with suppress(OSError, psutil.Error):
                    peaks[child.pid] = peak_kib(child.pid)
            await asyncio.sleep(0.02)

    watching = asyncio.create_task(watch())
    await importer.run(record)
    watching.cancel()
    await bench.reader.close()
    return max(peaks.values())


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
    reader_peak_kib = asyncio.run(run(bench, record))
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
                "peak_mib": peak_kib(os.getpid()) >> 10,
                "reader_peak_mib": reader_peak_kib >> 10,
                "events": len(bench.published),
            }
        )
    )


if __name__ == "__main__":
    main()
