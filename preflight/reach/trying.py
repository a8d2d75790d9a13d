"""The client: names are resolved, every port is tried at every address, all side by side."""

from __future__ import annotations

import errno
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence

from msgspec import Struct

from preflight.gather.outgoing import errors
from preflight.net.addresses import is_public, parse_address, unmapped
from preflight.reach import hearing, protocol
from preflight.reach.facts import Attempt, Control, Look
from preflight.reach.knock import Aim, Knock, Question, plain
from preflight.reach.line import Line

TICK = 0.1  # seconds between looks at the clock, and at whether the run was ended
RESOLVING = 5.0  # seconds
MOST = 200  # connections at once, well below what a process may have open
MOST_ADDRESSES = 12  # all that a line has, and some of the name
GREETING = 8.0  # seconds for a mail server elsewhere: some wait before they greet
CONTROLS = 4  # mail servers that are tried
Tell = Callable[[Attempt], None]


class Bounds(Struct, frozen=True):
    """How long is tried: until `deadline` of time.monotonic(), or until `stop` is set."""

    deadline: float
    stop: threading.Event


def look(line: Line, controls: Sequence[tuple[str, int]], bounds: Bounds, tell: Tell) -> Look:
    """Try all that a line tells. `controls`: mail servers elsewhere, for the port that many networks close outwards."""
    began, now = time.monotonic(), int(time.time())
    resolved = resolve(line.host, min(bounds.deadline, began + RESOLVING), bounds.stop)
    addresses = targets(line, resolved)
    aims = [Aim(address, port) for address in addresses for port in line.ports if port.serves(address)]
    question = Question(line.key, protocol.kernel(line.key, boot) if (boot := hearing.boot()) else "")
    attempts = attempt(aims, question, bounds, tell)
    tried = _controls(controls, bounds) if _mail_alone(attempts) and not bounds.stop.is_set() else ()
    return Look(
        host=line.host, until=line.until, now=now, told=line.addresses, resolved=resolved, attempts=attempts,
        controls=tried, seconds=round(time.monotonic() - began, 3),
    )  # fmt: skip


def targets(line: Line, resolved: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the addresses to try, the host's own first, then the name's; private ones for want of others."""
    every = tuple(dict.fromkeys((*line.addresses, *(resolved or ()))))
    public = tuple(address for address in every if is_public(address))
    return (public or every)[:MOST_ADDRESSES]


def resolve(host: str, until: float, stop: threading.Event) -> tuple[str, ...] | None:
    """Return the addresses of a host by this machine's resolver; None: it gave none in time. An address is its own."""
    if parse_address(host) is not None:
        return (host,)
    found: list[str] = []
    done = threading.Event()

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            rows = []
        found.extend(dict.fromkeys(str(row[4][0]) for row in rows))
        done.set()

    threading.Thread(target=ask, daemon=True).start()
    while not done.wait(TICK) and time.monotonic() < until and not stop.is_set():
        pass
    known = [unmapped(address) for text in list(found) if (address := parse_address(text.partition("%")[0]))]
    return tuple(dict.fromkeys(map(str, known))) or None


def attempt(aims: Sequence[Aim], question: Question, bounds: Bounds, tell: Tell) -> tuple[Attempt, ...]:
    """Try all of these side by side; return what became of each, in order. What is left at the end is late."""
    made: dict[Aim, Attempt] = {}
    with selectors.DefaultSelector() as selector:
        coming = list(dict.fromkeys(aims))
        under_way: dict[int, tuple[Aim, Knock]] = {}
        while (coming or under_way) and not bounds.stop.is_set():
            while coming and len(under_way) < MOST:
                _begin(coming.pop(0), question, bounds, selector, under_way, made)
            _settle(selector, under_way, made, tell)
        for _, knock in under_way.values():
            knock.close()
    return tuple(made.get(aim) or _missing(aim, "") for aim in dict.fromkeys(aims))


def _begin(
    aim: Aim,
    question: Question,
    bounds: Bounds,
    selector: selectors.BaseSelector,
    under_way: dict[int, tuple[Aim, Knock]],
    made: dict[Aim, Attempt],
) -> None:
    try:
        knock = Knock(aim, question, bounds.deadline)
    except OSError as error:  # this kernel has no IPv6, or this process too many files open
        made[aim] = _missing(aim, errors.name(error.errno or 0), unsent=error.errno == errno.EAFNOSUPPORT)
        return
    knock.begin()
    under_way[knock.descriptor] = (aim, knock)
    selector.register(knock.descriptor, selectors.EVENT_WRITE)


def _settle(
    selector: selectors.BaseSelector,
    under_way: dict[int, tuple[Aim, Knock]],
    made: dict[Aim, Attempt],
    tell: Tell,
) -> None:
    """Go on with what can go on, and take away what has come to something."""
    for key, _ in selector.select(TICK):
        _, knock = under_way[key.fd]
        if knock.made is None:
            knock.go_on()
            if knock.open and key.events == selectors.EVENT_WRITE:
                selector.modify(key.fd, selectors.EVENT_READ)
    now = time.monotonic()
    for descriptor, (aim, knock) in list(under_way.items()):
        knock.pass_time(now)
        if knock.made is not None:
            made[aim] = knock.made
            selector.unregister(descriptor)
            del under_way[descriptor]
            knock.close()
            tell(knock.made)


def _missing(aim: Aim, error: str, *, unsent: bool = False) -> Attempt:
    return Attempt(
        address=aim.address, port=aim.port.port, inside=aim.port.inside, local=aim.port.local,
        outcome="unsent" if unsent else "late", error=error,
    )  # fmt: skip


# --- port 25 elsewhere -------------------------------------------------------------------------------------------


def _mail_alone(attempts: Sequence[Attempt]) -> bool:
    """Say whether port 25 fails where other ports do not: many networks close it outwards."""
    reached = {one.address for one in attempts if one.outcome == "reached"}
    answers = ("reached", "unsent", "late")
    return any(one.port == 25 and one.outcome not in answers and one.address in reached for one in attempts)


def _controls(places: Sequence[tuple[str, int]], bounds: Bounds) -> tuple[Control, ...]:
    """Ask mail servers elsewhere for their greeting, side by side."""
    places = places[:CONTROLS]
    made: list[Control | None] = [None] * len(places)
    until = min(bounds.deadline, time.monotonic() + GREETING)

    def ask(number: int, host: str, port: int) -> None:
        made[number] = greet(host, port, until, bounds.stop)

    threads = [threading.Thread(target=ask, args=(number, *one), daemon=True) for number, one in enumerate(places)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()) + TICK)
    return tuple(one for one in made if one is not None)


def greet(host: str, port: int, until: float, stop: threading.Event) -> Control:
    """Ask one mail server for its greeting, at its first addresses."""
    for address in (resolve(host, until, stop) or ())[:2]:
        left = until - time.monotonic()
        if left <= 0 or stop.is_set():
            break
        try:
            with socket.create_connection((address, port), left / 2) as connection:
                said = connection.recv(512)
        except OSError:
            continue
        return Control(host, address, port, said.startswith(b"220"), plain(said))
    return Control(host, "", port, False)
