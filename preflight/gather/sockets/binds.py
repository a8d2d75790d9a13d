"""Try whether ports can be bound, as the engine would: what the kernel answers decides, whatever the tables show.

bind(2) alone is enough. The engine listens as well, but whatever listens already makes its bind fail, and two
sockets that are bound with SO_REUSEADDR without listening do not keep each other from listening.
"""

from __future__ import annotations

import errno
import socket

from preflight.facts import BindAttempt, Fact
from preflight.gather.access.advice import add, the_hosts_network
from preflight.gather.access.roots import Roots
from preflight.net.addresses import version
from preflight.text.sentences import paragraph, say

SOURCE = "bind(2)"
EVERYWHERE = ("0.0.0.0", "::")  # what '' stands for


def binds(roots: Roots, wanted: tuple[tuple[str, int], ...]) -> Fact[tuple[BindAttempt, ...]]:
    """Try each address ('' = all of IPv4, and all of IPv6) and port once, only where our network is the host's."""
    if not roots.view.live:
        return Fact.unknown(
            SOURCE, say("The root is a copy. Only a running kernel knows whether a port can be bound."), cause="copy"
        )
    if roots.view.network is None:
        help_ = roots.why.help if roots.why else add("--pid=host").text
        reason = say(
            "Could not determine whether this process shares the host's network, so no port of the host was tried."
        )
        both = paragraph(help_, say("Also add --network=host."))
        return Fact.unknown(SOURCE, reason, both, cause="network", place="docker-run")
    if not roots.view.network:
        help = the_hosts_network(roots.view)
        reason = say("This process does not share the host's network, so no port of the host can be tried.")
        return Fact.unknown(SOURCE, reason, help.text, cause="network", place=help.place)
    pairs = dict.fromkeys(
        (place, port) for address, port in wanted for place in ((address,) if address else EVERYWHERE)
    )
    return Fact.of(SOURCE, tuple(BindAttempt(address, port, attempt(address, port)) for address, port in pairs))


def attempt(address: str, port: int) -> str:
    """Bind once and close at once; return `free` or the error's name. IPv6 is tried without IPv4."""
    family = socket.AF_INET if version(address) == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                tried.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            tried.bind((address, port))
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "error")
    except (OverflowError, ValueError):
        return "EINVAL"
    return "free"
