"""What engines mean by what they say when they refuse a network or a container: they have words for it, and no codes.

The words of dockerd 20.10, 26.1, 28.5, of runc, iptables and Podman 5.4 as the lab's hosts said them (2026-11), and of
moby's sources (libnetwork/drivers/bridge, portallocator) for what none of those hosts has.
"""

from __future__ import annotations

import re

from preflight.facts.rehearsal import Trouble

LOOKED_AT = 4000  # characters of what an engine says

# The first that is found counts: words of ports before those that other troubles share with them.
_WORDS: tuple[tuple[Trouble, str], ...] = (
    ("no-address", r"cannot assign requested address"),
    ("in-use", r"bind: address already in use|host port.*address already in use|listen tcp.*address already in use"),
    ("allocated", r"port is already allocated|host port.*already (?:allocated|in use)"),
    ("no-right", r"(?:bind|listen tcp.*|host port.*): permission denied|cannot expose privileged port"),
    ("bridge", r"networks have same bridge name|bridge name .* (?:already|in use)|interface name .* already exists"),
    ("overlap", r"pool overlaps|(?:subnet|network) .* (?:is )?already (?:used|being used)|overlaps with other one"),
    ("forwarding", r"IPv[46] forwarding is disabled"),
    ("ip6tables", r"ip6tables"),
    ("tables", r"can't initialize|table does not exist|need to insmod|unknown (?:option|match)|table .* incompatible"),
    ("chains", r"no chain/target/match by that name|chain .* (?:does not exist|not found)|no such file.*nft"),
    ("no-ipv6", r"IPv6 setup|/proc/sys/net/ipv6|address family not supported|IPv6 is (?:disabled|not supported)"),
    ("limits", r"rlimit|ulimit"),
    ("cgroups", r"cgroup mount ?(?:point|destination)|no cgroup mount|cgroups?: cannot find|cgroup mountpoint"),
    ("sysctl", r"sysctl"),
    ("privileges", r"privileged mode is|apply caps|unable to apply cap|capabilit"),
    ("mount", r"bind source path|error mounting|invalid mount|mount .* denied"),
    ("fixed-address", r"^(?:.*: )?address already in use|no available ipv4|no configured subnet|not belong to any"),
    ("kernel", r"operation not supported|unknown device type|no such device|module .* not found"),
)  # fmt: skip
PORTS: frozenset[Trouble] = frozenset({"no-address", "in-use", "allocated", "no-right"})
# ADDRESS:PORT of the host's side; what Docker says of the container's side stands behind it.
_PLACE = re.compile(
    r"(?:listen tcp[46]? |bind for |host port (?:for )?|expose port |proxy: )(?P<at>\[[0-9a-f:.]*\]|[0-9.]*):?"
    r"(?<=[:\] ])(?P<port>[0-9]{1,5})(?![0-9.])",
    re.IGNORECASE,
)


def trouble(words: str) -> Trouble:
    """Return what an engine's words mean, '' where that is not known."""
    said = words[:LOOKED_AT]
    return next((cause for cause, known in _WORDS if re.search(known, said, re.IGNORECASE)), "")


def place(words: str) -> tuple[str, int] | None:
    """Return the address ('' = not told) and the port that an engine could not bind; None: it names none."""
    found = _PLACE.search(words[:LOOKED_AT])
    return None if found is None else (found["at"].strip("[]"), int(found["port"]))
