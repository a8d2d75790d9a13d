"""How a value is replaced that is put together of others: URLs, settings, records of the DNS."""

from __future__ import annotations

import re

from preflight.net.addresses import bracketed
from preflight.redact.plain import PARTS, Plain, is_address
from preflight.redact.vocabulary import LONGEST, is_public_text, listed

_DOTTED = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.[A-Za-z][A-Za-z0-9-]+\.?")
_PLACE = re.compile(r"\[?(?P<host>[0-9A-Fa-f.:]+)\]?:[0-9]{1,5}|\[(?P<bare>[0-9A-Fa-f.:]+)\]")
_DRIVER_MTU = re.compile(r"com\.docker\.network\.driver\.mtu=[0-9]{1,5}")  # of default-network-opts, by driver
METHODS = ("http-01", "dns-01", "tls-alpn-01")  # of ACME (RFC 8555, RFC 8737)
_METHODS = "validationmethods"
_TERM = re.compile(r"(?P<name>[+~?-]?[A-Za-z0-9_-]{1,40})(?P<sign>[:=])(?P<value>.+)")


class Masks(Plain):
    """Pseudonyms for the values of one host, by their kinds and by what they look like."""

    def names(self, value: str) -> str:
        """Replace the question that an answer is for: a name, a blank, a type."""
        name, blank, kind = value.rpartition(" ")
        return f"{self.name(name)}{blank}{self.word(kind)}"

    def record(self, value: str) -> str:
        """Replace a record of the DNS: an address, a name, or terms, some of which hold one."""
        if is_address(value):
            return self.address(value)
        first, blank, last = value.rpartition(" ")
        if (not blank or first.isdecimal()) and "." in last:
            return f"{first}{blank}{self.name(last)}"
        terms = value.split(" ")
        return " ".join(map(self.term, terms)) if len(terms) <= PARTS else self.secret(value)

    def term(self, value: str) -> str:
        """Replace what a term of a policy names: `ip4:203.0.113.7/32`, `include:example.org`, `p=none`."""
        match = _TERM.fullmatch(value)
        if match is None or not is_public_text(match["name"]):
            return self.text(value)
        return f"{match['name']}{match['sign']}{self.value(match['value'])}"

    def issuer(self, value: str) -> str:
        """Replace what a CAA record lets in: an authority that is everybody's stays, its accounts do not."""
        authority, *rest = value.split(";")
        name = authority.strip(" \t")
        known = not name or name.lower().rstrip(".") in listed("authorities")
        return ";".join((authority if known else self.record(name), *map(self.parameter, rest)))

    def parameter(self, value: str) -> str:
        """Replace a parameter of a CAA record, but for how authorities may have names proven."""
        tag, equals, given = value.partition("=")
        if not value.strip() or (tag.strip() == _METHODS and all(one.strip() in METHODS for one in given.split(","))):
            return value
        shown = tag if tag.strip() in (_METHODS, "accounturi") else self.secret(tag)
        return f"{shown}{equals}{self.secret(given) if given else ''}"

    def digest(self, value: str) -> str:
        """Replace hexadecimal digits by as many zeros: how many there are may be what is wrong."""
        return "0" * len(value)

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
        if is_address(value):
            return self.address(value)
        made = self.address(host) if is_address(host) else self.name(host)
        return f"{bracketed(made)}{port}"

    def value(self, value: str) -> str:
        """Replace a setting's value by what it looks like."""
        if "://" in value:
            return self.url(value)
        if is_address(value.partition("/")[0]):
            return self.address(value)
        place = _PLACE.fullmatch(value[:LONGEST])
        if place is not None and is_address(place["host"] or place["bare"]):
            return self.server(value)
        if value.startswith("/"):
            return self.path(value)
        if _DOTTED.fullmatch(value[:LONGEST]) and (self.dns.knows(value) or not is_public_text(value)):
            return self.name(value)
        return self.text(value)

    def argument(self, value: str) -> str:
        """Replace a value, or the values of a list with names (`--name=value`, `name=value,name=value`)."""
        parts = value.split(",")
        return ",".join(map(self._pair, parts)) if len(parts) <= PARTS else self.secret(value)

    def _pair(self, text: str) -> str:
        name, equals, value = text.partition("=")
        if _DRIVER_MTU.fullmatch(value):
            return f"{self.text(name)}={value}"
        return f"{name}={self.value(value)}" if equals and is_public_text(name) else self.value(text)
