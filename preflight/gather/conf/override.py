"""What the administrator adds to mailcow's docker-compose.yml, of which only the MTU of mailcow's network is read.

The file is YAML, and there is no need of all of it: a reader of plain block mappings says of everything else that it is
not clear.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from preflight.facts import Fact, Override
from preflight.gather.access.roots import Roots, Unreadable

# Compose takes the first that is there (compose-go, DefaultOverrideFileNames); the usual one of mailcow's is the third.
NAMES = (
    "compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml",
)  # fmt: skip
USUAL = NAMES[2]
FILE_BYTES = 256 << 10
LINES = 10_000
_WAY = ("networks", "mailcow-network", "driver_opts", "com.docker.network.driver.mtu")
_KEY = re.compile(r"""("[^"\\]*"|'[^']*'|[^\s"'#&*!|>%@`\[\]{},?:-][^:#]*?)\s*:(?:\s+(.*))?""")
_PAIR = re.compile(r"""\s*("[^"\\]*"|'[^']*'|[^\s"'{}\[\],:]+)\s*:\s+("[^"\\]*"|'[^']*'|[^\s"'{}\[\],]+)\s*""")


def override(roots: Roots, directory: str) -> Fact[Override]:
    """Read the file in mailcow's directory, where there is one."""
    usual = f"{directory.rstrip('/')}/{USUAL}"
    for name in NAMES:
        path = f"{directory.rstrip('/')}/{name}"
        try:
            data = roots.read(path, FILE_BYTES)
        except Unreadable as error:
            if error.absent:
                continue
            return roots.unknown(path, error)
        if len(data) >= FILE_BYTES:
            return Fact.of(path, Override(path=path, present=True, clear=False))
        return Fact.of(path, parse(data.decode("utf-8-sig", "replace"), path))
    if roots.root is None:
        return roots.unknown(usual)
    return Fact.of(usual, Override(path=usual, present=False))


def parse(text: str, path: str) -> Override:
    """Read the file's text. Where what matters may be in it in a way that is not read, it is not clear."""
    try:
        found = dict(_values(text))
    except ValueError:
        # Whatever it is, it says nothing of what does not occur in it.
        silent = "driver.mtu" not in text and "\\" not in text and "external" not in text
        return Override(path=path, present=True, clear=silent, networks=True)
    held = found.get(_WAY)
    clear = held is None or re.fullmatch(r"[0-9]{2,5}", held) is not None
    return Override(
        path=path,
        present=True,
        clear=clear and not any(key[:2] == _WAY[:2] and key[2:3] == ("external",) for key in found),
        mtu=int(held) if held is not None and clear else None,
        networks=any(key[:1] == _WAY[:1] for key in found),
    )


def _values(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield each key with all keys above it, and its value ('' = none on its line); raise `ValueError`."""
    above: list[tuple[int, str]] = []
    seen: set[tuple[str, ...]] = set()
    skipped: int | None = None  # the column of what has text or a list below it that is passed over
    for column, bare in _rows(text):
        if skipped is not None and column > skipped:
            continue
        skipped = None
        listed = bare == "-" or bare.startswith("- ")
        while above and above[-1][0] >= column + listed:  # a list may begin in the column of its key
            above.pop()
        if listed:
            skipped = above[-1][0] if above else -1
            if tuple(key for _, key in above) in (_WAY[:1], _WAY[:2], _WAY[:3]):
                raise ValueError(bare)
            continue
        match = _KEY.fullmatch(_uncommented(bare))
        way = (*(key for _, key in above), _bare(match[1])) if match else ()
        if match is None or way in seen or (column and not above):
            raise ValueError(bare)
        seen.add(way)
        above.append((column, way[-1]))
        value = (match[2] or "").strip()
        if re.fullmatch(r"[|>][-+0-9]*", value):
            skipped, value = column, ""
        yield from _of(way, value)


def _rows(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that hold something, each with the column that it begins in; raise `ValueError`."""
    lines = text.splitlines()
    if len(lines) > LINES:
        raise ValueError(len(lines))
    if lines and lines[0].rstrip() == "---":
        lines = lines[1:]
    for line in lines:
        bare = line.strip()
        column = len(line) - len(line.lstrip(" "))
        if line[column:] and line[column] == "\t" and bare:
            raise ValueError(line)
        if bare and not bare.startswith("#"):
            yield column, bare


def _of(way: tuple[str, ...], value: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield a key with its value; those of a mapping in braces where it may matter."""
    if way[:1] == _WAY[:1]:
        if value.startswith("{") and value.endswith("}") and way == _WAY[:3]:
            for pair in value[1:-1].split(","):
                if (match := _PAIR.fullmatch(pair)) is None:
                    raise ValueError(pair)
                yield (*way, _bare(match[1])), _bare(match[2])
            value = ""
        elif value[:1] in tuple("{[&*!") or way[-1] == "<<":
            raise ValueError(value)
    yield way, _bare(value)


def _uncommented(text: str) -> str:
    """Leave a comment out, which begins with a blank and a hash outside of quotes."""
    quote = ""
    for at, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'" and text[at - 1] in " {,:":
            quote = sign
        elif sign == "#" and at and text[at - 1] in " \t":
            return text[:at].rstrip()
    return text


def _bare(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
