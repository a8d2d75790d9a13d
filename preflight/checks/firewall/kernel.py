"""What to do about a setting, a route or a translation that ends mailcow's packets, where no rule of a filter does."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from msgspec.structs import replace

from preflight.checks import Look
from preflight.checks.firewall.culprits import FORWARDING, Case
from preflight.checks.firewall.owned import Maker, Way
from preflight.checks.network.whole_ipv6 import accept_ra
from preflight.checks.remedies import distro
from preflight.facts import NO_SETTINGS, Nat
from preflight.report.model import WrittenFile
from preflight.text.sentences import say

_ROUTES = {
    4: ("ip rule", "ip route show table all"),
    6: ("ip -6 rule", "ip -6 route show table all"),
}
FORWARDING_CONF = "/etc/sysctl.d/90-mailcow-forwarding.conf"
RP_FILTER_CONF = "/etc/sysctl.d/90-mailcow-rp-filter.conf"


def _forwarding(look: Look, cases: list[Case]) -> Way:
    settings, texts = [], [say("Enable forwarding, and remove the line that disables it at boot.")]
    for case in cases:
        setting = FORWARDING[case.version]
        settings.append(f"{setting} = 1")
        if case.interface and case.version == 4:
            settings.append(_of_device("ipv4", case.interface, "forwarding", 1))
        if case.version == 6 and _advertised(look, case.interface):
            settings.insert(0, accept_ra(case.interface))  # the kernel forgets its default route otherwise
    text = say("When Docker restarts, it then closes the FORWARD chain to all networks except its own.")
    way = _set(FORWARDING_CONF, [*texts, text], list(dict.fromkeys(settings)))
    return replace(way, commands=(*way.commands, *distro.restart(look.host, "docker")))


def _advertised(look: Look, interface: str) -> bool:
    """Say whether an interface takes routes that are lost with forwarding: by its setting, or else by its routes."""
    known = look.host.ipv6.value.accept_ra if look.host.ipv6.value else {}
    if interface in known:
        return known[interface] == 1
    routes = look.host.routes.or_(())
    return any(route.destination == "::/0" and route.learned and route.interface == interface for route in routes)


def _filter(_look: Look, cases: list[Case]) -> Way:
    settings = [
        _of_device("ipv4", case.interface if case.way == "in" and case.interface else "all", "rp_filter", 2)
        for case in cases
    ]
    text = say(
        "Set the kernel's source address check to loose (rp_filter = 2). Packets may then arrive on another interface."
    )
    return _set(RP_FILTER_CONF, [text], list(dict.fromkeys(settings)))


def _set(path: str, texts: list[str], settings: list[str]) -> Way:
    quoted = " ".join(map(shlex.quote, settings))
    written = WrittenFile(path, "".join(f"{setting}\n" for setting in settings))
    return Way(tuple(texts), (f"printf '%s\\n' {quoted} > {path}", f"sysctl -p {path}"), (written,))


def _of_device(family: str, name: str, setting: str, value: int) -> str:
    """Return the line of an interface's setting; a name with a dot in it, of a VLAN, is written with slashes."""
    dot = "/" if "." in name else "."
    return f"{dot.join(('net', family, 'conf', name, setting))} = {value}"


def _route(_look: Look, cases: list[Case]) -> Way:
    text = say("Find the route or rule that leads these packets nowhere, and remove it from the configuration.")
    versions = dict.fromkeys(case.version for case in cases)
    return Way((text,), tuple(command for version in versions for command in _ROUTES[version]))


def _nat(look: Look, cases: list[Case]) -> Way:
    ports = {port for case in cases for port in case.outer}
    taken = look.host.nat.or_(Nat()).diversions
    if look.told_by("ports.free") and any(one.port in ports and one.owner != "docker" for one in taken):
        return Way((say("Free the port first (see ports.free)."),))
    text = say("Find out what created this rule, and configure it to exclude mailcow's ports and bridge.")
    return Way((text,), ("nft list ruleset", "iptables-save -t nat"))


def proxied(look: Look, _cases: Sequence[Case]) -> Way:
    """Say what to do where Docker does not forward a port, so that only its proxy can answer."""
    settings = look.host.daemon_config.or_(NO_SETTINGS).settings
    keys = [key for key in ("iptables", "ip6tables") if settings.get(key) is False]
    if keys:
        text = say("Let Docker manage the firewall (see docker.daemon-config).")
        return Way((text,))
    return Way((say("Restart Docker to restore its rules."),), distro.restart(look.host, "docker"))


BY_KIND: dict[str, Maker] = {
    "forwarding": _forwarding, "filter": _filter, "route": _route, "nat": _nat, "socket": proxied,
}  # fmt: skip
