"""One run: the look at this host, and what tells of its progress."""

from __future__ import annotations

import sys

from msgspec.structs import replace

from preflight.cli import request
from preflight.cli.options import HostOptions
from preflight.cli.progress import Progress, live
from preflight.cli.stop import Stop
from preflight.cli.streams import colors, dumb, say
from preflight.facts import Host
from preflight.gather.conf import mailcow_conf
from preflight.gathering import Wishes, begin, gather


class Survey:
    """The look at this host: at all of it, or at what some checks need. It begins at once."""

    def __init__(self, given: HostOptions, stop: Stop, wishes: Wishes) -> None:
        self._given, self._stop, self._wishes = given, stop, wishes
        self._roots = request.roots(given.root)
        # One that is none is refused before anything is looked at.
        named = given.mailcow_conf
        self._conf = None if named is None else mailcow_conf.given(self._roots, named)
        self._progress = _progress(given, wishes, stop)
        stop.leave = self._progress.leave
        self.begun = begin(self._roots, wishes, stop.event, self._progress.tell)

    def gather(self, wishes: Wishes) -> Host:
        """Look to the end."""
        self._wishes = wishes
        if wishes.holder is not None:
            wishes.holder.audience = self._progress
        with self._progress.shown():
            return gather(self._roots, replace(wishes, conf=self._conf), self.begun)

    def again(self, places: frozenset[str]) -> Host:
        """Look again at these parts. All files are read again, including mailcow.conf."""
        wishes, roots = replace(self._wishes, before=self.begun.before(places)), replace(self._roots, folders={})
        write = say if self._given.verbose and not self._given.quiet else None
        progress = Progress(write, places, wishes.seconds, verbose=self._given.verbose, stop=self._stop.event)
        self.begun = begin(roots, wishes, self._stop.event, progress.tell)
        return gather(roots, wishes, self.begun)


def _progress(given: HostOptions, wishes: Wishes, stop: Stop) -> Progress:
    """Return what tells of progress: a display on a terminal that can show one, lines elsewhere."""
    display = given.progress == "always" or sys.stderr.isatty()
    draw = live(color=colors(given.color)) if display and not (dumb() or given.verbose) else None
    silent = given.quiet or given.progress == "never"
    write = None if silent else say
    return Progress(
        write, wishes.parts, wishes.seconds + wishes.longer, draw=draw, verbose=given.verbose, stop=stop.event
    )
