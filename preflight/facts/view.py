"""How a host was looked at, and what was asked."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from preflight.facts.kinds import FilePath, HostName, Ip, Word


class View(Struct, frozen=True, kw_only=True):
    """How the host was looked at. `network` says whether our sockets are the host's: None = cannot be told."""

    container: bool  # the program runs in its own image
    root: FilePath | None  # where the host's root was found; None = out of reach
    live: bool  # the root has a live procfs: not a copy
    network: bool | None
    privileged: bool | None
    missing_flags: tuple[Word, ...] = ()  # of the documented `docker run` line: for who reads the facts


DKIM_SELECTOR = "dkim"  # mailcow's default


class Asked(Struct, frozen=True, kw_only=True):
    """What the user said on the command line about the host and its future."""

    hostname: HostName | None = None
    domains: tuple[HostName, ...] = ()
    public_ips: tuple[Ip, ...] = ()
    dkim_selector: HostName | UnsetType = UNSET
    mailcow_conf: FilePath | None = None  # only when given by name
    offline: bool = False
    probe: bool = True
    rehearse: bool = False

    @property
    def selector(self) -> str:
        """Return the selector of the DKIM key: the one given, else mailcow's."""
        return self.dkim_selector or DKIM_SELECTOR
