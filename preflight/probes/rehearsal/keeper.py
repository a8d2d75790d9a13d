"""Keeps a rehearsal up for other machines: tells the line to copy, and who arrives where."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from preflight.facts.rehearsal import Visit
from preflight.gather.access.errand import Stopped
from preflight.gather.engine.client import EngineError
from preflight.net.addresses import is_loopback, usual
from preflight.probes.rehearsal.holding import Audience, Held, Up
from preflight.reach import line as lines
from preflight.reach.hearing import STRANGER, Row, rows
from preflight.reach.protocol import KEY
from preflight.text.sentences import phrase, say

LOOK = 1.0  # seconds between two looks at who arrived
MOST = 200  # arrivals that are kept
SHOWN = 3  # peers of a port in the display


class Keeper:
    """A holder with a line and an audience."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.audience: Audience | None = None
        self._key = os.urandom(KEY)

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the key, by which the stand-ins know who has the line."""
        return {"PREFLIGHT_REACH": self._key.hex()}

    def hold(self, up: Up) -> tuple[Visit, ...]:
        """Tell the line, and who arrives until the time is over, or the run."""
        began = time.monotonic()
        until = time.time() + self.seconds
        line = lines.make(up.host, up.addresses, self._key, until, ports(up.places))
        self._announce(line)
        book = _Book(up.places)
        while not up.stop.wait(min(LOOK, max(0.0, began + self.seconds - time.monotonic()))):
            try:
                new = book.look(up, time.monotonic() - began)
            except (Stopped, TimeoutError):
                break
            for arrival in new:
                if self.audience is not None:
                    self.audience.arrived(_news(arrival), book.display())
            if time.monotonic() >= began + self.seconds:
                break
        return book.arrivals

    def _announce(self, line: lines.Line) -> None:
        if self.audience is None:
            return
        seconds = f"{self.seconds:g}"
        self.audience.announce(
            say(
                "The ports stay open for {seconds} s. Run one of these commands on a machine elsewhere.",
                seconds=seconds,
            )
        )
        self.audience.announce(f"preflight reach {line}")
        self.audience.announce(f"docker run --rm --network=host mailcow-preflight reach {line}")


def ports(places: Sequence[Held]) -> tuple[lines.Port, ...]:
    """Return the ports that are kept up as the line tells them: each once, in mailcow's own order."""
    made: dict[tuple[int, int, bool], lines.Port] = {}
    for place in places:
        address = usual(place.address) or place.address
        local = is_loopback(address)
        four = address == "" or ":" not in address
        six = address == "" or ":" in address
        before = made.get((place.port, place.inside, local), lines.Port(place.port, place.inside, False, False, local))
        made[place.port, place.inside, local] = replace(before, four=before.four or four, six=before.six or six)
    order = {port.port: number for number, port in enumerate(lines.USUAL)}
    return tuple(sorted(made.values(), key=lambda port: (order.get(port.port, len(order)), port)))


class _Book:
    """Who arrived so far."""

    def __init__(self, places: Sequence[Held]) -> None:
        self._places = places
        self._rows: dict[tuple[int, str, bool], Visit] = {}

    @property
    def arrivals(self) -> tuple[Visit, ...]:
        """Return all of them, each once, with how often."""
        return tuple(self._rows.values())

    def look(self, up: Up, seconds: float) -> list[Visit]:
        """Read what the containers have printed; return who is new. Raises `Stopped` and TimeoutError."""
        counted: dict[tuple[int, str, bool], int] = {}
        for container in dict.fromkeys(place.container for place in self._places):
            try:
                printed = up.logs(container)
            except EngineError:
                continue  # it may have ended; the others are still of use
            for row in rows(printed):
                key = self._key(container, row)
                counted[key] = counted.get(key, 0) + 1
        new = []
        for key, count in counted.items():
            port, peer, stranger = key
            if key not in self._rows and len(self._rows) < MOST:
                self._rows[key] = Visit(port, peer, stranger, count, round(seconds, 1))
                new.append(self._rows[key])
            elif key in self._rows and self._rows[key].count != count:
                self._rows[key] = replace(self._rows[key], count=count)
        return new

    def _key(self, container: str, row: Row) -> tuple[int, str, bool]:
        """Return where somebody arrived. A stranger names no port: that inside is translated."""
        port, stranger = row.port, row.kind == STRANGER
        if stranger:
            own = (place.port for place in self._places if place.container == container and place.inside == port)
            port = next(own, port)
        return port, usual(row.peer) or "", stranger

    def display(self) -> list[str]:
        """Return a line for each port, with who arrived there."""
        by_port: dict[int, list[str]] = {place.port: [] for place in self._places}
        for arrival in self.arrivals:
            if not arrival.stranger:
                by_port.setdefault(arrival.port, []).append(arrival.peer)
        told = [
            f"{port}/tcp · {', '.join(peers[:SHOWN])}{', …' if len(peers) > SHOWN else ''}"
            for port, peers in by_port.items()
            if peers
        ]
        waiting = [f"{port}/tcp" for port, peers in by_port.items() if not peers]
        if waiting:
            told.append(phrase("not reached yet: {ports}", ports=", ".join(waiting)))
        return told


def _news(arrival: Visit) -> str:
    if arrival.stranger:
        return say(
            "A connection to {port}/tcp from {peer} did not come from this command and got no answer.",
            port=arrival.port,
            peer=arrival.peer,
        )
    return say("{port}/tcp was reached from {peer}.", port=arrival.port, peer=arrival.peer)
