"""The parts of a host: every fact of it by its place, as `memory` and `probes.limits`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_type_hints

from msgspec import Meta, Struct

from preflight.facts.base import Fact
from preflight.facts.host import Host
from preflight.facts.probes import Probes

HEAD = ("schema", "version", "started", "seconds", "view", "asked")  # of the look as a whole
GROUPS: dict[str, type[Probes]] = {"probes": Probes}
_NO_PARTS = frozenset({*HEAD, "pseudonyms"})
PARTS = tuple(
    place
    for name in Host.__struct_fields__
    if name not in _NO_PARTS
    for place in ([f"{name}.{inner}" for inner in GROUPS[name].__struct_fields__] if name in GROUPS else [name])
)


def fact(host: Host, place: str) -> Fact[Any]:
    """Return the fact at a place."""
    group, _, name = place.rpartition(".")
    found: Fact[Any] = getattr(getattr(host, group) if group else host, name)
    return found


def descriptions() -> dict[str, str]:
    """Return what each part is, by its place."""
    return {
        **_described(Host, ""),
        **{place: text for group, kind in GROUPS.items() for place, text in _described(kind, f"{group}.").items()},
    }


def _described(struct: type[Struct], prefix: str) -> dict[str, str]:
    hints = get_type_hints(struct, include_extras=True)
    return {
        f"{prefix}{name}": about.description
        for name, hint in hints.items()
        for about in getattr(hint, "__metadata__", ())
        if isinstance(about, Meta) and about.description
    }


def fields(facts: Mapping[str, Fact[Any]]) -> dict[str, Any]:
    """Return facts by their places as the fields of a `Host`."""
    whole: dict[str, Any] = {place: found for place, found in facts.items() if "." not in place}
    for group, kind in GROUPS.items():
        inner = {place.partition(".")[2]: found for place, found in facts.items() if place.startswith(f"{group}.")}
        whole[group] = kind(**inner)
    return whole
