"""Whether this host has IPv6 as mailcow will expect it."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.network import whole_ipv6
from preflight.checks.sources import DISABLE_IPV6, issue
from preflight.net.addresses import public_host_addresses
from preflight.packets.routing import way_out
from preflight.report.evidence.network import Ipv6Evidence
from preflight.report.model import Finding, Severity, Status
from preflight.text.sentences import phrase, say


@check(
    severity=Severity.RECOMMENDED,
    reads=("ipv6", "links", "ways", "routes", "rules", "daemon_config", "engine", "engine_start", "handed"),
    remedy="Make IPv6 work fully, or switch it off with ENABLE_IPV6=false in mailcow.conf.",
    docs=(DISABLE_IPV6,),
    sources=(issue(4388), issue(5659)),
)
def ipv6(look: Look) -> Iterator[Finding]:
    """IPv6 works fully or not at all

    If the host has IPv6 but mailcow's network does not, Docker's proxy hides the senders' addresses, and mailcow may
    trust strangers. If the host has an IPv6 address but no route, timeouts delay mail to many servers.
    """
    kernel = look.host.ipv6.get()
    global_ = public_host_addresses(look.host.links.get(), 6)
    way = way_out(look.host, 6)
    evidence = Ipv6Evidence(
        supported=kernel.supported,
        disabled=kernel.disabled,
        addresses=tuple(global_),
        default_route=way is not None,
        enabled=look.plan.ipv6,
    )
    problem = whole_ipv6.off(look, kernel) or whole_ipv6.half(look, global_, way)
    problem = problem or whole_ipv6.scoped(look)
    lost = whole_ipv6.lost(look, evidence, way) if problem is None else None
    if lost:
        yield lost
    elif problem:
        yield Finding(status=problem.status, message=problem.message, evidence=evidence, remedy=problem.remedy)
    elif global_ and way and look.plan.ipv6:
        message = say(
            "IPv6 works: this host has {address} and a default route over {interface}.",
            address=global_[0],
            interface=way.interface,
        )
        yield Finding(status=Status.PASS, message=message, found=global_[0], evidence=evidence)
    else:
        message = say("This host has no IPv6 connection to the Internet. mailcow works without it.")
        yield Finding(status=Status.PASS, message=message, found=phrase("none"), evidence=evidence)
