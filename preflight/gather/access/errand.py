"""Errands: calls made in a thread of their own, so that whoever sent for them can stop waiting at any time.

And gates, for what must not outlive the run.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
GLANCE = 0.02  # seconds between two looks at `stop`


class Stopped(Exception):
    """The run is being ended: nobody waits for the answer any more."""


class Errand(Generic[T]):
    """A call under way. It is never interrupted, by a signal or by anything else: only the waiting for it is.

    The thread is a daemon: one that hangs for ever does not keep the program from ending.
    """

    def __init__(self, function: Callable[[], T]) -> None:
        self._done = threading.Event()
        self._values: list[T] = []
        self._error: BaseException | None = None
        threading.Thread(target=self._run, args=(function,), daemon=True).start()

    def _run(self, function: Callable[[], T]) -> None:
        try:
            self._values.append(function())
        except BaseException as error:  # noqa: BLE001 - raised again where the answer is waited for
            self._error = error
        finally:
            self._done.set()

    def get(self, until: float, stop: threading.Event | None = None) -> T:
        """Return what the call returned, or raise what it raised; `until` is of time.monotonic().

        Raises TimeoutError where it is not done by then, `Stopped` where `stop` is set before.
        """
        while not self._done.wait(min(GLANCE if stop else 3600.0, max(0.0, until - time.monotonic()))):
            if stop is not None and stop.is_set():
                raise Stopped
            if time.monotonic() >= until:
                raise TimeoutError
        if self._error is not None:
            raise self._error
        return self._values[0]

    def wait(self, seconds: float) -> bool:
        """Wait until the call is over, at most so long; say whether it is."""
        return self._done.wait(seconds)


class Gate:
    """What must not outlive the run passes it: in before it begins, out when nothing of it is left.

    Whoever ends the run closes it. What came before is waited for, what comes later is refused: there is no moment
    between the two.
    """

    def __init__(self) -> None:
        # A signal may want to close, in the same thread, what is being closed already.
        self._changed = threading.Condition(threading.RLock())
        self._inside = 0
        self._closed = False

    @property
    def closed(self) -> bool:
        """Say whether the run is over."""
        return self._closed

    def enter(self) -> bool:
        """Say whether the run still lets something begin; then `leave` has to follow."""
        with self._changed:
            if not self._closed:
                self._inside += 1
            return not self._closed

    def leave(self) -> None:
        """Say that nothing is left of what entered."""
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """Let nothing begin any more."""
        with self._changed:
            self._closed = True

    def empty(self, seconds: float) -> bool:
        """Wait until nothing is inside, at most so long; say whether it is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._inside, seconds)


boxes = Gate()  # for the containers of probes
