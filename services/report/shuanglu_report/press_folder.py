"""Where a press keeps the text and the stills of its report: a folder that the service makes, and removes in any case.

The press may be killed at any moment, and so may the service: its lock tells the next one which folders nobody uses.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "shuanglu-press-"


@contextmanager
def press_folder() -> Iterator[Path]:
    """A folder for one press, readable by this user alone; gone at the end with all that is in it. Raises OSError."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        held = _locked(Path(name))
        try:
            yield Path(name)
        finally:
            os.close(held)


def clear_leftovers() -> int:
    """Remove the folders of services that were killed; how many. At the start of a service."""
    cleared = 0
    for folder in Path(tempfile.gettempdir()).glob(_PREFIX + "*"):
        # In use, of another user, no folder at all, or just removed by somebody else: none of ours to clear.
        with suppress(OSError):
            held = _locked(folder)
            try:
                shutil.rmtree(folder)
                cleared += 1
            finally:
                os.close(held)
    return cleared


def _locked(folder: Path) -> int:
    """The open folder; the lock ends with it, or with this process. Raises OSError if it is not ours to have."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(held).st_uid != os.geteuid():
            raise PermissionError("another user's folder")
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        raise
    return held
