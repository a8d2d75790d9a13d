"""Files that users name: read with bounds, and refused with one line that names the file and the place."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILE_BYTES = 16 << 20
DEPTH = 64
_NESTING = rb'"(?:[^"\\]++|\\.)*+"|([\[{])|([\]}])'  # a string, or where something begins or ends


class InputError(Exception):
    """An input that cannot be used: one line for the user."""


def named(name: str) -> Path:
    """Return the path of a file that the user named; raise `InputError` for no name at all."""
    from pathlib import Path

    if not name:
        raise InputError("'' is not the name of a file")
    return Path(name)


def read_file(path: Path, limit: int = FILE_BYTES) -> bytes:
    """Return a regular file's bytes; raise `InputError` where it is none, unreadable or above the limit."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or 'not a path'}") from None
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        raise InputError(f"{path}: {'a directory' if stat.S_ISDIR(mode) else 'not a regular file'}")
    with os.fdopen(handle, "rb") as file:
        try:
            data = file.read(limit + 1)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from None
    if len(data) > limit:
        raise InputError(f"{path}: larger than {limit >> 20} MiB")
    return data


def check_depth(data: bytes, path: Path) -> None:
    """Raise `InputError` where a JSON document is nested deeper than is allowed, without parsing it.

    msgspec's own limit would not do: it is the interpreter's stack, another one in each version and far above ours.
    """
    depth = 0
    for found in re.finditer(_NESTING, data, re.DOTALL):
        if found[1]:
            depth += 1
            if depth > DEPTH:
                raise InputError(f"{path}: nested deeper than {DEPTH} at byte {found.start()}")
        elif found[2]:
            depth -= 1
