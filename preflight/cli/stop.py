"""What ends a run early, and how."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from preflight.gather.access import command


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
