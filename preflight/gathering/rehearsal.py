"""The dress rehearsal: whether one is played, with what, and when: after all else that is looked at."""

from __future__ import annotations

import time
from typing import Any

from preflight.facts import NO_SETTINGS, Container, Engine, EngineNetwork, Fact, Ipv6, Rehearsal
from preflight.facts.rehearsal import SixState
from preflight.gather.access.advice import the_hosts_network
from preflight.gather.access.roots import Unreadable
from preflight.gathering import probes, publishing
from preflight.gathering.engine import URL
from preflight.gathering.recipes import PLAN
from preflight.gathering.run import Run
from preflight.mailcow.plan import Plan
from preflight.net.addresses import host_addresses, public, vouched_for
from preflight.probes.registry import REHEARSAL
from preflight.text.sentences import noted, say

SOURCE = "a dress rehearsal"
LOOK = 5.0  # seconds for a look at one network
TARGETS = 3  # servers of each IP version that containers connect to
# What its own network and sockets would show in, and what tells whether there may be one: made before it, asked or not.
BEFORE = ("engine", "daemon_config", "links", "routes", "rules", "ways", "ipv6", "sockets", "binds", "nat")


def rehearsal(run: Run) -> Fact[Rehearsal]:
    """Return what happened in a dress rehearsal, once all else is known that was wished for."""
    if not run.wishes.asked.rehearse:
        return Fact.skipped(SOURCE, say("--rehearse was not given."), cause="unasked")
    if (why := probes.prevented(run)) is not None:
        return why
    for place in (*BEFORE, *sorted(run.wishes.parts - {"rehearsal"})):
        run.fact(place)
    if run.crew.stop.is_set():
        return Fact.unknown(SOURCE, say("The run ended before the rehearsal was finished."), cause="interrupted")
    if not str(run.share(URL)).startswith("unix://"):
        far = say("The engine is on another machine, whose network cannot be inspected from here.")
        return Fact.unknown(SOURCE, far, say("Run preflight on that machine."), cause="engine")
    plan = run.share(PLAN)
    probes.tidy(run)
    return _mailcow(run, plan) or _forwarding(run) or _stays(run) or _played(run, plan)


def _mailcow(run: Run, plan: Plan) -> Fact[Any] | None:
    """Return why there is no rehearsal beside a mailcow, or what is left of one; None: there is none here."""
    engine: Engine = run.fact("engine").get()
    own = [entry for entry in engine.containers if _of_mailcow(entry, plan)]
    if any(entry.state == "running" for entry in own):
        return Fact.skipped(SOURCE, say("mailcow is already running on this host."), cause="engine")
    help = say("Remove it first if it is no longer used (see docker.leftovers).")
    if own:
        there = say("This host already has mailcow containers: {name}.", name=own[0].name)
        return Fact.unknown(SOURCE, there, help, cause="engine")
    networks = [entry for entry in engine.networks if entry.interface == plan.bridge or entry.project == plan.project]
    gone = [entry for entry in networks if entry.run and not _still(run, entry)]
    networks = [entry for entry in networks if entry not in gone]
    if any(entry.run for entry in networks):
        again = say("Wait until it ends. If none is running, run `preflight cleanup`. Then run the check again.")
        return Fact.unknown(SOURCE, say("Another rehearsal is running on this host."), again, cause="engine")
    if networks:
        there = say("This host already has a mailcow network: {name}.", name=networks[0].name)
        return Fact.unknown(SOURCE, there, help, cause="engine")
    if not gone and any(link.name == plan.bridge for link in run.value("links") or ()):
        there = say("The bridge {bridge} already exists on this host.", bridge=plan.bridge)
        return Fact.unknown(SOURCE, there, help, cause="engine")
    if not engine.whole("containers", "networks"):
        why = say("The engine did not list all of its containers and networks.")
        return Fact.unknown(SOURCE, why, say("Remove unused containers and networks."), cause="engine")
    return None


def _still(run: Run, network: EngineNetwork) -> bool:
    """Say whether a rehearsal's network is still there, now that what dead runs left was removed."""
    from preflight.gather.engine.client import EngineError, get

    try:
        get(str(run.share(URL)), f"/networks/{network.id}", time.monotonic() + LOOK)
    except EngineError as error:
        return error.status != 404
    return True


def _of_mailcow(entry: Container, plan: Plan) -> bool:
    return not entry.run and entry.project == plan.project


def _forwarding(run: Run) -> Fact[Any] | None:
    """Return why there is none where the engine would let the host forward packets from now on; None: it would not."""
    engine: Engine = run.fact("engine").get()
    major = engine.version.partition(".")[0]
    # Before 28, Docker switches it on when it starts, and not for a network.
    switches = engine.podman or (major.isdigit() and int(major) >= 28 and _switches(run))
    if not switches:
        return None
    if not run.roots.view.network:
        why = say(
            "Could not determine whether this host forwards packets. A new Docker network would switch forwarding on."
        )
        help = the_hosts_network(run.roots.view)
        return Fact.unknown(SOURCE, why, help.text, place=help.place)
    from preflight.twin.derive import forwards

    if forwards(4):
        return None
    why = say("This host does not forward packets. A new Docker network would switch forwarding on.")
    return Fact.unknown(SOURCE, why, say("Restart Docker, which switches forwarding on, and run the check again."))


# What the probe with published ports was kept from, what would stay of a rehearsal, and what helps.
_STAYS = {
    "missing": noted(
        "Docker's own chains are missing in the firewall of this host. Docker would fail and leave rules behind."
    ),
    "lasting": noted("Docker would move its rules to the top of this host's firewall, and they would stay there."),
}
_HELP = {
    "missing": noted("Restart Docker, which adds its chains again, and run the rehearsal again."),
    "lasting": noted(
        "Check what these rules are for (see firewall.inbound). Starting mailcow moves Docker's rules too."
    ),
}


def _stays(run: Run) -> Fact[Any] | None:
    """Return why there is none where something of it would stay in the firewall; None: nothing shows that."""
    obstacle = run.share(publishing.TRIED).obstacle
    if obstacle not in _STAYS:
        return None
    return Fact.unknown(SOURCE, say(_STAYS[obstacle]), say(_HELP[obstacle]))


def _switches(run: Run) -> bool:
    """Say whether the engine has the host forward packets where its networks need that."""
    return run.fact("daemon_config").or_(NO_SETTINGS).settings.get("ip-forward") is not False


def _six(run: Run, plan: Plan) -> SixState:
    """Say what becomes of mailcow's IPv6 network: it is left out where it would change what stays.

    The engine would switch forwarding on. That may cost the host its own default route (see network.ipv6).
    """
    ipv6: Ipv6 | None = run.value("ipv6")
    if not plan.ipv6:
        return "unwanted"
    if ipv6 is None:
        return "unknown"
    stays = ipv6.supported and _switches(run) and ipv6.forwarding is not True
    return "forwarding" if stays else "made"


def _there(run: Run, path: str) -> bool:
    try:
        return run.roots.exists(path)
    except Unreadable:
        return False


def _played(run: Run, plan: Plan) -> Fact[Rehearsal]:
    from preflight.gather.engine.engine import own_container
    from preflight.probes import bench, frame
    from preflight.probes.registry import Probe
    from preflight.probes.rehearsal.play import rehearse
    from preflight.probes.rehearsal.shape import paths

    links, six = run.value("links") or (), _six(run, plan)
    script = bench.Script(
        plan=plan,
        ipv6=six,
        addresses=(*host_addresses(links, 4)[:2], *host_addresses(links, 6)[:1]),
        targets=_targets(run),
        paths=frozenset(path for path in paths() if _there(run, path)),
        # Where it was, no rehearsal is played (`_mailcow`); where the links are not known, nobody can tell.
        no_bridge=bool(links),
        holder=run.wishes.holder,
        public=_public(run),
    )
    # What was given up before may still have its time; it begins to count here.
    deadline = time.monotonic() + REHEARSAL + frame.TIDYING
    place = bench.Bench(str(run.share(URL)), own_container(run.roots), run.crew.stop, deadline, script=script)
    return frame.run_probe(Probe("rehearsal", REHEARSAL, "", SOURCE, rehearse), place)


def _public(run: Run) -> tuple[str, ...]:
    """Return the addresses by which the world may know this host; its own private ones where there are no others."""
    links, sightings = run.value("links"), run.value("sightings") if "sightings" in run.wishes.parts else None
    vouched = vouched_for(run.wishes.asked, links, sightings or ())
    found = [one for version in (4, 6) for one in public(vouched, links or (), version)[:2]]
    return tuple(found) or (*host_addresses(links or (), 4)[:2], *host_addresses(links or (), 6)[:1])


def _targets(run: Run) -> tuple[tuple[str, int], ...]:
    """Return servers beyond this host that it reaches itself, over TCP: some of each IP version."""
    outgoing = run.value("outgoing") if "outgoing" in run.wishes.parts else None
    reached = [
        (attempt.address, trial.goal.port)
        for trial in (outgoing.trials if outgoing else ())
        for attempt in trial.attempts
        if trial.goal.protocol == "tcp" and attempt.outcome == "reached" and attempt.address
    ]
    chosen: list[tuple[str, int]] = []
    for six in (False, True):
        chosen += [place for place in dict.fromkeys(reached) if (":" in place[0]) is six][:TARGETS]
    return tuple(chosen)
