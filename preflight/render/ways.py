"""The way of a connection through the firewall: the interface, the hooks that it passes, and the rule that stops it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from preflight.render import words
from preflight.render.escape import TEXT, Ready, code_span, markdown_text, terminal
from preflight.report.evidence.firewall import FamilyEvidence, FirewallEvidence
from preflight.report.model import Result, Status

STATIONS = 24  # of one way; a packet passes a dozen chains of a host with several managers
WAYS = 12  # of one report: ports that share one are brought together
SUBJECTS = 12
_JUDGED = (Status.PASS, Status.WARN, Status.FAIL, Status.IGNORED)


class Station(Struct, frozen=True):
    """An interface (then there is no `hook`), or a chain at a hook. `ends`: why the way ends there, '' = it goes on.

    `more`: how many stations this one stands for, which are not shown; 0 = none, it is one.
    """

    hook: str
    name: str
    ends: str = ""
    more: int = 0


class Way(Struct, frozen=True):
    """The way of connections in one family, and the subjects that share it."""

    check: str
    family: str
    verdict: str
    status: Status
    stations: tuple[Station, ...]
    subjects: tuple[str, ...]

    @property
    def title(self) -> str:
        """Say whose way it is."""
        named = [*self.subjects[:SUBJECTS]]
        if len(self.subjects) > SUBJECTS:
            named.append(words.MORE.format(count=len(self.subjects) - SUBJECTS))
        what = ", ".join(named) or words.OUTGOING
        return words.WAY_OF.format(family=self.family, what=what)


def ways(results: Iterable[Result]) -> tuple[Way, ...]:
    """Return the ways of all connections that were tried, each once with all its subjects."""
    found: dict[Way, list[str]] = {}
    for result in results:
        for way in _of(result):
            found.setdefault(way, []).extend([result.subject] if result.subject else [])
    made = [Way(w.check, w.family, w.verdict, w.status, w.stations, tuple(subjects)) for w, subjects in found.items()]
    return tuple(made[:WAYS])


def stopped(results: Iterable[Result]) -> tuple[Way, ...]:
    """Return the ways that end before they should."""
    return tuple(way for way in ways(results) if way.status is Status.FAIL)


def _of(result: Result) -> Iterator[Way]:
    evidence = result.evidence
    if not isinstance(evidence, FirewallEvidence) or result.status not in _JUDGED:
        return
    for name, family in (("IPv4", evidence.families.ipv4), ("IPv6", evidence.families.ipv6)):
        if family is not None and len(family.way) > 1 and family.verdict in words.WAY_VERDICTS:
            status = Status.PASS if family.verdict == "delivered" else Status.FAIL
            yield Way(result.check, name, family.verdict, status, tuple(_stations(family)), ())


def _stations(family: FamilyEvidence) -> Iterator[Station]:
    *before, last = family.way  # where it ends is what counts: it is shown however long the way
    shown = STATIONS - 2 if len(family.way) > STATIONS else len(before)
    yield from (_station(text) for text in before[:shown])
    if left := len(before) - shown:
        yield Station("", words.MORE.format(count=left), more=left)
    yield _station(last, "" if family.verdict == "delivered" else _end(family))


def _station(text: str, ends: str = "") -> Station:
    hook, _, rest = text.partition(" ")
    name = rest.rpartition(" ")[0]
    return Station(hook if name else "", name or text, ends)


def _end(family: FamilyEvidence) -> str:
    ends = words.WAY_VERDICTS[family.verdict]
    if family.handle is not None and family.verdict in ("dropped", "refused", "oneway"):
        return words.BY_RULE.format(ends=ends, number=family.handle)
    return ends


def markdown(way: Way) -> Ready:
    """Return a way as one line."""
    parts = []
    for station in way.stations:
        hook = f"{markdown_text(station.hook, 40)} " if station.hook else ""
        ends = f" **✕ {markdown_text(station.ends)}**" if station.ends else ""
        name = markdown_text(station.name) if station.more else code_span(station.name)
        parts.append(f"{hook}{name}{ends}")
    return Ready(f"{markdown_text(way.title)}: {' → '.join(parts)}")


def line(way: Way) -> str:
    """Return a way as one line of plain text."""
    stations = [
        f"{terminal(' '.join(filter(None, (station.hook, station.name))), TEXT)}"
        f"{words.ENDS.format(ends=station.ends) if station.ends else ''}"
        for station in way.stations
    ]
    return f"{way.title}: {' → '.join(stations)}"
