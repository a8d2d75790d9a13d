"""Gather parts under one deadline: what waits for others side by side, the rest one after another; late is unknown.

Reading files is the interpreter's own work, which threads only fight for (twice the time, measured): one thread
does it, and another takes over where a part takes longer than it should (a dead mount). What waits for others (the
engine, name servers, probes) has a thread of its own from the start.

The threads are daemons: one that hangs in the kernel does not keep the program from ending.
Signals reach the main thread alone, so a request to the engine is never cut in two by one.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from preflight.facts import Fact
from preflight.text.sentences import say

Recipe = Callable[["Crew"], Any]
T = TypeVar("T")
Tell = Callable[[str, bool], None]  # name of the part, whether it is done

GRACE = 5.0  # seconds for probes to clean up after they were told to stop
LONG_GRACE = 15.0  # for what has a time of its own: it makes more
PATIENCE = 0.05  # seconds without a part done until another thread helps


class _Lacking(Exception):
    """What several parts build on is not there: neither are they."""

    def __init__(self, fact: Fact[Any]) -> None:
        super().__init__()
        self.fact = fact


class Crew:
    """Parts by name, each made once, when it is first asked for; a recipe may ask for other parts."""

    def __init__(
        self,
        recipes: Mapping[str, Recipe],
        seconds: float,
        stop: threading.Event,
        tell: Tell,
        cleaning: frozenset[str] = frozenset(),
        waiting: frozenset[str] = frozenset(),
        longer: Mapping[str, float] | None = None,
    ) -> None:
        self._recipes = dict(recipes)
        self._longer = dict(longer or {})  # parts that are made after the deadline, and the seconds that each has
        self._cleaning = cleaning  # parts that have something to clean up after a stop
        self._waiting = waiting  # parts that wait for others
        self._tell = tell
        self._lock = threading.Lock()
        self._queue: deque[str] = deque()
        self._done: dict[str, threading.Event] = {}
        self._begun: set[str] = set()
        self._made: dict[str, Any] = {}
        self._seconds = seconds
        self.stop = stop
        self.deadline = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Return the seconds until the deadline, never less than none."""
        return max(0.0, self.deadline - time.monotonic())

    def _left(self, name: str) -> float:
        return max(0.0, self.deadline + self._longer.get(name, 0.0) - time.monotonic())

    @property
    def under_way(self) -> frozenset[str]:
        """Return what was begun and is not done."""
        with self._lock:
            return frozenset(name for name in self._begun if not self._done[name].is_set())

    def learn(self, recipes: Mapping[str, Recipe]) -> None:
        """Take more recipes."""
        self._recipes |= recipes

    def start(self, *names: str) -> None:
        """Begin parts, in this order as far as they are made one after another."""
        for name in names:
            if name in self._waiting:
                self._hire(self._make, name)
            else:
                self._queue.append(name)
        if self._queue:
            self._hire(self._work)

    def _hire(self, work: Callable[..., None], *names: str) -> None:
        threading.Thread(target=work, args=names, name=" ".join(("gather", *names)), daemon=True).start()

    def _work(self) -> None:
        """Make what is queued, one after another."""
        while self._queue:
            try:
                name = self._queue.popleft()
            except IndexError:  # another thread took the last one
                return
            self._make(name)

    def _event(self, name: str) -> threading.Event:
        """Return the event that tells when a part is done."""
        with self._lock:
            return self._done.setdefault(name, threading.Event())

    def _make(self, name: str, shared: Recipe | None = None) -> None:
        """Make a part, or what parts share, unless somebody does already."""
        done = self._event(name)
        with self._lock:
            if name in self._begun:
                return
            self._begun.add(name)
        if not shared:
            self._tell(name, False)
        try:
            self._made[name] = (shared or self._recipes[name])(self)
        except _Lacking as lacking:
            self._made[name] = Fact(name, None, lacking.fact.missing)
        except Exception as error:  # noqa: BLE001 - a part that breaks costs itself, never the run
            words = f"{type(error).__name__}: {error}"[:300]
            self._made[name] = Fact.unknown(name, say("Reading it failed."), detail=words)
        finally:
            done.set()
            if not shared:
                self._tell(name, True)

    def get(self, name: str, spare: float = 0.0) -> Any:
        """Return a part, for a recipe that builds on it: make it, or wait until the deadline if another thread does.

        With `spare`, another thread always makes it, and the wait ends that many seconds before the deadline.
        """
        if spare:
            self.start(name)
        else:
            self._make(name)
        return self._settled(name, spare)

    def share(self, name: str, make: Callable[[], T]) -> T:
        """Return what several parts build on and is none itself; it is made once, by whoever asks first.

        Where it breaks or is late, the part that asks for it is unknown with that reason.
        """
        key = f"/{name}"  # no part is called so
        self._make(key, lambda _: make())
        made = self._settled(key)
        if isinstance(made, Fact):
            raise _Lacking(made)
        return cast("T", made)

    def _settled(self, name: str, spare: float = 0.0) -> Any:
        done = self._event(name)
        while not done.wait(min(0.2, left := max(0.0, self.left - spare))):
            if self.stop.is_set() or not left:
                break
        return self._made[name] if done.is_set() else self._late(name)

    def collect(self, name: str) -> Any:
        """Return a part once it is done or the deadline (after a stop: the time to clean up) has passed."""
        if name not in self._begun and name not in self._queue:
            self.start(name)
        done = self._event(name)
        stopped: float | None = None
        while not done.wait(PATIENCE if self.stop.is_set() or self._queue else min(0.2, max(self._left(name), 0.001))):
            if self.stop.is_set():
                stopped = stopped or time.monotonic()
                grace = LONG_GRACE if name in self._longer else GRACE
                if name not in self._cleaning or time.monotonic() - stopped > grace:
                    break
            elif not self._left(name):
                break
            elif self._queue:
                self._hire(self._work)
        return self._made[name] if done.is_set() else self._late(name)

    def _late(self, name: str) -> Fact[Any]:
        if self.stop.is_set():
            return Fact.unknown(
                name,
                say("The run was interrupted before this was known."),
                say("Let the check run to its end."),
                cause="interrupted",
            )
        limit = f"{self._seconds:g}"
        return Fact.unknown(
            name,
            say("There was no result after {limit} s.", limit=limit),
            say("Raise --timeout above {limit}.", limit=limit),
            cause="late",
            place="docker-run",
        )
