"""Where reading a track goes on after a restart. It saves time; without it the files are read from the start."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

_MAGIC = b"SLCP1\n"
_DIGEST = 32


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """State of a track right after its segment `index` was cut."""

    index: int
    file: str  # that was being read
    state: bytes


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """The new one or the old one, whatever happens to this process. Raises OSError."""
    body = b"%d %s\n%s" % (checkpoint.index, checkpoint.file.encode(), checkpoint.state)
    beside = path.with_name(path.name + ".new")
    beside.write_bytes(_MAGIC + hashlib.sha256(body).digest() + body)
    beside.replace(path)


def read_checkpoint(path: Path) -> Checkpoint | None:
    """None if there is none, or if a power cut left half of it."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    start = len(_MAGIC) + _DIGEST
    body = data[start:]
    if not data.startswith(_MAGIC) or data[len(_MAGIC) : start] != hashlib.sha256(body).digest():
        return None
    line, _, state = body.partition(b"\n")
    index, _, file = line.partition(b" ")
    return Checkpoint(int(index), file.decode(), state)
