"""Print docs/not-checked.md: what the checks leave open, from the catalogue and tools/not_checked.toml.

.venv/bin/python tools/not_checked.py > docs/not-checked.md     (make docs)
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from msgspec import Struct, convert

from preflight.checks import Check, catalogue

PAGE = "https://docs.mailcow.email/getstarted/prerequisite-system/"
HEAD = f"""\
# What is not checked

A report covers only what its checks can see from the host. This page lists what they do not cover.

<!-- Written by `make docs` from the catalogue and tools/not_checked.toml. -->

## mailcow's prerequisites page

The requirements of [mailcow's prerequisites page]({PAGE})
in July 2017 and today, the checks for each, and what these do not cover.
"""
BEYOND = """\
## Beyond that page

These checks are based on mailcow's other pages and on known problems:
"""
OUTSIDE = """\
## Not covered by any check
"""
UNKNOWN = """\
## What a run could not check

A check that cannot run is `unknown` or skipped, and gives the reason: a `docker run` flag is missing, an option such
as `--offline` or `--no-probe` is set, or the time is up. A `skip` is not a `pass`.
"""


class Demand(Struct, frozen=True, forbid_unknown_fields=True):
    """A demand of the page: in words, its checks (globs), and what these leave open."""

    asks: str
    checks: tuple[str, ...]
    open: str = ""


class Outside(Struct, frozen=True, forbid_unknown_fields=True):
    """What no check judges, and why, or what does."""

    what: str
    why: str


class Gaps(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    page: tuple[Demand, ...]
    outside: tuple[Outside, ...]


def read(path: Path) -> Gaps:
    """Read the file; an error where it is not of this shape."""
    return convert(tomllib.loads(path.read_text("utf-8")), Gaps)


def judging(demand: Demand, checks: Sequence[Check]) -> list[Check]:
    """Return the checks of a demand; raise `ValueError` where a glob names none."""
    found = []
    for glob in demand.checks:
        named = [check for check in checks if fnmatchcase(check.id, glob)]
        if not named:
            raise ValueError(f"{demand.asks}: there is no check {glob}")
        found += named
    return found


def link(check: Check) -> str:
    """Return a link to what docs/checks.md says of a check."""
    return f"[`{check.id}`](checks.md#{check.id})"


def page(gaps: Gaps, checks: Sequence[Check]) -> Iterator[str]:
    """Yield the blocks of the page."""
    yield HEAD
    yield "| Requirement | Checks | Not covered |\n| --- | --- | --- |"
    judged = set()
    for demand in gaps.page:
        own = judging(demand, checks)
        judged |= {check.id for check in own}
        yield f"| {demand.asks} | {', '.join(map(link, own))} | {demand.open or '–'} |"
    yield f"\n{BEYOND}"
    yield from (f"- {link(check)}: {check.title}" for check in checks if check.id not in judged)
    yield f"\n{OUTSIDE}"
    yield from (f"- **{entry.what}.** {entry.why}" for entry in gaps.outside)
    yield f"\n{UNKNOWN.rstrip()}"


if __name__ == "__main__":
    print("\n".join(page(read(Path(__file__).with_suffix(".toml")), catalogue())))
