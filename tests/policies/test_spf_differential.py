"""Our evaluator against another one, spftrace, on random zones: both come to the same.

They are known to differ in void lookups, which are not counted here: ours counts none where a name lacks IPv6 alone,
and spftrace counts one that is repeated once. And spftrace takes an empty label for a fault of the record; no record
has one.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import random
from collections.abc import Callable
from typing import Any

import pytest

from preflight.facts import Answer
from preflight.facts.records import Mx, Txt
from preflight.net.addresses import reverse_name
from preflight.net.hostnames import bare
from preflight.policies.spf import evaluation
from preflight.policies.spf.evaluation import evaluate
from preflight.policies.spf.macros import Mail
from tests.policies.zones import Zone, lookup
from tests.tools import lacking

NAMES = ("example.org", "mail.example.org", "a.test", "b.test", "c.test", "gone.test", "slow.test", "1.2.0.192.r.test")
IPV4, IPV6 = ("192.0.2.1", "192.0.2.77", "198.51.100.7"), ("2001:db8::1", "2001:db8:1::7")
DOMAINS = (*NAMES, "%{d}", "%{o}", "%{d1}.test", "%{ir}.r.test", "%{l}.test", "%{h}")
NETWORKS = (*(f"ip4:{one}{length}" for one in (*IPV4, "192.0.2.0", "300.1.1.1") for length in ("", "/24", "/33")),
            *(f"ip6:{one}{length}" for one in (*IPV6, "::") for length in ("", "/32", "/129")))  # fmt: skip
WITHOUT_LIMIT = 1 << 20


def term(chance: random.Random) -> str:
    kind = chance.choice(("a", "a", "mx", "mx", "include", "include", "exists", "ptr", "all", "network", "bogus:x"))
    mark = chance.choice(("", "", "", "+", "-", "~", "?"))
    if kind == "network":
        return mark + chance.choice(NETWORKS)
    if kind in ("include", "exists"):
        return f"{mark}{kind}:{chance.choice(DOMAINS)}"
    if kind in ("a", "mx"):
        length = chance.choice(("", "", "", "/24", "//64", "/24//48", "/0", "/33"))
        return f"{mark}{kind}{chance.choice(('', f':{chance.choice(DOMAINS)}'))}{length}"
    return mark + kind


def record(chance: random.Random) -> str:
    terms = [term(chance) for _ in range(chance.randint(0, 5))]
    if chance.random() < 0.2:
        terms.insert(chance.randint(0, len(terms)), f"redirect={chance.choice(DOMAINS)}")
    return " ".join(("v=spf1", *terms))


def zone(chance: random.Random) -> Zone:
    made: dict[str, list[Any]] = {"slow.test": ["TIMEOUT"]}
    for name in NAMES:
        if name in ("gone.test", "slow.test"):
            continue
        rows = [("TXT", record(chance)) for share in (0.9, 0.03) if chance.random() < share]
        rows += [("A", one) for one in IPV4 if chance.random() < 0.3]
        rows += [("AAAA", one) for one in IPV6 if chance.random() < 0.3]
        made[name] = rows + [("MX", f"10 {other}.") for other in NAMES if chance.random() < 0.15]
    for one in (*IPV4, *IPV6):
        if chance.random() < 0.5:
            made[reverse_name(one)] = [("PTR", f"{chance.choice(NAMES)}.")]
    return made


def theirs(ask: Callable[[str, str], Answer], mail: Mail) -> str:
    """Return what spftrace comes to."""
    spftrace: Any = importlib.import_module("spftrace")

    class Resolver(spftrace.BaseResolver):  # type: ignore[misc]
        async def _lookup(self, name: str, kind: str) -> tuple[str, list[str]]:
            answer = ask(name, kind)
            return answer.rcode.upper(), [_data(one) for one in answer.records]

    limits = spftrace.Limits(max_queries=WITHOUT_LIMIT, max_void=WITHOUT_LIMIT)
    result = asyncio.run(spftrace.Evaluator(Resolver(), limits).evaluate(mail.address, mail.sender, mail.helo))
    return str(result.verdict)


def _data(one: Any) -> str:
    if isinstance(one, Txt):
        return one.text
    return bare(one.exchange) if isinstance(one, Mx) else bare(str(one))


@pytest.mark.parametrize("start", range(0, 400, 50))
def test_two_evaluators_come_to_the_same(start: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("spftrace") is None:
        lacking("spftrace")
    monkeypatch.setattr(evaluation, "VOIDS", WITHOUT_LIMIT)
    outcomes = set()
    for seed in range(start, start + 50):
        chance = random.Random(seed)
        world, address = zone(chance), chance.choice((*IPV4, *IPV6))
        mail = Mail(address, "postmaster@example.org", "mail.example.org")
        verdict = evaluate(lookup(world), mail)
        assert verdict.outcome == theirs(lookup(world), mail), (seed, address, verdict, world)
        outcomes.add(verdict.outcome)
    assert {"pass", "neutral", "permerror"} <= outcomes
