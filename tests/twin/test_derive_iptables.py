"""What each version of the engine adds to ip_tables."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from preflight.twin import derive_iptables, derive_state
from preflight.twin.derive_state import State, Underivable
from preflight.twin.request import Port, Request

SMTP = Port("", 25, "postfix-mailcow", 25, "172.22.1.253", "fd4d::253")
REDIS = Port("127.0.0.1", 7654, "redis-mailcow", 6379, "172.22.1.249", "fd4d::249")
EMPTY = State(chains=frozenset({("filter", "DOCKER-USER")}))


def lines(engine: str, version: Literal[4, 6] = 4, state: State = EMPTY, **changed: Any) -> list[str]:
    """Return what the engine does, with its table before each rule."""
    settings: dict[str, Any] = {"ports": (SMTP, REDIS), "subnet6": "fd4d::/64", **changed}
    request = Request(bridge="br-mailcow", subnet4="172.22.1.0/24", engine=engine, **settings)
    return [" ".join(change.words()[1:]) for change in derive_iptables.changes(request, version, state).made]


@pytest.mark.parametrize("engine", ["20.10.24", "23.0.6", "24.0.9", "25.0.7", "26.1.5", "27.5.1"])
def test_below_28_each_rule_goes_to_the_top_and_docker_user_last(engine: str) -> None:
    assert lines(engine) == [
        "nat -I POSTROUTING -s 172.22.1.0/24 ! -o br-mailcow -j MASQUERADE",
        "nat -I DOCKER -i br-mailcow -j RETURN",
        "filter -I FORWARD -i br-mailcow -o br-mailcow -j ACCEPT",
        "filter -I FORWARD -i br-mailcow ! -o br-mailcow -j ACCEPT",
        "nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
        "nat -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER",
        "filter -I FORWARD -o br-mailcow -j DOCKER",
        "filter -I FORWARD -o br-mailcow -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "filter -I FORWARD -j DOCKER-ISOLATION-STAGE-1",
        "filter -I DOCKER-ISOLATION-STAGE-1 -i br-mailcow ! -o br-mailcow -j DOCKER-ISOLATION-STAGE-2",
        "filter -I DOCKER-ISOLATION-STAGE-2 -o br-mailcow -j DROP",
        "filter -A DOCKER-USER -j RETURN",
        "filter -I FORWARD -j DOCKER-USER",
        "nat -A DOCKER ! -i br-mailcow -p tcp -m tcp --dport 25 -j DNAT --to-destination 172.22.1.253:25",
        "filter -A DOCKER -d 172.22.1.253/32 ! -i br-mailcow -o br-mailcow -p tcp -m tcp --dport 25 -j ACCEPT",
        "nat -A POSTROUTING -s 172.22.1.253/32 -d 172.22.1.253/32 -p tcp -m tcp --dport 25 -j MASQUERADE",
        "nat -A DOCKER -d 127.0.0.1/32 ! -i br-mailcow -p tcp -m tcp --dport 7654 -j DNAT "
        "--to-destination 172.22.1.249:6379",
        "filter -A DOCKER -d 172.22.1.249/32 ! -i br-mailcow -o br-mailcow -p tcp -m tcp --dport 6379 -j ACCEPT",
        "nat -A POSTROUTING -s 172.22.1.249/32 -d 172.22.1.249/32 -p tcp -m tcp --dport 6379 -j MASQUERADE",
    ]


@pytest.mark.parametrize(
    ("engine", "isolated"), [("28.0.1", True), ("28.1.1", True), ("28.5.2", True), ("29.0.0", False), ("30.1.0", False)]
)
def test_from_28_nothing_moves_in_the_forward_chain(engine: str, isolated: bool) -> None:
    raw = [line for line in lines(engine) if line.startswith("raw ")]
    expected = [
        "nat -I POSTROUTING -s 172.22.1.0/24 ! -o br-mailcow -j MASQUERADE",
        "nat -I DOCKER -i br-mailcow -j RETURN" if isolated else "",
        "filter -A DOCKER-FORWARD -i br-mailcow -j ACCEPT",
        "filter -A DOCKER ! -i br-mailcow -o br-mailcow -j DROP",
        "filter -A DOCKER-CT -o br-mailcow -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "filter -A DOCKER-BRIDGE -o br-mailcow -j DOCKER",
        "filter -A DOCKER-ISOLATION-STAGE-1 -i br-mailcow ! -o br-mailcow -j DOCKER-ISOLATION-STAGE-2"
        if isolated
        else "",
        "filter -I DOCKER-ISOLATION-STAGE-2 -o br-mailcow -j DROP" if isolated else "",
        "nat -A DOCKER ! -i br-mailcow -p tcp -m tcp --dport 25 -j DNAT --to-destination 172.22.1.253:25",
        "filter -I DOCKER -d 172.22.1.253/32 ! -i br-mailcow -o br-mailcow -p tcp -m tcp --dport 25 -j ACCEPT",
        "nat -A DOCKER -d 127.0.0.1/32 ! -i br-mailcow -p tcp -m tcp --dport 7654 -j DNAT "
        "--to-destination 172.22.1.249:6379",
        "filter -I DOCKER -d 172.22.1.249/32 ! -i br-mailcow -o br-mailcow -p tcp -m tcp --dport 6379 -j ACCEPT",
    ]
    assert [line for line in lines(engine) if line not in raw] == [line for line in expected if line]


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        (
            "28.1.1",
            [
                "-d 172.22.1.253/32 ! -i br-mailcow -p tcp -m tcp --dport 25 -j DROP",
                "-d 127.0.0.1/32 ! -i lo -p tcp -m tcp --dport 7654 -j DROP",
                "-d 172.22.1.249/32 ! -i br-mailcow -p tcp -m tcp --dport 6379 -j DROP",
            ],
        ),
        (
            "28.2.0",
            [
                "-d 172.22.1.253/32 ! -i br-mailcow -j DROP",
                "-d 172.22.1.249/32 ! -i br-mailcow -j DROP",
                "-d 127.0.0.1/32 ! -i lo -p tcp -m tcp --dport 7654 -j DROP",
            ],
        ),
        ("27.5.1", []),
    ],
)
def test_containers_cannot_be_reached_by_their_own_address(engine: str, expected: list[str]) -> None:
    found = [line for line in lines(engine) if line.startswith("raw ")]
    assert found == [f"raw -A PREROUTING {rule}" for rule in expected]


def test_a_table_of_ip_tables_is_not_made() -> None:
    state = State(chains=frozenset({("filter", "DOCKER"), ("nat", "DOCKER")}), native=False)
    assert not [line for line in lines("28.5.2", state=state) if line.startswith("raw ")]


def test_without_docker_proxy_containers_come_back_through_the_host() -> None:
    for engine in ("20.10.24", "27.5.1", "28.5.2", "29.0.0"):
        found = lines(engine, userland_proxy=False)
        assert "nat -I POSTROUTING -o br-mailcow -m addrtype --src-type LOCAL -j MASQUERADE" in found
        assert "nat -A DOCKER -p tcp -m tcp --dport 25 -j DNAT --to-destination 172.22.1.253:25" in found
        assert "nat -I DOCKER -i br-mailcow -j RETURN" not in found
        itself = "-s 172.22.1.253/32 -d 172.22.1.253/32 -p tcp -m tcp --dport 25 -j MASQUERADE"
        assert f"nat -A POSTROUTING {itself}" in found
    assert "nat -A OUTPUT -m addrtype --dst-type LOCAL -j DOCKER" in lines("27.5.1", userland_proxy=False)


def test_a_rule_for_the_host_itself_goes_once_there_is_a_proxy() -> None:
    left = "-o br-mailcow -m addrtype --src-type LOCAL -j MASQUERADE"
    state = State(chains=EMPTY.chains, rules=(("nat", "POSTROUTING", left),))
    assert [
        f"nat -D POSTROUTING {left}" in lines(engine, state=state) for engine in ("20.10.24", "23.0.0", "29.0.0")
    ] == [
        False,
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("engine", "redirected", "user"),
    [
        ("20.10.24", "! -i br-mailcow -p tcp -m tcp --dport 25", False),
        ("23.0.6", "! -i br-mailcow -p tcp -m tcp --dport 25", True),
        ("27.5.1", "! -i br-mailcow -p tcp -m tcp --dport 25", True),
        ("28.5.2", "! -s fe80::/10 ! -i br-mailcow -p tcp -m tcp --dport 25", False),
    ],
)
def test_ipv6(engine: str, redirected: str, user: bool) -> None:
    found = lines(engine, 6)
    assert f"nat -A DOCKER {redirected} -j DNAT --to-destination [fd4d::253]:25" in found
    assert "nat -I POSTROUTING -s fd4d::/64 ! -o br-mailcow -j MASQUERADE" in found
    assert not [line for line in found if "7654" in line]  # published on an address of IPv4
    assert ("filter -I FORWARD -j DOCKER-USER" in found) is user
    opened = "-d fd4d::253/128 ! -i br-mailcow -o br-mailcow -p tcp -m tcp --dport 25 -j ACCEPT"
    assert f"filter {'-A' if engine < '28' else '-I'} DOCKER {opened}" in found


@pytest.mark.parametrize("changed", [{"ip6tables": False}, {"subnet6": ""}])
def test_without_rules_of_ipv6(changed: dict[str, Any]) -> None:
    assert lines("28.5.2", 6, **changed) == []
    assert lines("28.5.2", 4, iptables=False) == []


@pytest.mark.parametrize(
    ("engine", "changed", "forwarding", "dropped"),
    [
        ("28.5.2", {}, False, True),
        ("28.5.2", {}, True, False),
        ("28.5.2", {"ip_forward": False}, False, False),
        ("27.5.1", {}, False, False),  # at its start only
    ],
)
def test_forwarding_is_not_opened_for_all(
    engine: str, changed: dict[str, Any], forwarding: bool, dropped: bool
) -> None:
    state = State(chains=EMPTY.chains, forwarding=forwarding)
    assert ("filter -P FORWARD DROP" in lines(engine, state=state, **changed)) is dropped


def test_the_routing_mesh_of_a_swarm_stays_above_all_but_the_users_rules() -> None:
    state = State(
        chains=frozenset({("filter", "DOCKER-INGRESS")}),
        rules=(("filter", "FORWARD", "-j DOCKER-USER"), ("filter", "FORWARD", "-j DOCKER-INGRESS")),
    )
    tops = [line for line in lines("26.1.5", state=state) if "DOCKER-INGRESS" in line or "DOCKER-USER" in line]
    assert tops == [
        "filter -D FORWARD -j DOCKER-INGRESS",
        "filter -I FORWARD -j DOCKER-INGRESS",
        "filter -N DOCKER-USER",
        "filter -A DOCKER-USER -j RETURN",
        "filter -D FORWARD -j DOCKER-USER",
        "filter -I FORWARD -j DOCKER-USER",
    ]


def test_what_an_older_engine_left_is_taken_away() -> None:
    left = [
        "-i br-mailcow -o br-mailcow -j ACCEPT",
        "-i br-mailcow ! -o br-mailcow -j ACCEPT",
        "-o br-mailcow -j DOCKER",
        "-o br-mailcow -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    ]
    state = State(chains=EMPTY.chains, rules=tuple(("filter", "FORWARD", rule) for rule in left))
    assert [line for line in lines("29.0.0", state=state) if " -D " in line] == [
        f"filter -D FORWARD {rule}" for rule in left
    ]


def test_two_ports_of_a_container_share_what_is_the_same() -> None:
    again = Port("203.0.113.5", 2525, "postfix-mailcow", 25, "172.22.1.253")
    found = lines("26.1.5", ports=(SMTP, again))
    assert sum("filter -A DOCKER " in line for line in found) == 1
    assert sum("nat -A DOCKER " in line for line in found) == 2


def test_an_engine_of_the_future_whose_chains_are_not_known() -> None:
    known = State(chains=frozenset({("filter", "DOCKER-INTERNAL"), ("filter", "MINE")}))
    assert lines("31.0.0", state=known)
    other = State(chains=frozenset({("filter", "DOCKER-CHECKS")}))
    assert lines("29.9.0", state=other)
    with pytest.raises(Underivable, match="DOCKER-CHECKS"):
        lines("31.0.0", state=other)


def test_a_container_without_an_address_of_ipv6_is_left_to_docker_proxy() -> None:
    found = lines("28.5.2", 6, ports=(Port("", 25, "postfix-mailcow", 25, "172.22.1.253"),))
    assert not [line for line in found if "DNAT" in line]


def test_what_is_written_is_read_back_as_the_same() -> None:
    """Applied twice, nothing is done the second time: rules are looked up by the text that iptables-save prints."""
    request = Request(ports=(SMTP,), bridge="br-mailcow", subnet4="172.22.1.0/24", engine="28.5.2")
    first = derive_iptables.changes(request, 4, EMPTY).made
    saved = "".join(f"*{change.table}\n-A {change.chain} {change.rule}\n" for change in first)
    assert derive_iptables.changes(request, 4, derive_state.parse(saved, forwarding=True, native=True)).made == []
