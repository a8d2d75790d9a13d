"""Which installed packages need which others, from the package manager's own database: what goes when one goes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

NAMED = 20  # packages


class Installed(Struct, frozen=True):
    """An installed package. `provides`: further names it goes by; `needs`: as the database writes it."""

    name: str
    provides: frozenset[str]
    needs: tuple[str, ...]


Groups = Callable[[str], Iterator[frozenset[str]]]
_GONE = (b"config-files", b"not-installed")
_FIELD = rb"^(Package|Status|Provides|Depends|Pre-Depends):[ \t]*([^\n]*)"


def dpkg(status: bytes) -> Iterator[Installed]:
    """Read dpkg's status database, which has each field that matters in one line."""
    found: dict[bytes, bytes] = {}
    for name, value in (*re.findall(_FIELD, status, re.MULTILINE), (b"Package", b"")):
        if name == b"Package":
            if found and found.get(b"Status", b"").rpartition(b" ")[2] not in (*_GONE, b""):
                yield _of_dpkg(found)
            found = {}
        found[name] = value


def _of_dpkg(found: dict[bytes, bytes]) -> Installed:
    text = {name: value.decode("ascii", "replace").strip() for name, value in found.items()}
    provides = frozenset(map(_bare, text.get(b"Provides", "").split(","))) - {""}
    needs = tuple(text[field] for field in (b"Depends", b"Pre-Depends") if text.get(field))
    return Installed(text[b"Package"], provides, needs)


def dpkg_groups(needs: str) -> Iterator[frozenset[str]]:
    """Yield the alternatives of each dependency: `default-mta | mail-transport-agent, libc6 (>= 2.34)`."""
    for group in needs.split(","):
        yield frozenset(map(_bare, group.split("|")))


def _bare(word: str) -> str:
    """Return a package's name without version, architecture and qualifier: `perl:any (>= 5)` is perl."""
    return re.split(r"[\s:(\[<>=~]", word.strip(), maxsplit=1)[0]


def apk(database: bytes) -> Iterator[Installed]:
    """Read apk's database: P: the name, p: what it provides, D: what it needs."""
    for stanza in database.split(b"\n\n"):
        fields = {
            line[:2]: line[2:].decode("ascii", "replace").strip()
            for line in stanza.split(b"\n")
            if line[:2] in (b"P:", b"p:", b"D:")
        }
        if fields.get(b"P:"):
            provides = frozenset(map(_plain, fields.get(b"p:", "").split()))
            yield Installed(fields[b"P:"], provides, tuple(filter(None, (fields.get(b"D:"),))))


def apk_groups(needs: str) -> Iterator[frozenset[str]]:
    """Yield each dependency; `!name` is a conflict."""
    return (frozenset({_plain(word)}) for word in needs.split() if not word.startswith("!"))


def _plain(word: str) -> str:
    """Return a name of apk's without its version; `so:` and `cmd:` belong to it."""
    return re.split(r"[<>=~]", word, maxsplit=1)[0]


def needing(installed: Iterable[Installed], group: frozenset[str], groups: Groups) -> tuple[str, ...]:
    """Return what cannot stay without these packages, and without what goes with them; the first few, by name."""
    packages = list(installed)
    gone = set(group)
    while True:
        left = [package for package in packages if package.name not in gone]
        there = {name for package in left for name in (package.name, *package.provides)}
        lost = {name for package in packages if package.name in gone for name in (package.name, *package.provides)}
        lost -= there
        # Most packages name none of them anywhere: what they need is not even taken apart.
        named = re.compile("|".join(map(re.escape, sorted(lost))) or r"(?!)")
        more = {
            package.name
            for package in left
            if any(
                needed & lost and not needed & there
                for needs in package.needs
                if named.search(needs)
                for needed in groups(needs)
            )
        }
        if not more:
            return tuple(sorted(gone - group))[:NAMED]
        gone |= more
