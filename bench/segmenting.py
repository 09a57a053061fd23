"""A file into segments, against `cp` of the file and `ffmpeg -c copy` to fragmented MP4, in the same rounds.

Segments are bytes in memory, as the store takes them; the other two write a file.
"""

import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from figures import Figure
from material import ffmpeg, large_recording
from shuanglu_media_ingest.domain import sound
from shuanglu_media_ingest.reading import av_files
from shuanglu_media_ingest.reading.segmenter import Segmenter
from sizes import Sizes

FRAGMENTED = ("-movflags", "frag_keyframe+empty_moov+default_base_moof", "-f", "mp4")


def segmented(file: Path, _out: Path) -> None:
    """What media-ingest does with a file: one look through it, then its segments, one by one."""
    survey = av_files.survey(file)
    parts = sound.parts(survey, None)
    names = [str(number) for number in range(len(parts))]
    for _piece in Segmenter(file, survey, parts, names, 0).pieces():
        pass


def copied(file: Path, out: Path) -> None:
    """`cp`."""
    subprocess.run(["cp", str(file), str(out / "copy.mp4")], check=True)


def fragmented(file: Path, out: Path) -> None:
    """`ffmpeg -c copy` to one fragmented MP4."""
    ffmpeg("-i", str(file), "-c", "copy", *FRAGMENTED, str(out / "fragmented.mp4"))


def seconds(step: Callable[[Path, Path], None], file: Path, out: Path) -> float:
    """Wall time of a step, into an empty folder."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    started = time.perf_counter()
    step(file, out)
    taken = time.perf_counter() - started
    shutil.rmtree(out)
    return taken


def measure(folder: Path, sizes: Sizes) -> list[Figure]:
    """Medians of the ratios over interleaved rounds; the first round only warms up."""
    file = large_recording(folder, sizes.segment_mib)
    steps = (segmented, copied, fragmented)
    rounds = [[seconds(step, file, folder / "out") for step in steps] for _ in range(sizes.rounds + 1)][1:]
    to_cp = statistics.median(ours / copy for ours, copy, _ in rounds)
    to_ffmpeg = statistics.median(ours / theirs for ours, _, theirs in rounds)
    ours, copy, theirs = (statistics.median(column) for column in zip(*rounds, strict=True))
    mib = file.stat().st_size / (1 << 20)
    return [
        Figure("segmenting, against cp", to_cp, "x", "lower", 10, f"cp of {mib:.0f} MiB, {copy:.2f} s"),
        Figure("segmenting, against ffmpeg -c copy", to_ffmpeg, "x", "lower", 2, f"to fragmented MP4, {theirs:.2f} s"),
        Figure("segmenting", mib / ours, "MiB/s", "higher"),
    ]
