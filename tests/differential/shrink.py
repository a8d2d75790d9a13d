"""A disagreement made small: lines are left out while it persists."""

from __future__ import annotations

import time
from pathlib import Path

from tests.differential.cases import Case
from tests.differential.compare import Compared, Difference, compare
from tests.differential.host import Refused

SECONDS = 90.0


def persists(case: Case, wanted: Difference, links: Path) -> Compared | None:
    """Return the result of a case if a difference of the same sort is found twice."""
    found = None
    for _ in range(2):
        try:
            found = compare(case, links)
        except Refused:
            return None
        if not any(_alike(one, wanted) for one in found.differences):
            return None
    return found


def _alike(one: Difference, wanted: Difference) -> bool:
    if one.what != wanted.what or (one.key is None) != (wanted.key is None):
        return False
    return one.key is None or wanted.key is None or one.key[:3] == wanted.key[:3]


def shrink(case: Case, wanted: Difference, links: Path, seconds: float = SECONDS) -> Case:
    """Return the case with as few lines as it takes."""
    ends = time.monotonic() + seconds
    smaller = True
    while smaller:
        smaller = False
        for less in case.smaller():
            if time.monotonic() > ends:
                return case
            if persists(less, wanted, links):
                case, smaller = less, True
                break
    return case
