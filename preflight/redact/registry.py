"""The pseudonyms of one host by their numbers: the same value always has the same one, and no two have one."""

from __future__ import annotations

import ipaddress

from preflight.mailcow.layout import IPV4_NETWORK
from preflight.net.addresses import IpAddress, IpNetwork
from preflight.redact.addresses import Twins, everybodys, is_everybodys
from preflight.redact.tokens import inside


class Registry:
    """Numbers that were given, and what a placeholder stands for.

    `legend`: by placeholder what it alone does not tell of its pseudonym; `placeholders`: by pseudonym, of
    addresses, networks and mailcow's three octets.
    """

    def __init__(self) -> None:
        self.legend: dict[str, str] = {}
        self.placeholders: dict[str, str] = {}
        self.numbers: dict[tuple[str, str], int] = {}
        self._counts: dict[str, int] = {}
        self._twins = Twins()

    def number(self, kind: str, value: str) -> int:
        """Return the number of a value among those of its kind."""
        key = (kind, value)
        if key not in self.numbers:
            self._counts[kind] = self.numbers[key] = self._counts.get(kind, 0) + 1
        return self.numbers[key]

    def secret(self, value: str, kind: str) -> str:
        """Return the pseudonym of a value of which nothing may be shown; the empty one tells nothing."""
        return inside(kind, self.number(kind, value)) if value else ""

    def address(self, real: IpAddress) -> str:
        """Return the pseudonym of an address, or one that is everybody's."""
        return (
            str(real)
            if is_everybodys(real)
            else self._register(real.version, str(real), str(self._twins.address(real)))
        )

    def network(self, real: IpNetwork) -> str:
        """Return the pseudonym of a network, or one that is everybody's."""
        made = str(self._twins.network(real))
        return made if everybodys(real) else self._register(real.version, str(real), made)

    def octets(self, value: str) -> str:
        """Return the pseudonym of the three octets of IPV4_NETWORK; raise `ValueError` where they are none."""
        real = ipaddress.IPv4Network(f"{value}.0/24")
        if value == IPV4_NETWORK:
            return value
        return self._register(4, value, str(self._twins.network(real)).removesuffix(".0/24"))

    def settle(self) -> None:
        """Forget pseudonyms of addresses: by now all are known, and new ones can have their order."""
        self._twins.settle()
        self.placeholders.clear()
        self.legend = {key: made for key, made in self.legend.items() if not key.startswith("<ipv")}

    def _register(self, version: int, real: str, made: str) -> str:
        """Give a pseudonym its placeholder."""
        if made not in self.placeholders:
            kind = f"ipv{version}"
            placeholder = f"<{kind}-{self.number(kind, real)}>"
            base, slash, length = made.partition("/")
            self.placeholders[made] = f"{placeholder}{slash}{length}"
            self.legend[placeholder] = base
        return made
