"""Progress on standard error: what is waited for, stage by stage, with the rest of the deadline.

On a terminal this is a display that comes after a moment (most runs are over by then), is drawn anew until all is
known, and leaves nothing behind. Elsewhere it is a line at the start, and one for each stage that takes long.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct, field

from preflight.cli.streams import tell
from preflight.gathering.parts import PARTS
from preflight.gathering.stages import FILES, STAGES
from preflight.text.sentences import phrase, say

Write = Callable[[str], None]
# Draws lines, and what is to stay above them, until an event is set.
Draw = Callable[[Callable[[], list[str]], threading.Event, Callable[[], list[str]]], None]

MOMENT = 0.3  # seconds until there is a display
LONG = 2.0  # seconds that a stage takes until a line tells of it
AGAIN = 10.0  # seconds until the next line tells of it
TICK = 0.1  # seconds between two looks
JOIN = 5.0  # seconds for the display to be taken away

_STAGE = {part.place: part.stage for part in PARTS}
# What waits for another stage is not what holds the run up.
_BEHIND = {part.stage: _STAGE[part.after] for part in PARTS if part.after and part.stage != _STAGE[part.after]}
_ALONE = frozenset(stage for stage in STAGES if list(_STAGE.values()).count(stage) == 1)


class Stage(Struct):
    """One stage: the parts that are still to come, those under way with their start, and when a line told of it."""

    coming: set[str]
    waiting: dict[str, float] = field(default_factory=dict)
    told: float = -AGAIN


class Progress:
    """What is being waited for. Called from the gathering threads."""

    def __init__(
        self,
        write: Write | None,  # None: say nothing
        parts: Iterable[str],
        seconds: float,
        *,
        draw: Draw | None = None,  # None: lines alone
        verbose: bool = False,
        stop: threading.Event | None = None,
    ) -> None:
        self._write = write
        self._draw = draw
        self._verbose = verbose
        self._stop = stop or threading.Event()
        self._lock = threading.Lock()
        self._seconds = seconds
        self._stages = {stage: Stage(set()) for stage in STAGES}
        for part in parts:
            self._stages[_STAGE.get(part, FILES)].coming.add(part)
        self._began = time.monotonic()
        self._over = threading.Event()
        self._drawing = False
        self._announced: deque[str] = deque()
        self._arrivals: list[str] = []

    def tell(self, part: str, done: bool) -> None:
        """Hear of a part that begins or is done."""
        now = time.monotonic()
        with self._lock:
            stage = self._stages[_STAGE.get(part, FILES)]
            if part not in stage.coming and part not in stage.waiting:
                return
            if not done:
                stage.waiting[part] = now
                return
            seconds = now - stage.waiting.pop(part, now)
            stage.coming.discard(part)
        if self._verbose:
            self._line(f"{_plain(part)}: {seconds:.3f} s")

    @contextlib.contextmanager
    def shown(self) -> Iterator[Progress]:
        """Show it for the time of a block."""
        self._began = time.monotonic()
        if self._write is None:
            yield self
            return
        if self._draw is None:
            limit = f"{self._seconds:g}"
            self._line(say("Examining this host (up to {limit} s).", limit=limit))
        teller = threading.Thread(target=self._show, name="progress", daemon=True)
        teller.start()
        try:
            yield self
        finally:
            self._over.set()
            teller.join(JOIN)
            self._flush()
            if self._stop.is_set():
                self._line(say("The run was stopped early. The report shows what was known by then."))

    def announce(self, text: str) -> None:
        """Show a line for good, whole: also where no progress is wished for."""
        self._announced.append(text)
        if not self._drawing:
            self._flush()

    def arrived(self, text: str, display: Sequence[str]) -> None:
        """Hear of somebody who tried a port that is kept up, and of all those so far."""
        self._arrivals = list(display)
        if self._draw is None:
            self._line(text)

    def _flush(self) -> None:
        for line in self._news():
            tell(line)

    def _news(self) -> list[str]:
        """Return what was announced and not shown yet, and forget it."""
        taken = []
        with contextlib.suppress(IndexError):
            while True:
                taken.append(self._announced.popleft())
        return taken

    def leave(self) -> None:
        """Give the terminal its cursor back, where the program ends at once."""
        if self._drawing:
            os.write(sys.stderr.fileno(), b"\x1b[?25h\n")

    def _line(self, text: str) -> None:
        if self._write:
            self._write(f"preflight: {text}")

    def _show(self) -> None:
        if self._draw is not None:
            if not self._over.wait(MOMENT):
                self._drawing = True
                self._draw(self.lines, self._over, self._news)
                self._drawing = False
            return
        while not self._over.wait(TICK):
            for line in self._due():
                self._line(line)

    def _due(self) -> list[str]:
        """Return a line for each stage that takes long and was not told of for a while."""
        now, lines = time.monotonic(), []
        with self._lock:
            for name, stage in self._holding():
                since = self._since(stage, now)
                if since < LONG or now - stage.told < AGAIN:
                    continue
                stage.told = now
                told = {"since": round(since), "left": self._left(now), "stage": self._named(name, stage)}
                lines.append(say("Still waiting ({since} s, gives up in {left} s): {stage}.", **told))
        return lines

    def lines(self) -> list[str]:
        """Return the display: the deadline's rest, and the stages that are not done."""
        now = time.monotonic()
        head = say("Examining this host (up to {left} s more).", left=self._left(now))
        if self._stop.is_set():
            head = say("Stopping and cleaning up. Press Ctrl-C again to stop at once.")
        with self._lock:
            rows = [
                f"{self._named(name, stage)} · {round(self._since(stage, now))} s" for name, stage in self._holding()
            ]
        return [head, *rows, *self._arrivals]

    def _holding(self) -> list[tuple[str, Stage]]:
        """Return the stages under way, but for those that only wait for another one."""
        busy = {name for name, stage in self._stages.items() if stage.waiting}
        return [(name, self._stages[name]) for name in STAGES if name in busy and _BEHIND.get(name) not in busy]

    def _left(self, now: float) -> int:
        return max(0, round(self._began + self._seconds - now))

    @staticmethod
    def _since(stage: Stage, now: float) -> float:
        return now - min(stage.waiting.values(), default=now)

    @staticmethod
    def _named(name: str, stage: Stage) -> str:
        """Name a stage, and what of it is under way where there is more than one thing in it."""
        if name in _ALONE:
            return phrase(name)
        parts = [_plain(part) for part in stage.waiting]
        return f"{phrase(name)} ({', '.join(parts[:3])}{', …' if len(parts) > 3 else ''})"


def _plain(part: str) -> str:
    """Return a part's name as people read it."""
    return part.rpartition(".")[2].replace("_", " ")


def live(*, color: bool) -> Draw:
    """Return what draws a display on standard error until an event is set; one that does not fit is cut off."""

    def draw(lines: Callable[[], list[str]], over: threading.Event, news: Callable[[], list[str]]) -> None:
        from rich.console import Console, Group
        from rich.live import Live
        from rich.text import Text

        console = Console(stderr=True, force_terminal=True, no_color=not color, highlight=False, emoji=False)
        frames = itertools.cycle("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

        def display() -> Group:
            head, *rows = lines()
            whole = [Text.assemble((next(frames), "green"), f" {head}"), *(Text(f"  {row}") for row in rows)]
            for row in whole:
                row.no_wrap, row.overflow = True, "ellipsis"
            return Group(*whole)

        if over.is_set():  # what draws took longer to load than what was waited for
            return
        with Live(display(), console=console, auto_refresh=False, transient=True) as shown:
            while not over.wait(TICK):
                for line in news():
                    shown.console.print(Text(line), soft_wrap=True)
                shown.update(display(), refresh=True)

    return draw
