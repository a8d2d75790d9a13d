"""What the twin says of a case, held against what real packets came to."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

import msgspec
from msgspec import Struct, field

from preflight.facts.twin import Journey, Twin
from tests.differential import counters
from tests.differential.cases import Case
from tests.differential.counters import Place, Rule
from tests.differential.host import Lab, run
from tests.differential.truth import Key, Shot, Truth

LOST = ("refused", "dropped")
BLAMED = 3  # lost packets per case whose rule is looked up
LOOKS = 4  # at the counters, until one agrees: a host sends packets of its own now and then, which move others
# The engine's iptables is found on a path of the twin's own; that of a test's host is not this machine's.
_PROGRAM = """import sys
import preflight.twin.derive_programs as programs
programs.PATH = (sys.argv.pop(1), *programs.PATH)
from preflight.twin.__main__ import main
sys.exit(main(sys.argv[1:]))"""


class Difference(Struct, frozen=True):
    """A packet of which the twin says something else. what: verdict, rule, or crash."""

    what: str
    key: Key | None
    twin: str
    truth: str


class Compared(Struct):
    """A case's result: of each family of addresses, verdicts that agree, undecided ones …; and all differences."""

    case: Case
    seconds: float = 0.0
    figures: dict[int, Counter[str]] = field(default_factory=lambda: {4: Counter(), 6: Counter()})
    differences: list[Difference] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)


def compare(case: Case, links: Path) -> Compared:
    """Put a case in place, ask the twin, and send real packets; `links`: as `linked` returns; raise `Refused`."""
    with Lab(case) as lab:
        result = Compared(lab.case)
        told = ask(lab, links, result)
        lab.mailcow()
        if told is None:
            return result
        if not lab.came_up:
            _no_engine(told, result)
            return result
        with Truth(lab) as truth:
            ways = journeys(told)
            found = truth.all(lambda shot: shot.key in ways and same(ways[shot.key], shot.verdict, shot.key))
            lost = _verdicts(told, found, result)
            for key in lost[:BLAMED] if len(lost) <= BLAMED else (lost[0], lost[len(lost) // 2], lost[-1]):
                _blame(truth, lab, found[key], ways, result)
    return result


def ask(lab: Lab, links: Path, result: Compared) -> Twin | None:
    """Run the twin on the host; note how long it took."""
    request = msgspec.json.encode(lab.case.request()).decode()
    path = links / ("legacy" if lab.case.legacy else "nft")
    began = time.monotonic()
    ran = run(lab.host, [sys.executable, "-I", "-c", _PROGRAM, str(path), request])
    result.seconds = time.monotonic() - began
    if ran.returncode:
        result.differences.append(Difference("crash", None, ran.stderr[-1500:], ""))
        return None
    return msgspec.json.decode(ran.stdout.encode(), type=Twin)


def linked(directory: Path) -> Path:
    """Make directories of links by which `iptables` is that of nf_tables, or of ip_tables."""
    for kind in ("nft", "legacy"):
        (directory / kind).mkdir(parents=True, exist_ok=True)
        for program in ("iptables", "ip6tables"):
            for action in ("", "-save", "-restore"):
                link = directory / kind / f"{program}{action}"
                if not link.is_symlink():
                    link.symlink_to(f"/usr/sbin/{program}-{kind}{action}")
    return directory


def journeys(told: Twin) -> dict[Key, Journey]:
    """Return what the twin says, by packet."""
    found: dict[Key, Journey] = {}
    for arrival in told.arrivals:
        for one in arrival.journeys:
            found[one.source, one.version, "tcp", arrival.port] = one
    for way in told.exits:
        found["out", way.journey.version, way.protocol, way.port] = way.journey
    return found


def _no_engine(told: Twin, result: Compared) -> None:
    """The engine's own commands failed: the twin must say so."""
    judged = [family.version for family in told.families if family.state == "judged"]
    if judged:
        result.differences.append(Difference("verdict", None, f"judged {judged}", "the engine's commands fail"))
    result.figures[4]["engine fails"] += 1


def _verdicts(told: Twin, found: dict[Key, Shot], result: Compared) -> list[Key]:
    """Hold all verdicts against each other; return the packets that are lost by both."""
    ways, lost = journeys(told), []
    blind: dict[int, str] = {
        family.version: f"{family.doubt} {family.detail}".strip()
        for family in told.families
        if family.state != "judged"
    }
    shut: set[int] = {family.version for family in told.families if family.state == "none"}
    for key, shot in found.items():
        figures = result.figures[key[1]]
        figures["packets"] += 1
        way = ways.get(key)
        if key[1] in shut:
            way = Journey(version=4 if key[1] == 4 else 6, source="internet", verdict="dropped")
        if way is None or way.verdict == "unknown":
            why = (way.reason or "unknown") if way else blind.get(key[1], "not said")
            figures["undecided"] += 1
            result.undecided.append(f"IPv{key[1]} {why} {key[0]}")
        elif way.verdict == "depends":
            # Whether a router knows the host already is no more told by the host than the packets of a minute.
            told_why = result.case.rates or way.reason == "sources" or way.depends == ("neighbours",)
            figures["depends" if told_why else "undecided"] += 1
        elif same(way, shot.verdict, key):
            figures["right"] += 1
            if shot.verdict in LOST and key in ways:
                lost.append(key)
        else:
            figures["wrong"] += 1
            culprit = f" {way.culprit}" if way.culprit else ""
            result.differences.append(
                Difference("verdict", key, way.verdict + culprit, f"{shot.verdict} {shot.to}".strip())
            )
    return lost


def same(way: Journey, truth: str, key: Key) -> bool:
    """Say whether two verdicts are the same: a loss is a loss, told or not.

    How much comes through where neighbours cannot ask for each other hangs on who has asked whom before. What a rule
    sends on to a machine that is not there (`to`) is lost, and seen by nobody where neighbours have to be asked for it.
    """
    lost = (*LOST, "oneway") if key[1] == 6 or key[0] == "out" else LOST
    nowhere = way.verdict == "elsewhere" and way.culprit is not None and way.culprit.kind == "nat"
    return way.verdict == truth or ((way.verdict in lost or nowhere) and truth in lost)


def _blame(truth: Truth, lab: Lab, shot: Shot, ways: dict[Key, Journey], result: Compared) -> None:
    """Send more packets, and see whether the rule that the twin names is one that they meet."""
    way = ways[shot.key]
    alike = {one.culprit for key, one in ways.items() if key[1] == 6}
    discovery = shot.key[1] == 6 and len(alike) == 1
    for _ in range(LOOKS):
        before, after = _met(truth, lab, shot)
        answer = counters.agrees(way.culprit, before, after, discovery=discovery)
        if answer is not False:
            break
    result.figures[shot.key[1]][{True: "named", False: "misnamed", None: "no counter"}[answer]] += 1
    if answer is False:
        moved = [
            f"{place}{' drops' if rule.drops else ''}"
            for place, rule in after.items()
            if rule.packets > before.get(place, rule).packets
        ]
        result.differences.append(Difference("rule", shot.key, str(way.culprit), " ".join(moved)))


def _met(truth: Truth, lab: Lab, shot: Shot) -> tuple[dict[Place, Rule], dict[Place, Rule]]:
    """Send a packet, and return the rules with their counters before and after it."""
    # Neighbours are asked for again, be it that this is what a rule stops.
    if shot.key[1] == 6:
        for space in (lab.world, lab.inner, lab.host):
            run(space, ["ip", "-6", "neighbour", "flush", "all"])
    before = counters.read(lab.host, shot.key[1])
    truth.send([shot], 0.12)
    return before, counters.read(lab.host, shot.key[1])
