"""Whether IPv6 works as a whole: the kernel, the addresses, the way out, and what Docker changes about it."""

from __future__ import annotations

import re
import shlex

from msgspec.structs import replace

from preflight.checks import Look
from preflight.checks.docker.contact import engine_version
from preflight.checks.findings import Outcome, unknown
from preflight.facts import NO_SETTINGS, Ipv6, Way
from preflight.report.evidence.network import Ipv6Evidence
from preflight.report.model import Finding, Remedy, Setting, Status, WrittenFile
from preflight.text import versions
from preflight.text.sentences import paragraph, say

ACCEPT_RA = "/etc/sysctl.d/90-accept-ra.conf"


def off(look: Look, kernel: Ipv6) -> Outcome | None:
    """Complain where the kernel has no IPv6 and mailcow is not told so."""
    if not look.plan.ipv6:
        return None
    if not kernel.supported:
        text = say("The kernel was started without IPv6, but mailcow uses IPv6. Services that listen on IPv6 stop.")
        advice = say("Set ENABLE_IPV6=false in mailcow.conf, or start the kernel without ipv6.disable=1.")
        lines = (Setting("ENABLE_IPV6", "false"),)
        return Outcome(Status.WARN, text, Remedy(advice, place="mailcow.conf", when="cloned", settings=lines))
    if kernel.disabled and look.plan.conf_present:
        text = say("IPv6 is switched off (net.ipv6.conf.all.disable_ipv6), but mailcow.conf enables it.")
        advice = say("Set ENABLE_IPV6=false in mailcow.conf, or switch IPv6 on.")
        lines = (Setting("ENABLE_IPV6", "false"),)
        remedy = Remedy(advice, ("sysctl -w net.ipv6.conf.all.disable_ipv6=0",), settings=lines)
        return Outcome(Status.WARN, text, remedy)
    return None


def half(look: Look, held: tuple[str, ...], way: Way | None) -> Outcome | None:
    """Complain of IPv6 that works in part."""
    if held and way is None:
        text = say("This host has the IPv6 address {address}, but no default route for IPv6.", address=held[0])
        if name := _deaf(look, held[0]):
            ignored = say("The kernel ignores router advertisements because forwarding is on.")
            return Outcome(Status.WARN, paragraph(text, ignored), accepting(name))
        advice = say(
            "Add the route that your hosting provider specifies, or remove the address and set ENABLE_IPV6=false."
        )
        return Outcome(Status.WARN, text, Remedy(advice, ("ip -6 route show",)))
    if held and not look.plan.ipv6:
        text = say(
            "This host has working IPv6 ({address}), but mailcow's network has none (ENABLE_IPV6=false). mailcow sees"
            " Docker's own gateway instead of the addresses of IPv6 clients.",
            address=held[0],
        )
        advice = say("Set ENABLE_IPV6=true, or bind mailcow to IPv4 only, for example with SMTP_PORT=0.0.0.0:25.")
        lines = (Setting("ENABLE_IPV6", "true"),)
        return Outcome(Status.WARN, text, Remedy(advice, place="mailcow.conf", when="cloned", settings=lines))
    settings = look.host.daemon_config.or_(NO_SETTINGS).settings
    if held and settings.get("ip6tables") is False:
        text = say("This host has working IPv6, but the engine does not manage ip6tables, so nothing is forwarded.")
        advice = say('Remove "ip6tables": false from /etc/docker/daemon.json and restart the engine.')
        return Outcome(Status.WARN, text, Remedy(advice))
    return None


def scoped(look: Look) -> Outcome | None:
    """Complain of a name server with a scope (fe80::1%ens3) that an older engine hands to containers.

    Up to Docker 25, IPv6 servers of the host get into the resolv.conf of containers with IPv6, if the scope is one word
    (libnetwork/resolvconf, ipv6Address). dig, which mailcow's resolver is checked with, refuses the whole file if no
    interface of the container has that name; the container's own is eth0.
    """
    shown = engine_version(look.host)
    version = versions.parse_version(shown)
    settings = look.host.daemon_config.value
    if version is None or version >= (26, 0, 0) or not look.plan.ipv6 or not look.host.handed.known:
        return None
    if settings is not None and settings.settings.get("dns"):
        return None
    found = next((text for text in look.host.handed.get() if re.fullmatch(r"[0-9A-Fa-f:]+%\w+", text)), None)
    if found is None:
        return None
    values = {"server": found, "version": shown}
    text = say("Docker {version} passes the name server {server} to mailcow's containers.", **values)
    name = found.partition("%")[2]
    fails = say(
        "They have no interface {interface}, so the health check of mailcow's resolver fails"
        " and mailcow does not start.",
        interface=name,
    )
    if name == "eth0" or name.isdecimal():
        fails = say("In containers, the part after % refers to another network, so this server does not answer.")
    upgrade = say("Upgrade Docker to version 26 or newer.")
    instead = say('Or set "dns" in /etc/docker/daemon.json to name servers without a scope and restart Docker.')
    remedy = Remedy(paragraph(upgrade, instead), (f"grep -n nameserver {look.host.handed.source}",))
    return Outcome(Status.WARN, paragraph(text, fails), remedy)


def _deaf(look: Look, address: str) -> str | None:
    """Return the interface of an address where advertisements are ignored, as the host forwards; None: they are not."""
    kernel = look.host.ipv6.get()
    for link in look.host.links.get():
        if any(entry.address == address for entry in link.addresses):
            return link.name if kernel.forwarding and kernel.accept_ra.get(link.name) == 1 else None
    return None


def lost(look: Look, evidence: Ipv6Evidence, way: Way | None) -> Finding | None:
    """Complain of a default route that goes when Docker switches forwarding on for mailcow's network.

    The kernel then forgets the default routes that it learned from routers, and learns no more, but for interfaces
    with accept_ra=2 (net/ipv6/addrconf.c, rt6_purge_dflt_routers). Routes of systemd-networkd, NetworkManager or
    dhcpcd, which read advertisements themselves, stay.
    """
    kernel, settings = look.host.ipv6.get(), look.host.daemon_config.value
    if not evidence.addresses or way is None or not look.plan.ipv6 or kernel.forwarding:
        return None
    if settings is not None and settings.settings.get("ip-forward") is False:
        return None
    routes = [
        route
        for route in look.host.routes.or_(())
        if route.destination == "::/0" and route.kind == "unicast" and route.interface not in ("", "*")
    ]
    if not routes or not all(route.learned for route in routes):
        return None
    names = list(dict.fromkeys(route.interface for route in routes))
    if any(kernel.accept_ra.get(name) == 2 for name in names):
        return None
    if kernel.forwarding is None or way.interface not in kernel.accept_ra:
        reason = say("Could not read net.ipv6.conf.{interface}.accept_ra.", interface=way.interface)
        help_ = say("Run preflight on the host, or in a container with --network=host.")
        return unknown(reason, help_, evidence=evidence, place="docker-run")
    message = say(
        "The IPv6 default route over {interface} comes from router advertisements. Docker switches IPv6 forwarding on"
        " for mailcow's network, and the kernel then drops this route.",
        interface=way.interface,
    )
    return Finding(
        status=Status.WARN,
        message=message,
        expected="accept_ra = 2",
        found=f"accept_ra = {kernel.accept_ra[way.interface]}",
        evidence=replace(evidence, interface=way.interface, accept_ra=kernel.accept_ra[way.interface]),
        remedy=accepting(way.interface),
    )


def accept_ra(name: str) -> str:
    """Return the line for sysctl by which an interface keeps what routers advertise although the kernel forwards."""
    # A name with a dot in it, of a VLAN, is written with slashes.
    return f"net/ipv6/conf/{name}/accept_ra = 2" if "." in name else f"net.ipv6.conf.{name}.accept_ra = 2"


def accepting(name: str) -> Remedy:
    """Have the kernel accept router advertisements on an interface although it forwards."""
    setting = accept_ra(name)
    text = say("Before you start mailcow, set accept_ra to 2 for {interface}.", interface=name)
    quoted = shlex.quote(setting)
    commands = (f"printf '%s\\n' {quoted} > {ACCEPT_RA}", f"sysctl -p {ACCEPT_RA}")
    return Remedy(text, commands, files=(WrittenFile(ACCEPT_RA, f"{setting}\n"),))
