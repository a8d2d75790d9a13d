"""What containers did that were started for it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Struct

from preflight.facts.base import BEFORE, Fact, about
from preflight.facts.kinds import ChainName, ImageName, Secret, Version, Word
from preflight.facts.recursion import RecursionRun

# Why an engine started no container, as far as that has a name. cgroups: the control groups are not mounted; every: it
# said the same of the privileged container, so it starts none at all.
Refusal = Literal["", "cgroups", "every"]


class HealthRun(Struct, frozen=True):
    """What a container with a HEALTHCHECK did: states with the seconds since its start, in order.

    `ended`: it ended by itself, which it should not, with `exit_code` (None: not told).
    """

    states: tuple[tuple[float, Word], ...]
    error: Secret = ""  # what the engine said when it would not, or of a container that ended
    output: Secret = ""  # of the last test that failed
    image: ImageName = ""
    cause: Refusal = ""
    ended: bool = False
    exit_code: int | None = None


class TimeoutRun(Struct, frozen=True, omit_defaults=True):
    """What a container did whose health check hangs: states with the seconds since its start, in order.

    `gone`: whether the process of the check was gone once its time was over; None: nobody knows. `late`: it began too
    late, or not at all, to be held against its timeout. `withheld`: the version of an engine on which this was not
    tried, as that could bring the engine down.
    """

    states: tuple[tuple[float, Word], ...] = ()
    error: Secret = ""  # what the engine said when it would not, or of a container that ended
    output: Secret = ""  # what it said of the check
    gone: bool | None = None
    withheld: Version = ""
    late: bool = False


class ExecRun(Struct, frozen=True, omit_defaults=True):
    """How commands ended that were run in a container one after another: the first was to end with 1, the next with 2.

    None: the engine never said how it ended. `error`: what it said of the one that it did not run. `wanted`: how many
    were to be run; fewer were, without an error, where the probe's time was over.
    """

    codes: tuple[int | None, ...] = ()
    error: Secret = ""
    wanted: int = 20


class StartRun(Struct, frozen=True):
    """Whether a container started that asked for something, and what the engine said when it did not.

    `granted`: whether it held what it asked for; None: it was not started, or ended before it could tell.
    """

    started: bool
    exit_code: int | None
    error: Secret = ""
    cause: Refusal = ""
    granted: bool | None = None


class Differing(Struct, frozen=True, omit_defaults=True):
    """A rule by which an engine's own differ from those that were derived for it.

    `only`: who has it; order: both have the same rules in the chain, in another order. `rule`: with {bridge}, {port}
    and the like in the places of the names of what was started.
    """

    version: Literal[4, 6]
    only: Literal["engine", "derived", "order"]
    table: ChainName
    chain: ChainName
    rule: Secret = ""


class PublishRun(Struct, frozen=True, omit_defaults=True):
    """The rules that the engine added for a network and its published ports, held against those derived.

    `versions`: of which the rules were compared. `more`: differences beyond those listed. `doubt`: why the engine's
    rules cannot be carried over to mailcow's network; '' = they can.
    """

    versions: tuple[Literal[4, 6], ...]
    differing: tuple[Differing, ...] = ()
    more: int = 0
    doubt: Secret = ""


class Probes(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The probes of a run, by name. One that was not made says why."""

    healthcheck: Annotated[Fact[HealthRun], about("a test container with a health check")] = BEFORE
    timeout: Annotated[Fact[TimeoutRun], about("a test container with a health check that hangs")] = BEFORE
    executions: Annotated[Fact[ExecRun], about("commands that were run in a test container")] = BEFORE
    privileged: Annotated[Fact[StartRun], about("a privileged test container")] = BEFORE
    limits: Annotated[Fact[StartRun], about("a test container with mailcow's limits")] = BEFORE
    publishing: Annotated[
        Fact[PublishRun], about("the rules that Docker added for a test network and its published ports")
    ] = BEFORE
    recursion: Annotated[Fact[RecursionRun], about("answers of name servers on the Internet to a test container")] = (
        BEFORE
    )
