"""What became of mailcow's network in the rehearsal."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from preflight.checks import Look, check
from preflight.checks.findings import unknown
from preflight.checks.remedies import distro
from preflight.checks.sources import DISABLE_IPV6, PACKET_FILTERING, issue
from preflight.facts import Rehearsal
from preflight.facts.rehearsal import Trouble
from preflight.report.evidence.rehearsal import RehearsedNetworkEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import noted, paragraph, phrase, say


class Refused(Struct, frozen=True):
    """What the engine's words mean, and what is done about it."""

    message: str
    help: str


_REFUSED: dict[Trouble, Refused] = {
    "overlap": Refused(
        noted("Docker refuses mailcow's network: its subnet overlaps with an existing network."),
        noted("Set another network in mailcow.conf (see network.subnet)."),
    ),
    "bridge": Refused(
        noted("Docker refuses mailcow's network: another network already has its bridge."),
        noted("Remove that network if it is no longer used (see docker.leftovers)."),
    ),
    "chains": Refused(
        noted("Docker cannot create mailcow's network: Docker's own chains are missing in this host's firewall."),
        noted("Restart Docker, which adds its chains again. Then find out what removes them."),
    ),
    "tables": Refused(
        noted("Docker cannot create mailcow's network: the kernel lacks firewall features that Docker needs."),
        noted("If the kernel was upgraded, reboot this host. Otherwise, see system.kernel-features."),
    ),
    "ip6tables": Refused(
        noted("Docker cannot create mailcow's network: its rules for IPv6 are refused (ip6tables)."),
        noted("If this host has no IPv6, set ENABLE_IPV6=false in mailcow.conf. Otherwise, see firewall.backend."),
    ),
    "no-ipv6": Refused(
        noted("Docker cannot create mailcow's network: this kernel has no IPv6."),
        noted("Set ENABLE_IPV6=false in mailcow.conf, or switch IPv6 on (see network.ipv6)."),
    ),
    "forwarding": Refused(
        noted("Docker refuses mailcow's network: this host does not forward packets."),
        noted("Switch forwarding on (see firewall.forwarding)."),
    ),
    "kernel": Refused(
        noted("Docker cannot create mailcow's network: the kernel does not support bridges or virtual Ethernet pairs."),
        noted("If the kernel was upgraded, reboot this host. Otherwise, see system.kernel-features."),
    ),
    "": Refused(
        noted("Docker refuses mailcow's network."),
        noted("Check Docker's message and log, fix the cause, and run the rehearsal again."),
    ),
}

_ITS_VARIABLES = ("IPV4_NETWORK", "IPV6_NETWORK", "ENABLE_IPV6")


@check(
    severity=Severity.REQUIRED,
    reads=("rehearsal", "services", "os_release"),
    remedy="Follow Docker's message: free mailcow's bridge, and free its subnet or set another one in mailcow.conf.",
    docs=(DISABLE_IPV6, PACKET_FILTERING),
    sources=(issue(2854),),
)
def network(look: Look) -> Iterator[Finding]:
    """Docker can create mailcow's network

    In the rehearsal, Docker creates mailcow's network as Compose will: its bridge, its subnets, IPv6, and the fixed
    addresses of containers. If Docker refuses it, none of mailcow's containers starts.
    """
    run = look.host.rehearsal.get()
    if not run.network.made:
        yield _refused(look, run)
    elif wrong := [one.variable for one in look.plan.problems if one.fatal and one.variable in _ITS_VARIABLES]:
        yield _by_default(run, wrong)
    elif run.network.ipv6 in ("forwarding", "unknown"):
        yield _half(run)
    elif lost := [one.name for one in run.containers if one.address and one.given and one.address not in one.given]:
        message = say("Docker did not give these containers their fixed addresses: {names}.", names=", ".join(lost))
        remedy = Remedy(say("Restart Docker, and run the rehearsal again."), distro.restart(look.host, "docker"))
        yield _told(run, Status.FAIL, message, remedy)
    elif run.network.ipv6 == "missing":
        message = say("Docker created mailcow's network without IPv6, although mailcow.conf enables it.")
        yield _told(run, Status.WARN, message, Remedy(say("Enable IPv6 in Docker (see docker.daemon-config).")))
    else:
        yield _told(run, Status.PASS, _made(run))


def _made(run: Rehearsal) -> str:
    if run.network.ipv6 == "made":
        subnets = ", ".join(run.network.subnets)
        bridge = run.network.bridge
        return say("Docker created mailcow's network on {bridge}: {subnets}.", bridge=bridge, subnets=subnets)
    return say(
        "Docker created mailcow's network on {bridge}, for IPv4 only, as set in mailcow.conf: {subnet}.",
        bridge=run.network.bridge, subnet=run.network.subnets[0],
    )  # fmt: skip


def _by_default(run: Rehearsal, variables: list[str]) -> Finding:
    """Say that Compose will be told something else than what was rehearsed."""
    names = ", ".join(variables)
    reason = say(
        "mailcow cannot use mailcow.conf's values for {names}, so the rehearsal used the defaults instead.", names=names
    )
    help = say("Correct mailcow.conf (see ports.configuration), then run the rehearsal again.")
    return unknown(reason, help, evidence=_evidence(run))


def _half(run: Rehearsal) -> Finding:
    """Say that IPv6 was not rehearsed, and why."""
    if run.network.ipv6 == "unknown":
        reason = say("Could not determine whether this host forwards IPv6 packets. Docker would enable this.")
        help = say("Run preflight as root in the host's network.")
    else:
        reason = say("Docker would enable IPv6 forwarding on this host, and it would stay enabled.")
        help = say(
            "Set up IPv6 in Docker first (see docker.daemon-config and network.ipv6), then run the rehearsal again."
        )
    message = paragraph(say("Docker created mailcow's network for IPv4. IPv6 was not rehearsed."), reason)
    return unknown(reason, help, message=message, evidence=_evidence(run), found=phrase("IPv4 only"))


def _refused(look: Look, run: Rehearsal) -> Finding:
    if run.network.cause == "rival":
        reason = say("Another rehearsal was running on this host.")
        return unknown(reason, say("Run the rehearsal again."), detail=run.network.error, evidence=_evidence(run))
    refused = _REFUSED.get(run.network.cause, _REFUSED[""])
    commands = distro.restart(look.host, "docker") if run.network.cause == "chains" else ()
    return _told(run, Status.FAIL, say(refused.message), Remedy(say(refused.help), commands))


def _told(run: Rehearsal, status: Status, message: str, remedy: Remedy | None = None) -> Finding:
    return Finding(
        status=status,
        message=message,
        detail=run.network.error or None,
        expected=phrase("created"),
        found=phrase("created") if run.network.made else phrase("refused"),
        evidence=_evidence(run),
        remedy=remedy,
    )


def _evidence(run: Rehearsal) -> RehearsedNetworkEvidence:
    network = run.network
    return RehearsedNetworkEvidence(
        made=network.made, bridge=network.bridge, subnets=network.subnets, ipv6=network.ipv6, cause=network.cause,
        containers={one.name: one.given for one in run.containers if one.given},
    )  # fmt: skip
