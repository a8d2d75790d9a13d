"""The engine's settings (daemon.json and arguments), judged for mailcow."""

from __future__ import annotations

from preflight.checks import Look
from preflight.checks.docker.next_start import idle, refused
from preflight.facts import Host, MissingFact
from preflight.net.addresses import is_public
from preflight.packets.routing import way_out
from preflight.text.sentences import say
from preflight.text.versions import parse

_WAYS = ("ip-masq", "ip-forward")


def judge(look: Look) -> tuple[list[str], list[str], dict[str, str]]:
    """Judge the settings: what must not be, what should not be, and the IPv6 keys that are missing."""
    found = look.host.daemon_config.get()
    held, said = found.settings, look.host.engine.value
    bad, odd = list[str](), list[str]()
    if found.error:
        bad.append(
            say(
                "{path} cannot be used, and the engine or mailcow's installer stops at it: {error}.",
                path=found.path,
                error=found.error,
            )
        )
    bad += refused(look)
    odd += idle(look)
    start = look.host.engine_start.value
    wrong = ", ".join(key for key, value in held.items() if value is None)
    if wrong and not (start and start.directives):
        bad.append(
            say(
                "In {path} the value of {keys} is of the wrong kind: the engine does not start with it.",
                keys=wrong,
                path=found.path,
            )
        )
    if held.get("iptables") is False:
        bad.append(say("With iptables: false every sender seems to come from mailcow's own network: an open relay."))
    odd += [
        say("With {key}: false containers have no way out of their own.", key=key)
        for key in _WAYS
        if held.get(key) is False
    ]
    backend = held.get("firewall-backend") or (said.firewall_backend if said else "")
    if str(backend).startswith("nftables"):
        odd.append(say("The engine's firewall backend is nftables, for which mailcow's netfilter is not made yet."))
    try:
        missing = {} if found.error else _ipv6_keys(look)
    except MissingFact:
        if not bad:
            raise
        missing = {}  # what is certain fails, whatever else is unknown
    if held.get("ip6tables") is False and "ip6tables" not in missing and look.plan.ipv6:
        odd.append(say("With ip6tables: false IPv6 senders seem to come from mailcow's own network."))
    if missing:
        odd.append(
            say(
                "{path} lacks {names}, which mailcow's installer will add because this host has IPv6.",
                path=found.path,
                names=", ".join(missing),
            )
        )
    return bad, odd, missing


def _ipv6_keys(look: Look) -> dict[str, str]:
    """Name the keys that mailcow's installer will add, with their values; whether there is IPv6 may be unknown."""
    held, said = look.host.daemon_config.get().settings, look.host.engine.value
    version = parse(said.version) if said else None
    major = version[0] if version else 28
    wanted = {"ipv6": "true"}
    if major < 28:
        wanted["fixed-cidr-v6"] = '"fd00:dead:beef:c0::/80"'
    if major < 27:
        wanted |= {"ip6tables": "true", "experimental": "true"}
    missing = {key: value for key, value in wanted.items() if (held.get(key) or False) is False}
    return missing if missing and look.plan.ipv6 and _has_ipv6(look.host) else {}


def _has_ipv6(host: Host) -> bool:
    """Say whether mailcow's installer will find IPv6, for which it pings the Internet.

    A public address on the way that the default route takes; a private one leads there through a rare translator alone.
    """
    ipv6 = host.ipv6.get()
    if not ipv6.supported or ipv6.disabled:
        return False
    way = way_out(host, 6)
    return way is not None and any(
        ":" in address.address and address.scope == "global" and is_public(address.address)
        for link in host.links.get()
        if link.name == way.interface
        for address in link.addresses
    )
