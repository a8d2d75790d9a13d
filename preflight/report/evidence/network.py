"""What the checks of the network measured."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from preflight.report.model import Evidence


class ConflictEvidence(Evidence, frozen=True, kw_only=True):
    """What meets mailcow's network: a Docker network, route, rule, address or interface, and its own network.

    `wider`: it only contains mailcow's. `table`: a route's that is not in the main one, or the priority of a rule.
    """

    what: str
    name: str
    subnet: str
    wider: bool
    table: int | UnsetType = UNSET


class SubnetEvidence(Evidence, frozen=True, kw_only=True):
    """The network that mailcow will use, all that meets it, and a free one in its place (None: none is proposed)."""

    wanted: str
    conflicts: tuple[ConflictEvidence, ...]
    proposal: str | None


class MtuEvidence(Evidence, frozen=True, kw_only=True):
    """The interface that leads to the Internet, and the MTU of the way; None: not known."""

    interface: str
    mtu: int | None


class Ipv6Evidence(Evidence, frozen=True, kw_only=True):
    """IPv6 of the kernel, the host and mailcow (`enabled`).

    `interface` and its `accept_ra` only where the default route will be lost with forwarding.
    """

    supported: bool
    disabled: bool
    addresses: tuple[str, ...]
    default_route: bool
    enabled: bool
    interface: str | UnsetType = UNSET
    accept_ra: int | UnsetType = UNSET


class ConnectionEvidence(Evidence, frozen=True, kw_only=True):
    """A connection to the Internet: what became of it over each IP version tried, and what mailcow needs it for."""

    families: dict[str, str]
    addresses: tuple[str, ...]
    use: str


class GreetingEvidence(Evidence, frozen=True, kw_only=True):
    """A mail server of another operator: what became of it over each IP version tried, and how it greeted."""

    families: dict[str, str]
    addresses: tuple[str, ...]
    greeting: str


class BlockListEvidence(Evidence, frozen=True, kw_only=True):
    """A block list: whether it works by its test points, and the addresses that it lists with its codes."""

    state: str
    listed: dict[str, tuple[int, ...]]


class PublicAddressEvidence(Evidence, frozen=True, kw_only=True):
    """The addresses by which services on the Internet see this host."""

    ipv4: tuple[str, ...]
    ipv6: tuple[str, ...]


class AskedEvidence(Evidence, frozen=True, kw_only=True):
    """A question to a name server: zone, keys, who, canary (an address where nobody is), and how it ended."""

    server: str
    protocol: str
    question: str
    outcome: str
    error: str
    authoritative: bool
    recursive: bool
    signed: bool
    truncated: bool
    code: int
    records: int
    bytes: int
    seconds: float


class RecursionEvidence(Evidence, frozen=True, kw_only=True):
    """What a container, and the host itself, asked of name servers, and what that comes to.

    `cause`: '' = nothing is wrong, unasked, intercepted, proxied, closed, udp, stripped, large, short, tcp, few.
    `host_cause`: the same from the host's network. `where`: own, forwarding, beyond; '' = not known, or all is well.
    """

    cause: str
    host_cause: str
    where: str
    bridge: tuple[AskedEvidence, ...]
    host: tuple[AskedEvidence, ...]


class PingEvidence(Evidence, frozen=True, kw_only=True):
    """How pings of a container ended, and those of the host itself ('' = none was sent)."""

    bridge: str
    host: str
    seconds: float
    sent: int
