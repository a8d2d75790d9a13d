"""Lists of tags, `name=value; name=value`, as DKIM and DMARC have them (RFC 6376, 3.2)."""

from __future__ import annotations

import re


def read(text: str) -> dict[str, str]:
    """Return the tags in their order, names in lower case, values without blanks around; the first of a name counts.

    What is no tag is left out.
    """
    found: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if equals and re.fullmatch(r"[a-z][a-z0-9_-]*", name.strip().lower()):
            found.setdefault(name.strip().lower(), value.strip())
    return found


def strays(text: str) -> tuple[str, ...]:
    """Return the parts that are no tags."""
    return tuple(part.strip() for part in text.split(";") if part.strip() and "=" not in part)


def write(tags: dict[str, str]) -> str:
    """Write tags as one record's text."""
    return "; ".join(f"{name}={value}" for name, value in tags.items())
