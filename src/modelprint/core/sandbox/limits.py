"""How much a child may use, and what it may touch: set by the kernel, inside the child."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from modelprint.core.sandbox.read_only import make_read_only

_NEW_NETWORK, _NEW_USER = 0x40000000, 0x10000000  # unshare(2)
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG, prctl(2)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a child may use.

    Attributes:
        memory: bytes of data beyond what the libraries have when it begins; address space is not counted.
        seconds: for one message, of wall time.
        processor: seconds of processor time over its whole life, rounded to whole ones; None: ten times `seconds`.
        answer: bytes of one answer, at most.
    """

    memory: int = 4 * 2**30
    seconds: float = 60.0
    processor: float | None = None
    answer: int = 2**32


@dataclass(frozen=True, kw_only=True)
class Confinement:
    """What the kernel took from a child, beside what `Limits` say; not every system offers it.

    Attributes:
        no_network: it reaches no other host, and none here.
        read_only: it cannot make, change, empty or remove a file.
    """

    no_network: bool = False
    read_only: bool = False


def confine(limits: Limits) -> Confinement:
    """Bind this process to limits, for good; what the kernel took from it, too."""
    import resource

    alone = False
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        alone = any(libc.unshare(what) == 0 for what in (_NEW_NETWORK, _NEW_USER | _NEW_NETWORK))
    read_only = make_read_only()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit fails, and is an error like others
    for kind, most in (
        (resource.RLIMIT_DATA, data_size() + limits.memory),
        (resource.RLIMIT_CPU, max(1, round(limits.processor or 10 * limits.seconds + 1))),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 256),
    ):
        with contextlib.suppress(ValueError, OSError):  # a system with tighter limits of its own keeps these
            resource.setrlimit(kind, (most, most))
    return Confinement(no_network=alone, read_only=read_only)


def data_size() -> int:
    """Bytes of data and stack that this process has (the sixth figure of /proc/self/statm); 0 where not told."""
    import resource

    table = Path("/proc/self/statm")
    return int(table.read_text().split()[5]) * resource.getpagesize() if table.exists() else 0
