"""Lines for iptables and nft: where they are put, and what packets have to be for them."""

from __future__ import annotations

from typing import Any

import pytest

from preflight.checks.firewall import lines
from preflight.checks.firewall.culprits import Case
from preflight.facts import Chain, Culprit, Table
from tests.checks.twins import docker_tables, legacy, rule

NATIVE = docker_tables()
ONLY_LEGACY = docker_tables("ip_tables")
INET = (Table("nf_tables", "inet", "filter", (Chain("forward", 1, "forward"),)),)
KNOWN = "-m conntrack --ctstate RELATED,ESTABLISHED"
THERE = "-o br-mailcow -p tcp -m multiport --dports 25"
BACK = f"-i br-mailcow {KNOWN}"


def case(culprit: Culprit, **more: Any) -> Case:
    given = {
        "way": "in", "version": 4, "verdict": "dropped", "owner": "", "hook": "forward", "bridge": "br-mailcow",
        "inner": (25,), "outer": (2525,),
    }  # fmt: skip
    return Case(culprit=culprit, **{**given, **more})


def of_iptables(given: Case, tables: tuple[Table, ...] = (), *, derived: bool = True) -> list[str]:
    return list(lines.iptables([given], tables, derived=derived))


@pytest.mark.parametrize(
    ("culprit", "derived", "place"),
    [
        (rule(), True, "-I FORWARD"), (rule(), False, "-I FORWARD 2"), (rule("mine"), False, "-I mine"),
        (legacy(number=4), True, "-I FORWARD 4"), (legacy(number=1), False, "-I FORWARD 1"),
        (legacy(number=None), False, "-I FORWARD 2"),
        (rule(kind="policy", handle=None), True, "-A FORWARD"), (rule(kind="policy"), False, "-A FORWARD"),
    ],
)  # fmt: skip
def test_a_line_is_put_before_the_rule_or_at_the_end_of_a_chain(culprit: Culprit, derived: bool, place: str) -> None:
    assert of_iptables(case(culprit), derived=derived) == [
        f"iptables {place} {THERE} -j ACCEPT", f"iptables {place} {BACK} -j ACCEPT",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("version", "culprit", "tables", "program"),
    [
        (4, rule(), NATIVE, "iptables"), (6, rule(family="ip6"), NATIVE, "ip6tables"),
        (4, legacy(), ONLY_LEGACY, "iptables"), (6, legacy(family="ip6"), ONLY_LEGACY, "ip6tables"),
        (4, legacy(), (*ONLY_LEGACY, *NATIVE), "iptables-legacy"), (6, legacy(), NATIVE, "ip6tables-legacy"),
        (4, legacy(), (*ONLY_LEGACY, *INET), "iptables"), (4, rule(), (*ONLY_LEGACY, *NATIVE), "iptables"),
    ],
)  # fmt: skip
def test_a_line_is_told_to_the_program_whose_tables_the_rule_is_in(
    version: Any, culprit: Culprit, tables: tuple[Table, ...], program: str
) -> None:
    given = case(culprit, version=version)
    made = [*of_iptables(given, tables), *lines.docker_user([given], tables)]
    assert {line.partition(" ")[0] for line in made} == {program}
    shown = "nft -a list ruleset" if culprit.backend == "nf_tables" else f"{program}-save"
    assert lines.listing(given, tables) == shown


@pytest.mark.parametrize(("table", "named"), [("filter", ""), ("", ""), ("raw", " -t raw"), ("a b", " -t 'a b'")])
def test_a_table_is_named_where_it_is_not_the_one_for_filters(table: str, named: str) -> None:
    assert of_iptables(case(rule(table=table)))[0] == f"iptables{named} -I FORWARD {THERE} -j ACCEPT"


@pytest.mark.parametrize(
    ("way", "hook", "early", "wanted"),
    [
        ("in", "forward", False, [THERE, BACK]),
        ("out", "forward", False, ["-i br-mailcow", f"-o br-mailcow {KNOWN}"]),
        ("in", "input", False, ["-p tcp -m multiport --dports 2525"]),
        ("in", "prerouting", False, [THERE, BACK]),  # after the translation
        ("in", "prerouting", True, ["-p tcp -m multiport --dports 2525", "-i br-mailcow"]),
        ("out", "input", False, ["-i br-mailcow", f"-o br-mailcow {KNOWN}"]),
        ("out", "prerouting", True, ["-i br-mailcow", KNOWN]),
        ("in", "postrouting", False, [THERE, KNOWN]),
        ("out", "postrouting", False, []),
    ],
)
def test_packets_are_what_the_chain_can_ask(way: str, hook: str, early: bool, wanted: list[str]) -> None:
    given = case(rule("mine", table="mangle"), way=way, hook=hook, early=early)
    assert of_iptables(given) == [f"iptables -t mangle -I mine {matches} -j ACCEPT" for matches in wanted]
    assert list(lines.saved(given)) == [f"-A mine {matches} -j ACCEPT" for matches in wanted]


def test_docker_user_lets_packets_go_on_and_comes_before_docker_in_both_directions() -> None:
    six = case(rule("DOCKER-USER", family="ip6"), version=6, way="out", inner=(), outer=())
    assert list(lines.docker_user([case(rule("DOCKER-USER")), six], NATIVE)) == [
        f"iptables -I DOCKER-USER {THERE} -j RETURN", f"iptables -I DOCKER-USER {BACK} -j RETURN",
        "ip6tables -I DOCKER-USER -i br-mailcow -j RETURN", f"ip6tables -I DOCKER-USER -o br-mailcow {KNOWN} -j RETURN",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("family", "way", "hook", "early", "wanted"),
    [
        ("inet", "in", "forward", False,
         ['oifname "br-mailcow" tcp dport 25 accept', 'iifname "br-mailcow" ct state established,related accept']),
        ("inet", "out", "forward", False,
         ['iifname "br-mailcow" accept', 'oifname "br-mailcow" ct state established,related accept']),
        ("inet", "in", "prerouting", True, ["tcp dport 2525 accept", 'iifname "br-mailcow" accept']),
        ("inet", "in", "input", False, ["tcp dport 2525 accept"]),
        ("inet", "out", "input", False, ['iifname "br-mailcow" accept']),
        ("netdev", "in", "ingress", True, ["tcp dport 2525 accept"]),
        ("netdev", "out", "ingress", True, ['iifname "br-mailcow" accept']),
        ("bridge", "in", "forward", False, ['oifname "br-mailcow" tcp dport 25 accept']),
    ],
)  # fmt: skip
def test_statements_of_nft(family: str, way: str, hook: str, early: bool, wanted: list[str]) -> None:
    given = case(rule("mine", family=family), way=way, hook=hook, early=early)
    assert list(lines.statements(given)) == wanted


@pytest.mark.parametrize(
    ("culprit", "verb"),
    [
        (rule("f", family="inet"), "insert rule inet filter f position 12"),
        (rule("f", family="inet", handle=None), "insert rule inet filter f"),
        (rule("f", family="inet", kind="policy"), "add rule inet filter f"),
    ],
)
def test_lines_of_nft_come_before_the_rule_or_last_where_the_policy_stops_packets(culprit: Culprit, verb: str) -> None:
    assert list(lines.nft([case(culprit)])) == [
        f"nft '{verb} oifname \"br-mailcow\" tcp dport 25 accept'",
        f"nft '{verb} iifname \"br-mailcow\" ct state established,related accept'",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["it's", "two words", "a;b", "$(id)", "9lives", "", "ä", "`x`", 'a"b', "a\nb"])
@pytest.mark.parametrize("field", ["table", "chain", "family"])
def test_names_that_nft_does_not_take_as_they_are_make_no_command(field: str, name: str) -> None:
    odd = Culprit(**{"kind": "rule", "family": "inet", "table": "filter", "chain": "forward", field: name})  # type: ignore[arg-type]
    whole = case(rule("b-2.c/d_e", family="inet"))
    assert [line.partition("c/d_e")[1] for line in lines.nft([case(odd), whole])] == ["c/d_e"] * 2


@pytest.mark.parametrize(("count", "rows"), [(1, [1]), (15, [15]), (16, [15, 1]), (31, [15, 15, 1])])
def test_no_match_has_more_ports_than_multiport_takes(count: int, rows: list[int]) -> None:
    given = case(rule(), inner=tuple(range(1, count + 1)))
    ports = [line.split("--dports ")[1].split(" ")[0].split(",") for line in of_iptables(given) if "--dports" in line]
    assert list(map(len, ports)) == rows
    assert [int(port) for row in ports for port in row] == list(given.inner)
    statement = next(iter(lines.statements(given)))
    assert statement.count(",") == count - 1
    assert ("{" in statement) is (count > 1)


def test_an_odd_name_of_a_bridge_stays_one_word_of_the_shell() -> None:
    given = case(rule(), bridge="br;id")
    assert all("'br;id'" in line for line in of_iptables(given))
