"""What an engine did for a network is compared with what is derived, and told with mailcow's names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import pytest
from msgspec.structs import replace

from preflight.twin import derive, held
from preflight.twin.derive_state import Change, State, Underivable, parse
from preflight.twin.held import Chains, Names
from preflight.twin.request import Port, Request

ENGINES = Path(__file__).parent / "engines"
MAILCOW6 = "fd4d:6169:6c63:6f77::"
# Of what the fixtures hold: a port on every address, and one on a loopback address.
KEPT = re.compile(r"(?!.*--dport (?:465|443) )(?!.*172\.22\.1\.3/)(?!.*77::3/)")
NAMES = Names(
    bridge="br-mailcow", subnet="172.22.1.0/24", container="172.22.1.253", port=25, inside=25,
    local_port=7654, local_inside=6379,
)  # fmt: skip
Version = Literal[4, 6]
FORWARD, DOCKER, NAT = ("filter", "FORWARD"), ("filter", "DOCKER"), ("nat", "DOCKER")


def request(engine: str, *ports: Port, **changed: Any) -> Request:
    return Request(
        bridge="br-mailcow", subnet4="172.22.1.0/24", subnet6=f"{MAILCOW6}/64", engine=engine, ports=ports, **changed
    )


SMTP = Port("", 25, "postfix-mailcow", 25, "172.22.1.253", f"{MAILCOW6}253")
REDIS = Port("127.0.0.1", 7654, "redis-mailcow", 6379, "172.22.1.249", f"{MAILCOW6}249")


def recorded(name: str) -> State:
    text = (ENGINES / f"{name}.rules").read_text("utf-8")
    return parse("\n".join(line for line in text.splitlines() if KEPT.match(line)), forwarding=True, native=True)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("variant", ["proxy", "hairpin"])
@pytest.mark.parametrize("engine", ["20.10.24", "26.1.5", "28.5.2"])
def test_real_engines_do_what_is_derived(engine: str, variant: str, version: Version) -> None:
    before, found = (recorded(f"{engine}-{variant}-{moment}-{version}") for moment in ("start", "up"))
    asked = request(engine, SMTP, REDIS, userland_proxy=variant == "proxy")
    derived = held.after(held.chains(before), derive.wanted(asked, version, before))
    six = {"subnet": f"{MAILCOW6}/64", "container": f"{MAILCOW6}253", "local_port": 0, "local_inside": 0}
    names = replace(NAMES, **(six if version == 6 else {}))
    assert held.differing(version, derived, held.chains(found), names) == []
    assert derived != held.chains(before)


BASE: dict[tuple[str, str], tuple[str, ...]] = {
    FORWARD: ("-j DOCKER-USER", "-o br-mailcow -j DOCKER", "-j ufw-before-forward"),
    DOCKER: ("-d 172.22.1.253/32 -p tcp -m tcp --dport 25 -j ACCEPT", "-d 172.22.1.253/32 --dport 6379 -j ACCEPT"),
    ("filter", "f2b-sshd"): ("-s 203.0.113.9/32 -j REJECT", "-j RETURN"),
}


def others(**changed: tuple[str, ...]) -> Chains:
    """Return the base with other rules in chains of the table filter."""
    return {**BASE, **{("filter", name.replace("_", "-")): rules for name, rules in changed.items()}}


def told(found: Chains) -> list[tuple[str, str, str]]:
    return [(one.only, one.chain, one.rule) for one in held.differing(4, BASE, found, NAMES)]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({}, []),
        ({"DOCKER": (*BASE[DOCKER], "-i br-mailcow -j LOG")}, [("engine", "DOCKER", "-i {bridge} -j LOG")]),
        ({"DOCKER": BASE[DOCKER][1:]}, [
            ("derived", "DOCKER", "-d {container}/32 -p tcp -m tcp --dport {inside} -j ACCEPT"),
        ]),
        ({"DOCKER": (*BASE[DOCKER], BASE[DOCKER][0])}, [
            ("engine", "DOCKER", "-d {container}/32 -p tcp -m tcp --dport {inside} -j ACCEPT"),
        ]),
        ({"DOCKER": BASE[DOCKER][::-1]}, []),
        ({"FORWARD": BASE[FORWARD][::-1]}, [("order", "FORWARD", "")]),
        ({"f2b_sshd": ("-s 198.51.100.7/32 -j REJECT", *BASE["filter", "f2b-sshd"])}, []),
        ({"FORWARD": ("-s 198.51.100.7/32 -j DROP", *BASE[FORWARD])}, []),
        ({"FORWARD": BASE[FORWARD][:-1]}, []),
        ({"DOCKER_NEW": ("-j RETURN",)}, [("engine", "DOCKER-NEW", "-j RETURN")]),
    ],
    ids=["alike", "one more", "one less", "twice", "ports", "order", "a ban", "a drop", "unbanned", "a new chain"],
)  # fmt: skip
def test_what_differs(found: dict[str, tuple[str, ...]], expected: list[tuple[str, str, str]]) -> None:
    # Which name says what of a port is known by the port alone: 6379 is that of the loopback address.
    names = others(**found)
    assert told(names) == expected


def test_numbers_within_other_numbers_are_none_of_the_networks() -> None:
    signs = held.Signs(replace(NAMES, gateway="172.22.1.1", port=80, local_port=0))
    assert signs.of("-d 172.22.1.25/32 --dport 8080 -j X") == "-d 172.22.1.25/32 --dport 8080 -j X"
    assert signs.of("-d 172.22.1.253/32 --dport 80") == "-d {container}/32 --dport {port}"
    assert signs.of("--to-destination 172.22.1.253:25 -s 172.22.1.0/24") == (
        "--to-destination {container}:{inside} -s {subnet}"
    )
    assert signs.of("filter-forward-in__br-mailcow") == "filter-forward-in__{bridge}"


PROBE = Names(
    bridge="br-pf01", subnet="198.18.7.0/28", container="198.18.7.2", gateway="198.18.7.1", port=49153, inside=7325,
    local_port=49154, local_inside=7326, ids=("0123456789abcdef",),
)  # fmt: skip
TRIED = (Port("", 49153, "", 7325, "198.18.7.2"), Port("127.0.0.1", 49154, "", 7326, "198.18.7.2"))
SUBMISSION = Port("", 587, "postfix-mailcow", 587, "172.22.1.253")
IMAP = Port("", 143, "dovecot-mailcow", 143, "172.22.1.250")


@pytest.mark.parametrize("variant", ["proxy", "hairpin"])
@pytest.mark.parametrize("engine", ["20.10.24", "26.1.5", "28.5.2"])
def test_what_was_done_for_a_network_is_what_is_derived_for_mailcow(engine: str, variant: str) -> None:
    """Carried over, the commands for another network are those for mailcow's: each of its ports has its own."""
    start = recorded(f"{engine}-{variant}-start-4")
    mailcow = request(engine, SMTP, SUBMISSION, IMAP, REDIS, userland_proxy=variant == "proxy")
    other = replace(mailcow, bridge=PROBE.bridge, subnet4=PROBE.subnet, ports=TRIED)
    before = held.chains(start)
    found = held.after(before, derive.wanted(other, 4, start))
    done = held.after(before, held.carried(4, before, found, PROBE, mailcow))
    expected = held.after(before, derive.wanted(mailcow, 4, start))
    assert {key: sorted(rules) for key, rules in done.items()} == {
        key: sorted(rules) for key, rules in expected.items()
    }
    # Where no ports are concerned, in the same places, too.
    assert done[FORWARD] == expected[FORWARD]


def carried(found: Chains, *ports: Port) -> list[tuple[str, str, str, int]]:
    changes = held.carried(4, BASE, found, PROBE, request("26.1.5", *(ports or (SMTP, IMAP, REDIS))))
    return [(one.action, one.chain, one.rule, one.position) for one in changes]


def test_rules_stay_where_they_were_put_and_others_are_there_already() -> None:
    found = others(
        FORWARD=("-s 203.0.113.9/32 -j DROP", "-i br-pf01 -j DROP", "-j ufw-before-forward", "-j DOCKER-USER"),
    )
    assert carried(found) == [
        ("-D", "FORWARD", "-j DOCKER-USER", 0),
        ("-D", "FORWARD", "-o br-mailcow -j DOCKER", 0),
        ("-I", "FORWARD", "-i br-mailcow -j DROP", 2),
        ("-I", "FORWARD", "-j DOCKER-USER", 4),
    ]


def test_new_chains_are_made_first_and_a_rule_comes_for_each_port_or_container() -> None:
    found = {
        **others(DOCKER=("-d 198.18.7.2/32 --dport 7325 -j X", "-d 198.18.7.2/32 -j Y", *BASE[DOCKER])),
        ("filter", "DOCKER-br-pf01"): ("-p tcp -d 127.0.0.1/32 --dport 49154 -j DROP",),
    }
    assert carried(found) == [
        ("-N", "DOCKER-br-mailcow", "", 0),
        ("-I", "DOCKER", "-d 172.22.1.253/32 --dport 25 -j X", 1),
        ("-I", "DOCKER", "-d 172.22.1.250/32 --dport 143 -j X", 2),
        ("-I", "DOCKER", "-d 172.22.1.253/32 -j Y", 3),
        ("-I", "DOCKER", "-d 172.22.1.250/32 -j Y", 4),
        ("-I", "DOCKER", "-d 172.22.1.249/32 -j Y", 5),
        ("-I", "DOCKER-br-mailcow", "-p tcp -d 127.0.0.1/32 --dport 7654 -j DROP", 1),
    ]


@pytest.mark.parametrize(
    ("rule", "ports"),
    [
        ("-s 198.18.7.1/32 -j DROP", ()),
        ("-i br-pf01 -m comment --comment 0123456789ab -j DROP", ()),
        ("-i br-pf01 -m multiport --dports 49153,49154 -j DROP", ()),
        ("-i br-pf01 --dport 7325 -j DROP", (SMTP, replace(SMTP, address="203.0.113.5"))),
    ],
    ids=["the gateway", "an object's number", "two ports in one", "an address of its own"],
)
def test_what_cannot_be_told_with_other_names(rule: str, ports: tuple[Port, ...]) -> None:
    with pytest.raises(Underivable):
        carried(others(DOCKER=(*BASE[DOCKER], rule)), *ports)


def test_more_changes_than_any_engine_makes_are_not_carried_over() -> None:
    many = tuple(f"-i br-pf01 -s 192.0.2.{number % 250} -j DROP" for number in range(held.CHANGES + 1))
    with pytest.raises(Underivable, match="rules"):
        carried(others(DOCKER=(*BASE[DOCKER], *many)))


@pytest.mark.parametrize(
    ("first", "stays"),
    [(("-j DOCKER-USER", "-j DOCKER-ISOLATION-STAGE-1"), False), (("-j LOG", "-j DOCKER-USER"), True)],
    ids=["in its place", "moved to the top"],
)
def test_what_stays_of_a_network_that_has_gone(first: tuple[str, ...], stays: bool) -> None:
    lines = ["*filter", ":FORWARD ACCEPT [0:0]", ":DOCKER - [0:0]", ":DOCKER-USER - [0:0]"]
    lines += [*(f"-A FORWARD {rule}" for rule in first), "-A DOCKER-USER -j RETURN", "COMMIT", "*nat"]
    lines += [f"-A {chain} {rule}" for chain, rule in (
        ("PREROUTING", "-m addrtype --dst-type LOCAL -j DOCKER"),
        ("OUTPUT", "! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER"),
    )]  # fmt: skip
    state = parse("\n".join(lines), forwarding=True, native=True)
    before = held.chains(state)
    asked = replace(request("26.1.5"), bridge=PROBE.bridge, subnet4=PROBE.subnet)
    assert held.lasting(before, held.after(before, derive.wanted(asked, 4, state)), PROBE) is stays


def test_changes_are_made_in_their_order() -> None:
    changes = [
        Change("-N", "filter", "NEW"), Change("-A", "filter", "DOCKER", "last"),
        Change("-I", "filter", "DOCKER", "top"), Change("-I", "filter", "DOCKER", "second", 2),
        Change("-D", "filter", "FORWARD", "-j DOCKER-USER"),
        Change("-D", "filter", "FORWARD", "absent"), Change("-P", "filter", "FORWARD", "DROP"),
    ]  # fmt: skip
    found = held.after(BASE, changes)
    assert found["filter", "NEW"] == ()
    assert found[DOCKER] == ("top", "second", *BASE[DOCKER], "last")
    assert found[FORWARD] == BASE[FORWARD][1:]
