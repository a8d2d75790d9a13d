"""One connection: what is cut short by the end of the run tells nothing of who is silent."""

from __future__ import annotations

import socket
import time

from preflight.reach.knock import HEARING, OPENING, Aim, Knock, Question
from preflight.reach.line import Port


def silent(deadline: float) -> Knock:
    """Return a connection to somebody who takes it and says nothing, opened, at the end of its time."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        knock = Knock(Aim("127.0.0.1", Port(port, port)), Question(bytes(16), ""), deadline)
        knock.begin()
        connection, _ = server.accept()
        with connection:
            while not knock.open:
                knock.go_on()
            knock.pass_time(time.monotonic() + OPENING + HEARING)
            knock.close()
    return knock


def test_who_had_the_whole_time_and_says_nothing_is_mute() -> None:
    made = silent(time.monotonic() + 600).made
    assert made is not None
    assert made.outcome == "mute"


def test_who_had_less_time_may_have_answered_later() -> None:
    made = silent(time.monotonic() + HEARING / 2).made
    assert made is not None
    assert made.outcome == "late"
