"""Gather parts side by side: each in a thread of its own, all under one deadline, what is late is unknown.

The threads are daemons: one that hangs in the kernel (a dead mount) does not keep the program from ending.
Signals reach the main thread alone, so a request to the engine is never cut in two by one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from preflight.facts import Fact

Recipe = Callable[["Crew"], Any]
Tell = Callable[[str, bool], None]  # name of the part, whether it is done

GRACE = 5.0  # seconds for probes to clean up after they were told to stop


class Crew:
    """Parts by name, each made once, when it is first asked for; a recipe may ask for other parts."""

    def __init__(
        self,
        recipes: Mapping[str, Recipe],
        seconds: float,
        stop: threading.Event,
        tell: Tell,
        cleaning: frozenset[str] = frozenset(),
    ) -> None:
        self._recipes = recipes
        self._cleaning = cleaning  # parts that have something to clean up after a stop
        self._tell = tell
        self._lock = threading.Lock()
        self._done: dict[str, threading.Event] = {}
        self._made: dict[str, Any] = {}
        self._seconds = seconds
        self.stop = stop
        self.deadline = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Return the seconds until the deadline, never less than none."""
        return max(0.0, self.deadline - time.monotonic())

    def start(self, name: str) -> threading.Event:
        """Begin a part where it is not begun yet; the event tells when it is done."""
        with self._lock:
            if name in self._done:
                return self._done[name]
            done = self._done[name] = threading.Event()
        threading.Thread(target=self._make, args=(name, done), name=f"gather {name}", daemon=True).start()
        return done

    def _make(self, name: str, done: threading.Event) -> None:
        self._tell(name, False)
        try:
            self._made[name] = self._recipes[name](self)
        except Exception as error:  # noqa: BLE001 - a part that breaks costs itself, never the run
            self._made[name] = Fact.unknown(name, f"reading it failed: {type(error).__name__}: {error}"[:300])
        finally:
            done.set()
            self._tell(name, True)

    def get(self, name: str) -> Any:
        """Return a part, for a recipe that builds on it; wait for it until the deadline."""
        done = self.start(name)
        while not done.wait(min(0.2, self.left)):
            if self.stop.is_set() or not self.left:
                return self._late(name)
        return self._made[name]

    def collect(self, name: str) -> Any:
        """Return a part once it is done or the deadline (after a stop: the time to clean up) has passed."""
        done = self.start(name)
        stopped: float | None = None
        while not done.wait(0.05 if self.stop.is_set() else min(0.2, max(self.left, 0.001))):
            if self.stop.is_set():
                stopped = stopped or time.monotonic()
                if name not in self._cleaning or time.monotonic() - stopped > GRACE:
                    break
            elif not self.left:
                break
        return self._made[name] if done.is_set() else self._late(name)

    def _late(self, name: str) -> Fact[Any]:
        if self.stop.is_set():
            return Fact.unknown(name, "the run was interrupted before this was known", "Run the check to its end.")
        limit = f"{self._seconds:g}"
        return Fact.unknown(name, f"it was not known after {limit} s", f"Raise --timeout above {limit}.")
