"""Packets through a stand-in of the stage: each verdict, by the rule that makes it, in both families."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from preflight.twin import send
from preflight.twin.request import Port
from preflight.twin.send_aims import EXITS
from preflight.twin.send_neighbours import Discovery, discovery
from preflight.twin.send_verdicts import Outcome
from preflight.twin.spaces import Space
from tests.twin import stand_in
from tests.twin.stand_in import HOST, NAME, NEIGHBOUR, PORTS, SOURCES, Stage, port, published, run, side

FAMILIES = pytest.mark.parametrize("version", [4, 6])
SMTP = PORTS[0]


@pytest.fixture
def stage(namespaces: Callable[[], Space]) -> Stage:
    """Return three namespaces with links, without rules."""
    return stand_in.built(namespaces)


def rules(stage: Stage, *texts: str) -> None:
    """Load rules into the twin, as nft reads them."""
    run(stage.twin, "nft -f -", *texts)


def smtp(stage: Stage, version: int, *, proxies: bool = False) -> Outcome:
    """Return what becomes of port 25, which fares like one knock, and alike from everywhere."""
    sources = (*SOURCES[version], NEIGHBOUR[version])
    found = send.arrivals(stage, side(version), [SMTP], sources, proxies)
    assert list(found) == [(SMTP, source) for source in sources]
    (outcome,) = set(found.values())
    knocked = send.knock(stage, side(version), SMTP, sources[0], proxies)
    assert knocked is not None
    assert (knocked.verdict, knocked.seen, knocked.to) == (outcome.verdict, outcome.seen, outcome.to)
    return outcome


def hooked(version: int, hook: str, line: str, priority: str = "filter") -> str:
    """Return a table of its own with one rule."""
    kind = "nat" if priority in ("dstnat", "srcnat") else "filter"
    return f"table {NAME[version]} t {{ chain c {{ type {kind} hook {hook} priority {priority} - 5; {line}\n}}\n}}"


@FAMILIES
def test_delivered(stage: Stage, version: int) -> None:
    rules(stage, published(version))
    found = send.arrivals(stage, side(version), PORTS, (*SOURCES[version], NEIGHBOUR[version]), False)
    assert len(found) == len(PORTS) * 4
    assert set(found.values()) == {Outcome(verdict="delivered", seen=True)}


@FAMILIES
@pytest.mark.parametrize(
    ("hook", "line"),
    [
        ("forward", "tcp dport 25 drop"),
        ("prerouting", "tcp dport 25 drop"),
        ("postrouting", "tcp dport 25 drop"),
    ],
)
def test_dropped_by_a_rule(stage: Stage, version: int, hook: str, line: str) -> None:
    rules(stage, published(version), hooked(version, hook, line))
    assert smtp(stage, version) == Outcome(verdict="dropped")


@FAMILIES
def test_dropped_by_a_policy(stage: Stage, version: int) -> None:
    rules(stage, published(version, accept=False))
    found = send.arrivals(stage, side(version), PORTS, SOURCES[version], True)
    assert set(found.values()) == {Outcome(verdict="dropped")}


@FAMILIES
def test_one_dropped_port_leaves_the_others_delivered(stage: Stage, version: int) -> None:
    rules(stage, published(version), hooked(version, "forward", "tcp dport { 993, 25 } drop"))
    found = send.arrivals(stage, side(version), PORTS, SOURCES[version], False)
    lost = {one.port for (one, _), outcome in found.items() if outcome.verdict == "dropped"}
    assert lost == {25, 993}
    assert sum(outcome.verdict == "delivered" for outcome in found.values()) == 6 * 3


@FAMILIES
def test_sources_are_told_apart(stage: Stage, version: int) -> None:
    rules(stage, published(version), hooked(version, "forward", f"{NAME[version]} saddr {SOURCES[version][1]} drop"))
    found = send.arrivals(stage, side(version), PORTS, SOURCES[version], False)
    assert {source for (_, source), outcome in found.items() if outcome.verdict == "dropped"} == {SOURCES[version][1]}


@FAMILIES
@pytest.mark.parametrize("way", ["tcp reset", "icmp", "icmpx"])
def test_refused_by_a_rule(stage: Stage, version: int, way: str) -> None:
    kind = {"icmp": "icmp admin-prohibited", "icmpx": "icmpx host-unreachable"}.get(way, way)
    if version == 6 and way == "icmp":
        kind = "icmpv6 admin-prohibited"
    rules(
        stage,
        published(version),
        f"table inet t {{ chain c {{ type filter hook forward priority -5;\nreject with {kind}\n}}\n}}",
    )
    found = send.arrivals(stage, side(version), PORTS, SOURCES[version], True)
    assert {(outcome.verdict, outcome.seen, outcome.left) for outcome in found.values()} == {("refused", False, True)}
    assert all(outcome.error for outcome in found.values())
    knocked = send.knock(stage, side(version), SMTP, SOURCES[version][0])
    assert knocked is not None
    assert (knocked.verdict, knocked.closed) == ("refused", False)


@FAMILIES
@pytest.mark.parametrize(
    ("kind", "verdict"), [("prohibit", "refused"), ("unreachable", "refused"), ("blackhole", "dropped")]
)
def test_routes_to_nowhere(stage: Stage, version: int, kind: str, verdict: str) -> None:
    rules(stage, published(version))
    container = side(version).containers["postfix-mailcow"]
    run(stage.twin, f"ip -{version} -batch -", f"route add {kind} {container}")
    assert smtp(stage, version).verdict == verdict


@FAMILIES
def test_a_rule_of_policy_routing_prohibits(stage: Stage, version: int) -> None:
    rules(stage, published(version))
    run(stage.twin, f"ip -{version} -batch -", "rule add iif eth0 prohibit priority 100")
    assert smtp(stage, version).verdict == "refused"


@FAMILIES
def test_forwarding_is_off(stage: Stage, version: int) -> None:
    rules(stage, published(version))
    what = "net.ipv4.ip_forward" if version == 4 else "net.ipv6.conf.all.forwarding"
    run(stage.twin, "sh", f"sysctl -qw {what}=0")
    assert smtp(stage, version).verdict == "dropped"


@FAMILIES
def test_nobody_listens_where_nothing_is_published(stage: Stage, version: int) -> None:
    outcome = smtp(stage, version)
    assert outcome == Outcome(verdict="refused", error="ECONNREFUSED")
    assert send.knock(stage, side(version), SMTP, SOURCES[version][0]) == Outcome(
        verdict="refused", error="ECONNREFUSED", closed=True
    )


@FAMILIES
@pytest.mark.parametrize(
    "line",
    [
        "tcp sport 25 drop",
        "tcp sport 25 reject with tcp reset",
        "tcp flags & (syn | ack) == ack ct direction reply drop",
    ],
)
def test_oneway(stage: Stage, version: int, line: str) -> None:
    """The last: a handshake comes about, but no answer. It has arrived, and nobody hears of it."""
    if "direction" in line:
        line = "ct direction reply tcp flags & (syn | psh) == psh drop"
    rules(stage, published(version), hooked(version, "forward", line))
    outcome = smtp(stage, version)
    assert (outcome.verdict, outcome.seen) == ("oneway", True)


@FAMILIES
def test_oneway_where_the_way_back_is_another(stage: Stage, version: int) -> None:
    rules(stage, published(version))
    run(stage.twin, f"ip -{version} -batch -", "rule add iif br-mailcow blackhole priority 100")
    assert smtp(stage, version).verdict == "oneway"


@FAMILIES
def test_masked_where_the_source_is_translated(stage: Stage, version: int) -> None:
    rules(stage, published(version), hooked(version, "postrouting", "oifname br-mailcow masquerade random", "srcnat"))
    assert smtp(stage, version) == Outcome(verdict="delivered", seen=True, masked=True)


@FAMILIES
def test_masked_and_one_way(stage: Stage, version: int) -> None:
    """Neither address nor port are the sender's any more: it is known again by its sequence number."""
    rules(
        stage,
        published(version),
        hooked(version, "postrouting", "oifname br-mailcow masquerade fully-random", "srcnat"),
        f"table {NAME[version]} u {{ chain c {{ type filter hook prerouting priority -300; tcp sport 25 drop\n}}\n}}",
    )
    outcome = smtp(stage, version)
    assert (outcome.verdict, outcome.seen) == ("oneway", True)


@FAMILIES
def test_elsewhere_to_another_container(stage: Stage, version: int) -> None:
    other = side(version).containers["dovecot-mailcow"]
    rules(stage, hooked(version, "prerouting", f"tcp dport 25 dnat to {other}", "dstnat"))
    assert smtp(stage, version) == Outcome(verdict="elsewhere", to=other, to_port=25)


@FAMILIES
def test_elsewhere_where_nobody_answers(stage: Stage, version: int) -> None:
    """Another port of a container, at which this stage has no server: the host may well have one."""
    other = side(version).containers["dovecot-mailcow"]
    whole = other if version == 4 else f"[{other}]"
    rules(stage, hooked(version, "prerouting", f"tcp dport 25 dnat to {whole}:2525", "dstnat"))
    outcome = smtp(stage, version)
    assert (outcome.verdict, outcome.to, outcome.to_port) == ("elsewhere", other, 2525)


@FAMILIES
def test_elsewhere_out_again(stage: Stage, version: int) -> None:
    other = side(version).targets[0]
    rules(stage, hooked(version, "prerouting", f"tcp dport 25 dnat to {other}", "dstnat"))
    outcome = smtp(stage, version)
    assert (outcome.verdict, outcome.to, outcome.to_port) == ("elsewhere", other, 25)


@FAMILIES
def test_elsewhere_is_another_port_with_a_proxy(stage: Stage, version: int) -> None:
    rules(stage, hooked(version, "prerouting", "tcp dport 25 redirect to :587", "dstnat"))
    found = send.arrivals(stage, side(version), PORTS, SOURCES[version], True)
    for (one, _), outcome in found.items():
        wanted = ("elsewhere", 587) if one.port == 25 else ("proxy", one.port)
        assert (outcome.verdict, outcome.to_port) == wanted


@FAMILIES
def test_a_redirect_to_where_nobody_listens_is_closed(stage: Stage, version: int) -> None:
    rules(stage, hooked(version, "prerouting", "tcp dport 25 redirect to :2525", "dstnat"))
    knocked = send.knock(stage, side(version), SMTP, SOURCES[version][0])
    assert knocked is not None
    assert (knocked.verdict, knocked.closed) == ("refused", True)


@FAMILIES
def test_proxy(stage: Stage, version: int) -> None:
    assert smtp(stage, version, proxies=True) == Outcome(verdict="proxy", masked=True, to=HOST[version], to_port=25)


def test_a_proxy_takes_ipv6_to_an_ipv4_network(stage: Stage) -> None:
    here = side(6)
    here.containers = {}
    only = Port("", 25, "postfix-mailcow", 25, stand_in.CONTAINERS[4]["postfix-mailcow"])
    found = send.arrivals(stage, here, [only], SOURCES[6], True)
    assert {outcome.verdict for outcome in found.values()} == {"proxy"}
    assert {outcome.verdict for outcome in send.arrivals(stage, here, [only], SOURCES[6], False).values()} == {
        "refused"
    }


@FAMILIES
@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("oifname br-mailcow tcp dport 25 drop", "dropped"),
        ("oifname br-mailcow tcp dport 25 reject with tcp reset", "refused"),
        ("oifname br-mailcow tcp dport 25 counter", "proxy"),
    ],
)
def test_a_proxy_must_reach_the_container(stage: Stage, version: int, line: str, verdict: str) -> None:
    rules(stage, hooked(version, "output", line))
    outcome = smtp(stage, version, proxies=True)
    assert (outcome.verdict, outcome.masked) == (verdict, True)
    wanted = {"proxy": "delivered"}.get(verdict, verdict)
    assert send.onward(stage, side(version), SMTP).verdict == wanted


@FAMILIES
@pytest.mark.parametrize(("kind", "verdict"), [("prohibit", "refused"), ("blackhole", "dropped")])
def test_a_proxy_without_a_route(stage: Stage, version: int, kind: str, verdict: str) -> None:
    run(stage.twin, f"ip -{version} -batch -", f"route add {kind} {side(version).containers['postfix-mailcow']}")
    assert smtp(stage, version, proxies=True).verdict == verdict


@FAMILIES
def test_a_port_bound_to_an_address(stage: Stage, version: int) -> None:
    """To one of the host's: there. To loopback, or the other family's: left out. To all of a family: as to none."""
    rules(stage, published(version))
    loop, everywhere, other = ("127.0.0.1", "0.0.0.0", HOST[6]) if version == 4 else ("::1", "::", HOST[4])
    bound = [port(25, address=one) for one in (HOST[version], loop, everywhere, other)]
    found = send.arrivals(stage, side(version), bound, SOURCES[version][:1], True)
    assert [one.address for one, _ in found] == [HOST[version], everywhere]
    assert {outcome.verdict for outcome in found.values()} == {"delivered"}
    assert send.knock(stage, side(version), bound[1], SOURCES[version][0]) is None


@FAMILIES
def test_what_cannot_be_sent_is_unknown(stage: Stage, version: int) -> None:
    """An address to which the world has no route, and a source on a link that is down."""
    nowhere = "192.0.2.9" if version == 4 else "2001:db8:ffff::9"
    (outcome,) = send.arrivals(stage, side(version), [port(25, address=nowhere)], SOURCES[version][:1], False).values()
    assert outcome == Outcome(verdict="unknown", left=False, error="ENETUNREACH")


@FAMILIES
def test_what_never_left_says_so(stage: Stage, version: int) -> None:
    """The twin answers no question for its link address: a rule that drops ARP or neighbour discovery."""
    drop = (
        "table arp t { chain c { type filter hook input priority 0; policy drop; }\n}"
        if version == 4
        else "table ip6 t { chain c { type filter hook input priority -500; icmpv6 type nd-neighbor-solicit drop\n}\n}"
    )
    rules(stage, published(version), drop)
    run(stage.world, "ip -batch -", "neigh flush all")
    assert smtp(stage, version) == Outcome(verdict="dropped", left=False)


@FAMILIES
def test_exits(stage: Stage, version: int) -> None:
    rules(stage, published(version))
    found = send.exits(stage, side(version))
    assert list(found) == list(EXITS)
    assert set(found.values()) == {Outcome(verdict="delivered", seen=True, masked=True)}
    for protocol, number in EXITS:
        assert send.call(stage, side(version), protocol, number) == Outcome(verdict="delivered", seen=True, masked=True)


@FAMILIES
def test_exits_without_masquerade_are_one_way(stage: Stage, version: int) -> None:
    rules(stage, published(version, masquerade=False))
    assert {(one.verdict, one.seen) for one in send.exits(stage, side(version)).values()} == {("oneway", True)}


@FAMILIES
@pytest.mark.parametrize(
    ("line", "verdict"),
    [("drop", "dropped"), ("reject", "refused"), ("reject with icmpx admin-prohibited", "refused")],
)
def test_exits_that_do_not_get_out(stage: Stage, version: int, line: str, verdict: str) -> None:
    rules(
        stage,
        published(version),
        f"table inet t {{ chain c {{ type filter hook forward priority -5; iifname br-mailcow {line}\n}}\n}}",
    )
    assert {one.verdict for one in send.exits(stage, side(version)).values()} == {verdict}
    called = send.call(stage, side(version), "udp", 53)
    assert called is not None
    assert (called.verdict, called.closed) == (verdict, False)


@FAMILIES
def test_exits_turned_to_another_server(stage: Stage, version: int) -> None:
    """An answer comes, but of somebody else."""
    other = SOURCES[version][0]
    rules(stage, published(version), hooked(version, "prerouting", f"udp dport 53 dnat to {other}", "dstnat"))
    found = send.exits(stage, side(version))
    assert found.pop(("udp", 53)) == Outcome(verdict="elsewhere", masked=True, to=other, to_port=53)
    assert {one.verdict for one in found.values()} == {"delivered"}


@FAMILIES
def test_exits_turned_back_to_a_container_are_not_known(stage: Stage, version: int) -> None:
    other = side(version).containers["dovecot-mailcow"]
    rules(
        stage,
        published(version),
        hooked(
            version,
            "prerouting",
            f"iifname br-mailcow meta l4proto {{ tcp, udp }} th dport 53 dnat to {other}",
            "dstnat",
        ),
    )
    found = send.exits(stage, side(version))
    for what in (("tcp", 53), ("udp", 53)):
        outcome = found.pop(what)
        assert (outcome.verdict, outcome.to, outcome.to_port) == ("unknown", other, 53)
    assert {one.verdict for one in found.values()} == {"delivered"}


@FAMILIES
def test_exits_redirected_to_the_host(stage: Stage, version: int) -> None:
    rules(
        stage,
        published(version),
        hooked(
            version,
            "prerouting",
            "iifname br-mailcow meta l4proto { tcp, udp } th dport 53 redirect to :5353",
            "dstnat",
        ),
    )
    found = send.exits(stage, side(version))
    assert found["tcp", 53].verdict == found["udp", 53].verdict == "refused"
    for protocol in ("tcp", "udp"):
        called = send.call(stage, side(version), protocol, 53)
        assert called is not None
        assert called.closed


@FAMILIES
def test_exits_that_depend_on_the_target(stage: Stage, version: int) -> None:
    rules(
        stage, published(version), hooked(version, "forward", f"{NAME[version]} daddr {side(version).targets[0]} drop")
    )
    assert {one.verdict for one in send.exits(stage, side(version)).values()} == {"depends"}


def test_no_container_no_exits(stage: Stage) -> None:
    here = side(6)
    here.containers = {}
    assert send.exits(stage, here) == {}
    assert send.call(stage, here, "tcp", 25) is None


@FAMILIES
def test_many_at_once_are_all_told_apart(stage: Stage, version: int) -> None:
    """Sixty ports, of which a third are dropped, a third refused and a third delivered, each time."""
    many = [port(number) for number in range(3001, 3061)]
    inside = f"dnat to {side(version).containers['postfix-mailcow']}"
    rules(
        stage,
        hooked(version, "prerouting", f"tcp dport 3001-3060 {inside}", "dstnat"),
        "table inet f { chain c { type filter hook forward priority 0; tcp dport 3001-3020 drop\n"
        "tcp dport 3021-3040 reject\n}\n}",
    )
    found = send.arrivals(stage, side(version), many, SOURCES[version], False)
    for (one, _), outcome in found.items():
        wanted = ("dropped", "refused", "delivered")[(one.port - 3001) // 20]
        assert outcome.verdict == wanted


@FAMILIES
def test_nothing_stays_open(stage: Stage, version: int) -> None:
    rules(stage, published(version))
    before = len(os.listdir("/proc/self/fd"))
    affinity = os.sched_getaffinity(0)
    smtp(stage, version, proxies=True)
    send.exits(stage, side(version))
    assert len(os.listdir("/proc/self/fd")) == before
    assert os.sched_getaffinity(0) == affinity


@pytest.mark.parametrize(
    ("hook", "line", "found"),
    [
        ("input", "counter", Discovery(True, True)),
        ("input", "icmpv6 type nd-neighbor-solicit drop", Discovery(False, True)),
        ("output", "icmpv6 type nd-neighbor-advert drop", Discovery(False, True)),
        ("input", "icmpv6 type nd-neighbor-advert drop", Discovery(True, False, known=True)),
        ("output", "icmpv6 type nd-neighbor-solicit drop", Discovery(True, False, known=True)),
        ("input", "ip6 hoplimit 255 counter accept\nmeta l4proto icmpv6 drop", Discovery(True, True)),
        ("input", "ip6 saddr fe80::/10 counter accept\nmeta l4proto icmpv6 drop", Discovery(True, True)),
    ],
)
def test_neighbour_discovery(stage: Stage, hook: str, line: str, found: Discovery) -> None:
    """What the host's rules do to it, though all neighbours know each other already."""
    rules(stage, hooked(6, hook, line))
    assert discovery(stage.twin, stage.world, "eth0", HOST[6]) == found


def test_no_ipv6_no_neighbours(stage: Stage) -> None:
    run(stage.world, "sh", "sysctl -qw net.ipv6.conf.all.disable_ipv6=1")
    assert discovery(stage.twin, stage.world, "eth0", HOST[6]) is None


@FAMILIES
def test_a_processor_that_cannot_be_kept_costs_time_and_nothing_else(
    stage: Stage, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    rules(stage, published(version), hooked(version, "forward", "tcp dport 25 drop"))
    found = send.arrivals(stage, side(version), PORTS, SOURCES[version], False)
    assert {one.port for (one, _), outcome in found.items() if outcome.verdict != "delivered"} == {25}
    knocked = send.knock(stage, side(version), SMTP, SOURCES[version][0])
    assert knocked == Outcome(verdict="dropped")
