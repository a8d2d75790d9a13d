"""What a container's questions to name servers come to, and who stops them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from preflight.checks import Look
from preflight.checks.firewall import engine_rules, verdicts
from preflight.checks.network import no_way_out
from preflight.facts import Asking, Exit, Query, RecursionRun
from preflight.text.sentences import say

# What is wrong with the answers; '' = nothing. closed: neither UDP nor TCP is answered. large: the root's keys do not
# come over UDP, while small answers do; short: nor do they over TCP. intercepted: somebody else answers; proxied: so he
# does, as well as the name servers themselves. few: half of them, or more, are silent. unasked: nothing
# was asked from there.
Cause = Literal["", "unasked", "intercepted", "proxied", "closed", "udp", "stripped", "large", "short", "tcp", "few"]
# With these, Unbound answers (tests/test_real_resolver.py plays each cause).
WORKS: tuple[Cause, ...] = ("", "tcp", "proxied")
# Who stops them. own: this host's firewall, its own packets too; forwarding: what the host forwards alone; beyond: the
# network, behind this host.
Where = Literal["", "own", "forwarding", "beyond"]
READS = ("probes.recursion", "twin", "outgoing", "ways", "routes", "rules", "engine", "daemon_config")
DNS = 53
ENOUGH = 3  # servers of so many operators that give themselves one name are one


class Judged(Struct, frozen=True):
    """What is wrong on the container's side, and on the host's, and who does it."""

    bridge: Cause
    host: Cause
    where: Where


def judge(run: RecursionRun) -> Judged:
    """Tell causes apart, and places by what the host itself sees at the same time."""
    bridge, host = cause(run.bridge), cause(run.host)
    return Judged(bridge, host, _where(run, bridge, host))


def _where(run: RecursionRun, bridge: Cause, host: Cause) -> Where:
    if not bridge or host == "unasked":
        return ""
    if not host or (host in WORKS and bridge not in WORKS):
        return "" if bridge == "unasked" else "forwarding"
    ends = [one.outcome for one in run.host.queries if one.outcome != "answered" and one.question != "canary"]
    return "own" if ends and ends.count("denied") * 2 > len(ends) else "beyond"


def cause(side: Asking) -> Cause:
    """Say what is wrong with one side's answers, the worst alone: what follows from another cause is none."""
    if not any(one.question == "zone" for one in side.queries):
        return "unasked"
    udp, keys, tcp = _of(side, "udp", "zone"), _given(side, "udp"), _given(side, "tcp")
    found = _unanswered(udp, tcp) or _spoiled(udp, keys, tcp)
    if intercepted(side):
        return "proxied" if _good(udp) and found in WORKS else "intercepted"
    return found


def _unanswered(udp: list[Query], tcp: list[Query]) -> Cause:
    """Say whether too few answer over UDP: where half are silent, it is chance whether Unbound asks others in time."""
    if found := _answered(udp):
        return "few" if len(found) * 2 <= len(udp) else ""
    return "udp" if tcp else "closed"


def _spoiled(udp: list[Query], keys: list[Query], tcp: list[Query]) -> Cause:
    """Say what is wrong where small answers come over UDP."""
    # A server whose answer is truncated has no room for signatures, and TCP is asked next.
    whole = [one for one in (*_answered(udp), *keys) if not one.truncated] or tcp
    if sum(not one.signed for one in whole) * 2 > len(whole):
        return "stripped"
    if tcp:
        return "" if keys else "large"
    return "tcp" if any(not one.truncated for one in keys) else "short"


def _good(udp: list[Query]) -> bool:
    """Say whether all that came is a zone's start as its own servers give it: no error, no referral, and signed."""
    return all(one.code == 0 and one.records > 0 and one.signed for one in _answered(udp))


def _given(side: Asking, protocol: str) -> list[Query]:
    """Return the answers that hold a zone's keys, or say that they are too long; a refusal is neither."""
    found = _answered(_of(side, protocol, "keys"))
    return [one for one in found if one.truncated or (one.code == 0 and one.records > 0)]


def _of(side: Asking, protocol: str, question: str) -> list[Query]:
    return [one for one in side.queries if (one.protocol, one.question) == (protocol, question)]


def _answered(queries: Iterable[Query]) -> list[Query]:
    return [one for one in queries if one.outcome == "answered"]


def intercepted(side: Asking) -> bool:
    """Say whether somebody answers in place of name servers.

    He answers where nobody is, offers recursion or is no authority (RFC 1035, 4.1.1), or is the same one everywhere.
    """
    if _answered(_of(side, "udp", "canary")):
        return True
    own = [one for one in _answered(side.queries) if one.question in ("zone", "keys")]
    foreign = [one for one in own if one.recursive or not one.authoritative]
    if len(foreign) * 2 > len(own):
        return True
    names = {one.address: one.text for one in _answered(_of(side, "udp", "who")) if one.text}
    return len(names) >= ENOUGH and len(set(names.values())) == 1


def told_elsewhere(look: Look, *, host: bool, ports: tuple[int, ...] = ()) -> str | None:
    """Return why there is no finding here: another check tells the cause of all that does not get out; None: none.

    `host`: the host itself fares well. `ports`: whose way out of mailcow's network has to be stopped; without, all that
    is sent.
    """
    if (out := no_way_out.told(look)) is not None and not out.names:
        return say("Nothing gets out of this host (see network.outbound).")
    if host and look.host.twin.value is not None and engine_rules.told(look):
        return say("Docker's own rules are missing on this host (see firewall.backend).")
    exits = _exits(look) if look.told_by("firewall.forwarding") else []
    lost = [one for one in exits if one.journey.verdict in (*verdicts.LOST, "proxy")]
    if ports and any(one.port in ports for one in lost):
        return say("This host's firewall stops DNS queries from mailcow's network (see firewall.forwarding).")
    if lost and len(lost) == len(exits):
        return say("This host's firewall lets nothing out of mailcow's network (see firewall.forwarding).")
    return None


def unasked(run: RecursionRun) -> tuple[str, str, tuple[str, ...]]:
    """Say why no container asked, what would help, and with which commands."""
    if run.bridge.spared == "modules":
        why = say("No container on this host has its own network yet, and the first one would load a kernel module.")
        return why, say("Start a container with a published port once, then run this check again."), ()
    if run.bridge.spared:
        return (
            say("Cannot list the kernel modules, and a container may load one."),
            say("Run preflight as root."),
            (),
        )
    reason = say("The engine did not let a container send queries on its bridge.")
    help = say("Check the engine's log and whether its bridge is disabled.")
    return reason, help, ("docker network ls",)


def unlike_mailcows(look: Look, judged: Judged) -> bool:
    """Say whether rules stop Docker's own bridge, which the container is on, and let mailcow's network out.

    As they do where they name a bridge, or a subnet: those that firewall.forwarding advises do.
    """
    asked = [one.journey.verdict for one in _exits(look) if one.port == DNS]
    stopped = judged.where == "forwarding" and not judged.host and judged.bridge in ("closed", "udp", "tcp")
    return stopped and bool(asked) and set(asked) == {"delivered"}


def _exits(look: Look) -> list[Exit]:
    """Return what the twin knows of packets that mailcow's network sends over IPv4."""
    twin = look.host.twin.value
    judged = {one.version for one in twin.families if one.state == "judged"} if twin else set()
    return [one for one in twin.exits if one.journey.version == 4] if twin and 4 in judged else []
