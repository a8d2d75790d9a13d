"""The holding end in a container: questions that prove themselves are answered once each, and written down."""

from __future__ import annotations

import contextlib
import re
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

from preflight.reach import protocol

NONCES = 4096  # that are remembered
ROWS = 1000  # arrivals that are written down
ARRIVED, STRANGER = "arrived", "stranger"
BOOT = "/proc/sys/kernel/random/boot_id"
_ROW = re.compile(rb"mailcow-reach (arrived|stranger) ([0-9]{1,5}) ([0-9a-f.:]{2,45})")


class Row(Struct, frozen=True):
    """A connection that came in: with a proof (`arrived`, at the port that the client means) or without."""

    kind: str
    port: int
    peer: str


class Hearing:
    """One container's ear."""

    def __init__(self, key: bytes, service: str, write: Callable[[str], object] | None = None) -> None:
        self._key, self._service = key, service
        self._write = write or _print
        self._lock = threading.Lock()
        self._nonces: OrderedDict[str, None] = OrderedDict()
        self._rows = 0
        self._kernel = protocol.kernel(key, boot())

    def reply(self, line: bytes, inside: int, peer: str, own: str) -> bytes:
        """Return what a first line is answered with: nothing, where it proves nothing or is one heard before."""
        peer, own = (address.partition("%")[0].removeprefix("::ffff:") for address in (peer, own))
        asked = protocol.heard(self._key, line)
        with self._lock:
            known = asked is not None and asked.nonce in self._nonces
            if asked is not None and not known:
                self._nonces[asked.nonce] = None
                if len(self._nonces) > NONCES:
                    self._nonces.popitem(last=False)
            self._note(STRANGER if asked is None or known else ARRIVED, asked.port if asked else inside, peer)
        if asked is None or known:
            return b""
        return protocol.answer(self._key, asked, protocol.Arrived(self._service, inside, peer, own, self._kernel))

    def _note(self, kind: str, port: int, peer: str) -> None:
        """Write a row for who follows the container's output; strangers get half of the room."""
        if peer in ("127.0.0.1", "::1") or self._rows >= (ROWS if kind == ARRIVED else ROWS // 2):
            return
        self._rows += 1
        self._write(f"{protocol.NAME} {kind} {port} {peer}\n")


def boot() -> str:
    """Return what identifies the running kernel, '' where it does not say."""
    try:
        with open(BOOT, encoding="ascii") as file:
            return file.read(64).strip()
    except (OSError, ValueError):
        return ""


def _print(row: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody listens any more
        sys.stdout.write(row)
        sys.stdout.flush()


def rows(printed: bytes) -> list[Row]:
    """Read what a container has printed; other lines are left out."""
    found = []
    for line in printed.splitlines()[: ROWS * 2]:
        if (match := _ROW.fullmatch(line.strip())) is not None:
            kind, port, peer = (part.decode() for part in match.groups())
            found.append(Row(kind, int(port), peer))
    return found
