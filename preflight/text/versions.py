"""Versions compared as numbers, and kernels matched against rules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from preflight.facts import OsRelease
    from preflight.mailcow.requirements import KernelRule


def parse_version(text: str) -> tuple[int, ...] | None:
    """Read the dotted numbers that a version starts with: "v2.40.3-desktop.1" -> (2, 40, 3); None: it is none.

    What does not start with a number is no version: "latest31" is not 31.
    """
    match = re.match(r"v?([0-9]{1,9}(?:\.[0-9]{1,9})*)", text.strip()[:100])
    return tuple(map(int, match[1].split("."))) if match else None


def at_least(text: str, lowest: str) -> bool | None:
    """Say whether a version is the lowest one or newer; None: it cannot be read."""
    found, wanted = parse_version(text), parse_version(lowest)
    if found is None or wanted is None:
        return None
    width = max(len(found), len(wanted))
    return found + (0,) * (width - len(found)) >= wanted + (0,) * (width - len(wanted))


def starts_with(text: str, prefix: str) -> bool:
    """Say whether a version starts with these parts: "4.15.0-60-generic" with "4.15.0-60", but not "4.15.0-600"."""
    return re.match(re.escape(prefix) + r"(?![0-9])", text) is not None


def matching_rule(
    rules: tuple[KernelRule, ...], release: str, system: OsRelease | None
) -> tuple[KernelRule | None, KernelRule | None]:
    """Find the rule that a kernel falls under, and the one it may fall under where the distribution is unknown."""
    possible = None
    for rule in rules:
        if rule.prefix and not starts_with(release, rule.prefix):
            continue
        if rule.below and at_least(release, rule.below) is not False:
            continue
        if not rule.os:
            return rule, None
        if system is None:
            possible = possible or rule
        elif system.id == rule.os and (not rule.os_version or starts_with(system.version_id, rule.os_version)):
            return rule, None
    return None, possible
