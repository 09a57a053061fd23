"""Mutated files end in tracks with gaps or in a typed refusal; never in a crash, a hang or an error that nobody named.

`SHUANGLU_FUZZ_COUNT` (150) and `SHUANGLU_FUZZ_SEED` (1) set how many and which; a failure prints the seed to repeat.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from file_fuzz import mutated
from ingest_fakes import INSPECTION, PEOPLE

from shuanglu_media_ingest.domain.imports import Plan, SourceFile
from shuanglu_media_ingest.errors import RecordingRefused
from shuanglu_media_ingest.reading.reader import Reader, ReaderLimits

CHILD = Path(__file__).with_name("file_fuzz.py")
COUNT = int(os.environ.get("SHUANGLU_FUZZ_COUNT", "150"))
SEED = int(os.environ.get("SHUANGLU_FUZZ_SEED", "1"))
SECONDS_EACH = 2


@pytest.mark.timeout(120 + COUNT * SECONDS_EACH)
def test_no_mutation_ends_the_reader_or_says_nothing():
    child = subprocess.run(
        [sys.executable, CHILD, str(SEED), str(COUNT)],
        capture_output=True,
        text=True,
        timeout=100 + COUNT * SECONDS_EACH,
        check=False,
    )
    lines = [line.split(maxsplit=2) for line in child.stdout.splitlines()]
    assert child.returncode == 0, f"seed {lines[-1][1]} of {lines[-1][2]}: {child.returncode}\n{child.stderr[-2000:]}"
    ends = Counter(said for word, _, said in lines if word == "end")
    assert ends.total() == COUNT
    # What can be examined is examined: most mutations leave something.
    assert ends["TRACKS"] > COUNT / 2


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    made = Reader(ReaderLimits(stall_s=20))
    yield made
    await made.close()


async def test_the_service_reads_mutations_in_its_child_process_and_lives_on(reader: Reader, tmp_path: Path):
    said: Counter[str] = Counter()
    for seed in range(SEED, SEED + 12):
        name, data = mutated(seed)
        path = tmp_path / "mutated"
        path.write_bytes(data)
        plan = Plan((SourceFile("0" * 32, (PEOPLE[0],)),), "", (), INSPECTION)
        try:
            async with reader.reading(plan, [path]) as reading:
                pieces = [piece.index async for piece in reading.pieces(0)]
                assert pieces, (seed, name)
                assert reading.tracks[0], (seed, name)
                said["TRACKS"] += 1
        except RecordingRefused as error:
            said[error.reason] += 1
    assert said.total() == 12
    assert said["TRACKS"] >= 6
