"""What a child may use, set by itself before it touches a file.

It is no prison: a decoder that is taken over can still read what the service's user may read. But it has no secrets in
its environment, no network where Linux lets it give that up, writes no file, and is gone with its service.
"""

import ctypes
import os
import resource
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
# Killed before anything else when the machine runs out of memory; a service is worth more than one file.
OOM_SCORE = "800"
# Between SIGXCPU, which tells why, and SIGKILL.
CPU_GRACE_S = 2
# What a child gets from its service's environment. No SHUANGLU_ setting is among them: those hold secrets.
KEPT_ENVIRONMENT = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
)


@dataclass(frozen=True, slots=True)
class CellLimits:
    """Bounds of one child; 0 is no bound, but for files.

    `memory_bytes` is private writable memory (RLIMIT_DATA, Linux 4.7): weights and libraries mapped from files do not
    count. `cpu_s` is core-seconds of its whole life. `open_files` includes what Python holds. `file_bytes` is the
    largest file that it may write; 0 is none at all.
    """

    memory_bytes: int = 0
    cpu_s: int = 0
    open_files: int = 64
    file_bytes: int = 0


def confine(limits: CellLimits, parent: int) -> None:
    """Called by the child first of all, while it has one thread. SystemExit if the parent is gone already."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(OOM_SCORE, encoding="ascii")
        # Where user namespaces are switched off the network stays; nothing else depends on it.
        libc.unshare(CLONE_NEWNET if os.geteuid() == 0 else CLONE_NEWUSER | CLONE_NEWNET)
    if os.getppid() != parent:
        raise SystemExit(0)  # it died between spawning and the death signal being set
    _bound(resource.RLIMIT_CORE, 0)
    _bound(resource.RLIMIT_FSIZE, limits.file_bytes)
    _bound(resource.RLIMIT_NOFILE, limits.open_files)
    if limits.memory_bytes:
        _bound(resource.RLIMIT_DATA, limits.memory_bytes)
    if limits.cpu_s:
        _bound(resource.RLIMIT_CPU, limits.cpu_s, beyond=CPU_GRACE_S)
    # Writing beyond a limit shall be an error, not a signal.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    # Ctrl-C and SIGTERM are the service's business: it finishes its work, then closes the cell.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def environment() -> dict[str, str]:
    """What a child may know of the service's environment."""
    return {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}


def _bound(kind: int, most: int, beyond: int = 0) -> None:
    """Soft and, a little beyond it, hard; never above what the service itself has."""
    _, hard = resource.getrlimit(kind)
    soft, last = most, most + beyond
    if hard != resource.RLIM_INFINITY:
        soft, last = min(soft, hard), min(last, hard)
    resource.setrlimit(kind, (soft, last))
