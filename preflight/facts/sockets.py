"""Who has a port, and who takes its packets."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from preflight.facts.kinds import (
    CommandLine,
    ContainerName,
    FilePath,
    ImageName,
    InterfaceName,
    Ip,
    PackageName,
    ProgramName,
    ServerName,
    Text,
    UnitName,
    UserName,
    Word,
)
from preflight.facts.services import Parent

# Why owners of sockets could not be seen. denied: the program may not look into other users' processes; unreadable:
# there is no list of processes; late: that took too long; '': all could be seen, or it is not known.
Hidden = Literal["", "denied", "unreadable", "late"]
HOLDING = ("listening", "bound")  # states of a socket that was opened on a port to stay there


class Holder(Struct, frozen=True, kw_only=True):
    """Who holds a port. Every None could not be found out."""

    pid: int | None
    process: ProgramName | None
    user: UserName | None
    unit: UnitName | None
    container: ContainerName | None
    image: ImageName | None
    address: Ip
    port: int
    state: Word  # listening, bound, established, time-wait …
    v6only: bool | None = None  # of an IPv6 socket: it leaves IPv4 alone; None: not told
    command: CommandLine = ()
    binary: FilePath | None = None  # what runs; of an interpreter the script, where it is named by its whole path
    package: PackageName | None = None  # that brought the binary; None as well where the database cannot be read
    parent: Parent | None = None  # what started it
    runtime: Literal["docker", "podman", "kubernetes", "lxc", "nspawn"] | None = None  # whose container it runs in
    clients: int = 0  # connections from other machines that it serves on this port now
    peer: Ip = ""  # of a connection: the other end
    peer_port: int = 0

    @property
    def holds(self) -> bool:
        """Say whether the socket was opened on the port to stay there."""
        return self.state in HOLDING


class Sockets(Struct, frozen=True):
    """Sockets on the ports that mailcow wants. `owners` False: processes could not be seen, for what is `hidden`.

    `bound`: sockets that are bound without listening are shown as well, which tables and older kernels do not.
    `fleeting`: first and last of the ports that the kernel gives to whoever asks for none (most are connections to
    elsewhere), but for the `reserved` ranges; None: not known.
    """

    holders: tuple[Holder, ...]
    owners: bool
    hidden: Hidden = ""
    bound: bool = False
    fleeting: tuple[int, int] | None = None
    reserved: tuple[tuple[int, int], ...] = ()


NO_SOCKETS = Sockets((), owners=True)  # what is read of sockets that are not known: nobody is seen, nobody hides


class BindAttempt(Struct, frozen=True):
    """What the kernel said to bind(2) with SO_REUSEADDR (IPv6 with V6ONLY): free, or the error's name."""

    address: Ip
    port: int
    outcome: Word  # free, EADDRINUSE, EACCES, EADDRNOTAVAIL, EAFNOSUPPORT …


class Diversion(Struct, frozen=True, kw_only=True):
    """A rule of the firewall that sends packets for a port of this host elsewhere before any program gets them.

    `order`: whether the rule comes before the engine's own for a published port. Empty lists restrict nothing; those
    that begin with `not_` are what the rule leaves out.
    """

    port: int
    family: Literal["ipv4", "ipv6"]
    backend: Literal["nf_tables", "ip_tables"]
    table: Text  # ip nat, inet netavark
    chain: Text  # that the rule is in
    rule: int  # its handle, or its number in a table of ip_tables
    native: bool  # of nf_tables: written as such, not by iptables
    to: ServerName  # 10.42.0.8:443, :8443 of this host, '' not known
    owner: Literal["", "docker", "podman", "kubernetes", "firewalld", "libvirt", "lxd", "incus", "cilium"]
    order: Literal["before", "after", "either"]
    destinations: tuple[Ip, ...] = ()  # networks
    not_destinations: tuple[Ip, ...] = ()
    sources: tuple[Ip, ...] = ()
    interfaces: tuple[InterfaceName, ...] = ()  # that packets come in by; eth* stands for all that begin so
    not_interfaces: tuple[InterfaceName, ...] = ()
    conditions: tuple[Word, ...] = ()  # what else it asks, by the names of iptables and nftables

    @property
    def version(self) -> int:
        """Return the IP version of the packets."""
        return 4 if self.family == "ipv4" else 6

    @property
    def own_port(self) -> int | None:
        """Return the port of this host that it sends packets to; None: it sends them to another place."""
        address, _, port = self.to.rpartition(":")
        return int(port) if not address and port.isdecimal() else None

    @property
    def place(self) -> tuple[str, ...]:
        """Return the words that name its chain to nft: family, table and chain; without family of ip_tables."""
        return (*self.table.split(" ", 1), self.chain)


class Nat(Struct, frozen=True):
    """Rules that take mailcow's ports. `unread`: why some are not known: denied, refused, late; '' = all are known."""

    diversions: tuple[Diversion, ...] = ()
    unread: Literal["", "denied", "refused", "late"] = ""
