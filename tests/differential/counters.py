"""Which rules a packet meets on the host itself: those whose counters move when it is sent."""

from __future__ import annotations

import json
import re
from typing import Any

from msgspec import Struct

from preflight.facts.twin import Culprit
from preflight.twin.spaces import Space
from tests.differential.host import run

_ENDS = re.compile(r"-[jg] (DROP|REJECT|NFQUEUE|TPROXY|STEAL|SYNPROXY)\b")
_JSON = re.compile(r'"(drop|reject|queue|tproxy|synproxy)": |"name": "(REJECT|NFQUEUE|TPROXY|SYNPROXY|DROP)"')
Place = tuple[str, str, str, int]  # family, table, chain, handle; of ip_tables: legacy …, table, chain, number


class Rule(Struct):
    """A rule or the policy (number 0) of a chain. drops: it may end a packet; counts: it has a counter.

    maps: by a map of verdicts, so that it does not end all packets that it counts.
    """

    packets: int
    drops: bool
    counts: bool = True
    maps: bool = False


def read(space: Space, version: int) -> dict[Place, Rule]:
    """Return all rules of a namespace by their place. What comes by IPv6 may go on by IPv4."""
    found = dict(_nft(space))
    for family in ("ip", "ip6")[: 1 if version == 4 else 2]:
        with space.entered():
            try:
                with open(f"/proc/self/net/{family}_tables_names") as file:
                    tables = file.read().split()
            except OSError:
                tables = []
        program = "iptables-legacy-save" if family == "ip" else "ip6tables-legacy-save"
        for table in tables:
            found |= _legacy(run(space, [program, "-c", "-t", table]).stdout, family, table)
    return found


def _nft(space: Space) -> list[tuple[Place, Rule]]:
    listed: dict[str, Any] = json.loads(run(space, ["nft", "-j", "-a", "list", "ruleset"]).stdout or '{"nftables":[]}')
    found = []
    for one in listed["nftables"]:
        if rule := one.get("rule"):
            counter = _counter(rule["expr"])
            drops = bool(_JSON.search(json.dumps(rule["expr"])))
            place = rule["family"], rule["table"], rule["chain"], rule["handle"]
            found.append(
                (
                    place,
                    Rule(
                        counter["packets"] if counter else 0,
                        drops,
                        counter is not None,
                        any("vmap" in part for part in rule["expr"]),
                    ),
                )
            )
        elif (chain := one.get("chain")) and chain.get("policy") == "drop":
            found.append(((chain["family"], chain["table"], chain["name"], 0), Rule(0, True, False)))
    return found


def _counter(parts: list[Any]) -> dict[str, int] | None:
    """Return a rule's counter that every packet moves which the rule ends: none behind a map of verdicts."""
    for part in parts:
        if isinstance(part, dict) and "vmap" in part:
            return None
        if isinstance(part, dict) and isinstance(part.get("counter"), dict):
            return dict(part["counter"])
    return None


def _legacy(saved: str, family: str, table: str) -> dict[Place, Rule]:
    found: dict[Place, Rule] = {}
    numbers: dict[str, int] = {}
    for line in saved.splitlines():
        if line.startswith(":"):
            name, policy, counts = line[1:].split(" ")
            found[f"legacy {family}", table, name, 0] = Rule(int(counts[1:].split(":")[0]), policy == "DROP")
        elif line.startswith("["):
            counts, _, chain, rest = line.split(" ", 3)
            numbers[chain] = numbers.get(chain, 0) + 1
            found[f"legacy {family}", table, chain, numbers[chain]] = Rule(
                int(counts[1:].split(":")[0]), bool(_ENDS.search(rest))
            )
    return found


def place(culprit: Culprit) -> Place:
    """Return where a culprit stands."""
    if culprit.backend == "ip_tables":
        return f"legacy {culprit.family}", culprit.table, culprit.chain, culprit.number or 0
    return culprit.family, culprit.table, culprit.chain, culprit.handle or 0


def agrees(
    culprit: Culprit | None, before: dict[Place, Rule], after: dict[Place, Rule], *, discovery: bool
) -> bool | None:
    """Say whether the rule that the twin names is one that moved; None: it cannot be told, as it has no counter.

    `discovery`: it may be one that keeps neighbours from finding each other, who do not look for each other each time.
    """
    moved = {one for one, rule in after.items() if rule.packets > before.get(one, rule).packets}
    ended = {one for one in moved if after[one].drops and not after[one].maps}
    silent = any(rule.drops and not rule.counts for rule in after.values())
    if culprit is None or culprit.kind not in ("rule", "policy"):
        return None if silent else not ended
    if culprit.predicted:
        return True if ended else None
    named = after.get(place(culprit))
    if named is None:
        return False
    if culprit.kind == "policy" and (culprit.backend == "nf_tables" or not named.packets):
        found = named.drops and not {one for one in ended if one[3]}
        return found or (None if discovery else False)
    found = place(culprit) in moved
    if not found and ended and all(one[0].startswith("legacy") != (culprit.backend == "ip_tables") for one in ended):
        return None  # ip_tables and nf_tables at the same priority: which of them comes first is not known
    return found or (None if discovery or not named.counts else False)
