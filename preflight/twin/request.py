"""What the twin is asked, by the run that starts it as a process of its own."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from preflight.twin.derive_state import Change


class Port(Struct, frozen=True):
    """A TCP port that mailcow publishes: on which address of the host ('' = every one), and whereto.

    `container`: the address of the container in mailcow's network, without a family's one where it has none.
    """

    address: str
    port: int
    service: str  # postfix-mailcow …
    inside: int  # the port in the container
    container4: str
    container6: str = ""


class Given(Struct, frozen=True):
    """What the engine does for mailcow, by what it did for a network of our own: it differs from what is derived.

    `doubt`: why that cannot be told with mailcow's names; '' = it can.
    """

    version: Literal[4, 6]
    changes: tuple[Change, ...] = ()
    doubt: str = ""


class Request(Struct, frozen=True, kw_only=True):
    """All that the twin has to know and cannot read from the kernel.

    `present`: mailcow's network and its ports are published now, by the engine's own rules; else what the engine would
    add is derived. `engine`: its version, '' where none is known. `root`: that of the engine's process, whose programs
    (iptables, nft) are run; '/' natively.
    """

    ports: tuple[Port, ...]
    bridge: str  # br-mailcow
    subnet4: str  # 172.22.1.0/24
    subnet6: str = ""  # '' = mailcow has no IPv6
    present: bool = False
    engine: str = ""
    backend: str = ""  # that of the engine, as it says: iptables, nftables, firewalld+iptables …
    iptables: bool = True  # the engine's own switches, as of daemon.json and its command line
    ip6tables: bool = True
    starts_ip6tables: bool = (
        False  # not yet: its chains for IPv6 are made when it is restarted, before mailcow is there
    )
    userland_proxy: bool = True
    ip_forward: bool = True
    ip_masq: bool = True
    root: str = "/"
    modules: tuple[str, ...] | None = None  # of the kernel, that are there; None: it has none, all it can is built in
    given: tuple[Given, ...] = ()  # in place of what is derived; of a version that is not there, that stays
    seconds: float = 5.0  # what the whole of it may take

    def there(self, *modules: str) -> bool:
        """Say whether one of these modules is there: a question to one that is not would load it."""
        return self.modules is None or not set(self.modules).isdisjoint(modules)
