"""What DNS block lists say of this host's addresses."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from preflight.facts.kinds import HostName, Ip, ServerName

# Of a list, by its test points (RFC 5782, 5): `all` = it lists what nobody may list, `none` = it does not list what
# everybody must, `refused` = it answers with a code for errors, `failed` = it does not answer, or with an error.
ListState = Literal["alive", "all", "none", "refused", "failed"]
# `wrong`: it answers with what is no code of a list.
Listed = Literal["clear", "listed", "refused", "wrong", "failed"]


class Listing(Struct, frozen=True):
    """What a list says of one address; `codes`: the last numbers of its answers, 127.0.0.4 gives 4."""

    address: Ip
    said: Listed
    codes: tuple[int, ...] = ()


class BlockListed(Struct, frozen=True):
    """A list, whether it works at all, and what it says; `listings` only of one that does."""

    zone: HostName
    state: ListState
    listings: tuple[Listing, ...] = ()


class BlockLists(Struct, frozen=True):
    """All lists that were asked, of which addresses, and by which name servers."""

    lists: tuple[BlockListed, ...]
    addresses: tuple[Ip, ...]
    servers: tuple[ServerName, ...] = ()


# `closed`: the list's public servers refuse the network that asks; `busy`: the service was asked too often.
Answering = Literal["open", "closed", "busy", "strange", "failed"]


class Mirrors(Struct, frozen=True):
    """Whether a block list's public servers answer this host's network, by what a service says of it."""

    outcome: Answering
