"""The Date of web servers: the last resort where no time server answers, as it tells full seconds only."""

from __future__ import annotations

import datetime
import email.utils
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException

from preflight.facts.time import WebDate
from preflight.gather.time.exchange import MARGIN

PORT = 443
SECONDS = 5.0  # for one server
HALF = 0.5  # seconds; a Date is cut off to a full one


def dates(places: Mapping[str, tuple[str, ...]], deadline: float) -> tuple[WebDate, ...]:
    """Ask web servers, each at its first address that answers, side by side; return what each told. Never raises."""
    found: dict[str, WebDate] = {}

    def work(name: str, addresses: tuple[str, ...]) -> None:
        found[name] = _first(name, addresses, min(deadline - MARGIN, time.monotonic() + SECONDS))

    crew = [threading.Thread(target=work, args=place, name="date", daemon=True) for place in places.items()]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join(max(0.0, deadline - MARGIN / 2 - time.monotonic()))
    return tuple(found.get(name) or WebDate(server=name) for name in places)


def _first(name: str, addresses: tuple[str, ...], until: float) -> WebDate:
    detail = ""
    for address in addresses:
        try:
            return _ask(name, address, until)
        except (OSError, HTTPException, ValueError) as error:
            detail = f"{type(error).__name__}: {error}"[:200]
    return WebDate(server=name, detail=detail)


def _ask(name: str, address: str, until: float) -> WebDate:
    """Ask one address; raise what the socket, TLS or HTTP raise, and `ValueError` where there is no Date."""
    # Nothing is believed of the certificate: a clock that is wrong makes every one invalid, and an answer of SNTP is
    # not signed either.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((address, PORT), timeout=max(0.01, until - time.monotonic())) as tcp,
        context.wrap_socket(tcp, server_hostname=name) as tls,
    ):
        tls.settimeout(max(0.01, until - time.monotonic()))
        connection = HTTPConnection(name)
        connection.sock = tls
        sent = time.monotonic()
        connection.request("HEAD", "/")
        answer = connection.getresponse()
        received, here = time.monotonic(), time.time()
    told = parse(answer.getheader("Date") or "", answer.getheader("Age") or "")
    delay = received - sent
    return WebDate(server=name, seconds=round(told - (here - delay / 2), 3), delay=round(delay, 3))


def parse(date: str, age: str = "") -> float:
    """Return the middle of the second that an answer tells, since 1970; `age`: how old a cache says that it is.

    Raise `ValueError` where there is no Date of HTTP's (RFC 9110, 5.6.7).
    """
    told = email.utils.parsedate_to_datetime(date)
    if told.tzinfo is None:
        told = told.replace(tzinfo=datetime.UTC)
    return told.timestamp() + HALF + (int(age) if age.isascii() and age.isdigit() and len(age) < 9 else 0)
