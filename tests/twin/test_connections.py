"""Where the kernel says that it sent a connection on."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

import pytest

from preflight.twin import connections, send
from preflight.twin.connections import sent_on
from preflight.twin.send_sights import TCP, UDP
from preflight.twin.send_verdicts import Outcome
from preflight.twin.spaces import Space
from preflight.twin.wire import Refused
from tests.twin import stand_in
from tests.twin.stand_in import HOST, NAME, PORTS, SOURCES, Stage, published, run, side

FAMILIES = pytest.mark.parametrize("version", [4, 6])
STRANGER = {4: "93.184.215.14", 6: "2606:2800:21f::14"}
SMTP = PORTS[0]


@pytest.fixture
def stage(namespaces: Callable[[], Space]) -> Stage:
    """Return three namespaces with links, without rules."""
    return stand_in.built(namespaces)


def sending_on(stage: Stage, version: int, to: str) -> None:
    """Send what comes for port 25 to another address, and forward everything."""
    chain = f"type nat hook prerouting priority dstnat - 5; tcp dport 25 dnat to {to}"
    run(stage.twin, "nft -f -", published(version), f"table {NAME[version]} t {{ chain c {{ {chain}\n}}\n}}")


@FAMILIES
def test_a_connection_that_a_rule_sends_to_a_stranger_is_known_to_go_there(stage: Stage, version: int) -> None:
    sending_on(stage, version, STRANGER[version])
    knocked = send.knock(stage, side(version), SMTP, SOURCES[version][0])
    assert knocked == Outcome(verdict="elsewhere", to=STRANGER[version], left=True)


@FAMILIES
def test_where_connections_are_not_told_of_it_is_lost(stage: Stage, version: int) -> None:
    sending_on(stage, version, STRANGER[version])
    stage.tracked = False
    assert send.knock(stage, side(version), SMTP, SOURCES[version][0]) == Outcome(verdict="dropped")


@FAMILIES
def test_what_a_rule_drops_was_sent_nowhere(stage: Stage, version: int) -> None:
    sending_on(stage, version, STRANGER[version])
    run(
        stage.twin,
        "nft -f -",
        f"table {NAME[version]} u {{ chain c {{ type filter hook forward priority 0; drop\n}}\n}}",
    )
    assert send.knock(stage, side(version), SMTP, SOURCES[version][0]) == Outcome(verdict="dropped")


@FAMILIES
def test_only_the_connection_that_is_asked_for(stage: Stage, version: int) -> None:
    sending_on(stage, version, STRANGER[version])
    with stage.world.entered():
        opening = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6)
    with opening:
        opening.bind((SOURCES[version][0], 0))
        opening.setblocking(False)
        opening.connect_ex((HOST[version], 25))
        own = opening.getsockname()[1]
        asked = [(version, TCP, own), (version, UDP, own), (version, TCP, own ^ 1), (10 - version, TCP, own)]
        assert [sent_on(stage.twin, *one) for one in asked] == [STRANGER[version], "", "", ""]


def test_a_kernel_without_it_knows_none(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise Refused(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(connections.Wire, "dump", refused)
    assert sent_on(stage.twin, 4, TCP, 40000) == ""
