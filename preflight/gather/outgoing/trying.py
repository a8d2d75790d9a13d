"""Try many connections at once, in one thread, each within its own time."""

from __future__ import annotations

import errno
import selectors
import time
from collections.abc import Iterable

from preflight.facts.outgoing import Attempt, Outcome
from preflight.gather.outgoing import errors
from preflight.gather.outgoing.connection import Aim, Bounds, Connection

TICK = 0.1  # seconds between looks at the clock, and at whether the run was ended
MOST = 256  # connections at once, well below what a process may have open


def attempt(aims: Iterable[Aim], bounds: Bounds) -> dict[Aim, Attempt]:
    """Try all of these side by side; return what became of each. What is left when the run is ended is missing."""
    made: dict[Aim, Attempt] = {}
    under_way: dict[int, tuple[Aim, Connection]] = {}
    with selectors.DefaultSelector() as selector:
        for aim in list(dict.fromkeys(aims))[:MOST]:
            try:
                connection = Connection(aim, bounds)
            except OSError as error:  # this kernel has no IPv6, or this process too many files open
                outcome: Outcome = "unsent" if error.errno == errno.EAFNOSUPPORT else "late"
                made[aim] = Attempt(aim.address, outcome, error=errors.name(error.errno or 0))
                continue
            connection.begin()
            under_way[connection.descriptor] = (aim, connection)
            event = selectors.EVENT_READ if connection.is_open else selectors.EVENT_WRITE
            selector.register(connection.descriptor, event)
        _finish(selector, under_way, made, bounds)
    return made


def _finish(
    selector: selectors.BaseSelector,
    under_way: dict[int, tuple[Aim, Connection]],
    made: dict[Aim, Attempt],
    bounds: Bounds,
) -> None:
    """Go on with all until each has come to something, or the run is ended; leave none open."""
    while True:
        now = time.monotonic()
        for descriptor, (aim, connection) in list(under_way.items()):
            connection.pass_time(now)
            if connection.made is not None or bounds.stop.is_set():
                if connection.made is not None:
                    made[aim] = connection.made
                selector.unregister(descriptor)
                del under_way[descriptor]
                connection.close()
        if not under_way:
            return
        for key, _ in selector.select(TICK):
            _, connection = under_way[key.fd]
            if connection.made is None:
                connection.go_on()
                if connection.is_open and key.events == selectors.EVENT_WRITE:
                    selector.modify(key.fd, selectors.EVENT_READ)
