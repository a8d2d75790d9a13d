"""Network namespaces that nothing but file descriptors of this process holds: they end with it, whatever happens.

For a process with one thread: what is entered counts for the whole of it, and for the programs that it starts.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

NETWORK = 0x40000000  # CLONE_NEWNET
_libc = ctypes.CDLL(None, use_errno=True)


class Space:
    """A network namespace."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be in it; go back where one was."""
        before = _own()
        try:
            _enter(self.descriptor)
            yield
        finally:
            _enter(before)
            os.close(before)


def make() -> Space:
    """Make a network namespace, without going there to stay; raise `OSError`: EPERM without CAP_SYS_ADMIN."""
    before = _own()
    try:
        if _libc.unshare(NETWORK):
            raise _error("unshare")
        try:
            return Space(_own())
        finally:
            _enter(before)
    finally:
        os.close(before)


def _own() -> int:
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, NETWORK):
        raise _error("setns")


def _error(what: str) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, f"{what}: {os.strerror(code)}")
