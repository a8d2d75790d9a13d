"""Standard output and standard error: what is written there, and whether in colour."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

from preflight.cli import outputs
from preflight.text.inputs import InputError

_LINE = 500


class ReaderGone(Exception):
    """Nobody reads our output any more (`| head`). No OSError, of which click would make exit code 1."""


def put(text: str) -> None:
    """Write a document to standard output; raise `InputError` where that cannot take it, `ReaderGone`."""
    if sys.stdout is None:
        raise InputError("standard output: closed")
    try:
        sys.stdout.buffer.write(outputs.encoded(text))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise ReaderGone from None
    except OSError as error:
        raise InputError(f"standard output: {error.strerror}") from None


def unread() -> int:
    """Have the rest of the output go nowhere; return what a shell sees of a program in a pipe that nobody reads."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + signal.SIGPIPE


def say(line: str) -> None:
    """Write one line to standard error, with nothing in it that a terminal would obey."""
    shown = "".join(c if c.isprintable() else " " for c in line)
    with contextlib.suppress(OSError):  # whoever listened has gone: no reason to lose the report
        sys.stderr.write((shown if len(shown) <= _LINE else shown[: _LINE - 1] + "…") + "\n")  # whole: threads do, too
        sys.stderr.flush()


def tell(line: str) -> None:
    """Write one line to standard error whole, however long it is: somebody is to copy it."""
    with contextlib.suppress(OSError):
        sys.stderr.write("".join(c if c.isprintable() else " " for c in line) + "\n")
        sys.stderr.flush()


def dumb() -> bool:
    return os.environ.get("TERM") in ("dumb", "unknown")


def colors(color: str) -> bool:
    """Say whether a terminal may be coloured: https://no-color.org means a variable that is not empty."""
    return color == "always" or (color == "auto" and not os.environ.get("NO_COLOR") and not dumb())


def colored(color: str, path: str | None) -> bool:
    """Say whether a text is coloured: never in a file, on standard output where it is a terminal, or asked for."""
    return path is None and colors(color) and (color == "always" or bool(sys.stdout and sys.stdout.isatty()))
