"""Lists of tags, `name=value; name=value`, as DKIM and DMARC have them (RFC 6376, 3.2)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator

BLANKS = " \t\r\n"  # a no-break space is none


def read(text: str, *, fold: Callable[[str], str] = str.lower) -> dict[str, str]:
    """Return the tags in their order, names in lower case, values without blanks around; the first of a name counts.

    What is no tag is left out. fold: DKIM's names are as they are written.
    """
    found: dict[str, str] = {}
    for name, value in _pairs(text, fold):
        found.setdefault(name, value)
    return found


def repeated(text: str, *, fold: Callable[[str], str] = str.lower) -> tuple[str, ...]:
    """Return the names that are there more than once: no list of tags is valid with one (RFC 6376, 3.2)."""
    return tuple(name for name, count in Counter(name for name, _ in _pairs(text, fold)).items() if count > 1)


def strays(text: str) -> tuple[str, ...]:
    """Return the parts that are no tags; an empty one may stand at the end alone."""
    parts = [part.strip(BLANKS) for part in text.split(";")]
    return tuple(part for part in (parts if parts[-1] else parts[:-1]) if not _TAG.match(part))


def write(tags: dict[str, str]) -> str:
    """Write tags as one record's text."""
    return "; ".join(f"{name}={value}" for name, value in tags.items())


_TAG = re.compile(rf"([A-Za-z][A-Za-z0-9_-]*)[{BLANKS}]*=")


def _pairs(text: str, fold: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    for part in text.split(";"):
        if match := _TAG.match(part.strip(BLANKS)):
            yield fold(match[1]), part.partition("=")[2].strip(BLANKS)
