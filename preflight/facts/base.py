"""A fact: a value and where it came from, or the reason why there is none. Imports the kinds of texts alone."""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

from msgspec import Meta, Struct

from preflight.facts.kinds import Argument, Secret, Sentence

T = TypeVar("T")
D = TypeVar("D")


# Why there is no value, as far as that has a name: a redacted document tells this in place of the reason.
Cause = Literal[
    "", "denied", "absent", "copy", "container", "network", "late", "interrupted", "engine", "name-servers", "kernel",
    "unasked", "no-hostname", "no-probe", "offline", "older",
]  # fmt: skip

# Where something is done about a finding. docker-run: how this program is started, by options of `docker run` and ours.
Place = Literal["host", "docker-run", "mailcow.conf", "dns", "provider"]


class Missing(Struct, frozen=True):
    """Why there is no value. `unknown`: could not be found out; `skip`: not asked for, or does not apply.

    `help` is a sentence on what would make it known, `commands` can be pasted for that, and `place` is where that is
    done. `detail`: what another program said of it, in its own words. `cause` names the reason where it is one of those
    that many facts have.
    """

    kind: Literal["unknown", "skip"]
    reason: Sentence
    help: Sentence = ""
    commands: tuple[Secret, ...] = ()
    detail: Secret = ""
    cause: Cause = ""
    place: Place = "host"


class MissingFact(Exception):
    """A fact was read that has no value."""

    def __init__(self, missing: Missing, source: str) -> None:
        super().__init__(missing.reason)
        self.missing = missing
        self.source = source


class Fact(Struct, Generic[T], frozen=True):
    """A value and its source, or the reason why there is none (then `value` means nothing)."""

    source: Argument
    value: T | None = None
    missing: Missing | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.missing is None):
            raise ValueError("a fact has either a value or the reason why there is none")

    def get(self) -> T:
        """Return the value; raise `MissingFact` where there is none."""
        if self.missing is not None:
            raise MissingFact(self.missing, self.source)
        return self.value  # type: ignore[return-value]  # a value that may be None has that in its T

    def or_(self, default: D) -> T | D:
        """Return the value, or `default` where there is none: for what may be left out, never for what decides."""
        return default if self.missing is not None else self.value  # type: ignore[return-value]  # as in `get`

    @property
    def known(self) -> bool:
        """Say whether there is a value."""
        return self.missing is None

    @classmethod
    def of(cls, source: str, value: T) -> Fact[T]:
        """Make a fact that is known."""
        return cls(source, value)

    @classmethod
    def unknown(
        cls,
        source: str,
        reason: str,
        help: str = "",
        *commands: str,
        detail: str = "",
        cause: Cause = "",
        place: Place = "host",
    ) -> Fact[T]:
        """Make a fact that could not be found out; `detail`: what another program said of it."""
        return cls(source, None, Missing("unknown", reason, help, commands, detail, cause, place))

    @classmethod
    def skipped(cls, source: str, reason: str, help: str = "", *, cause: Cause = "") -> Fact[T]:
        """Make a fact that was not asked for or does not apply."""
        return cls(source, None, Missing("skip", reason, help, cause=cause))


def require(*facts: Fact[Any]) -> None:
    """Go on only where all of these have a value: a check that reaches this ends as the first that is missing does."""
    for fact in facts:
        fact.get()


# A part that a version did not know yet which recorded the facts.
BEFORE: Fact[Any] = Fact.unknown(
    "",
    "The recorded facts come from a version that did not collect this.",
    "Run `preflight facts` on that host again, with this version.",
    cause="older",
)


def about(description: str) -> Meta:
    """Say beside a part of the host what it is: for people who read what a check reads, and in the JSON Schema."""
    return Meta(description=description)
