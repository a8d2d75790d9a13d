"""What ended a packet, as it is said; where its chain comes; and why a verdict is not known."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from preflight.checks.firewall import culprits, verdicts, ways
from preflight.checks.firewall.culprits import Case
from preflight.facts import Chain, Culprit, DaemonConfig, Diversion, Ipv6, Nat, Route, Step, Table, Uncopied
from preflight.report.model import Remedy
from tests.build import VIEW, host, look
from tests.checks.hosts import release
from tests.checks.twins import ENGINE, docker_tables, families, journey, legacy, managers, rule, twin


def case(culprit: Culprit, **more: Any) -> Case:
    given = {"way": "in", "version": 4, "verdict": "dropped", "owner": "", "hook": "forward", "bridge": "br-mailcow"}
    return Case(culprit=culprit, **{**given, **more})


def said(culprit: Culprit, **more: Any) -> list[str]:
    return list(culprits.sentences(case(culprit, **more)))


# --- what is said -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("culprit", "words"),
    [
        (rule(), "The rule with handle 12 in the FORWARD chain of the ip filter table stops them."),
        (rule(handle=None), "A rule in the FORWARD chain of the ip filter table stops them."),
        (rule(backend=""), "The rule with handle 12 in the FORWARD chain of the filter table stops them."),
        (legacy(), "Rule 2 in the FORWARD chain of the filter table of iptables-legacy stops them."),
        (legacy(number=None), "A rule in the FORWARD chain of the filter table of iptables-legacy stops them."),
        (rule(kind="policy"), "The policy of the FORWARD chain in the ip filter table stops them."),
        (rule(kind="policy", backend=""), "The policy of the FORWARD chain in the filter table stops them."),
        (legacy(kind="policy"), "The policy of the FORWARD chain in the filter table of iptables-legacy stops them."),
        (Culprit(kind="filter"), "The kernel's source address check (rp_filter) drops them."),
        (Culprit(kind="socket"), "None of Docker's rules forwards them to mailcow, and no program listens there."),
    ],
)
def test_what_stops_connections_is_the_first_sentence(culprit: Culprit, words: str) -> None:
    assert said(culprit)[0] == words


@pytest.mark.parametrize(("version", "setting"), [(4, "net.ipv4.ip_forward"), (6, "net.ipv6.conf.all.forwarding")])
def test_forwarding_is_named_by_its_setting(version: Any, setting: str) -> None:
    words = f"The kernel does not forward packets: {setting} is 0, globally or for an interface."
    assert said(Culprit(kind="forwarding"), version=version) == [words]


@pytest.mark.parametrize(
    ("way", "verdict", "to"),
    [
        ("in", "dropped", "mailcow's network"), ("in", "refused", "mailcow's network"),
        ("in", "oneway", "the Internet"), ("out", "dropped", "the Internet"), ("out", "oneway", "the Internet"),
    ],
)  # fmt: skip
def test_a_route_is_missing_to_where_the_packet_was_going(way: str, verdict: str, to: str) -> None:
    words = f"There is no route to {to}, or a route leads nowhere."
    assert said(Culprit(kind="route"), way=way, verdict=verdict) == [words]


@pytest.mark.parametrize(
    ("culprit", "wanted"),
    [
        (Culprit(kind="nat", backend="nf_tables", family="ip", table="nat", chain="PREROUTING", to="192.0.2.9"),
         ["A rule in the PREROUTING chain of the ip nat table redirects them.", "They arrive at 192.0.2.9 instead."]),
        (Culprit(kind="nat", table="nat", chain="mine"),
         ["A rule in the mine chain of the nat table redirects them."]),
        (Culprit(kind="nat", to="192.0.2.9"), ["They arrive at 192.0.2.9 instead."]),
        (Culprit(kind="nat"), []),
    ],
    ids=["whole", "chain", "address", "neither"],
)  # fmt: skip
def test_a_translation_is_said_as_far_as_it_is_known(culprit: Culprit, wanted: list[str]) -> None:
    assert said(culprit) == wanted


@pytest.mark.parametrize(
    ("culprit", "owner", "wanted"),
    [
        (rule(counter=None), "", []),
        (rule(counter=0), "", []),
        (rule(counter=7), "ufw", ["It belongs to ufw.", "Packets it has stopped on this host so far: 7."]),
        (rule(kind="policy", counter=7), "ufw", ["It belongs to ufw."]),
        (rule(counter=None, predicted=True), "docker", ["Docker will add this rule for mailcow."]),
        (rule(counter=None), "docker-user",
         ["Rules in this chain are written by hand, or by a tool that manages Docker's ports."]),
        (rule(counter=None), "netfilter-mailcow", ["It belongs to netfilter-mailcow."]),
        (rule(counter=None), "oracle-cloud", ["It belongs to Oracle Cloud."]),
        (Culprit(kind="nat"), "kubernetes", ["It belongs to Kubernetes."]),
        (Culprit(kind="route", counter=7), "ufw", []),
    ],
)  # fmt: skip
def test_whose_it_is_and_how_often_it_was_met(culprit: Culprit, owner: str, wanted: list[str]) -> None:
    first = 0 if culprit.kind == "nat" else 1
    assert said(culprit, owner=owner)[first:] == wanted


def test_what_comes_to_the_hosts_own_rules_is_said_of_what_comes_in_alone() -> None:
    words = "Docker does not forward them, so the rules for the host's own ports apply to them."
    assert words in said(rule("INPUT"), hook="input")
    assert words not in said(rule("INPUT"), hook="input", way="out")
    assert words not in said(rule("FORWARD"), hook="forward")


# --- where its chain comes --------------------------------------------------------------------------------------------

MINE = (Table("nf_tables", "inet", "mine", (
    Chain("at", 1, "prerouting", -100), Chain("late", 1, "prerouting", -99), Chain("raw", 1, "prerouting", -300),
    Chain("in", 1, "ingress", 0), Chain("fw", 1, "forward", -200), Chain("called", 3),
)),)  # fmt: skip
WAY = (Step("prerouting", "inet mine", "raw", "accept"), Step("forward", "inet mine", "fw", "drop"))


@pytest.mark.parametrize(
    ("chain", "hook", "early"),
    [
        ("at", "prerouting", True), ("late", "prerouting", False), ("raw", "prerouting", True),
        ("in", "ingress", True), ("fw", "forward", False), ("called", "forward", False),
    ],
)  # fmt: skip
def test_a_chain_comes_early_where_addresses_are_not_translated_yet(chain: str, hook: str, early: bool) -> None:
    culprit = rule(chain, family="inet", table="mine")
    assert culprits.hook(culprit, journey("dropped", culprit, steps=WAY), MINE) == (hook, early)


@pytest.mark.parametrize(
    ("culprit", "steps", "found"),
    [
        # The chain of that name in another table, family or backend is another one.
        (rule("at", family="inet", table="other"), WAY, ("forward", False)),
        (rule("at", family="ip", table="mine"), WAY, ("forward", False)),
        (legacy("at", family="inet", table="mine"), WAY, ("forward", False)),
        (rule("x"), WAY[:1], ("prerouting", True)),
        (rule("x"), (Step("ingress", "netdev n", "i", "drop"),), ("ingress", True)),
        (rule("raw"), WAY, ("prerouting", True)),  # which it passed before the last
        (rule("FORWARD"), (), ("forward", False)), (rule("INPUT"), (), ("input", False)),
        (rule("PREROUTING"), (), ("prerouting", True)), (rule("POSTROUTING"), (), ("postrouting", False)),
        (rule("x"), (), ("", False)),
    ],
)  # fmt: skip
def test_a_chain_that_is_in_no_outline_is_where_the_packet_was(
    culprit: Culprit, steps: tuple[Step, ...], found: tuple[str, bool]
) -> None:
    assert culprits.hook(culprit, journey("dropped", steps=steps), MINE) == found


@pytest.mark.parametrize(
    ("culprit", "known"),
    [
        (None, False), (rule(chain=""), False), (rule(chain="", kind="policy"), False), (rule(), True),
        (Culprit(kind="route"), True), (Culprit(kind="nat"), True),
    ],
)  # fmt: skip
def test_a_rule_without_a_chain_is_nobodys(culprit: Culprit | None, known: bool) -> None:
    lost = journey("dropped", culprit, steps=WAY)
    found = culprits.make(
        host(twin=twin(), services=managers("ufw")), lost, families()[0], way="in", bridge="br-mailcow"
    )
    assert (found is not None) is known


# --- why a verdict is not known ---------------------------------------------------------------------------------------

OTHERS = (Uncopied("nf_tables", "inet mine", "x", 3, "osf"), Uncopied("ip_tables", "filter", "FORWARD", 9, "geoip"))
BARE = "The packets reach a rule that could not be tested."


@pytest.mark.parametrize(
    ("where", "uncopied", "words"),
    [
        (rule(), (*OTHERS,), f"{BARE} It is in the FORWARD chain of the filter table and uses geoip."),
        (rule("x", table="mine"), OTHERS, f"{BARE} It is in the x chain of the inet mine table and uses osf."),
        (rule("x", table="mine"), (Uncopied("nf_tables", "inet mine", "x"),),
         f"{BARE} It is in the x chain of the inet mine table."),
        (None, (Uncopied("ip_set", "blocklist"),), f"{BARE} It uses blocklist."),
        (None, OTHERS, f"{BARE} It is in the x chain of the inet mine table and uses osf."),
        (rule("y"), OTHERS, BARE), (rule("FORWARD", table="nat"), OTHERS, BARE), (rule(), (), BARE),
    ],
)  # fmt: skip
def test_the_rule_that_could_not_be_copied_is_that_on_the_way(
    where: Culprit | None, uncopied: tuple[Uncopied, ...], words: str
) -> None:
    given = twin(uncopied=uncopied)
    assert verdicts.undecided(given, journey("unknown", where, reason="uncopied")) == words
    late = journey("unknown", where, reason="late")
    assert verdicts.undecided(given, late) == "There are too many firewall rules to test in the available time."


@pytest.mark.parametrize(
    ("depends", "reason", "words"),
    [
        (("order",), "", "The result depends on whether the"), (("order", "limit"), "", "rule conditions that"),
        (("limit",), "uncopied", "rule conditions that change: limit."),
        (("limit",), "sources", "The rules treat some Internet addresses differently"),
    ],
)  # fmt: skip
def test_the_reason_is_the_one_that_leads_on(depends: tuple[str, ...], reason: Any, words: str) -> None:
    assert words in verdicts.undecided(twin(), journey("depends", depends=depends, reason=reason))


@pytest.mark.parametrize(
    ("doubt", "container", "words"),
    [
        ("modules", True, "Start a container with a published port once"),
        ("derivation", True, "Start mailcow, then run this check again"),
        ("control", True, "Add --privileged to docker run."), ("sysctls", True, "Add --privileged to docker run."),
        ("control", False, "Run the check as root"), ("sysctls", False, "Run the check as root"),
        ("late", False, "longer --timeout"), ("memory", True, "longer --timeout"),
        ("", False, "Try a connection from another machine"), ("rules", True, "Try a connection from another machine"),
        ("uncopied", True, "Try a connection from another machine"),
    ],
)  # fmt: skip
def test_what_would_make_it_known(doubt: str, container: bool, words: str) -> None:
    view = msgspec.structs.replace(VIEW, container=container)
    made = look(host(view=view, twin=twin(), engine=ENGINE, services=managers(), os_release=release()))
    remedy: Remedy = verdicts.help_for(made, doubt)
    assert words in remedy.text
    assert remedy.commands == ()
    assert remedy.place == ("docker-run" if "--" in words else "host")


def test_missing_rules_of_docker_are_put_back_before_anything_is_derived() -> None:
    made = look(twin=twin(tables=docker_tables()[:1]), engine=ENGINE, services=managers(), os_release=release())
    assert verdicts.help_for(made, "derivation").commands == ("systemctl restart docker",)


# --- the kernel's own -------------------------------------------------------------------------------------------------


def advice(culprit: Culprit, *cases: dict[str, Any], **facts: Any) -> Remedy:
    known = {"twin": twin(), "services": managers(), "os_release": release(), "engine": ENGINE, **facts}
    made = [case(culprit, **{"interface": "eth0", "outer": (25,), **more}) for more in cases or ({},)]
    return ways.remedy(look(**known), made, made)


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({}, "net.ipv4.conf.eth0.rp_filter = 2"), ({"interface": "eth0.7"}, "net/ipv4/conf/eth0.7/rp_filter = 2"),
        ({"way": "out"}, "net.ipv4.conf.all.rp_filter = 2"), ({"interface": ""}, "net.ipv4.conf.all.rp_filter = 2"),
    ],
)  # fmt: skip
def test_source_addresses_are_checked_loosely_and_not_left_unchecked(more: dict[str, Any], line: str) -> None:
    [file] = advice(Culprit(kind="filter"), more).files
    assert (file.path, file.text) == ("/etc/sysctl.d/90-mailcow-rp-filter.conf", f"{line}\n")


ROUTER = "net.ipv6.conf.eth0.accept_ra = 2"
FORWARD6 = "net.ipv6.conf.all.forwarding = 1"


@pytest.mark.parametrize(
    ("accept_ra", "wanted"),
    [({"eth0": 1}, [ROUTER, FORWARD6]), ({"eth0": 2}, [FORWARD6]), ({"eth0": 0}, [FORWARD6]), ({"x": 1}, [FORWARD6])],
)
def test_forwarding_of_ipv6_leaves_the_default_route_where_a_router_tells_it(
    accept_ra: dict[str, int], wanted: list[str]
) -> None:
    kernel = Ipv6(True, False, True, False, accept_ra)
    remedy = advice(Culprit(kind="forwarding"), {"version": 6}, ipv6=kernel)
    assert remedy.files[0].text.splitlines() == wanted
    assert remedy.commands[-1] == "systemctl restart docker"


@pytest.mark.parametrize(
    ("destination", "interface", "learned", "wanted"),
    [
        ("::/0", "eth0", True, [ROUTER, FORWARD6]), ("::/0", "eth0", False, [FORWARD6]),
        ("::/0", "eth1", True, [FORWARD6]), ("2001:db8::/32", "eth0", True, [FORWARD6]),
    ],
    ids=["from a router", "by hand", "over another interface", "not the default"],
)  # fmt: skip
@pytest.mark.parametrize("ipv6", [None, Ipv6(True, False, True, False, {"x": 2})], ids=["no IPv6 fact", "not of eth0"])
def test_where_the_setting_is_not_known_the_routes_tell_who_would_be_forgotten(
    ipv6: Ipv6 | None, destination: str, interface: str, learned: bool, wanted: list[str]
) -> None:
    routes = (Route(destination, interface, "fe80::1", 1024, learned=learned),)
    known = {"routes": routes, **({"ipv6": ipv6} if ipv6 else {})}
    assert advice(Culprit(kind="forwarding"), {"version": 6}, **known).files[0].text.splitlines() == wanted


def test_forwarding_in_both_families_is_one_file_without_doubles() -> None:
    remedy = advice(Culprit(kind="forwarding"), {}, {"version": 6}, {"outer": (80,)})
    assert remedy.files[0].text.splitlines() == [
        "net.ipv4.ip_forward = 1", "net.ipv4.conf.eth0.forwarding = 1", FORWARD6,
    ]  # fmt: skip
    assert "it then closes the FORWARD chain to all networks except its own" in remedy.text


def test_routes_of_the_families_that_are_concerned_are_shown() -> None:
    assert advice(Culprit(kind="route"), {"version": 6}, {}).commands == (
        "ip -6 rule", "ip -6 route show table all", "ip rule", "ip route show table all",
    )  # fmt: skip


TAKEN = Diversion(
    family="ipv4", backend="nf_tables", table="nat", chain="PREROUTING", rule=1, port=25, to="192.0.2.9",
    native=True, owner="", order="before",
)  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "elsewhere"), [({}, True), ({"owner": "kubernetes"}, True), ({"port": 80}, False),
                               ({"owner": "docker"}, False)],
)  # fmt: skip
def test_only_a_port_that_ports_free_tells_as_taken_is_left_to_it(changed: dict[str, Any], elsewhere: bool) -> None:
    nat = Nat((msgspec.structs.replace(TAKEN, **changed),))
    remedy = advice(Culprit(kind="nat"), nat=nat)
    assert ("see ports.free" in remedy.text) is elsewhere
    assert bool(remedy.commands) is not elsewhere


@pytest.mark.parametrize(
    ("settings", "told"),
    [({"iptables": False}, True), ({"ip6tables": False}, True), ({"iptables": True}, False), ({}, False)],
)
def test_docker_that_may_not_write_rules_is_not_restarted_for_them(settings: dict[str, Any], told: bool) -> None:
    config = DaemonConfig("/etc/docker/daemon.json", True, settings)
    remedy = advice(Culprit(kind="socket"), daemon_config=config)
    assert ("see docker.daemon-config" in remedy.text) is told
    assert remedy.commands == (() if told else ("systemctl restart docker",))
