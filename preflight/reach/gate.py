"""Who is let in, by how many come at once and within a second: in all, and from one address. Pure."""

from __future__ import annotations

from collections import OrderedDict

from msgspec import Struct

AT_ONCE, AT_ONCE_EACH = 64, 32
RATE, BURST = 50.0, 100.0  # connections: a second, and at one moment
RATE_EACH, BURST_EACH = 10.0, 40.0  # a client tries each port at each address; NAT may make one of several
SOURCES = 1024  # that are remembered


class _Source(Struct):
    """Connections that are open, and how many more may come now."""

    open: int = 0
    left: float = BURST_EACH
    at: float = 0.0

    def may(self, now: float, rate: float, burst: float) -> bool:
        """Say whether one more may come."""
        self.left = min(burst, self.left + (now - self.at) * rate)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class Gate:
    """Counts connections. Not safe for several threads: its owner holds a lock."""

    def __init__(self) -> None:
        self._all = _Source(left=BURST)
        self._each: OrderedDict[str, _Source] = OrderedDict()

    def enter(self, source: str, now: float) -> bool:
        """Say whether a connection from there is let in; who is has to leave again."""
        one = self._each.setdefault(source, _Source(at=now))
        self._each.move_to_end(source)
        while len(self._each) > SOURCES:
            self._each.popitem(last=False)
        if one.open >= AT_ONCE_EACH or self._all.open >= AT_ONCE:
            return False
        if not one.may(now, RATE_EACH, BURST_EACH) or not self._all.may(now, RATE, BURST):
            return False
        one.open += 1
        self._all.open += 1
        return True

    def leave(self, source: str) -> None:
        """Hear that a connection from there has ended."""
        self._all.open -= 1
        if (one := self._each.get(source)) is not None:
            one.open = max(0, one.open - 1)
