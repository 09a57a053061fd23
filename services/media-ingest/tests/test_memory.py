"""Memory stays flat, whatever the file's size: measured in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

from ingest_media import make_long

WORKER = Path(__file__).with_name("ingest_memory.py")
LIMIT_MIB = 200  # what every service but the model workers may take
READER_LIMIT_MIB = 150  # of a recording that is carried; a working copy takes more


def test_a_file_of_300_megabytes_fits_into_the_memory_of_a_service(tmp_path: Path):
    recording = tmp_path / "long.mp4"
    make_long(recording, 300 << 20)
    assert recording.stat().st_size > 300 << 20
    answer = subprocess.run(
        [sys.executable, WORKER, tmp_path / "spool", recording], check=True, capture_output=True, text=True, timeout=240
    )
    measured = json.loads(answer.stdout.splitlines()[-1])
    assert measured["state"] == "STORED"
    assert measured["peak_mib"] <= LIMIT_MIB
    assert 0 < measured["reader_peak_mib"] <= READER_LIMIT_MIB
