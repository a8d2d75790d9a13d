"""Versions are compared as numbers, and kernels held against rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import OsRelease
from preflight.mailcow import requirements
from preflight.text import versions


def system(identity: str, version: str) -> OsRelease:
    return OsRelease(identity, version, (), f"{identity} {version}", "")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("28.5.2", (28, 5, 2)),
        ("v2.40.3-desktop.1", (2, 40, 3)),
        ("5", (5,)),
        ("26.1.5+dfsg1", (26, 1, 5)),
        ("6.12.41+deb13-amd64", (6, 12, 41)),
        ("latest31", None),
        ("", None),
        ("dev", None),
    ],
)
def test_parse(text: str, numbers: tuple[int, ...] | None) -> None:
    assert versions.parse_version(text) == numbers


@pytest.mark.parametrize(
    ("text", "lowest", "answer"),
    [
        ("24", "24.0.0", True),
        ("24.0.0", "24", True),
        ("23.0.6", "24.0.0", False),
        ("5.0.1", "2.0.0", True),
        ("10.0", "9.9", True),
        ("latest31", "2.0.0", None),
    ],
)
def test_at_least(text: str, lowest: str, answer: bool | None) -> None:
    assert versions.at_least(text, lowest) is answer


@given(st.text(max_size=300), st.text(max_size=30))
def test_any_text_is_answered(text: str, lowest: str) -> None:
    assert versions.at_least(text, lowest) in (True, False, None)


@pytest.mark.parametrize(
    ("release", "identity", "version", "bad"),
    [
        ("3.16.0-4-amd64", "debian", "8", True),
        ("3.16.7", "arch", "", True),
        ("3.160.1", "arch", "", False),
        ("4.8.0-0.bpo.2-amd64", "debian", "8", True),
        ("4.9.0-0.bpo.12-amd64", "debian", "8", False),
        ("4.8.0", "debian", "9", False),
        ("4.15.0-60-generic", "ubuntu", "18.04", True),
        ("4.15.0-601-generic", "ubuntu", "18.04", False),
        ("4.4.0-210-generic", "ubuntu", "16.04", True),
        ("4.4.0", "debian", "9", False),
        ("4.40.0", "ubuntu", "26.04", False),
        ("6.12.41+deb13-amd64", "debian", "13", False),
    ],
)
@pytest.mark.parametrize("name", requirements.NAMES)
def test_kernels(name: str, release: str, identity: str, version: str, bad: bool) -> None:
    rule, possible = versions.matching_rule(requirements.load(name).kernels, release, system(identity, version))
    assert (rule is not None) is bad
    assert possible is None


def test_a_rule_of_a_distribution_is_only_possible_where_the_distribution_is_unknown() -> None:
    rule, possible = versions.matching_rule(requirements.load("current").kernels, "4.15.0-60-generic", None)
    assert rule is None
    assert possible is not None
    assert possible.prefix == "4.15.0-60"
