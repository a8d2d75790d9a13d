"""The IPv6 keys that mailcow's installer adds to daemon.json on a host with IPv6."""

from __future__ import annotations

from preflight.checks import Look
from preflight.facts import Host
from preflight.net.addresses import public_host_addresses
from preflight.packets.routing import way_out
from preflight.text.versions import parse_version


def missing(look: Look) -> dict[str, str]:
    """Return the keys that the installer will add, with their values in JSON; whether there is IPv6 may be unknown."""
    held, engine = look.host.daemon_config.get().settings, look.host.engine.value
    version = parse_version(engine.version) if engine else None
    major = version[0] if version else 28
    wanted = {"ipv6": "true"}
    if major < 28:
        wanted["fixed-cidr-v6"] = '"fd00:dead:beef:c0::/80"'
    if major < 27:
        wanted |= {"ip6tables": "true", "experimental": "true"}
    lacking = {key: value for key, value in wanted.items() if (held.get(key) or False) is False}
    return lacking if lacking and look.plan.ipv6 and _has_ipv6(look.host) else {}


def _has_ipv6(host: Host) -> bool:
    """Say whether mailcow's installer will find IPv6, for which it pings the Internet.

    A public address on the way that the default route takes; a private one leads there through a rare translator alone.
    """
    ipv6 = host.ipv6.get()
    if not ipv6.supported or ipv6.disabled:
        return False
    way = way_out(host, 6)
    uplinks = [link for link in host.links.get() if way is not None and link.name == way.interface]
    return bool(public_host_addresses(uplinks, 6))
