"""Which name servers to ask: those given, else the host's own from its /etc/resolv.conf."""

from __future__ import annotations

import contextlib
import re

from preflight.facts import Fact
from preflight.facts.base import Cause
from preflight.gather.access.roots import Roots, Unreadable
from preflight.net.addresses import IpAddress, parse_address, with_port
from preflight.text.sentences import noted, say

Server = tuple[str, int]  # address (a link-local one with its scope), port

PATH = "/etc/resolv.conf"
BEHIND_STUB = "/run/systemd/resolve/resolv.conf"  # the real servers of systemd-resolved's 127.0.0.53
STUB = "127.0.0.53"
FILE_BYTES = 1 << 16
SERVERS = 3  # as many as the C library asks

_HELP = noted("Name a server with --resolver.")


def server(text: str) -> Server:
    """Read `addr`, `addr:port` or `[v6addr]:port`; raise `ValueError` with a sentence for the user."""
    match = re.fullmatch(r"\[(?P<v6>[^\]]+)\](?::(?P<port6>[0-9]{1,5}))?|(?P<v4>[0-9.]+):(?P<port4>[0-9]{1,5})", text)
    address = (match["v6"] or match["v4"]) if match else text
    port = int((match["port6"] or match["port4"] or 53) if match else 53)
    parsed = parse_address(address)
    if parsed is None or (match and match["v6"] and parsed.version == 4):
        form = "198.51.100.53, 198.51.100.53:5353, [2001:db8::53]:5353"
        raise ValueError(say("{text} is not a name server: write {form}.", text=repr(text[:60]), form=form))
    if not 1 <= port <= 65535:
        raise ValueError(say("{text} has a port outside 1 to 65535.", text=repr(text)))
    return str(parsed), port


def shown(server: Server) -> str:
    """Write a server as users do: the port where it is not 53."""
    address, port = server
    return address if port == 53 else with_port(address, port)


def parse_resolv_conf(text: str) -> tuple[Server, ...]:
    """Return the servers of a resolv.conf(5), each once, at most three. Search lists are passed over on purpose."""
    found: dict[Server, None] = {}
    for line in text.splitlines():
        word, *rest = line.split() or [""]
        if word != "nameserver" or not rest:
            continue
        if (address := parse_address(rest[0])) is not None:
            found[str(address), 53] = None
    return tuple(found)[:SERVERS]


def handed(roots: Roots) -> Fact[tuple[str, ...]]:
    """Return the name servers that the engine finds for its containers, as they are written, with their scopes.

    It takes /etc/resolv.conf, and the file behind it where systemd-resolved's stub is all that it names.
    """
    try:
        found = _written(roots.text(PATH, FILE_BYTES))
        if found == (STUB,):
            return Fact.of(BEHIND_STUB, _written(roots.text(BEHIND_STUB, FILE_BYTES)))
    except Unreadable as error:
        return roots.unknown(error.path, error)
    return Fact.of(PATH, found)


def _written(text: str) -> tuple[str, ...]:
    """Return the addresses of a resolv.conf(5), scopes and all."""
    rows = (line.split() for line in text.splitlines())
    return tuple(row[1][:100] for row in rows if len(row) > 1 and row[0] == "nameserver")[:20]


def find_servers(roots: Roots, resolvers: tuple[str, ...]) -> Fact[tuple[Server, ...]]:
    """Return the servers to ask, or why there are none."""
    if resolvers:
        try:
            return Fact.of("--resolver", tuple(dict.fromkeys(map(server, resolvers))))
        except ValueError as error:
            return _none("--resolver", str(error))
    if not roots.view.live:
        return _none(
            PATH, say("The host is a copy, and its name servers are not queried from another machine."), "copy"
        )
    if roots.root is None:
        return _containers_own()
    try:
        found = parse_resolv_conf(roots.text(PATH, FILE_BYTES))
    except Unreadable as error:
        return _none(PATH, say("{path} of the host cannot be read: {reason}.", path=PATH, reason=error.reason))
    if not found:
        return _none(PATH, say("{path} of the host lists no name server.", path=PATH))
    return Fact.of(PATH, found) if roots.view.network is True else _from_another_network(roots, found)


def _containers_own() -> Fact[tuple[Server, ...]]:
    """Ask as our own container would: the engine gave it a copy of the host's file that fits its network."""
    source = f"{PATH} of the container"
    try:
        with open(PATH, "rb") as file:
            found = parse_resolv_conf(file.read(FILE_BYTES).decode("utf-8", "replace"))
    except OSError as error:
        return _none(source, say("{path} of the container cannot be read.", path=PATH), detail=error.strerror or "")
    if found:
        return Fact.of(source, found)
    return _none(source, say("{path} in the container lists no name server.", path=PATH))


def _none(source: str, reason: str, cause: Cause = "", detail: str = "") -> Fact[tuple[Server, ...]]:
    """Say why there is no server to ask."""
    return Fact.unknown(source, reason, say(_HELP), cause=cause, detail=detail, place="docker-run")


def _from_another_network(roots: Roots, found: tuple[Server, ...]) -> Fact[tuple[Server, ...]]:
    """Leave out the host's loopback, which is out of reach; behind systemd-resolved's stub stand the real servers."""
    reachable = _reachable(found)
    source = PATH
    if not reachable:
        source = BEHIND_STUB
        with contextlib.suppress(Unreadable):
            reachable = _reachable(parse_resolv_conf(roots.text(BEHIND_STUB, FILE_BYTES)))
    if reachable:
        return Fact.of(source, reachable)
    names = ", ".join(shown(one) for one in found)
    reason = say(
        "The host's name servers ({names}) answer only in the host's network, and preflight may run in another one.",
        names=names,
    )
    help = say("Add --network=host to docker run, or name a server with --resolver.")
    return Fact.unknown(PATH, reason, help, cause="network", place="docker-run")


def _reachable(servers: tuple[Server, ...]) -> tuple[Server, ...]:
    return tuple(one for one in servers if not _is_local(parse_address(one[0])))


def _is_local(address: IpAddress | None) -> bool:
    return address is None or address.is_loopback or address.is_link_local or address.is_unspecified
