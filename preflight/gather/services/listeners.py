"""Which TCP ports mail and web servers open, by their own settings. None: not known; (): none at all.

A server that is enabled may open no port: Postfix with its inet services off only sends. Where settings are read in
part only, more ports are told than are opened, never fewer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from preflight.gather.access.roots import Roots, Unreadable
from preflight.net.addresses import unbracketed

Streams = tuple[tuple[str, int], ...]

_PORTS = {
    "smtp": 25, "smtps": 465, "submissions": 465, "ssmtp": 465, "urd": 465, "submission": 587, "msa": 587,
    "pop3": 110, "imap": 143, "imap2": 143, "imaps": 993, "pop3s": 995, "sieve": 4190, "http": 80, "https": 443,
    "qmqp": 628,
}  # fmt: skip
SIZE = 1 << 20
FILES = 200  # of one server


def streams(roots: Roots, name: str, package: str | None) -> Streams | None:
    """Return the address ('' = every one) and port of all that a server's settings open; None: not known."""
    try:
        match name:
            case "postfix":
                return postfix(roots.text("/etc/postfix/main.cf", SIZE), roots.text("/etc/postfix/master.cf", SIZE))
            case "exim4":
                return _exim(roots)
            case "dovecot":
                # Debian has each protocol in a package of its own: the core alone authenticates others' users.
                if package == "dovecot-core":
                    return ()
                from preflight.gather.services import listeners_dovecot

                return listeners_dovecot.dovecot(roots)
            case "nginx":
                from preflight.gather.services import listeners_web

                return listeners_web.nginx(roots)
            case "apache2":
                from preflight.gather.services import listeners_web

                return listeners_web.apache(roots)
    except Unreadable:
        return None
    return None


def postfix(main: str, master: str) -> Streams | None:
    """Read what Postfix opens: the inet services of master.cf that master_service_disable leaves on."""
    settings = _parameters(main)
    if settings.get("multi_instance_enable") == "yes" and settings.get("multi_instance_directories"):
        return None  # further instances with settings of their own
    off = [word for word in re.split(r"[,\s]+", settings.get("master_service_disable", "")) if word]
    if any("$" in word for word in off):
        return None
    found: dict[tuple[str, int], None] = {}
    for fields in _services(master):
        name, kind = fields[:2]
        if kind != "inet" or _disabled(off, name):
            continue
        host, _, port = name.rpartition(":")
        number = _PORTS.get(port.lower(), int(port) if port.isdecimal() else None)
        if number is None:
            return None  # a name that only the host's own /etc/services knows
        for address in _interfaces(host or settings.get("inet_interfaces", "all")):
            found[address if address != "0.0.0.0" else "", number] = None
    return tuple(found)


def _parameters(text: str) -> dict[str, str]:
    """Read main.cf: the last line of a name counts, and a line that begins with a blank goes on with the one before."""
    found: dict[str, str] = {}
    for line in _logical(text):
        name, equals, value = line.partition("=")
        if equals:
            found[name.strip()] = " ".join(value.split())
    return found


def _services(text: str) -> Iterator[list[str]]:
    """Yield the services of master.cf: name, type, then six columns and the command."""
    for line in _logical(text):
        fields = line.split()
        if len(fields) >= 8:
            yield fields


def _logical(text: str) -> Iterator[str]:
    """Join lines that go on; comments and empty lines between them are left out, as postconf(5) says."""
    line = ""
    for part in text.splitlines():
        if not part.strip() or part.lstrip().startswith("#"):
            continue
        if part[0] in " \t":
            line += part
            continue
        if line:
            yield line
        line = part
    if line:
        yield line


def _disabled(patterns: list[str], name: str) -> bool:
    """Say whether master_service_disable switches an inet service off: the first pattern that fits decides."""
    for pattern in patterns:
        bare = pattern.removeprefix("!")
        if bare in ("inet", f"{name}/inet", f"{name}.inet"):
            return not pattern.startswith("!")
    return False


def _interfaces(value: str) -> list[str]:
    """Return the addresses of inet_interfaces; what is a name or a variable may be any address."""
    found = []
    for word in re.split(r"[,\s]+", value):
        if word in ("loopback-only", "localhost"):
            found += ["127.0.0.1", "::1"]
        elif re.fullmatch(r"\[?[0-9a-fA-F:.]*[:.][0-9a-fA-F:.]*\]?", word):
            found.append(unbracketed(word))
        elif word:
            return [""]
    return found or [""]


def _exim(roots: Roots) -> Streams | None:
    """Read whether Debian's Exim listens at all: its daemon may be told to run the queue alone."""
    text = roots.try_text("/etc/default/exim4", SIZE)
    settings = dict(re.findall(r"^[ \t]*(\w+)=[\"']?([^\"'\n#]*)", text, re.MULTILINE))
    if roots.exists("/usr/lib/systemd/system/exim4.service") or roots.exists("/lib/systemd/system/exim4.service"):
        options = settings.get("EXIMSERVICE")
        return () if options is not None and not re.search(r"(^|\s)-bdf?\b", options) and "-q" in options else None
    if "QUEUERUNNER" in roots.try_text("/etc/init.d/exim4", SIZE):
        return () if settings.get("QUEUERUNNER", "").strip() in ("queueonly", "nodaemon") else None
    options = settings.get("EXIMDAEMONOPTS")
    return () if options is not None and not re.search(r"(^|\s)-bdf?\b", options) and "-q" in options else None
