"""Packets to time servers and back, all side by side, each bounded."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time

from msgspec import Struct

from preflight.facts.time import TimeOutcome, TimeServer
from preflight.gather.time.packet import Refusal, Reply, read, request
from preflight.gather.time.samples import Sample, best, sample

MARGIN = 0.2  # seconds before the deadline at which all is given up, so that what is known is still collected


class Pace(Struct, frozen=True):
    """How often an address is asked, and how long an answer is waited for, in seconds.

    `gap`: ntpd's `restrict … limited`, as distributions have it, drops what comes within 2 s of the last packet.
    """

    samples: int = 3
    gap: float = 2.05
    patience: float = 2.0


class Target(Struct, frozen=True):
    """An address to be asked, and the server as it was given."""

    server: str
    address: str
    port: int


class _Seen(Struct):
    """What has come of an address so far."""

    samples: list[Sample]
    refusal: Refusal | None = None
    error: OSError | None = None


def measure(targets: tuple[Target, ...], deadline: float, pace: Pace) -> tuple[TimeServer, ...]:
    """Ask all addresses side by side until `deadline` (of time.monotonic); return what came of each. Never raises."""
    seen = [_Seen([]) for _ in targets]
    until = deadline - MARGIN
    # Daemons of our own, not an executor: a thread that hangs must not keep the program from ending.
    crew = [
        threading.Thread(target=_ask, args=(target, until, pace, kept), name="sntp", daemon=True)
        for target, kept in zip(targets, seen, strict=True)
    ]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join(max(0.0, until + MARGIN / 2 - time.monotonic()))
    here = time.time() - time.monotonic()
    return tuple(_told(target, kept, here) for target, kept in zip(targets, seen, strict=True))


def _ask(target: Target, until: float, pace: Pace, seen: _Seen) -> None:
    """Ask one address; keep what comes in `seen`, from which it is read at any moment."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            target.address, target.port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
        )[0]
        with socket.socket(family, kind, protocol) as udp:
            # Connected, so that the kernel drops other senders and tells of a closed port.
            udp.connect(place)
            for number in range(pace.samples):
                begun = time.monotonic()
                if not _once(udp, min(until, begun + pace.patience), seen):
                    return
                left = min(until, begun + pace.gap) - time.monotonic()
                if number + 1 < pace.samples and left > 0:
                    time.sleep(left)
                if time.monotonic() >= until:
                    return
    except OSError as error:
        seen.error = error


def _once(udp: socket.socket, until: float, seen: _Seen) -> bool:
    """Ask once, and wait for the answer; say whether the server may be asked again."""
    nonce = int.from_bytes(os.urandom(8), "big") or 1
    sent = time.monotonic()
    udp.send(request(nonce))
    while (left := until - time.monotonic()) > 0:
        udp.settimeout(left)
        try:
            data = udp.recv(1024)
        except TimeoutError:
            return True
        received = time.monotonic()
        reply = read(data, nonce)
        taken = sample(reply, sent, received) if isinstance(reply, Reply) else None
        if taken is not None:
            seen.samples.append(taken)
            return True
        seen.refusal = reply if isinstance(reply, Refusal) else Refusal("invalid", "times")
        if not seen.refusal.strange:
            return not seen.refusal.final
    return True


def _told(target: Target, seen: _Seen, here: float) -> TimeServer:
    """Say what came of an address; `here`: the host's time since 1970 less that since the machine was started."""
    samples = list(seen.samples)
    # One that says once that it does not know the time is not believed when it tells one.
    if not samples or (seen.refusal is not None and seen.refusal.outcome in ("unsynchronized", "distant")):
        return _nothing(target, seen)
    chosen = best(samples)
    if chosen is None:
        return TimeServer(
            server=target.server, address=target.address, outcome="jumping", samples=len(samples)
        )  # fmt: skip
    return TimeServer(
        server=target.server,
        address=target.address,
        outcome="measured",
        seconds=round(chosen.ahead - here, 6),
        delay=round(chosen.delay, 6),
        distance=round(chosen.distance, 6),
        stratum=chosen.stratum,
        samples=len(samples),
        kiss=seen.refusal.kiss if seen.refusal else "",
    )


def _nothing(target: Target, seen: _Seen) -> TimeServer:
    refusal = seen.refusal or Refusal("silent")
    if seen.error is not None and seen.refusal is None:
        refusal = Refusal(_outcome(seen.error))
    return TimeServer(
        server=target.server,
        address=target.address,
        outcome=refusal.outcome,
        kiss=refusal.kiss,
        fault=refusal.fault,
        detail=os.strerror(seen.error.errno) if seen.error is not None and seen.error.errno else "",
    )


def _outcome(error: OSError) -> TimeOutcome:
    return "refused" if error.errno == errno.ECONNREFUSED else "unreachable"
