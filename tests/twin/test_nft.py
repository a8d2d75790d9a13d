"""Copies of nf_tables in the running kernel: nft must say the same of them as of the host's rules."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from preflight.twin.nft import load, read
from preflight.twin.nft.load import Loaded
from preflight.twin.nft.read import Ruleset
from preflight.twin.spaces import Space
from preflight.twin.wire import NETFILTER, Wire
from tests.twin.nft_rules import Rules

Make = Callable[[], Space]
# Where modules are loaded on demand, to ask would load them.
pytestmark = [
    pytest.mark.skipif(shutil.which("nft") is None, reason="needs nft"),
    pytest.mark.skipif(not Path("/proc/self/net/netfilter").exists(), reason="this kernel has no netfilter now"),
]


@contextmanager
def wire(space: Space) -> Iterator[Wire]:
    with space.entered(), Wire(NETFILTER) as one:
        yield one


def nft(*words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(["nft", *words], input=text, text=True, capture_output=True, check=False)


def place(text: str) -> int:
    """Load what this nft and this kernel take of a rule set; return how many of its lines."""
    lines = text.split("\n")
    while (ran := nft("-f", "-", text="\n".join(lines))).returncode:
        bad = {int(number) for number in re.findall(r"stdin:(\d+):", ran.stderr)}
        assert bad, ran.stderr
        lines = [line for number, line in enumerate(lines, 1) if number not in bad]
    return len(lines)


def copied(host: Space, twin: Space, world: Any = "as-is", **more: Any) -> tuple[Ruleset, Loaded]:
    with wire(host) as one:
        rules = read.read(one)
    with wire(twin) as one:
        return rules, load.load(rules, one, world, **more)


def listed(space: Space) -> list[str]:
    """Return what nft says, without what a copy has otherwise: handles, names of its own for sets and chains, logs."""
    with space.entered():
        told: list[dict[str, Any]] = json.loads(nft("-j", "list", "ruleset").stdout)["nftables"]
    own: dict[tuple[str, str, str], Any] = {}
    for one in told:
        for kind in ("set", "map"):
            if kind in one and re.fullmatch(r"__(obj)?(set|map)\d+", one[kind]["name"]):
                own[one[kind]["family"], one[kind]["table"], "@" + one[kind]["name"]] = one[kind].get("elem", [])
    found = []
    for one in told:
        kind, body = next(iter(one.items()))
        where = (body.get("family", ""), body.get("table", ""))
        name = body.get("chain" if kind == "rule" else "name", "")
        if kind == "metainfo" or (*where, f"@{name}") in own or name.startswith("__chain"):
            continue
        body.setdefault("expr", [])
        found.append(json.dumps({kind: _plain(body, where, own)}))
    return found


def _plain(value: Any, where: tuple[str, str], own: dict[tuple[str, str, str], Any]) -> Any:
    if isinstance(value, str) and (*where, value) in own:
        return _plain({"set": own[*where, value]}, where, own)
    if isinstance(value, str) and value.startswith("jump {"):
        return "jump"
    if isinstance(value, list):
        return [_plain(one, where, own) for one in value if not (isinstance(one, dict) and "log" in one)]
    if not isinstance(value, dict):
        return value
    if str(value.get("jump", {})).startswith("{'target': '__chain"):
        return "jump"
    found = {key: _plain(one, where, own) for key, one in value.items() if key not in ("handle", "expires")}
    for key in ("set", "elem"):
        if isinstance(found.get(key), list):
            found[key] = sorted(found[key], key=json.dumps)
    return found


@pytest.mark.parametrize("seed", range(12))
def test_random_rules_are_the_same_in_the_copy(namespaces: Make, seed: int) -> None:
    host, twin = namespaces(), namespaces()
    with host.entered():
        assert place(Rules(seed).text()) > 20
    rules, loaded = copied(host, twin)
    assert (loaded.blind, loaded.uncopied(), loaded.missing) == ("", (), {})
    assert listed(twin) == listed(host)
    assert rules.count == len(loaded.hosts)
    # Copied once more, it is the same messages again.
    third = namespaces()
    again, loaded = copied(twin, third)
    assert loaded.blind == ""
    assert [(one.table, one.name, one.size) for one in again.sets] == [
        (one.table, one.name, one.size) for one in rules.sets
    ]
    assert [(one.chain, one.note, [step.kind for step in one.expressions]) for one in again.rules] == [
        (one.chain, one.note, [step.kind for step in one.expressions if step.kind != "log"]) for one in rules.rules
    ]
