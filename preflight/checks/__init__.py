"""The checks: pure functions over what is known of a host and what mailcow wants of it.

A check is a generator function in a module of its section, decorated with `@check`. Its id is section and
function name, its title the docstring's first line, why it matters to mailcow the rest of the docstring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field

from preflight.net.addresses import vouched_for
from preflight.report.model import Finding, Remedy, Severity

if TYPE_CHECKING:
    from preflight.facts import Answers, Host
    from preflight.mailcow.plan import Plan
    from preflight.mailcow.requirements import Requirements


class Look(Struct, frozen=True):
    """What a check is given: the host, what mailcow wants of it, and the documented numbers."""

    host: Host
    plan: Plan
    requirements: Requirements
    judged: frozenset[str] | None = None  # ids of all checks of this report; None: every one
    proposals: dict[str, str] = field(default_factory=dict)  # by subject: networks known to be free, of those not seen
    answers: Answers | None = None  # of the DNS, to judge by in place of the resolver's

    @property
    def vouched(self) -> tuple[str, ...]:
        """Return the public addresses of the host that are believed as they are, without a look at its own."""
        return vouched_for(self.host.asked, self.host.links.value, self.host.sightings.or_(()))

    def told_by(self, check: str) -> bool:
        """Say whether another check of this report tells a cause, so that it need not be told again."""
        return self.judged is None or check in self.judged


class Named(Protocol):
    """What a check is run for, where that is more than a name."""

    @property
    def subject(self) -> str:
        """Name it as the report does."""


Subjects = Callable[[Look], "Iterable[str | Named]"]


class Check(Struct, frozen=True):
    """A check and all that it says about itself. `run` is called once per subject (None: it names its own)."""

    id: str
    section: str
    severity: Severity
    title: str
    why: str
    reads: tuple[str, ...]
    remedy: str
    docs: tuple[str, ...]  # pages of documentation
    sources: tuple[str, ...]  # evidence: issues in which the problem was reported
    subject: str  # what a subject is, for the catalogue; "" = one object only
    subjects: Subjects | None
    of_host: bool  # its subjects are what this host has, not what mailcow or this program names
    run: Callable[..., Iterator[Finding]]

    @property
    def links(self) -> tuple[str, ...]:
        """Return all that can be read about this check, the documentation first."""
        return (*self.docs, *self.sources)


_CATALOGUE: list[Check] = []


def check(
    *,
    severity: Severity,
    reads: tuple[str, ...],
    remedy: str,
    docs: tuple[str, ...] = (),
    sources: tuple[str, ...] = (),
    subject: str = "",
    subjects: Subjects | None = None,
    of_host: bool = False,
) -> Callable[[Callable[..., Iterator[Finding]]], Callable[..., Iterator[Finding]]]:
    """Enter a function into the catalogue.

    `reads` names the parts of `Host` that the function (and `subjects`) reads: nothing else is gathered for it.
    `docs` are pages of documentation, `sources` the evidence: issues in which the problem was reported (`sources`).
    With `subjects` the function takes `(look, subject)`, a name or an object that has one, and is run once for each,
    so that each has a result even when a fact is missing; without, it takes `(look)` and may name subjects in its
    findings. `of_host`: the subjects are the host's own (paths, addresses), so that one may be gone another day.
    """

    def enter(function: Callable[..., Iterator[Finding]]) -> Callable[..., Iterator[Finding]]:
        section = function.__module__.split(".")[2]
        title, _, why = (function.__doc__ or "").partition("\n\n")
        name = function.__name__.rstrip("_").replace("_", "-")
        _CATALOGUE.append(
            Check(
                f"{section}.{name}", section, severity, title, " ".join(why.split()), reads, remedy, docs,
                sources, subject, subjects, of_host, function,
            )
        )  # fmt: skip
        return function

    return enter


# Each section in report order, with the modules that hold its checks.
SECTIONS: dict[str, tuple[str, ...]] = {
    "system": (
        "distribution",
        "architecture",
        "virtualization",
        "kernel",
        "kernel_features",
        "programs",
        "security",
        "limits",
    ),
    "resources": ("processor", "memory", "swap", "antivirus", "disk", "inodes"),
    "docker": ("engine", "compose", "packaging", "storage", "settings", "container_starts", "healthcheck", "leftovers"),
    "ports": ("configuration", "free"),
    "services": ("mail",),
    "firewall": ("managers", "backend", "inbound", "forwarding"),
    "clock": ("synchronization", "service", "offset", "timezone"),
    "dns": ("host", "domains", "policies", "announcements"),
    "network": ("subnet", "mtu", "ipv6", "public_address", "outbound", "smtp_out", "recursion", "ping", "blocklists"),
    "rehearsal": ("network", "publish", "health", "egress"),
}


def catalogue() -> tuple[Check, ...]:
    """Return every check, in report order."""
    from importlib import import_module

    order = [f"preflight.checks.{section}.{module}" for section, modules in SECTIONS.items() for module in modules]
    for module in order:
        import_module(module)
    return tuple(sorted(_CATALOGUE, key=lambda entry: order.index(entry.run.__module__)))


__all__ = ["SECTIONS", "Check", "Finding", "Look", "Remedy", "catalogue", "check"]
