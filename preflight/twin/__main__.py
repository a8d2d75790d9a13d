"""The twin's process: it is given a request, and prints what became of the packets."""

from __future__ import annotations

import ctypes
import errno
import gc
import resource
import signal
import sys

import msgspec

from preflight.text.typed import decode
from preflight.twin.request import Request

MEMORY = 400 << 20  # bytes of address space: what it uses of it is a third
DENIED = 77
_PDEATHSIG = 1  # PR_SET_PDEATHSIG


def main(words: list[str]) -> int:
    """Play a request and print the answer; return 77 where the kernel refuses namespaces."""
    # It ends with whoever asks, also where that is killed.
    ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)
    gc.disable()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    from preflight.twin.play import twin

    try:
        told = twin(decode(words[0], Request))
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES):
            return DENIED
        raise
    sys.stdout.buffer.write(msgspec.json.encode(told))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
