"""Which rule stopped a packet: one more is sent, and followed through nf_tables and the counters of ip_tables."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from preflight.facts.twin import Culprit, Step
from preflight.twin import legacy
from preflight.twin import wire as w
from preflight.twin.copies import Loaded
from preflight.twin.nft.trace import Base, End, Meant, Trace, bases, steps
from preflight.twin.send_verdicts import Outcome
from preflight.twin.spaces import Space
from preflight.twin.wire import Wire

TCP = 6
_FORWARDING = {4: "/proc/sys/net/ipv4/ip_forward", 6: "/proc/sys/net/ipv6/conf/all/forwarding"}


class Case(Struct, frozen=True):
    """What one packet met. `uncopied`: a rule that could not be copied. `queue`: a program would have decided."""

    outcome: Outcome | None
    culprit: Culprit | None = None
    steps: tuple[Step, ...] = ()
    uncopied: bool = False
    queue: bool = False


class Court:
    """Follows packets through the rules of the twin, once all of them are in place."""

    def __init__(self, twin: Space, loaded: Loaded) -> None:
        self._twin, self._loaded = twin, loaded
        self._wire: Wire | None = None
        self._trace: Trace | None = None
        self._bases: dict[tuple[str, str, str], Base] = {}
        if loaded.nft is not None:
            with twin.entered():
                self._wire = Wire(w.NETFILTER)
                self._bases = bases(self._wire)
                families = {"ip", "ip6"} | {family for family, _, _ in self._bases if family == "bridge"}
                early = {name for one in self._bases.values() if one.hook == "ingress" for name in one.devices}
                self._trace = Trace(self._wire, families, early & {name for _, name in socket.if_nameindex()})

    def close(self) -> None:
        """Follow no more."""
        for open_ in (self._trace, self._wire):
            if open_ is not None:
                open_.close()

    def try_(
        self, version: int, meant: tuple[Meant, ...], send: Callable[[], Outcome | None], protocol: int = TCP
    ) -> Case:
        """Send one packet whose transport header is meant, and say what it met."""
        # Behind docker-proxy, what came by IPv6 may go on by IPv4.
        versions = (6, 4) if version == 6 else (4,)
        with self._twin.entered():
            before = {one: legacy.counters(one, self._loaded.legacy) for one in versions}
            filtered = _filtered()
        if self._trace:
            self._trace.forget()
        outcome = send()
        events, stopped = self._trace.events(*meant) if self._trace else ((), None)
        with self._twin.entered():
            after = {one: legacy.counters(one, self._loaded.legacy, before[one]) for one in versions}
            filtered = _filtered() - filtered
        uncopied = any(legacy.met(before[one], after[one]) for one in versions) or bool(
            self._loaded.nft and self._wire and self._loaded.nft.met(self._wire)
        )
        passed = steps(events, self._bases)
        if outcome is None or outcome.verdict in ("delivered", "proxy"):
            return Case(outcome, None, passed, uncopied)
        culprit = self._named(stopped) if stopped else None
        counted = (legacy.culprit(before[one], after[one], protocol) for one in versions)
        culprit = culprit or next(filter(None, counted), None) or self._other(version, outcome, filtered)
        return Case(outcome, culprit, passed, uncopied, bool(stopped and stopped.queue))

    def _named(self, stopped: End) -> Culprit:
        """Tell a rule of the twin by what it is on the host."""
        culprit = Culprit(
            kind="policy" if stopped.handle is None else "rule",
            backend="nf_tables",
            family=stopped.family,
            table=stopped.table,
            chain=stopped.chain,
        )
        if stopped.handle is None:
            return culprit
        host = (
            self._loaded.nft.host(stopped.family, stopped.table, stopped.chain, stopped.handle)
            if self._loaded.nft
            else None
        )
        return (
            replace(culprit, predicted=True) if host is None else replace(culprit, chain=host.chain, handle=host.handle)
        )

    def _other(self, version: int, outcome: Outcome, filtered: int) -> Culprit | None:
        """Say what else than a rule it was."""
        if outcome.to:
            return Culprit(kind="nat", to=outcome.to)
        if filtered:
            return Culprit(kind="filter")
        with self._twin.entered():
            # docker-proxy's own connections are not forwarded.
            if not outcome.masked and _read(_FORWARDING[version]) == "0":
                return Culprit(kind="forwarding")
        if outcome.closed:
            return Culprit(kind="socket")
        return Culprit(kind="route")


def _filtered() -> int:
    """Return how many packets rp_filter has dropped in the namespace that is entered."""
    rows = [line.split() for line in _read("/proc/self/net/netstat").splitlines() if line.startswith("TcpExt:")]
    if len(rows) != 2 or "IPReversePathFilter" not in rows[0]:
        return 0
    value = rows[1][rows[0].index("IPReversePathFilter")]
    return int(value) if value.isdigit() else 0


def _read(path: str) -> str:
    try:
        return Path(path).read_text("ascii").strip()
    except OSError:
        return ""
