"""How a value of one kind is replaced: what is known to the world stays, all the rest gets a pseudonym of its kind."""

from __future__ import annotations

import ipaddress
import re

from preflight.checks.holders.images import telling
from preflight.checks.holders.supervised import PER_USER
from preflight.mailcow.layout import CONTAINERS, PROJECT, SHAPE
from preflight.net.addresses import parse_address
from preflight.redact import vocabulary
from preflight.redact.names import LABELS, DomainNames
from preflight.redact.registry import Registry
from preflight.redact.tokens import of_pointer
from preflight.redact.vocabulary import LONGEST

PARTS = 100  # of a path, a list, a record
_VERSION = re.compile(r"v?[0-9][0-9A-Za-z.+~_-]{0,99}")
_MARK = re.compile(r"(?:rc|p|r|v|b)[0-9]{1,3}")  # of a version
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


class Plain:
    """Pseudonyms for the values of one host, by their kinds."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.dns = DomainNames(self.registry)

    def secret(self, value: str, kind: str = "text") -> str:
        """Return the pseudonym of a value of which nothing may be shown."""
        return self.registry.secret(value, kind)

    def word(self, value: str) -> str:
        """Keep a word of ours or of the kernel's."""
        return value if vocabulary.is_public_text(value) else self.secret(value)

    def text(self, value: str) -> str:
        """Keep a single word that is everybody's, and what a product calls itself; nothing else of free text."""
        single = not any(letter.isspace() for letter in value) and vocabulary.is_public_text(value)
        return value if single or vocabulary.is_product(value) else self.secret(value)

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
        elif is_address(bare):
            made = self.address(bare)
        else:
            made = self.dns.pseudonym(bare)
        return made + value.strip()[len(bare) :]

    def program(self, value: str, kind: str = "process") -> str:
        """Keep the name of a well-known program."""
        return value if vocabulary.is_public_name(value) else self.secret(value, kind)

    def unit(self, value: str) -> str:
        """Keep the name of a well-known unit."""
        stem, dot, ending = value.rpartition(".")
        if ending not in ("service", "socket", "scope", "slice", "mount", "target", "timer"):
            stem, dot, ending = value, "", ""
        name, at, instance = stem.partition("@")
        begins = PER_USER if name.startswith(PER_USER) else ""
        shown = begins + self.program(name[len(begins) :], "unit") if name else ""
        return f"{shown}{at}{instance if instance == '-' else self.program(instance, 'unit')}{dot}{ending}"

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
        if re.fullmatch(r"cali[0-9a-f]{11}", value):
            return f"cali{self.registry.number('interface', value):011x}"
        begins = ("veth", "br-", "cni", "podman", "cilium_", "flannel", "dummy")
        prefix = next((kind for kind in begins if value.startswith(kind)), "")
        return prefix + self.secret(value, "interface")

    def chain(self, value: str) -> str:
        """Replace the name of a chain, a table or a set, part by part: who makes it is told by the usual parts."""
        if len(value) > 300 or not value.isascii() or value.count(":") > 1 or vocabulary.FOUR.search(value):
            return self.secret(value, "chain")
        return re.sub(r"[A-Za-z0-9]+", lambda match: self._part_of_chain(match[0]), value)

    def _part_of_chain(self, part: str) -> str:
        number = part.isdecimal() and len(part) < 3
        usual = not part.isdecimal() and (vocabulary.is_public_text(part) or vocabulary.is_public_name(part))
        return part if number or usual or part.lower() in vocabulary.listed("chains") else self.secret(part, "chain")

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
        """Keep the names of well-known images, with a plain version, and of others the part that tells what they do."""
        name, colon, _ = value.rpartition(":")
        name = name if colon and "/" not in value[len(name) :] else value
        known = name.removeprefix("docker.io/").removeprefix("library/") in vocabulary.listed("images")
        mailcow = re.fullmatch(r"(?:ghcr\.io/)?mailcow/([a-z0-9-]+)", name)
        known = known or bool(mailcow and set(mailcow[1].split("-")) <= _MAILCOW)
        good = known and (name == value or _TAG.fullmatch(value[len(name) :]))
        if good:
            return value
        hidden, part = self.secret(value, "image"), telling(value)
        return f"{part}{hidden}" if part.endswith("/") else f"{hidden}/{part}" if part else hidden

    def path(self, value: str) -> str:
        """Replace the parts of a path that are not every system's; below a home everything is somebody's own."""
        if len(value) > LONGEST or value.count("/") > PARTS:
            return self.secret(value, "path")
        made: list[str] = []
        for part in value.split("/"):
            private = made[-1:] == ["home"]
            known = part in ("", ".", "..") or part in vocabulary.listed("paths") or vocabulary.is_public_name(part)
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
        if not _VERSION.fullmatch(value) or (vocabulary.FOUR.search(value) and "-microsoft-standard" not in value):
            return False
        return all(self._part_of_version(part) for part in _NAME_PART.findall(value))

    def _part_of_version(self, part: str) -> bool:
        number = part.isdecimal() and len(part) <= 8
        return number or part.lower() in vocabulary.words() or _MARK.fullmatch(part) is not None


def is_address(text: str) -> bool:
    """Say whether a text is an address, with a scope or without."""
    return parse_address(text.partition("%")[0]) is not None
