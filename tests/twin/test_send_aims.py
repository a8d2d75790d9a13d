"""Where packets are sent, where they should arrive, and what the twin has refused meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from preflight.twin import send, send_aims
from preflight.twin.request import Port
from preflight.twin.send import Stage
from preflight.twin.send_aims import Aim
from preflight.twin.send_round import Shot
from preflight.twin.send_verdicts import Observed, Outcome, Spot
from preflight.twin.servers import Answer
from tests.twin import stand_in
from tests.twin.stand_in import CONTAINERS, HOST, TARGETS, port, side

SMTP = port(2525, inside=25)
BARE = Port("", 25, "other-mailcow", 25, "172.22.1.9")


@pytest.mark.parametrize(
    ("address", "four", "six"),
    [
        ("", HOST[4], HOST[6]), ("0.0.0.0", HOST[4], ""), ("::", "", HOST[6]), ("192.0.2.1", "192.0.2.1", ""),
        ("2001:DB8::9", "", "2001:db8::9"), ("127.0.0.1", "", ""), ("127.9.9.9", "", ""), ("::1", "", ""),
    ],
)  # fmt: skip
def test_where_a_port_is_reached(address: str, four: str, six: str) -> None:
    bound = port(25, address=address)
    assert (send_aims.address_of(side(4), bound), send_aims.address_of(side(6), bound)) == (four, six)


@pytest.mark.parametrize(
    ("version", "which", "container"),
    [
        (4, SMTP, CONTAINERS[4]["postfix-mailcow"]), (6, SMTP, CONTAINERS[6]["postfix-mailcow"]),
        (4, BARE, "172.22.1.9"),
        (6, BARE, "172.22.1.9"),  # docker-proxy goes there by IPv4
        (6, Port("", 25, "other-mailcow", 25, "172.22.1.9", "fd4d::9"), "fd4d::9"),
    ],
)  # fmt: skip
def test_which_container_a_port_belongs_to(version: int, which: Port, container: str) -> None:
    assert send_aims.container_of(side(version), which) == container
    onward = send_aims.through(side(version), which)
    assert onward == Aim("tcp", "", container, 25, Spot("inner", container, 25))
    coming = send_aims.arriving(side(version), which, "198.41.0.4")
    assert coming == Aim("tcp", "198.41.0.4", HOST[version], which.port, Spot("inner", container, which.inside))


@pytest.mark.parametrize(
    ("protocol", "number", "service"),
    [
        ("tcp", 25, "postfix-mailcow"), ("tcp", 53, "unbound-mailcow"), ("udp", 53, "unbound-mailcow"),
        ("tcp", 443, "postfix-mailcow"),  # acme has no address here: any other will do
        ("tcp", 9, "postfix-mailcow"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("version", [4, 6])
def test_who_sends_out(version: int, protocol: str, number: int, service: str) -> None:
    aim = send_aims.leaving(side(version), cast("Any", protocol), number, TARGETS[version][0])
    target = TARGETS[version][0]
    assert aim == Aim(
        cast("Any", protocol), CONTAINERS[version][service], target, number, Spot("world", target, number)
    )  # fmt: skip


class Here:
    """A namespace that is where one is."""

    @contextmanager
    def entered(self) -> Iterator[None]:
        yield


STAGE = cast("Stage", stand_in.Stage(*cast("tuple[Any, Any, Any]", (Here(), Here(), Here()))))
SNMP = "Tcp: ActiveOpens OutRsts InErrs\nTcp: 9 {resets} 9\nUdp: InDatagrams NoPorts\nUdp: 9 {ports}\n"


@pytest.mark.parametrize(
    ("texts", "number"),
    [
        ([SNMP.format(resets=3, ports=4)], 7),
        ([SNMP.format(resets=3, ports=4), "Ip6InReceives 9\nUdp6NoPorts 5\n"], 12),
        (["Tcp: OutRsts\n"], 0),
        (["Tcp: OutRsts\nTcp: 1 2\n"], 0),  # as many names as values
        (["Udp6NoPorts\nUdp6NoPorts 1 2\n"], 0),
        ([""], 0),
        ([], 0),
        ([None], 0),
    ],
)
def test_what_the_twin_has_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, texts: list[str | None], number: int
) -> None:
    for place, text in enumerate(texts):
        if text is not None:
            (tmp_path / str(place)).write_text(text)
    paths = tuple(str(tmp_path / str(place)) for place in range(len(texts)))
    monkeypatch.setattr(send, "_COUNTS", {4: paths, 6: paths})
    assert send._refusals(STAGE, 4) == send._refusals(STAGE, 6) == number


# --- tries ------------------------------------------------------------------------------------------------------------


class Going:
    """A round in which packets arrive by the number of the try, and which notes how long it is waited for."""

    def __init__(self, arrives: Callable[[Shot, int], bool], *, sure: bool = True) -> None:
        self._arrives, self.sure = arrives, sure
        self.sent: list[list[str]] = []
        self.waits: list[float] = []
        self._tries: dict[str, int] = {}

    def send(self, shots: Sequence[Shot] | Iterator[Shot]) -> None:
        these = list(shots)
        self.sent.append([one.target for one in these])
        for one in these:
            self._tries[one.target] = self._tries.get(one.target, 0) + 1
            if self._arrives(one, self._tries[one.target]):
                one.observed.answer = Answer("inner", one.target, one.port, one.observed.source, 40000)

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)

    def settle(self) -> None:
        self.waits.append(0.0)


def aims(*targets: str) -> Mapping[str, Aim]:
    return {one: Aim("tcp", "198.41.0.4", one, 25, Spot("inner", one, 25)) for one in targets}


def played(going: Going, *groups: Mapping[str, Aim]) -> dict[str, str]:
    return {key: outcome.verdict for key, outcome in send._played(cast("Any", going), groups).items()}


def test_what_arrives_at_once_is_not_sent_again() -> None:
    going = Going(lambda *_: True)
    assert played(going, aims("a", "b"), aims("c")) == dict.fromkeys("abc", "delivered")
    assert (going.sent, going.waits) == ([["a", "b", "c"]], [send.FIRST, 0.0])


@pytest.mark.parametrize(("sure", "silence"), [(True, send.SILENCE), (False, send.UNSURE)])
def test_what_does_not_is_sent_once_more_group_by_group(sure: bool, silence: float) -> None:
    """The first time many come at once: a rate may have kept one from arriving, which alone it does."""
    going = Going(lambda shot, number: shot.target == "a" or (shot.target == "b" and number == 2), sure=sure)
    found = played(going, aims("a", "b"), aims("c"), aims("d"))
    assert found == {"a": "delivered", "b": "delivered", "c": "dropped", "d": "dropped"}
    assert going.sent == [["a", "b", "c", "d"], ["b"], ["c"], ["d"]]
    assert going.waits == [send.FIRST, *[send.PAUSE] * 3, silence, 0.0]


def test_of_two_tries_the_better_one_counts() -> None:
    going = Going(lambda shot, number: number == 1)
    assert played(going, aims("a")) == {"a": "delivered"}


def test_nothing_to_send_is_nothing_sent() -> None:
    assert send.exits(STAGE, stand_in.Side(4, HOST[4], (), "", (), dict(CONTAINERS[4]))) == {}
    assert send.call(STAGE, stand_in.Side(4, HOST[4], (), "", (), dict(CONTAINERS[4])), "tcp", 25) is None


@pytest.mark.parametrize(
    ("verdict", "before", "after", "closed"),
    [("refused", 3, 4, True), ("refused", 3, 3, False), ("dropped", 3, 4, False), ("elsewhere", 3, 4, False)],
)
def test_a_refusal_is_the_twin_s_own_where_it_has_counted_one(
    monkeypatch: pytest.MonkeyPatch, verdict: str, before: int, after: int, closed: bool
) -> None:
    counts = [before, after]
    outcome = Outcome(
        verdict=cast("Any", verdict), seen=True, masked=True, to="x", to_port=9, left=False, error="ICMP 3/1"
    )  # fmt: skip
    monkeypatch.setattr(send, "_refusals", lambda *_: counts.pop(0))
    monkeypatch.setattr(send, "_judged", lambda *_: outcome)
    going = Going(lambda *_: False)
    ended: list[bool] = []
    going.end = lambda: ended.append(True)  # type: ignore[attr-defined]
    found = send._single(cast("Any", going), STAGE, side(4), aims("a")["a"])
    assert found == Outcome(
        verdict=cast("Any", verdict), seen=True, masked=True, to="x", to_port=9, left=False, error="ICMP 3/1",
        closed=closed,
    )  # fmt: skip
    assert (ended, going.waits) == ([True], [send.FIRST, 0.0, 0.0])


def test_a_packet_is_judged_by_what_was_seen_of_it() -> None:
    (aim,) = aims("a").values()
    shot = send._shot(aim)
    assert (shot.protocol, shot.target, shot.port, shot.observed) == ("tcp", "a", 25, Observed("198.41.0.4"))
    shot.observed.answer = Answer("inner", "b", 25, "198.41.0.4", 40000)
    assert send._judged(shot, aim).verdict == "elsewhere"
