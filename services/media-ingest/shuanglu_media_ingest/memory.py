"""Memory of finished work is given back or used again.

A segment is a few megabytes, made of packets, and lives for a moment. glibc keeps freed packets in an arena a thread,
and learns from large blocks to keep those as well: a recording of 46 Mbit/s then peaked at 235 MiB instead of 171.
"""

import ctypes
import sys

MMAP_THRESHOLD_BYTES = 1 << 20
ARENAS = 1
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # mallopt(3); setting the threshold also stops glibc from raising it


def keep_little() -> bool:
    """True if the C library understood; elsewhere than on glibc nothing happens. Call it before threads are started."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)) and bool(mallopt(_M_ARENA_MAX, ARENAS))
