"""What is to be gathered, and what the recipe of a part is given for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from preflight.facts import Asked, ConfFile, Fact, OsRelease
from preflight.gather.access.crew import Crew
from preflight.gather.access.roots import Roots
from preflight.probes.registry import REHEARSAL

if TYPE_CHECKING:
    from preflight.probes.rehearsal.holding import Holder

T = TypeVar("T")


class Before(Struct, frozen=True):
    """What an earlier look found, for one that asks only some parts again: `asked`.

    `facts` by place, of the parts that were wished for; `bases`: the parts that each was built on.
    """

    facts: Mapping[str, Fact[Any]]
    bases: Mapping[str, frozenset[str]]
    asked: frozenset[str]


class Wishes(Struct, frozen=True):
    """What to gather: the parts, and what the user and the documents say about them."""

    asked: Asked
    parts: frozenset[str]
    environ: Mapping[str, str]
    seconds: float = 30.0
    conf: ConfFile | None = None  # the mailcow.conf that was named, where it is read already
    docker_host: str | None = None
    root_given: bool = False
    resolvers: tuple[str, ...] = ()
    time_servers: tuple[str, ...] = ()
    web_servers: tuple[str, ...] = ()  # whose Date is the last resort
    outbound: tuple[str, ...] = ()  # in place of the connections that mailcow's documents name
    smtp_targets: tuple[str, ...] = ()  # in place of the mail servers of several operators
    blocklists: tuple[str, ...] = ()  # in place of the usual ones
    address_services: tuple[str, ...] = ()  # in place of the usual ones
    ping_targets: tuple[str, ...] = ()  # in place of those of mailcow's health check
    commands: tuple[str, ...] = ()
    holder: Holder | None = None  # who keeps a rehearsal up
    unsafe: Callable[[str, OsRelease | None], str] = lambda _release, _system: ""  # why no container may be started
    before: Before | None = None  # what is not asked for again

    @property
    def longer(self) -> float:
        """Return the seconds that a rehearsal takes at most, after all else: they are not the deadline's."""
        if not self.asked.rehearse or "rehearsal" not in self.parts:
            return 0.0
        return REHEARSAL + (self.holder.seconds if self.holder else 0.0)


class Run(Struct, frozen=True):
    """Where the host is, what is wished for, and the crew that makes other parts.

    `bases`: what each part asked for while it was made, noted for a later look (`again`). `place`: the part that this
    is for, or `/name` for what several share.
    """

    roots: Roots
    wishes: Wishes
    crew: Crew
    place: str = ""
    bases: dict[str, set[str]] = field(default_factory=dict)

    def fact(self, place: str, spare: float = 0.0) -> Fact[Any]:
        """Return another part, once it is made; late, or `spare` seconds before the deadline, it says so."""
        self._note(place)
        fact: Fact[Any] = self.crew.get(place, spare)
        return fact

    def value(self, place: str) -> Any:
        """Return another part's value; None where it has none."""
        return self.fact(place).value

    def share(self, shared: Shared[T]) -> T:
        """Return what several parts build on; where it is not there, neither is the part that asks for it."""
        name = f"/{shared.name}"
        self._note(name)
        return self.crew.share(shared.name, lambda: shared.make(replace(self, place=name)))

    def _note(self, other: str) -> None:
        # One thread makes a part: nobody else writes to its set.
        self.bases.setdefault(self.place, set()).add(other)


class Shared(Struct, Generic[T], frozen=True):
    """What several parts build on and is none itself: made once, when it is first asked for."""

    name: str
    make: Callable[[Run], T]


Recipe = Callable[[Run], Fact[Any]]
