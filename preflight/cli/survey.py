"""One run: the look at this host, what tells of its progress, and what ends it early."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from preflight.cli import request
from preflight.cli.progress import Progress, live
from preflight.cli.streams import colors, dumb, say
from preflight.facts import Host
from preflight.gather.access import command
from preflight.gather.conf import mailcow_conf
from preflight.gathering import Wishes, begin, gather


class Stop:
    """Ctrl-C and `docker stop`: the run is told to end; what is known by then is printed."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.exit_code = 0
        self.leave: Callable[[], None] = lambda: None  # what has to be done before the program ends at once
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the last one: the connection was lost
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                signal.signal(number, self._hear)

    def _hear(self, number: int, _: FrameType | None) -> None:
        if self.exit_code and number == signal.SIGINT:  # a second Ctrl-C does not wait for the clean-up
            self.leave()
            command.end()
            os._exit(128 + number)
        self.exit_code = 128 + number
        self.event.set()


class Survey:
    """The look at this host: at all of it, or at what some checks need. It begins at once."""

    def __init__(self, given: dict[str, Any], stop: Stop, wishes: Wishes) -> None:
        self._roots = request.roots(given["root"])
        if given["mailcow_conf"] is not None:
            mailcow_conf.given(self._roots, given["mailcow_conf"])
        self._progress = _progress(given, wishes, stop)
        stop.leave = self._progress.leave
        self._begun = begin(self._roots, wishes, stop.event, self._progress.tell)

    def gather(self, wishes: Wishes) -> Host:
        """Look to the end."""
        with self._progress.shown():
            return gather(self._roots, wishes, self._begun)


def _progress(given: dict[str, Any], wishes: Wishes, stop: Stop) -> Progress:
    """Return what tells of progress: a display on a terminal that can show one, lines elsewhere."""
    display = given["progress"] == "always" or sys.stderr.isatty()
    draw = live(color=colors(given.get("color", "auto"))) if display and not (dumb() or given["verbose"]) else None
    silent = given["quiet"] or given["progress"] == "never"
    write = None if silent else say
    return Progress(write, wishes.parts, wishes.seconds, draw=draw, verbose=given["verbose"], stop=stop.event)
