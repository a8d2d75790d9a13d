"""mailcow.conf as Compose reads it: never executed, nothing expanded, and no secret kept.

The grammar is that of compose-go's `dotenv` package (read 2026-07-21), which Compose takes `.env` files with.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from preflight.bounded import LIMIT, InputError
from preflight.facts import ConfFile, Fact, Setting
from preflight.gather.roots import Roots, Unreadable
from preflight.plan import DEFAULT_CONF, SHAPE

# Everything else in the file (passwords, keys) is forgotten as soon as it is read.
ALLOWED = frozenset(
    {published.variable for published in SHAPE}
    | {published.bind for published in SHAPE if published.bind}
    | {
        "MAILCOW_HOSTNAME", "IPV4_NETWORK", "IPV6_NETWORK", "ENABLE_IPV6", "COMPOSE_PROJECT_NAME",
        "DOCKER_COMPOSE_VERSION", "SNAT_TO_SOURCE", "SNAT6_TO_SOURCE", "TZ", "ACME_DNS_CHALLENGE",
        "DISABLE_NETFILTER_ISOLATION_RULE", "HTTP_REDIRECT", "FTS_HEAP", "FTS_PROCS",
        "SKIP_CLAMD", "SKIP_FTS", "SKIP_SOLR", "SKIP_SOGO", "SKIP_OLEFY", "SKIP_UNBOUND_HEALTHCHECK",
        "SKIP_LETS_ENCRYPT", "SKIP_IP_CHECK", "SKIP_HTTP_VERIFICATION",
    }
)  # fmt: skip
LONGEST = 512  # characters of a value
STATEMENTS = 100_000  # read; mailcow's own file has some 100
MOST = 20  # bad lines and repetitions told
BOM = "the file starts with a byte-order mark, which mailcow's shell scripts take for part of the first variable"
CRLF = "lines end with CR LF, and mailcow's shell scripts take the CR for part of the values"


def mailcow_conf(roots: Roots, path: str | None) -> Fact[ConfFile]:
    """Read mailcow.conf: the one named, else the default one where it exists. Unknown where it cannot be read."""
    try:
        if path is not None:
            return Fact.of(path, given(roots, path))
        if roots.root is None:
            help_ = roots.why.help if roots.why else ""
            return Fact.unknown(DEFAULT_CONF, "the host's files are out of reach", help_)
        return Fact.of(DEFAULT_CONF, parse(roots.read(DEFAULT_CONF, LIMIT), DEFAULT_CONF))
    except Unreadable as error:
        if error.absent:
            return Fact.of(DEFAULT_CONF, ConfFile(DEFAULT_CONF, False, {}))
        return Fact.unknown(DEFAULT_CONF, f"{DEFAULT_CONF} cannot be read: {error.reason}", "Run the check as root.")
    except InputError as error:
        return Fact.unknown(path or DEFAULT_CONF, str(error), "Give a mailcow.conf that can be read.")


def given(roots: Roots, path: str) -> ConfFile:
    """Read a mailcow.conf that the user named, a path on the host; raise `InputError` where it is not one."""
    if "\0" in path or not path:
        raise InputError(f"{path!r}: not a path")
    # Only where the host's root is our own does a relative path mean something else than one below the root.
    place = os.path.abspath(path) if roots.root == "/" else os.path.normpath("/" + path)
    try:
        data = roots.read(place, LIMIT + 1)
    except Unreadable as error:
        kind = _kind(roots, place) or error.reason
        help_ = f" {roots.why.help}" if roots.root is None and roots.why else ""
        raise InputError(f"{path}: {kind}{help_}") from None
    if len(data) > LIMIT:
        raise InputError(f"{path}: larger than {LIMIT >> 20} MiB")
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise InputError(f"{path}: line {line}: a binary file, not a mailcow.conf")
    return parse(data, place)


def _kind(roots: Roots, path: str) -> str:
    try:
        return "a directory" if os.path.isdir(roots.locate(path)) else ""
    except Unreadable:
        return ""


def parse(text: bytes | str, path: str) -> ConfFile:
    """Read the allowed variables of an env file; never raises. A line that Compose refuses is told by its number."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    remarks = [BOM] if text.startswith("\ufeff") else []
    text = text.removeprefix("\ufeff")
    if "\r\n" in text:
        remarks.append(CRLF)
    settings: dict[str, Setting] = {}
    lines: dict[str, list[int]] = {}
    bad: list[int] = []
    for number, (line, name, value) in enumerate(_statements(text)):
        if number == STATEMENTS:
            remarks.append(f"only the first {STATEMENTS} statements were read, up to line {line}")
            break
        if value is None:
            bad.append(line)
        elif name in ALLOWED:
            settings[name] = Setting(value[:LONGEST], line)
            lines.setdefault(name, []).append(line)
    duplicates = {name: numbers[-MOST:] for name, numbers in lines.items() if len(numbers) > 1}
    return ConfFile(path, True, settings, duplicates, tuple(remarks), tuple(bad[:MOST]))


# Space within a line as compose-go has it; a name ends at `=`, `:` (as in YAML) or the end of its line.
_INLINE = "\t\v\f\r \x85\xa0"
_BETWEEN = re.compile(r"\s*(?:#[^\n]*\s*)*")  # space and comments
_EXPORT = re.compile(r"export\s+")
_NAME = re.compile(rf"([\w.\[\]\-{_INLINE}]*)([=:\n]|\Z)[{_INLINE}]*")
_QUOTED = {
    '"': re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL),
    "'": re.compile(r"'([^'\\]*(?:\\.[^'\\]*)*)'", re.DOTALL),
}


def _statements(text: str) -> Iterator[tuple[int, str, str | None]]:
    """Yield line (from 1), name and value of each statement; value None: Compose refuses the file there."""
    at, line, counted = 0, 1, 0
    endless: set[str] = set()  # quotes that nothing ends: looked for once, not once a line
    while (at := _BETWEEN.match(text, at).end()) < len(text):  # type: ignore[union-attr]  # it always matches
        line += text.count("\n", counted, at)
        counted = at
        start = export.end() if (export := _EXPORT.match(text, at)) else at
        name = _NAME.match(text, start)
        if name is None or " " in name[1].strip(_INLINE):
            yield line, "", None
            at = _line_end(text, start)
        elif name[2] not in ("=", ":"):
            at = name.end()  # a name alone takes its value from Compose's own environment
        else:
            value, at = _value(text, name.end(), endless)
            yield line, name[1].strip(_INLINE), value


def _value(text: str, at: int, endless: set[str]) -> tuple[str | None, int]:
    """Read a value from where it starts, and say where it ends; None: a quote that is never closed."""
    end = _line_end(text, at)
    quote = text[at : at + 1]
    if quote not in _QUOTED:
        return text[at:end].partition(" #")[0].rstrip(), end
    found = None if quote in endless else _QUOTED[quote].match(text, at)
    if found is None:
        endless.add(quote)
        return None, end
    return _unquote(found[1], quote), found.end()


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


_ESCAPE = re.compile(r'\\([abfnrtv$"\\]|0[0-7]{0,3})')
_MEANS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "$": "$", '"': '"', "\\": "\\"}


def _unquote(inner: str, quote: str) -> str:
    """Take the escapes out of a quoted value: in single quotes of the quote alone, in double quotes all known ones."""
    inner = inner[: LONGEST * 4].replace(f"\\{quote}", quote)
    if quote == "'":
        return inner
    return _ESCAPE.sub(lambda match: _MEANS.get(match[1]) or chr(int(match[1], 8)), inner)
