"""Values of mailcow.conf as they are read, and what can be wrong with one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, Literal, TypeVar

from msgspec import Struct, field

from preflight.facts import Setting

T = TypeVar("T")

# What the words about a kind need beside variable and value stands behind it.
ProblemKind = Literal[
    "refers",  # to another variable, which is not followed
    # Ports and the addresses that they are bound to:
    "not-a-place",  # example
    "no-such-address",  # written
    "unreachable-address",  # address
    "no-port",
    "port-out-of-range",
    "port-range",
    "public",  # address, title
    "port-with-address",  # bind
    "not-a-port",
    "reserved-port",  # port, service
    "not-an-address",
    "no-brackets",
    "port-twice",  # other, port
    # Networks:
    "not-three-octets",
    "not-a-network",
    "not-a-boolean",
    "no-for-compose-only",
    # What only mailcow's own programs read:
    "project-empty",
    "project",
    "hostname-empty",
    "hostname",
    "not-a-zone",
    "unknown-zone",
    "neither-y-nor-n",
    "y-ignored",
    "y-half-ignored",
    "not-a-number",
    "not-a-source",  # version
    "compose-version",
    "no-acme-provider",
    # How a variable is written:
    "set-twice",  # lines
    "shell-differs",  # other
    "shell-reads-nothing",
]


class Problem(Struct, frozen=True):
    """A value in mailcow.conf that mailcow cannot use (fatal), or should not (not fatal)."""

    variable: str
    kind: ProblemKind
    line: int  # 0: in none
    value: str
    fix: str  # the line or lines to write instead; '': none is known
    fatal: bool = True
    details: Mapping[str, str | int] = field(default_factory=dict)
    network: str = ""  # that the fix would give mailcow; '': it gives none


class Meaning(Struct, Generic[T], frozen=True):
    """What mailcow makes of a value, and what is wrong with it."""

    value: T
    problems: tuple[Problem, ...] = ()


class Values(Struct, frozen=True):
    """The variables of mailcow.conf."""

    settings: Mapping[str, Setting]

    def text(self, variable: str) -> str:
        """Return a value; '' where the default is taken instead, as for one that refers to another variable."""
        setting = self.settings.get(variable)
        return setting.value if setting and not setting.refers else ""

    def yes(self, variable: str) -> bool:
        """Read a switch as mailcow's start scripts do: y or yes in any case."""
        return self.text(variable).lower() in ("y", "yes")

    def refers(self, variable: str) -> bool:
        """Say whether a value refers to another variable."""
        setting = self.settings.get(variable)
        return setting is not None and setting.refers

    def reference(self, variable: str, default: str = "") -> tuple[Problem, ...]:
        """Return the remark on a value that refers to another variable, if it does: it counts as the default."""
        if not self.refers(variable):
            return ()
        return (self.problem(variable, "refers", f"{variable}={default}", fatal=False),)

    def problem(
        self, variable: str, kind: ProblemKind, fix: str, *, fatal: bool = True, **details: str | int
    ) -> Problem:
        """Make a problem of a variable, where it stands."""
        setting = self.settings.get(variable, Setting("", 0))
        return Problem(variable, kind, setting.line, setting.value, fix, fatal, details)
