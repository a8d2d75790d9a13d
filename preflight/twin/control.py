"""Whether the stage carries packets at all: before any rule is in it, the twin is reached, and reaches containers."""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address

from msgspec import Struct

from preflight.packets import nlmsg as nl
from preflight.twin import routes, rules
from preflight.twin.links import FAMILIES
from preflight.twin.routes import Way
from preflight.twin.spaces import Space
from preflight.twin.stage_plan import Side
from preflight.twin.wire import Wire

SECONDS = 0.4
_TABLE = 0x7E57_0001  # of a route of our own
_TO_TABLE, _PRIORITY, _FRA_TABLE = 1, 6, 15  # FR_ACT_TO_TBL, FRA_…


class Call(Struct, frozen=True):
    """A connection that must succeed: where it comes from, and where somebody listens."""

    space: Space
    source: str
    listener: Space
    target: str


def failing(calls: list[Call]) -> list[Call]:
    """Open all connections at once; return those that fail."""
    with ExitStack() as opened:
        waiting: dict[socket.socket, Call] = {}
        failed = []
        for call in calls:
            try:
                waiting[opened.enter_context(_opened(call, opened))] = call
            except OSError:
                failed.append(call)
        return failed + list(_unanswered(waiting))


def _opened(call: Call, opened: ExitStack) -> socket.socket:
    """Start a connection to a listener of its own; raise `OSError`."""
    family = socket.AF_INET6 if ":" in call.target else socket.AF_INET
    with call.listener.entered():
        listening = opened.enter_context(socket.socket(family, socket.SOCK_STREAM))
        listening.bind((call.target, 0))
        listening.listen(1)
    with call.space.entered():
        calling = opened.enter_context(socket.socket(family, socket.SOCK_STREAM))
        calling.setblocking(False)
        if call.source:
            calling.bind((call.source, 0))
        code = calling.connect_ex((call.target, listening.getsockname()[1]))
    if code not in (0, errno.EINPROGRESS):
        raise OSError(code, "connect")
    return calling


def _unanswered(waiting: dict[socket.socket, Call]) -> Iterator[Call]:
    until = time.monotonic() + SECONDS
    while waiting and time.monotonic() < until:
        _, ready, _ = select.select([], list(waiting), [], max(0.0, until - time.monotonic()))
        for one in ready:
            call = waiting.pop(one)
            if one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                yield call
    yield from waiting.values()


@contextmanager
def led(wire: Wire, host: Way, side: Side) -> Iterator[None]:
    """Lead what the twin sends to a family's sources by the way to the Internet, whatever its routes say."""
    rule = bytes([FAMILIES[side.version], 0, 0, 0, 0, 0, 0, _TO_TABLE]) + bytes(4)
    rule += nl.attribute(_PRIORITY, nl.u32(1)) + nl.attribute(_FRA_TABLE, nl.u32(_TABLE))
    wire.do(rules.NEWRULE, rule, nl.CREATE | nl.EXCL)
    try:
        for source in dict.fromkeys(side.sources):
            routes.add(
                wire, raw := ip_address(source).packed, 8 * len(raw), host.index,
                table=_TABLE, gateway=host.gateway, other=host.family,
            )  # fmt: skip
        yield
    finally:
        # Its table is asked by nobody else.
        wire.do(rules.DELRULE, rule)
