"""Whether what is told of pseudonyms is what is told of the real host, with placeholders in its places.

Checks decide by names what they say and which advice harms nobody, and a name that was hidden might lead them to
something else.
"""

from __future__ import annotations

import re
from functools import cache

from preflight.redact.reasons import helps, sentences
from preflight.redact.tokens import KINDS
from preflight.report.model import Remedy

# What a real value is behind: a placeholder, with what is left of an image's name, of a label that is none and of an
# ending of digits; the numbered name of a bridge or a cable; the end of a name that is cut.
_HOLES = (
    r"(?:mailcow/)?<image-[0-9]+>(?:/[a-z0-9.-]+)?|<host-[0-9]+>_?|<domain-[0-9]+>(?:\.0)?"
    rf"|<(?:{'|'.join(KINDS)})-[0-9]+(?:-reversed>\.(?:in-addr|ip6)\.arpa|>)|\b(?:br-|cali)0{{6}}[0-9a-f]+|(?=…)"
)
_QUOTES = str.maketrans("", "", "'\"")  # a shell's: whether there are any depends on the name between them


@cache
def _holes() -> re.Pattern[str]:
    """Return what anything may stand behind: values that are hidden, and sentences that are left out."""
    return re.compile("|".join([*map(re.escape, sentences()), _HOLES]))


def same(real: str | None, shown: str | None) -> bool:
    """Say whether a text says what another one does, in which some names and addresses are hidden."""
    return _hidden(real or "", shown or "")


def alike(real: Remedy | None, shown: Remedy | None) -> bool:
    """Say whether a remedy is another one in which some names and addresses are hidden."""
    if real is None or shown is None:
        return real is shown
    if not shown.commands and helps(shown.text):  # what the real one says is left out
        return True
    if (real.place, real.when) != (shown.place, shown.when):
        return False
    return all(
        len(one) == len(other) and all(map(_hidden, one, other))
        for one, other in zip(_texts(real), _texts(shown), strict=True)
    )


def _texts(remedy: Remedy) -> tuple[tuple[str, ...], ...]:
    """Return all that a remedy says, kind by kind."""
    paths, contents = (tuple(getattr(file, name) for file in remedy.files) for name in ("path", "text"))
    return (
        (remedy.text,),
        remedy.commands,
        paths,
        contents,
        tuple(record.line for record in remedy.records),
        tuple(record.line for record in remedy.gone),
        tuple(f"{line.variable}={line.value}" for line in remedy.lines),
    )


def _hidden(real: str, shown: str) -> bool:
    """Say whether a text is another one with holes in it."""
    first, *pieces = _holes().split(shown.translate(_QUOTES))
    rest = real.translate(_QUOTES)
    if not pieces:
        return rest == first
    if not rest.startswith(first):
        return False
    rest, last = rest[len(first) :], pieces.pop()
    for piece in pieces:
        _, found, rest = rest.partition(piece) if piece else ("", "-", rest)
        if not found:
            return False
    return rest.endswith(last)


__all__ = ["alike", "same"]
