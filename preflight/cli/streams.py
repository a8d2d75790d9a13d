"""Standard output and standard error: what is written there, and whether in colour."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

from preflight.cli import outputs
from preflight.gather.access.view import MARKER
from preflight.render.limits import NARROWEST, WIDEST, WIDTH
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


def terminal() -> bool:
    """Say whether standard output is a terminal; under `docker run -t` it is one."""
    return bool(sys.stdout and sys.stdout.isatty())


def usual() -> str:
    """Return the format of standard output where none is named: text on a terminal, Markdown elsewhere."""
    return "text" if terminal() else "markdown"


def width() -> int:
    """Return how many columns a text on standard output has: the terminal's, within reason."""
    if not terminal():
        return WIDTH
    try:
        columns = os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        columns = 0
    if not columns and (given := os.environ.get("COLUMNS", "")).isdecimal():  # a serial console does not know its own
        columns = int(given[:4])
    return min(max(columns, NARROWEST), WIDEST) if columns else WIDTH


def ascii_only(environ: Mapping[str, str], on_terminal: bool) -> bool:
    """Say whether the locale has no UTF-8: one that is named, or on a terminal of this host the lack of any.

    In our image no variable of the terminal's arrives, so the lack of any tells nothing there.
    """
    names = ("LC_ALL", "LC_CTYPE", "LANG")
    found = next((value for name in names if (value := environ.get(name)) and not _coerced(name, environ)), None)
    if found is None:
        return on_terminal and environ.get(MARKER) != "1"
    return not any(word in found.lower() for word in ("utf-8", "utf8"))


def shape(color: str, path: str | None) -> dict[str, Any]:
    """Return how a text looks where it goes: its colour, its width and its signs; a file's is the same everywhere."""
    if path is not None:
        return {}
    return {"color": colored(color, None), "width": width(), "ascii": ascii_only(os.environ, terminal())}


def _coerced(name: str, environ: Mapping[str, str]) -> bool:
    """Say whether Python itself set this variable: it replaces the locale C by one that has UTF-8 (PEP 538)."""
    if name != "LC_CTYPE" or environ[name] not in ("C.UTF-8", "C.utf8", "UTF-8"):
        return False
    try:
        with open("/proc/self/environ", "rb") as file:  # as it was when the program was started
            return not any(line.startswith(b"LC_CTYPE=") for line in file.read().split(b"\0"))
    except OSError:
        return False


def dumb() -> bool:
    return os.environ.get("TERM") in ("dumb", "unknown")


def colors(color: str) -> bool:
    """Say whether a terminal may be coloured: https://no-color.org means a variable that is not empty."""
    return color == "always" or (color == "auto" and not os.environ.get("NO_COLOR") and not dumb())


def colored(color: str, path: str | None) -> bool:
    """Say whether a text is coloured: never in a file, on standard output where it is a terminal, or asked for."""
    return path is None and colors(color) and (color == "always" or terminal())
