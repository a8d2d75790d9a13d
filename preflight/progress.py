"""Progress on standard error: a live line on a terminal, a line per stage elsewhere."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

Write = Callable[[str], None]

_STAGES = {
    "healthcheck": "health check probe",
    "privileged": "privileged container probe",
    "limits": "probe of limits",
    "engine": "Docker engine",
    "answers": "DNS",
    "spaces": "file systems",
}


class Progress:
    """What is being waited for. Called from the gathering threads."""

    def __init__(self, live: bool, write: Write | None, *, verbose: bool = False) -> None:
        self._live = live
        self._write = write  # None: say nothing
        self._verbose = verbose
        self._lock = threading.Lock()
        self._waiting: dict[str, float] = {}
        self._status: Any = None

    def stage(self, text: str) -> None:
        """Say that a stage begins."""
        if self._write and not self._live:
            self._write(f"preflight: {text}")
        elif self._status is not None:
            self._status.update(text)

    def tell(self, part: str, done: bool) -> None:
        """Hear of a part that begins or is done."""
        if part.startswith("_"):
            return
        with self._lock:
            if done:
                seconds = time.monotonic() - self._waiting.pop(part, time.monotonic())
                if self._verbose and self._write:
                    self._write(f"preflight: {part.replace('_', ' ')}: {seconds:.3f} s")
            else:
                self._waiting[part] = time.monotonic()
            names = [_STAGES.get(name, name.replace("_", " ")) for name in self._waiting]
        if self._status is not None and names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            self._status.update(f"Reading the host: {', '.join(names[:3])}{more}")

    @contextlib.contextmanager
    def shown(self) -> Iterator[Progress]:
        """Show the live line for the time of a block."""
        if not (self._write and self._live):
            yield self
            return
        from rich.console import Console

        with Console(stderr=True).status("Reading the host") as self._status:
            yield self
        self._status = None
