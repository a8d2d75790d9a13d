"""What is said of each cause, and who has to do what. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from preflight.net.addresses import version
from preflight.reach.document import Finding, Where
from preflight.reach.facts import Attempt, Look
from preflight.text.sentences import noted, paragraph, say

Tale = tuple[str, str, Where]
_SPLIT = frozenset({"filtered", "refused", "prohibited", "unreachable", "other", "mute", "closed"})

_MESSAGES = {
    "expired": noted("The host stopped answering at the end of its hold, by the clock of this machine."),
    "late": noted("Time ran out before all ports were tested."),
    "near": noted(
        "This machine is on the host's network, or is the host itself. So this does not show what others can reach."
    ),
    "rewritten-here": noted(
        "The host sees this machine at a private address. Either both are behind the same router, or "
        "the host's router hides the addresses of all clients."
    ),
    "rewritten": noted(
        "The host sees this machine as {peer}. A router in front of it hides the addresses of its clients."
    ),
    "between": noted(
        "The host sees this machine as {peer}, not as {client}. A proxy or load balancer on the way passes the"
        " connections on."
    ),
    "relay": noted(
        "The host sees this machine as {peer}, an address of mailcow's own network. mailcow would trust every client:"
        " it would be an open relay."
    ),
    "crossed": noted("These ports at {address} lead to other ports of mailcow: {ports}."),
    "port-25": noted(
        "Port 25 cannot be reached from here, not even on other mail servers. Many networks do "
        "not let clients connect to port 25."
    ),
    "no-way": noted("This machine has no route to {address}."),
    "elsewhere": noted(
        "{host} resolves to {address}, which is not an address of the host. The host's addresses: {told}."
    ),
    "local-open": noted("Ports that are meant only for the host can be reached at {address}: {ports}."),
    "filtered-all": noted("Nothing answers at {address}. Packets to all ports are dropped."),
    "filtered-some": noted("Packets to these ports at {address} are dropped: {ports}."),
    "refused-all": noted("{address} refuses connections to all ports."),
    "refused-some": noted("{address} refuses connections to these ports: {ports}."),
    "prohibited-all": noted("A firewall at {by} rejects connections to all ports at {address}."),
    "prohibited-some": noted("A firewall at {by} rejects connections to these ports at {address}: {ports}."),
    "unreachable-all": noted("Packets do not reach {address}."),
    "unreachable-some": noted("Packets do not reach these ports at {address}: {ports}."),
    "other-all": noted("Something else answers at {address} on all ports."),
    "other-some": noted("Something else answers at {address} on these ports: {ports}."),
    "closed-all": noted("Something accepts all connections at {address}, but does not recognise this line."),
    "closed-some": noted(
        "Something that does not recognise this line accepts connections at {address} on these ports: {ports}."
    ),
}
_MESSAGES |= {f"mute-{part}": _MESSAGES[f"closed-{part}"] for part in ("all", "some")}

_NOT_NEAR = noted("Many routers do not let the host's own network reach its public address: try from elsewhere too.")
_OPEN_SOME = {
    4: noted(
        "Open these ports in the hosting provider's firewall, or forward them on the router. If firewall.inbound"
        " fails for them on the host, change the host's own firewall (DOCKER-USER, ufw)."
    ),
    6: noted(
        "Open these ports for IPv6 in the hosting provider's firewall or on the router. If firewall.inbound"
        " fails for them on the host, change the host's own firewall (DOCKER-USER, ufw)."
    ),
}
_OPEN_ALL = {
    4: noted(
        "Check that the hold is still running. Behind a router, forward mailcow's ports to the host. "
        "Then open them in the hosting provider's firewall."
    ),
    6: noted(
        "Check that the hold is still running. Open mailcow's ports for IPv6 in the hosting "
        "provider's firewall or on the router, and check the host's default route for IPv6."
    ),
}
_WHO = noted(
    "Find out what answers: an old server behind this name, a proxy or CDN in front of it, or the "
    "router itself. Point the name to the host, or forward the ports to it. If another hold has been "
    "started since, use its line."
)
_FORWARD = {
    4: noted("Forward these ports on the router to the host, each to the same port. If there is no router, look at the"
             " host's own firewall (see firewall.inbound)."),
    6: noted("Look at the host's own firewall for IPv6 (see firewall.inbound)."),
}  # fmt: skip

_REMEDIES = {
    "expired": noted("Run `preflight check --rehearse --hold 300` on the host again and copy the new line."),
    "late": noted("Raise --timeout."),
    "near": noted("Run it on a machine on another network."),
    "rewritten-here": noted("Run it on a machine on another network."),
    "rewritten": noted(
        "Switch off source NAT for forwarded connections on the router. Otherwise mailcow bans the "
        "router, and all clients with it."
    ),
    "between": noted(
        "Run it on a machine on another network. If the host sees that machine at another address too, remove the "
        "proxy from mailcow's ports. Otherwise mailcow bans the proxy, and all clients with it."
    ),
    "relay": noted(
        "Do not open mailcow to the Internet like this. Let Docker forward connections itself (see firewall.inbound and"
        " network.ipv6)."
    ),
    "crossed": noted("Forward each port on the router to the same port of the host."),
    "port-25": noted("Run it on a machine whose network allows port 25: most rented servers do, most homes do not."),
    "no-way": noted("Run it on a machine with both IPv4 and IPv6. In Docker, add `--network=host`."),
    "elsewhere": noted("Change the name's records so that they point to the host, or remove them."),
    "local-open": noted(
        "Keep databases off the Internet. Bind these ports to 127.0.0.1 in mailcow.conf, and remove "
        "the rule or the proxy that leads to them."
    ),
}
_WHERE: dict[str, Where] = {
    "expired": "host", "rewritten": "provider", "relay": "host", "crossed": "provider", "elsewhere": "dns",
    "local-open": "host",
}  # fmt: skip


def name(cause: str, whole: bool) -> str:
    """Return the id of a cause's finding; most outcomes are told in another way where they are those of all ports."""
    return f"{cause}-{'all' if whole else 'some'}" if cause in _SPLIT else cause


def tale(look: Look, identity: str, rows: Sequence[Attempt]) -> Tale:
    """Return what is said of the rows of a finding: the message, what to do, and where."""
    first = rows[0]
    ports = ", ".join(str(port) for port in dict.fromkeys(one.port for one in rows))
    message = say(
        _MESSAGES[identity],
        host=look.host, address=first.address, ports=ports, peer=first.seen_as, client=first.client,
        by=first.by or first.address, told=", ".join(look.told),
    )  # fmt: skip
    return message, *_remedy(identity, first)


def _remedy(identity: str, first: Attempt) -> tuple[str, Where]:
    if identity in _REMEDIES:
        return say(_REMEDIES[identity]), _WHERE.get(identity, "client")
    kind, _, part = identity.rpartition("-")
    family = version(first.address)
    if kind in ("other", "closed", "mute"):
        return say(_WHO), "provider"
    if kind == "prohibited" and first.by == first.address:
        return say("Let the host's own firewall accept these ports (see firewall.inbound)."), "host"
    if part == "all":
        return paragraph(say(_OPEN_ALL[family]), say(_NOT_NEAR)), "provider"
    return say(_FORWARD[family]) if kind == "refused" else say(_OPEN_SOME[family]), "provider"


def nowhere(look: Look) -> Finding:
    """Return what is said where there was nothing to try."""
    return Finding(
        id="no-address",
        status="unknown",
        address=None,
        ports=(),
        message=say("{host} resolves to no address here, and the line contains none.", host=look.host),
        detail="",
        remedy=say("Check the name, or give an address of the host instead."),
        place="dns",
    )
