"""The holding end: what it tells, what it keeps, and when it ends. The stand-ins' output is made up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import pytest

from preflight.facts.rehearsal import Visit
from preflight.gather.access.errand import Stopped
from preflight.gather.engine.client import EngineError
from preflight.probes.rehearsal import keeper
from preflight.probes.rehearsal.holding import Held, Up
from preflight.probes.rehearsal.keeper import Keeper, ports
from preflight.reach import line
from preflight.reach.line import USUAL, Port

PLACES = (
    Held("", 25, "postfix-mailcow", 25, "postfix", True),
    Held("", 443, "nginx-mailcow", 443, "nginx", True),
    Held("127.0.0.1", 13306, "mysql-mailcow", 3306, "mysql", True),
)


class Audience:
    def __init__(self) -> None:
        self.announced: list[str] = []
        self.news: list[str] = []
        self.display: list[str] = []

    def announce(self, text: str) -> None:
        self.announced.append(text)

    def arrived(self, text: str, display: Sequence[str]) -> None:
        self.news.append(text)
        self.display = list(display)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "LOOK", 0.02)


def hold(
    logs: Callable[[str], bytes], seconds: float = 0.3, stop: threading.Event | None = None
) -> tuple[tuple[Visit, ...], Audience, Keeper]:
    held, audience = Keeper(seconds), Audience()
    held.audience = audience
    up = Up(PLACES, logs, stop or threading.Event(), "mail.example.org", ("198.51.100.7", "2001:db8::7"))
    return held.hold(up), audience, held


def test_the_line_is_told_and_holds_what_the_stand_ins_know() -> None:
    _, audience, held = hold(lambda _: b"")
    [words] = [text for text in audience.announced if text.startswith("preflight reach ")]
    told = line.read(words.removeprefix("preflight reach "))
    assert (told.host, told.addresses) == ("mail.example.org", ("198.51.100.7", "2001:db8::7"))
    assert told.key.hex() == held.environment["PREFLIGHT_REACH"]
    assert 0 <= told.until - time.time() + 1 < 30
    assert told.ports == (Port(25, 25), Port(443, 443), Port(13306, 3306, six=False, local=True))


def test_no_two_holds_have_the_same_key() -> None:
    assert Keeper(1).environment != Keeper(1).environment


def test_who_comes_is_told_once_and_kept_with_how_often() -> None:
    said = {"postfix": [b"mailcow-reach arrived 25 203.0.113.9\n"]}

    def logs(container: str) -> bytes:
        said["postfix"].append(said["postfix"][0])
        return b"".join(said["postfix"]) if container == "postfix" else b""

    visits, audience, _ = hold(logs)
    [visit] = visits
    assert (visit.port, visit.peer, visit.stranger) == (25, "203.0.113.9", False)
    assert visit.count > 2
    assert audience.news == ["25/tcp was reached from 203.0.113.9."]
    assert audience.display == ["25/tcp · 203.0.113.9", "not reached yet: 443/tcp, 13306/tcp"]


def test_who_does_not_know_the_line_is_a_stranger_at_the_port_of_the_host() -> None:
    visits, audience, _ = hold(
        lambda container: b"mailcow-reach stranger 3306 192.0.2.66\n" if container == "mysql" else b""
    )
    assert [(visit.port, visit.peer, visit.stranger) for visit in visits] == [(13306, "192.0.2.66", True)]
    assert "did not come from this command" in audience.news[0]


def test_very_many_are_counted_no_further() -> None:
    rows = b"".join(b"mailcow-reach arrived 25 10.%d.%d.1\n" % divmod(n, 256) for n in range(1500))
    assert len(hold(lambda _: rows)[0]) == keeper.MOST


def test_a_container_that_cannot_be_read_hides_no_other() -> None:
    def logs(container: str) -> bytes:
        if container == "postfix":
            raise EngineError("gone")
        return b"mailcow-reach arrived 443 203.0.113.9\n"

    assert [visit.port for visit in hold(logs)[0]] == [443]


@pytest.mark.parametrize("error", [Stopped, TimeoutError])
def test_what_ends_the_run_ends_the_hold(error: type[Exception]) -> None:
    def logs(_: str) -> bytes:
        raise error

    began = time.monotonic()
    assert hold(logs, 300)[0] == ()
    assert time.monotonic() - began < 30


def test_a_run_that_is_being_ended_is_not_waited_for() -> None:
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    began = time.monotonic()
    hold(lambda _: b"", 300, stop)
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        ((("0.0.0.0", 25, 25),), (Port(25, 25, six=False),)),
        ((("::", 25, 25),), (Port(25, 25, four=False),)),
        ((("198.51.100.7", 2525, 25), ("2001:db8::7", 2525, 25)), (Port(2525, 25),)),
        ((("::1", 13306, 3306), ("", 13306, 3306)),
         (Port(13306, 3306), Port(13306, 3306, four=False, six=True, local=True))),
        (tuple(("127.0.0.1" if one.local else "", one.port, one.inside) for one in reversed(USUAL)), USUAL),
    ],
)  # fmt: skip
def test_ports_are_told_as_they_are_bound(bound: tuple[tuple[str, int, int], ...], expected: tuple[Port, ...]) -> None:
    places = [Held(address, port, "x", inside, "x", True) for address, port, inside in bound]
    assert set(ports(places)) == set(expected)
    if len(expected) == len(USUAL):
        assert ports(places) == USUAL
