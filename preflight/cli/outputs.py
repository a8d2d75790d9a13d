"""Where documents go: pair formats with files before the run, and replace files whole after it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping

from msgspec import Struct

from preflight.render import FORMATS
from preflight.text.inputs import InputError

AUTO = "auto"  # the format that the place decides
DEFAULT = "markdown"
STANDARD_OUTPUT = frozenset({"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"})
LINKS = 40  # of one path, as the kernel has it
SUMMARY = 1 << 20  # bytes that GitHub takes for the summary of a step; one byte more, and it shows none of them


class Target(Struct, frozen=True):
    """A report to be written: its format, and the file (None: standard output)."""

    format: str
    path: str | None = None


def targets(formats: tuple[str, ...], outputs: tuple[str, ...], usual: str = DEFAULT) -> tuple[Target, ...]:
    """Say which report goes where: a file's suffix names its format, `formats` that of standard output.

    One format is also that of files without a suffix. Of several, each goes to its file, and one that has none to
    standard output. Without any, nothing goes there where there are files. `auto` is `usual` on standard output, and
    Markdown in a file. Raise `InputError` where that cannot be done, or where a file is known to be out of reach.
    """
    files = tuple(name for name in outputs if name not in STANDARD_OUTPUT)
    spare = _spare(formats, files)
    made = []
    for name in files:
        form = by_suffix(name) or (formats[0] if len(formats) == 1 else spare.pop(0) if spare else None)
        if form is None:
            known = " ".join(filter(None, FORMATS.values()))
            raise InputError(
                f"--output {name[:200]}: the suffix does not set a format. Use one of {known}, or add --format."
            )
        if len(outputs) == len(formats) == 1 and formats[0] not in (form, AUTO):
            raise InputError(f"--output {name[:200]}: the suffix means {form}, but --format is {formats[0]}.")
        writable(name)
        made.append(Target(DEFAULT if form == AUTO else form, name))
    wanted = len(outputs) - len(files) or int(not outputs)
    named = (*spare, *[AUTO] * (wanted - len(spare)))
    printed = [Target(usual if form == AUTO else form) for form in named]
    if len(printed) > 1 and not outputs:
        raise InputError("Only one report can go to standard output. Add an --output for each other --format.")
    places = [_place(target) for target in (*made, *printed)]
    if twice := next((target for target in (*made, *printed) if places.count(_place(target)) > 1), None):
        where = f"--output {twice.path[:200]}" if twice.path is not None else "standard output"
        raise InputError(f"{where}: two reports would be written there.")
    return (*made, *printed)


def _spare(formats: tuple[str, ...], files: tuple[str, ...]) -> list[str]:
    """Return the formats that no file takes by its suffix; one alone is standard output's."""
    spare = list(formats)
    for form in map(by_suffix, files):
        if len(formats) > 1 and form in spare:
            spare.remove(form)
    return spare


def _place(target: Target) -> str | None:
    return os.path.realpath(target.path) if target.path is not None else None


def by_suffix(path: str) -> str | None:
    """Return the format whose files end like this one."""
    suffix = os.path.splitext(path)[1].lower()
    return next((name for name, own in FORMATS.items() if suffix and own == suffix), None)


def behind(path: str) -> str:
    """Return the file that a link leads to, or the path itself; a link if links form a circle.

    Its directory stays as it is written: what /proc/1/root leads to has no other name in our own root.
    """
    for _ in range(LINKS):
        if not os.path.islink(path):
            break
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    return path


def writable(path: str) -> None:
    """Raise `InputError` where it can be told beforehand that a file cannot be written."""
    place = behind(os.path.abspath(path))
    folder = os.path.dirname(place)
    why = ""
    if os.path.islink(place):
        why = "a symbolic link that leads back to itself."
    elif not path or path.endswith("/") or os.path.isdir(place):
        why = "not the name of a file."
    elif not os.path.isdir(folder):
        why = f"there is no directory {folder[:200]}"
    elif os.path.exists(place):
        why = "" if os.access(place, os.W_OK) else "no permission to write this file."
    elif not os.access(folder, os.W_OK | os.X_OK):
        why = "no permission to create a file in this directory."
    if why:
        raise InputError(f"--output {path[:200]}: {why}")


def encoded(text: str) -> bytes:
    """Return a document as UTF-8; half characters (lone surrogates) are written out."""
    return text.encode("utf-8", "backslashreplace")


def write(documents: Mapping[Target, str], put: Callable[[str], None]) -> None:
    """Write every document: the files first, `put` then takes what goes to standard output.

    One file that cannot be written keeps no other from being written; `InputError` then names it.
    """
    failed: InputError | None = None
    for target, text in documents.items():
        if target.path is not None:
            try:
                replace(target.path, encoded(text))
            except InputError as error:
                failed = failed or error
    if failed:
        raise failed
    for target, text in documents.items():
        if target.path is None:
            put(text)


def replace(path: str, data: bytes) -> None:
    """Write a file so that nobody ever reads half of it: beside it first, then in its place."""
    place = behind(path)  # the link stays
    try:
        there = os.stat(place) if os.path.exists(place) else None
        if there is not None and not stat.S_ISREG(there.st_mode):  # a pipe or a device
            _overwrite(place, data)
            return
        try:
            _beside(place, data, there)
        except OSError:
            # Nothing may be made in this directory, or the file is a mount of its own (docker run -v FILE:FILE).
            if there is None:
                raise
            _overwrite(place, data)
    except OSError as error:
        raise InputError(f"--output {path}: {error.strerror}") from None


def _beside(place: str, data: bytes, there: os.stat_result | None) -> None:
    folder, name = os.path.split(place)
    temporary = os.path.join(folder, f".{name[:100]}.{os.urandom(4).hex()}.part")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)  # less the umask
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if there is not None:
                _like(file.fileno(), there)
        os.replace(temporary, place)
    except BaseException:
        os.unlink(temporary)
        raise


def _like(handle: int, there: os.stat_result) -> None:
    """Give a new file the owner and the mode of the one that it replaces, as far as we may."""
    if (there.st_uid, there.st_gid) != (os.geteuid(), os.getegid()):
        try:
            os.fchown(handle, there.st_uid, there.st_gid)
        except OSError:
            return  # with another owner the old mode might let somebody in
    os.fchmod(handle, stat.S_IMODE(there.st_mode))


def _overwrite(place: str, data: bytes) -> None:
    with open(place, "wb") as file:
        file.write(data)


def append_summary(path: str, text: str) -> None:
    """Append a report to GitHub's summary of a step, cut at a line where it would be more than GitHub takes.

    Raise `OSError` where that cannot be done.
    """
    data = encoded(text)
    with open(path, "ab") as file:
        room = max(0, SUMMARY - 1 - file.tell())
        if len(data) > room:
            data = data[: data.rfind(b"\n", 0, room) + 1]
        file.write(data)
