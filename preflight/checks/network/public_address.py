"""By which addresses the world sees this host."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.findings import skipped, unknown
from preflight.checks.network import no_way_out
from preflight.checks.network.no_way_out import VERSIONS
from preflight.checks.sources import PREREQUISITES, issue
from preflight.facts.sightings import Sighting
from preflight.net.addresses import host_addresses, of_version, public_host_addresses
from preflight.report.evidence.network import PublicAddressEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import paragraph, say


@check(
    severity=Severity.INFO,
    reads=("sightings", "links", "outgoing", "ways", "routes", "rules"),
    remedy="Pass the public addresses with --public-ip so that DNS records are compared with them.",
    docs=(PREREQUISITES,),
    sources=(issue(2194),),
)
def public_address(look: Look) -> Iterator[Finding]:
    """The Internet sees this host at its own addresses

    DNS records contain the address at which the Internet sees this host. Behind NAT, this is not one of the host's own
    addresses, and mailcow's ports must be forwarded. With several uplinks, mail may leave from an address other than
    the one that the host name resolves to.
    """
    sightings = look.host.sightings.get()
    seen = {family: _seen(sightings, version) for family, version in VERSIONS.items()}
    evidence = PublicAddressEvidence(ipv4=seen["IPv4"], ipv6=seen["IPv6"])
    if any(seen.values()):
        yield _told(look, seen, evidence)
        return
    if (cause := no_way_out.told(look)) is not None:
        yield skipped(cause.reason, evidence=evidence)
    else:
        reason = say("No service on the Internet reported the address of this host.")
        help_ = say("Pass its public addresses with --public-ip.")
        yield unknown(reason, help_, evidence=evidence, place="docker-run")


def _seen(sightings: tuple[Sighting, ...], version: int) -> tuple[str, ...]:
    found = (one.address for one in sightings if one.outcome == "seen" and one.service.version == version)
    return tuple(dict.fromkeys(found))


def _told(look: Look, seen: dict[str, tuple[str, ...]], evidence: PublicAddressEvidence) -> Finding:
    words = [_family(look, family, addresses) for family, addresses in seen.items() if addresses]
    addresses = ", ".join(one for found in seen.values() for one in found)
    if all(fine for fine, _ in words):
        message = paragraph(*(sentence for _, sentence in words))
        return Finding(status=Status.PASS, message=message, found=addresses, evidence=evidence)
    message = paragraph(*(sentence for _, sentence in words))
    text = say("Forward mailcow's ports to this host, and pass the public address with --public-ip.")
    return Finding(
        status=Status.WARN, message=message, found=addresses, evidence=evidence, remedy=Remedy(text, place="host")
    )


def _family(look: Look, family: str, seen: tuple[str, ...]) -> tuple[bool, str]:
    """Say by which address the world sees this host, and whether that is as it should be."""
    values = {"family": family, "seen": ", ".join(seen)}
    if len(seen) > 1:
        return False, say("Services see this host at different addresses over {family}: {seen}.", **values)
    links, version = look.host.links.get(), VERSIONS[family]
    if seen[0] in (*public_host_addresses(links, version), *host_addresses(links, version)):
        return True, say("The Internet sees this host at its own address {seen}.", **values)
    if given := of_version(look.host.asked.public_ips, version):
        if seen[0] in given:
            return True, say("The Internet sees this host at {seen}, as given with --public-ip.", **values)
        other = ", ".join(given)
        return False, say("The Internet sees this host at {seen}, not at {other}.", **values, other=other)
    return False, say(
        "This host is behind NAT: the Internet sees it at {seen}, which is not one of its own addresses.", **values
    )
