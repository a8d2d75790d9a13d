"""Which TCP ports nginx and Apache open, by their own settings."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator

from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.services.listeners import FILES, SIZE, Streams
from preflight.net.addresses import unbracketed

DEPTH = 10


class Budget:
    """How many files may still be read of one server's settings."""

    def __init__(self) -> None:
        self.left = FILES

    def take(self) -> None:
        """Take one; raise `Unreadable` where none is left: what was not read may open any port."""
        self.left -= 1
        if self.left < 0:
            raise Unreadable("", "")


def matching(roots: Roots, pattern: str) -> list[str]:
    """Return the files that a pattern names; only its last part may hold wildcards, else raise `Unreadable`."""
    folder, _, last = pattern.rpartition("/")
    if re.search(r"[*?\[]", folder):
        raise Unreadable(pattern, "")
    if not re.search(r"[*?\[]", last):
        return [pattern]
    return [f"{folder}/{name}" for name in fnmatch.filter(roots.entries(folder), last) if not name.startswith(".")]


# --- nginx ---------------------------------------------------------------------------------------------------

_TOKENS = re.compile(r"""\#[^\n]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[{};]|[^\s{};"'\#][^\s{};]*""")


def nginx(roots: Roots) -> Streams | None:
    """Read the ports of all servers in nginx.conf and what it includes; raise `Unreadable`."""
    place = next((p for p in ("/etc/nginx/nginx.conf", "/usr/local/nginx/conf/nginx.conf") if roots.exists(p)), "")
    if not place:
        return None
    found: dict[tuple[str, int], None] = {}
    for path, directive in _directives(_tokens(roots, place, place.rpartition("/")[0], Budget(), DEPTH)):
        if directive[0] == "listen" and len(directive) > 1:
            stream = _listen(directive[1], 80)
            if stream is None:
                return None
            if stream[1]:
                found[stream] = None
        elif directive[0] == "server{" and path == "http":  # with no `listen` of its own
            found["", 80] = None
    return tuple(found)


def _tokens(roots: Roots, path: str, base: str, budget: Budget, depth: int) -> Iterator[str]:
    """Yield the words of a file, with those of the files that it includes in their place."""
    budget.take()
    words: list[str] = []
    for match in _TOKENS.finditer(roots.text(path, SIZE)):
        word = match[0]
        if word.startswith("#"):
            continue
        words.append(word.strip("\"'") if word[0] in "\"'" else word)
        if word in "{};":
            if words[0] == "include" and len(words) == 3:
                if not depth:
                    raise Unreadable(path, "")
                pattern = words[1] if words[1].startswith("/") else f"{base}/{words[1]}"
                for one in matching(roots, pattern):
                    yield from _tokens(roots, one, base, budget, depth - 1)
            else:
                yield from words
            words = []


def _directives(tokens: Iterator[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each directive with the block around it; `server{` stands for a server of http without a `listen`."""
    blocks: list[str] = []
    listens: list[bool] = []
    words: list[str] = []
    for token in tokens:
        if token == "{":
            blocks.append(words[0] if words else "")
            listens.append(False)
        elif token == "}":
            if blocks:
                block, listened = blocks.pop(), listens.pop()
                if block == "server" and not listened:
                    yield (blocks[-1] if blocks else ""), ["server{"]
        elif token == ";":
            if words and words[0] == "listen" and listens:
                listens[-1] = True
            if words:
                yield (blocks[-1] if blocks else ""), words
        else:
            words.append(token)
            continue
        words = []


def _listen(value: str, default: int) -> tuple[str, int] | None:
    """Read an address to listen on; port 0: none (a socket file); None: it cannot be read."""
    if value.startswith("unix:"):
        return "", 0
    match = re.fullmatch(r"(?:(?P<host>\[[0-9a-fA-F:.]+\]|[\w.*-]+):)?(?P<port>[0-9]{1,5})", value)
    alone = re.fullmatch(r"\[[0-9a-fA-F:.]+\]|[\w.*-]+", value)
    if match is None and alone is None:
        return None
    host = (match["host"] or "") if match else value
    port = int(match["port"]) if match else default
    host = unbracketed(host)
    # A name may be any address.
    return (host if re.fullmatch(r"[0-9a-fA-F:.]*[:.][0-9a-fA-F:.]*", host) and host != "0.0.0.0" else ""), port


# --- Apache --------------------------------------------------------------------------------------------------


def apache(roots: Roots) -> Streams | None:
    """Read the ports of all `Listen` lines in Apache's settings; raise `Unreadable`.

    Lines in `<IfModule>` count unless the module is one for TLS that nothing loads; those in other conditions do.
    """
    place = next((path for path in _APACHE if roots.exists(path)), None)
    if place is None:
        return None
    lines = list(_lines(roots, place, _APACHE[place], Budget(), DEPTH))
    loaded = {line.split()[1] for line in lines if re.match(r"(?i)LoadModule\s+\S", line)}
    found: dict[tuple[str, int], None] = {}
    skipped: list[bool] = []
    for line in lines:
        if opened := re.match(r"(?i)<If\w*\s+([^>]*)>", line):
            skipped.append(opened[1].strip() in _TLS and not _TLS[opened[1].strip()] & loaded)
        elif re.match(r"(?i)</If", line):
            skipped[-1:] = []
        elif (listen := re.match(r"(?i)Listen\s+(\S+)", line)) and not any(skipped):
            stream = _listen(listen[1], 80) if ":" in listen[1] or listen[1].isdecimal() else None
            if stream is None:
                return None
            found[stream] = None
    return tuple(found)


_APACHE = {"/etc/apache2/apache2.conf": "/etc/apache2", "/etc/httpd/conf/httpd.conf": "/etc/httpd"}  # with its root
_TLS = {
    "ssl_module": {"ssl_module"}, "mod_ssl.c": {"ssl_module"}, "gnutls_module": {"gnutls_module"},
    "mod_gnutls.c": {"gnutls_module"},
}  # fmt: skip


def _lines(roots: Roots, path: str, base: str, budget: Budget, depth: int) -> Iterator[str]:
    """Yield the lines of a file, with those of the files that it includes in their place."""
    budget.take()
    for line in re.sub(r"\\\n", " ", roots.text(path, SIZE)).splitlines():
        line = line.strip()
        match = re.match(r"(?i)Include(Optional)?\s+[\"']?([^\"'\s]+)", line)
        if not match:
            yield line
            continue
        pattern = match[2].removeprefix("./")
        pattern = pattern if pattern.startswith("/") else f"{base}/{pattern}"
        if "$" in pattern or not depth:
            raise Unreadable(path, "")
        for one in matching(roots, pattern):
            try:
                yield from _lines(roots, one, base, budget, depth - 1)
            except Unreadable as error:
                if not (error.absent and match[1]):
                    raise
