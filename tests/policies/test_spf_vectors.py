"""The evaluator against the test suite of RFC 7208 (openspf.org, release 2014.04; its licence lies beside it)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from preflight.policies.spf.evaluation import evaluate
from preflight.policies.spf.macros import Mail
from tests.policies.zones import Zone, lookup

SUITE = Path(__file__).with_name("rfc7208-tests.yml")
# Of two results that the suite allows, and of explanations, none is asked for: only the result counts.


@cache
def scenarios() -> tuple[dict[str, Any], ...]:
    return tuple(YAML(typ="safe", pure=True).load_all(SUITE.read_text("utf-8")))


def cases() -> Iterator[Any]:
    for scenario in scenarios():
        zone = {name: rows(given) for name, given in scenario["zonedata"].items()}
        for name, case in scenario["tests"].items():
            yield pytest.param(zone, case, id=name)


def rows(given: list[Any]) -> list[Any]:
    """Read a name's records. SPF records are those of type TXT too, unless the suite gives that type itself."""
    made: list[Any] = []
    own = any(isinstance(entry, dict) and "TXT" in entry for entry in given)
    for entry in given:
        if not isinstance(entry, dict):
            made.append(entry)
            continue
        ((kind, value),) = entry.items()
        if value == "NONE":
            continue
        kinds = ("TXT",) if kind == "SPF" and not own else (kind,)
        made += [(one, data(one, value)) for one in kinds]
    return made


def data(kind: str, value: Any) -> Any:
    if kind in ("TXT", "SPF") and value != "TIMEOUT":
        parts = [value] if isinstance(value, str) else value
        return tuple(part.encode().decode("latin-1") for part in parts)
    if kind == "MX" and value != "TIMEOUT":
        return f"{value[0]} {value[1]}."
    return f"{value}." if kind in ("PTR", "CNAME") and value != "TIMEOUT" else value


@pytest.mark.parametrize(("zone", "case"), list(cases()))
def test_the_suite(zone: Zone, case: dict[str, Any]) -> None:
    sender = case["mailfrom"] or f"postmaster@{case['helo']}"
    sender = sender if "@" in sender else f"postmaster@{sender}"
    verdict = evaluate(lookup(zone), Mail(str(case["host"]), sender, case["helo"]))
    expected = case["result"]
    assert verdict.outcome in ([expected] if isinstance(expected, str) else expected), (verdict, case)


def test_the_suite_is_whole() -> None:
    assert sum(len(scenario["tests"]) for scenario in scenarios()) == 203
