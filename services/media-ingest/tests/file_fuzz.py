"""Reads mutations of the pack's files: `python file_fuzz.py SEED COUNT`. Runs as a child of test_file_fuzz.py.

Prints a line before and after each, so that whoever waits knows which one ended the process.
"""

import random
import resource
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from file_pack import CLIPS, made
from ingest_media import Result, segmented

from shuanglu_media_ingest.errors import RecordingRefused
from shuanglu_media_ingest.reading import av_files

# A few hundred milliseconds are usual; a decoder that takes this long hangs.
ALARM_S = 20
MEMORY_BYTES = 3 << 30
NAMES = sorted(name for name in CLIPS if name not in {"four_k.mp4", "sixty_a_second.mp4", "rare_key_frames.mp4"})
HEAD_BYTES = 2048

Mutation = Callable[[random.Random, bytearray], None]


def flip_bits(dice: random.Random, data: bytearray) -> None:
    for _ in range(dice.choice((1, 5, 50, 500))):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def flip_bits_of_the_head(dice: random.Random, data: bytearray) -> None:
    for _ in range(dice.choice((1, 3, 10))):
        data[dice.randrange(min(HEAD_BYTES, len(data)))] ^= 1 << dice.randrange(8)


def cut_off(dice: random.Random, data: bytearray) -> None:
    del data[dice.randrange(len(data)) :]


def lie_about_sizes(dice: random.Random, data: bytearray) -> None:
    """Four bytes somewhere before a box's or chunk's name become another number."""
    marks = (b"moov", b"trak", b"stsz", b"stco", b"stts", b"ctts", b"stsc", b"elst", b"mdhd", b"tkhd", b"avcC", b"esds")
    marks += (b"moof", b"trun", b"tfdt", b"mdat", b"RIFF", b"LIST", b"strf", b"idx1", b"data", b"fmt ", b"OggS")
    for _ in range(dice.choice((1, 2, 4))):
        at = data.find(dice.choice(marks), dice.randrange(len(data) // 2 + 1))
        place = at + dice.choice((-4, 4, 8, 12, 16)) if at >= 4 else dice.randrange(len(data))
        number = dice.choice((0, 1, 7, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, dice.getrandbits(32)))
        data[place : place + 4] = number.to_bytes(4, "big")


def swap_chunks(dice: random.Random, data: bytearray) -> None:
    size = dice.choice((16, 188, 1000, 20_000))
    one, other = dice.randrange(len(data)), dice.randrange(len(data))
    first, second = data[one : one + size], data[other : other + size]
    if len(first) == len(second):
        data[one : one + size], data[other : other + size] = second, first


def repeat_a_chunk(dice: random.Random, data: bytearray) -> None:
    at, size = dice.randrange(len(data)), dice.choice((1, 188, 5000, 50_000))
    data[at:at] = data[at : at + size] * dice.choice((1, 1, 3))


def wipe(dice: random.Random, data: bytearray) -> None:
    at, size = dice.randrange(len(data)), dice.choice((4, 100, 4000, 40_000))
    part = data[at : at + size]
    data[at : at + size] = dice.choice((bytes(len(part)), b"\xff" * len(part), dice.randbytes(len(part)), b""))


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    flip_bits_of_the_head,
    cut_off,
    lie_about_sizes,
    lie_about_sizes,
    swap_chunks,
    repeat_a_chunk,
    wipe,
)


def mutated(seed: int) -> tuple[str, bytes]:
    """A name of the pack and what became of it; the same for the same seed."""
    dice = random.Random(seed)
    name = dice.choice(NAMES)
    data = bytearray(made(name).read_bytes())
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        if data:
            dice.choice(MUTATIONS)(dice, data)
    return f"{name}", bytes(data)


def outcome(path: Path) -> str:
    """What the reader says of a file; AssertionError if that makes no sense."""
    with suppress(RecordingRefused):
        av_files.probe(path)
    try:
        tracks = segmented(path)
    except RecordingRefused as error:
        return error.reason
    except MemoryError:  # the child's bound: the reader tells it as READER_OUT_OF_MEMORY
        return "MEMORY"
    assert tracks
    for result in tracks.values():
        check(result)
    return "TRACKS"


def check(result: Result) -> None:
    """Segments in order, times that make sense, gaps in order."""
    pieces, track = result.pieces, result.track
    assert [piece.index for piece in pieces] == list(range(1, len(pieces) + 1))
    assert all(piece.data[4:8] == b"moof" for piece in pieces)
    assert all(0 <= piece.start_ms <= piece.end_ms <= 86_500_000 for piece in pieces)
    assert all(one.start_ms <= other.start_ms for one, other in pairwise(pieces))
    assert track.init[4:8] == b"ftyp"
    assert track.codec
    assert result.gaps == sorted(result.gaps)
    assert all(0 <= gap.start_ms <= gap.end_ms <= 2 * 86_500_000 for gap in result.gaps)


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    first, count = int(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, first + count):
            name, data = mutated(seed)
            path = Path(folder) / "mutated"
            path.write_bytes(data)
            print("begin", seed, name, flush=True)  # noqa: T201 - the parent reads it
            signal.alarm(ALARM_S)
            said = outcome(path)
            signal.alarm(0)
            print("end", seed, said, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
