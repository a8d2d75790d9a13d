"""Records of the DNS, a type for each: their data as numbers and names, never as a line to be read again.

Names are absolute: lower case, with their last dot. Bytes that are text for people (TXT, CAA) are kept one character a
byte (Latin-1), so that nothing of them is lost; other bytes are hexadecimal. `str` gives the presentation form (RFC
1035 5.1), for people and zone files. What the fields mean stands in the RFC named.
"""

from __future__ import annotations

import re

from msgspec import Struct

from preflight.facts.kinds import Digest, HostName, Ip, IssuerText, Parts, RecordText, Secret, Word


class A(Struct, frozen=True, order=True, tag_field="type", tag="A"):
    """An IPv4 address (RFC 1035)."""

    address: Ip

    def __str__(self) -> str:
        return self.address


class Aaaa(Struct, frozen=True, order=True, tag_field="type", tag="AAAA"):
    """An IPv6 address in its usual form (RFC 3596)."""

    address: Ip

    def __str__(self) -> str:
        return self.address


class Mx(Struct, frozen=True, order=True, tag_field="type", tag="MX"):
    """A host that takes a domain's mail (RFC 5321); the exchange '.' says that there is none (RFC 7505)."""

    preference: int
    exchange: HostName

    def __str__(self) -> str:
        return f"{self.preference} {self.exchange}"


class Txt(Struct, frozen=True, order=True, tag_field="type", tag="TXT"):
    """Texts of up to 255 bytes each; SPF, DKIM, DMARC and the like read them joined, without a blank between them."""

    strings: Parts

    @property
    def text(self) -> str:
        """Return the texts joined."""
        return "".join(self.strings)

    def __str__(self) -> str:
        return " ".join(map(_quoted, self.strings))


class Ptr(Struct, frozen=True, order=True, tag_field="type", tag="PTR"):
    """The name of an address (RFC 1035)."""

    target: HostName

    def __str__(self) -> str:
        return self.target


class Cname(Struct, frozen=True, order=True, tag_field="type", tag="CNAME"):
    """The name that this one is an alias of (RFC 1035)."""

    target: HostName

    def __str__(self) -> str:
        return self.target


class Ns(Struct, frozen=True, order=True, tag_field="type", tag="NS"):
    """A name server of the zone (RFC 1035)."""

    target: HostName

    def __str__(self) -> str:
        return self.target


class Soa(Struct, frozen=True, order=True, tag_field="type", tag="SOA"):
    """The start of a zone (RFC 1035); `mailbox` is an address with its @ written as a dot; times in seconds."""

    primary: HostName
    mailbox: HostName
    serial: int
    refresh: int
    retry: int
    expire: int
    minimum: int  # how long a denial may be kept (RFC 2308)

    def __str__(self) -> str:
        numbers = (self.serial, self.refresh, self.retry, self.expire, self.minimum)
        return f"{self.primary} {self.mailbox} {' '.join(map(str, numbers))}"


class Caa(Struct, frozen=True, order=True, tag_field="type", tag="CAA"):
    """Who may issue certificates (RFC 8659): the tag is issue, issuewild, iodef … as it is written."""

    flags: int
    tag: Word
    value: IssuerText

    def __str__(self) -> str:
        return f"{self.flags} {self.tag} {_quoted(self.value)}"


class Tlsa(Struct, frozen=True, order=True, tag_field="type", tag="TLSA"):
    """What a server's certificate has to match (RFC 6698); `data` is hexadecimal."""

    usage: int
    selector: int
    matching: int
    data: Digest

    def __str__(self) -> str:
        return f"{self.usage} {self.selector} {self.matching} {self.data}"


class Srv(Struct, frozen=True, order=True, tag_field="type", tag="SRV"):
    """Where a service is offered (RFC 2782); the target '.' says nowhere."""

    priority: int
    weight: int
    port: int
    target: HostName

    def __str__(self) -> str:
        return f"{self.priority} {self.weight} {self.port} {self.target}"


class Ds(Struct, frozen=True, order=True, tag_field="type", tag="DS"):
    """The key that signs a zone below this one (RFC 4034); `digest` is hexadecimal."""

    key: int
    algorithm: int
    digest_type: int
    digest: Secret

    def __str__(self) -> str:
        return f"{self.key} {self.algorithm} {self.digest_type} {self.digest}"


class Other(Struct, frozen=True, order=True, tag_field="type", tag="other"):
    """A record of another type, in presentation form."""

    text: RecordText

    def __str__(self) -> str:
        return self.text


Record = A | Aaaa | Mx | Txt | Ptr | Cname | Ns | Soa | Caa | Tlsa | Srv | Ds | Other


def _quoted(text: str) -> str:
    """Write a text in quotes, with `\\"`, `\\\\` and `\\DDD` for what would end it or is no printable ASCII."""
    escaped = re.sub(r'["\\]', r"\\\g<0>", text)
    return '"' + re.sub(r"[^\x20-\x7e]", lambda match: f"\\{ord(match[0]):03}", escaped) + '"'
