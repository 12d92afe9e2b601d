"""A process that can no longer make, change, empty or remove a file: the kernel refuses, whatever the process runs.

A limit on file sizes alone does not do it: a file can still be made, or emptied. Linux offers two ways, and the first
that is there is taken: Landlock (kernel 5.13) and mounts that are read-only for this process alone (5.12).
Sources: landlock(7), mount_setattr(2), and the numbers in the kernel's `linux/landlock.h` and `linux/mount.h`.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF, _MOUNT_SETATTR = 444, 445, 446, 442  # system calls, the same everywhere
_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
_BENEATH = 1  # LANDLOCK_RULE_PATH_BENEATH
_WRITE_FILE = 1 << 1
_CHANGES = _WRITE_FILE | sum(1 << bit for bit in range(4, 13))  # write, remove, make any kind of file
_REFER, _TRUNCATE = 1 << 13, 1 << 14  # of versions 2 and 3
_NO_NEW_PRIVILEGES = 38  # prctl(2)
_NEW_MOUNTS, _NEW_USER = 0x00020000, 0x10000000  # unshare(2)
_PRIVATE, _RECURSIVE_MOUNT = 1 << 18, 1 << 14  # mount(2)
_HERE, _RECURSIVE, _READ_ONLY = -100, 0x8000, 1  # AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY


def make_read_only() -> bool:
    """Take the right to change files from this process and its children, for good; whether the kernel did.

    Devices such as /dev/null can still be written to. Files that are open already can be written through their
    descriptors: bind these by a limit on file sizes.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return _landlock(libc) or _read_only_mounts(libc)


def _landlock(libc: ctypes.CDLL) -> bool:
    version = libc.syscall(_CREATE_RULESET, None, 0, _VERSION)
    if version < 1:
        return False
    handled = _CHANGES | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    attributes = struct.pack("Q", handled)
    rules = libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if rules < 0:
        return False
    try:
        null = os.open("/dev/null", os.O_PATH)
        libc.syscall(_ADD_RULE, rules, _BENEATH, struct.pack("=Qi", _WRITE_FILE, null), 0)
        os.close(null)
        libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        return bool(libc.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def _read_only_mounts(libc: ctypes.CDLL) -> bool:
    if not any(libc.unshare(what) == 0 for what in (_NEW_MOUNTS, _NEW_USER | _NEW_MOUNTS)):
        return False
    if libc.mount(b"none", b"/", None, _RECURSIVE_MOUNT | _PRIVATE, None) != 0:
        return False  # a change would be seen by others
    attributes = struct.pack("QQQQ", _READ_ONLY, 0, 0, 0)
    return bool(libc.syscall(_MOUNT_SETATTR, _HERE, b"/", _RECURSIVE, attributes, len(attributes)) == 0)
