"""Links, routes and rules of the kernel."""

from __future__ import annotations

from msgspec import Struct, field

from preflight.facts.kinds import InterfaceName, Ip, Word


class Address(Struct, frozen=True, omit_defaults=True):
    """An address on an interface. `secondary`: not the first of its network (IPv4), or temporary (IPv6)."""

    address: Ip
    prefix: int
    scope: Word  # global, link, host
    secondary: bool = False


class Link(Struct, frozen=True):
    """A network interface of the host."""

    name: InterfaceName
    mtu: int | None
    up: bool | None
    addresses: tuple[Address, ...] = ()
    inner: bool = False  # a bridge to containers alone: nothing but ends of their virtual cables is in it


class Route(Struct, frozen=True, omit_defaults=True):
    """A route; `destination` in CIDR form; gateway '' = on the link; interface '*' = to nowhere, '' = not told.

    `kind` as ip-route(8) names it: unicast, blackhole, unreachable, prohibit, throw (ask the next table), local (whole
    networks that the host takes for its own; its addresses are those of the links).
    """

    destination: Ip
    interface: InterfaceName
    gateway: Ip
    metric: int
    table: int = 254  # of the policy routing: 254 is the main one
    kind: Word = "unicast"
    learned: bool = False  # IPv6: the kernel itself took it from a router's advertisement


class RoutingRule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rule of the policy routing, as `ip rule` shows it: which table is asked next. Rules are asked by priority.

    `others`: what else it looks at (a user, ports, a protocol, a VRF). `inverted`: it holds for all but what it names.
    """

    version: int  # 4, 6
    priority: int
    action: Word  # table, goto, nop, blackhole, unreachable, prohibit
    table: int = 0
    goto: int = 0
    source: Ip = ""
    destination: Ip = ""
    mark: int = 0
    mask: int = 0  # of the mark; a packet of mailcow's has none, so that it decides nothing
    incoming: InterfaceName = ""  # 'lo': the host's own packets
    outgoing: InterfaceName = ""
    others: tuple[Word, ...] = ()
    inverted: bool = False
    suppress: int | None = None  # routes whose prefix is that short or shorter do not count


class Way(Struct, frozen=True, kw_only=True):
    """What the kernel says to one of the host's own packets that leaves without a source of its own (RTM_GETROUTE).

    `error` is the error's name where it refuses (ENETUNREACH …); then the rest means nothing. Nothing was sent.
    """

    destination: Ip  # the address on the Internet that was asked about
    interface: InterfaceName = ""
    gateway: Ip = ""
    source: Ip = ""  # the address that it would be sent from; '' = not told
    mtu: int | None = None  # of this way, where it is less than the interface's (RTAX_MTU, a path MTU learned)
    table: int = 0  # of the policy routing: 254 is the main one; 0 = not told
    error: Word = ""


class Ipv6(Struct, frozen=True, omit_defaults=True):
    """The kernel's word on IPv6: compiled in and not switched off; `listenable`: [::1] can be bound."""

    supported: bool
    disabled: bool  # net.ipv6.conf.all.disable_ipv6
    listenable: bool | None
    forwarding: bool | None = None  # net.ipv6.conf.all.forwarding
    accept_ra: dict[InterfaceName, int] = field(default_factory=dict)  # net.ipv6.conf.INTERFACE.accept_ra
