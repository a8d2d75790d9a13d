"""What containers did that were started for it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Struct

from preflight.facts.base import BEFORE, Fact, about
from preflight.facts.kinds import ImageName, Secret, Word

# Why an engine started no container, as far as that has a name: the control groups are not mounted.
Refusal = Literal["", "cgroups"]


class HealthRun(Struct, frozen=True):
    """What a container with a HEALTHCHECK did: states with the seconds since its start, in order."""

    states: tuple[tuple[float, Word], ...]
    error: Secret = ""  # what the engine said when it would not
    output: Secret = ""  # of the last test that failed
    image: ImageName = ""
    cause: Refusal = ""


class StartRun(Struct, frozen=True):
    """Whether a container started that asked for something, and what the engine said when it did not.

    `granted`: whether it held what it asked for; None: it was not started, or ended before it could tell.
    """

    started: bool
    exit_code: int | None
    error: Secret = ""
    cause: Refusal = ""
    granted: bool | None = None


class Probes(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The probes of a run, by name. One that was not made says why."""

    healthcheck: Annotated[Fact[HealthRun], about("a container with a health check, started for this")] = BEFORE
    privileged: Annotated[Fact[StartRun], about("a privileged container, started for this")] = BEFORE
    limits: Annotated[Fact[StartRun], about("a container with mailcow's limits, started for this")] = BEFORE
