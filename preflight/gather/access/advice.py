"""What would make a fact known that cannot be read as the program was started, and where that is done."""

from __future__ import annotations

from msgspec import Struct

from preflight.facts import View
from preflight.facts.base import Place
from preflight.text.sentences import say


class Advice(Struct, frozen=True):
    """A sentence on what to do, and where."""

    text: str
    place: Place = "host"


NONE = Advice("")


def add(flag: str) -> Advice:
    """Advise to give our own container a flag."""
    return Advice(say("Add {flag} to docker run.", flag=flag), "docker-run")


def more_rights(view: View) -> Advice:
    """Say how the program may read what is root's alone."""
    return add("--privileged") if view.container else Advice(say("Run the check as root."))


def the_hosts_network(view: View) -> Advice:
    """Say how the program gets into the host's own network."""
    return add("--network=host") if view.container else Advice(say("Run the check on that host itself."))
