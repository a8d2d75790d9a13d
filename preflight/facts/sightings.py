"""By which address services on the Internet see this host."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from preflight.facts.kinds import Ip, Url

# `strange`: it answered, and not with an address.
Seeing = Literal["seen", "strange", "failed"]


class AddressService(Struct, frozen=True):
    """A service that tells whoever asks their address, and the IP version that it is asked over."""

    url: Url
    version: int


class Sighting(Struct, frozen=True):
    """What a service answered; `address` where it saw one."""

    service: AddressService
    outcome: Seeing
    address: Ip = ""
