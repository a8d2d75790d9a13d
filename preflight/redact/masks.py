"""How each kind of value is replaced: what is known to the world stays, all the rest gets a stand-in of its kind."""

from __future__ import annotations

import ipaddress
import re

from preflight.mailcow.layout import CONTAINERS, PROJECT, SHAPE
from preflight.redact import vocabulary
from preflight.redact.names import LABELS, Names
from preflight.redact.registry import Registry
from preflight.redact.tokens import of_pointer

LONGEST = 4000  # characters that are looked at of one value
PARTS = 100  # of a path, a list, a record
_TOKEN = re.compile(r"[^\W_]+")
_DOTTED = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.[A-Za-z][A-Za-z0-9-]+\.?")
_PLACE = re.compile(r"\[?(?P<host>[0-9A-Fa-f.:]+)\]?:[0-9]{1,5}|\[(?P<bare>[0-9A-Fa-f.:]+)\]")
_TERM = re.compile(r"(?P<name>[+~?-]?[A-Za-z0-9_-]{1,40})(?P<sign>[:=])(?P<value>.+)")
_VERSION = re.compile(r"v?[0-9][0-9A-Za-z.+~_-]{0,99}")
_FOUR = re.compile(r"[0-9]{1,3}([._-])[0-9]{1,3}\1[0-9]{1,3}\1[0-9]{1,3}")  # an address, in whatever disguise
_MARK = re.compile(r"(?:rc|p|r|v|b)[0-9]{1,3}")  # of a version
_RATE = re.compile(r"[0-9]{1,3}[GM]Hz")
_COUNT = re.compile(r"[_-][0-9]{1,3}")  # ends a container's name
_NAME_PART = re.compile(r"[^\W_]+|[^\x00-\x7f]+")
_TAG = re.compile(r":(?:latest|stable|nightly|alpine|[0-9]{1,4}(?:\.[0-9]{1,4}){0,3}(?:-alpine|-slim)?)")
_MAILCOW = frozenset(
    part
    for name in (
        PROJECT, "mailcow-network", *(published.service for published in SHAPE), *(entry.name for entry in CONTAINERS),
        "php-fpm-mailcow memcached-mailcow rspamd-mailcow sogo-mailcow olefy-mailcow ofelia-mailcow watchdog-mailcow"
        " ipv6nat-mailcow solr-mailcow vmail-vol vmail-index-vol crypt-vol mysql-vol mysql-socket-vol redis-vol"
        " rspamd-vol postfix-vol clamd-db-vol sogo-web-vol sogo-userdata-backup-vol solr-vol default bridge host none",
    )
    for part in re.split(r"[ _-]", name)
)  # fmt: skip


class Masks:
    """Stand-ins for the values of one host, by their kinds."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.dns = Names(self.registry)

    def secret(self, value: str, kind: str = "text") -> str:
        """Return the stand-in of a value of which nothing may be shown."""
        return self.registry.secret(value, kind)

    # --- addresses, and names in the DNS -------------------------------------------------------------------------

    def address(self, value: str) -> str:
        """Replace an address or a network; what is neither is taken for text."""
        base, slash, length = value.partition("/")
        base, percent, scope = base.partition("%")
        try:
            real = ipaddress.ip_address(base)
            network = ipaddress.ip_network(f"{base}/{length}", strict=False) if slash else None
        except ValueError:
            return self.text(value)
        if network is not None and network.network_address == real:
            made = self.registry.network(network)
        else:
            made = f"{self.registry.address(real)}{slash}{network.prefixlen if network else ''}"
        return f"{made}{percent}{self.interface(scope)}" if percent else made

    def octets(self, value: str) -> str:
        """Replace the three octets of IPV4_NETWORK."""
        try:
            return self.registry.octets(value)
        except ValueError:
            return self.text(value)

    def name(self, value: str) -> str:
        """Replace a host or domain name: the labels that are its own, and the domain as a whole."""
        bare = value.strip().rstrip(".")
        pointed = of_pointer(bare)
        if pointed is not None:
            made = ipaddress.ip_address(self.registry.address(pointed)).reverse_pointer
        elif not bare or bare.count(".") >= LABELS or len(value) > LONGEST:
            return self.secret(value) if bare else value
        elif _is_address(bare):
            return self.address(bare)
        else:
            made = self.dns.stand_in(bare)
        return made + value.strip()[len(bare) :]

    def names(self, value: str) -> str:
        """Replace the question that an answer is for: a name, a blank, a type."""
        name, blank, kind = value.rpartition(" ")
        return f"{self.name(name)}{blank}{self.word(kind)}"

    def record(self, value: str) -> str:
        """Replace a record of the DNS: an address, a name, or terms, some of which hold one."""
        if _is_address(value):
            return self.address(value)
        first, blank, last = value.rpartition(" ")
        if (not blank or first.isdecimal()) and "." in last:
            return f"{first}{blank}{self.name(last)}"
        terms = value.split(" ")
        return " ".join(map(self.term, terms)) if len(terms) <= PARTS else self.secret(value)

    def term(self, value: str) -> str:
        """Replace what a term of a policy names: `ip4:203.0.113.7/32`, `include:example.org`, `p=none`."""
        match = _TERM.fullmatch(value)
        if match is None or not self.known(match["name"]):
            return self.text(value)
        return f"{match['name']}{match['sign']}{self.value(match['value'])}"

    # --- names on the host ---------------------------------------------------------------------------------------

    def word(self, value: str) -> str:
        """Keep a word of ours or of the kernel's."""
        return value if self.known(value) else self.secret(value)

    def program(self, value: str, kind: str = "process") -> str:
        """Keep the name of a well-known program."""
        return value if _known(value) else self.secret(value, kind)

    def unit(self, value: str) -> str:
        """Keep the name of a well-known unit."""
        stem, dot, ending = value.rpartition(".")
        if dot and ending in ("service", "socket", "scope", "slice", "mount", "target", "timer"):
            return f"{self.program(stem, 'unit')}.{ending}"
        return self.program(value, "unit")

    def package(self, value: str) -> str:
        """Keep the names of well-known packages."""
        return " ".join(self.program(part, "package") for part in value.split(" ")[:50])

    def user(self, value: str) -> str:
        """Keep the name of a system's own user."""
        return value if value in vocabulary.listed("users") else self.secret(value, "user")

    def interface(self, value: str) -> str:
        """Keep the usual names of interfaces; a bridge of the engine's stays one."""
        if vocabulary.INTERFACES.fullmatch(value) or not value:
            return value
        if re.fullmatch(r"br-[0-9a-f]{12}", value):
            # The engine's own bridges are told from others by their form.
            return f"br-{self.registry.number('interface', value):012x}"
        prefix = next((kind for kind in ("veth", "cni", "podman") if value.startswith(kind)), "")
        return prefix + self.secret(value, "interface")

    def container(self, value: str) -> str:
        """Replace the name of a container, project, network or volume, part by part; mailcow's own stay."""
        if len(value) > 300:
            return self.secret(value, "container")
        return re.sub(
            r"[^_.-]+",
            lambda match: match[0] if match[0] in _MAILCOW or _COUNT.fullmatch(value, match.start() - 1)
            else self.secret(match[0], "container"),
            value,
        )  # fmt: skip

    def image(self, value: str) -> str:
        """Keep the names of well-known images, with a plain version."""
        name, colon, _ = value.rpartition(":")
        name = name if colon and "/" not in value[len(name) :] else value
        known = name.removeprefix("docker.io/").removeprefix("library/") in vocabulary.listed("images")
        mailcow = re.fullmatch(r"(?:ghcr\.io/)?mailcow/([a-z0-9-]+)", name)
        known = known or bool(mailcow and set(mailcow[1].split("-")) <= _MAILCOW)
        good = known and (name == value or _TAG.fullmatch(value[len(name) :]))
        return value if good else self.secret(value, "image")

    # --- paths, versions, texts ------------------------------------------------------------------------------

    def path(self, value: str) -> str:
        """Replace the parts of a path that are not every system's; below a home everything is somebody's own."""
        if len(value) > LONGEST or value.count("/") > PARTS:
            return self.secret(value, "path")
        made: list[str] = []
        for part in value.split("/"):
            private = made[-1:] == ["home"]
            known = part in ("", ".", "..") or part in vocabulary.listed("paths") or _known(part)
            known = known or self._version(part.removeprefix("config-"))
            made.append(part if known and not private else self.secret(part, "path"))
        return "/".join(made)

    def version(self, value: str) -> str:
        """Keep a version: numbers and the marks of distributions; what else is in it is replaced, the number stays."""
        if self._version(value):
            return value
        start = re.match(r"v?[0-9]{1,6}(?:\.[0-9]{1,6}){0,2}(?=[-+~_])", value)
        if start is None:
            return self.secret(value)
        return f"{start[0]}-{self.secret(value[start.end() :])}"

    def _version(self, value: str) -> bool:
        """Say whether this is a version that others have too; of kernels, only those of WSL have four numbers."""
        if not _VERSION.fullmatch(value) or (_FOUR.search(value) and "-microsoft-standard" not in value):
            return False
        return all(self._part_of_version(part) for part in _NAME_PART.findall(value))

    def _part_of_version(self, part: str) -> bool:
        number = part.isdecimal() and len(part) <= 8
        return number or part.lower() in vocabulary.words() or _MARK.fullmatch(part) is not None

    @staticmethod
    def _plain_number(text: str) -> bool:
        return text.isascii() and text.isdecimal() and len(text) <= 7

    def url(self, value: str) -> str:
        """Replace what an address of a service names: its user, its host, its path."""
        scheme, _, rest = value.partition("://")
        scheme = self.word(scheme)
        if scheme in ("unix", "npipe", "fd"):
            return f"{scheme}://{self.path(rest)}"
        place, slash, path = rest.partition("/")
        user, at, host = place.rpartition("@")
        return f"{scheme}://{self.secret(user, 'user')}{at}{self.server(host)}{self.path(slash + path)}"

    def server(self, value: str) -> str:
        """Replace a host or an address, with or without a port."""
        match = re.fullmatch(r"\[?(?P<host>[^\[\]]*?)\]?(?P<port>:[0-9]{1,5})?", value)
        if match is None or len(value) > LONGEST:
            return self.secret(value)
        host, port = match["host"], match["port"] or ""
        if _is_address(value):
            return self.address(value)
        made = self.address(host) if _is_address(host) else self.name(host)
        return f"[{made}]{port}" if ":" in made else f"{made}{port}"

    def value(self, value: str) -> str:
        """Replace a setting's value by what it looks like."""
        if "://" in value:
            return self.url(value)
        if _is_address(value.partition("/")[0]):
            return self.address(value)
        place = _PLACE.fullmatch(value[:LONGEST])
        if place is not None and _is_address(place["host"] or place["bare"]):
            return self.server(value)
        if value.startswith("/"):
            return self.path(value)
        if _DOTTED.fullmatch(value[:LONGEST]) and (self.dns.knows(value) or not self.known(value)):
            return self.name(value)
        return self.text(value)

    def argument(self, value: str) -> str:
        """Replace a value, or the values of a list with names (`--name=value`, `name=value,name=value`)."""
        parts = value.split(",")
        return ",".join(map(self._pair, parts)) if len(parts) <= PARTS else self.secret(value)

    def _pair(self, text: str) -> str:
        name, equals, value = text.partition("=")
        return f"{name}={self.value(value)}" if equals and self.known(name) else self.value(text)

    def text(self, value: str) -> str:
        """Keep a text of which each word is everybody's; of all others nothing is shown."""
        return value if self.known(value) else self.secret(value)

    @staticmethod
    def known(text: str) -> bool:
        """Say whether text is made of words that may be shown; of long numbers nobody knows what they are."""
        if not text.isascii() or not text.isprintable() or len(text) > LONGEST:
            return False
        if text.count(":") > 2 or _FOUR.search(text):
            return False
        return text.lower() in vocabulary.words() or all(_everybodys(part) for part in _TOKEN.findall(text))


def _everybodys(word: str) -> bool:
    number = word.isdecimal() and len(word) <= 7
    return len(word) == 1 or number or word.lower() in vocabulary.words() or _RATE.fullmatch(word) is not None


def _known(name: str) -> bool:
    """Say whether a name is made of parts that everybody knows, and short numbers."""
    parts = _TOKEN.findall(name)
    known = all(part in vocabulary.listed("programs") or (part.isdecimal() and len(part) < 3) for part in parts)
    return name.isascii() and len(name) <= 80 and known and any(not part.isdecimal() for part in parts)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True
