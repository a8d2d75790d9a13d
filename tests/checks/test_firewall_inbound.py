"""Whether connections reach mailcow: each verdict, whose rule it is, and what is done about it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from preflight.facts import Culprit, DaemonConfig, Diversion, Fact, Ipv6, Nat, RuleFile, Step, Twin, Uncopied, Unseen
from preflight.report.model import Result, Status
from tests.build import VIEW, conf_file, host, look, measured, run
from tests.checks.hosts import release
from tests.checks.twins import (
    ENGINE,
    PORTS,
    docker_tables,
    families,
    journey,
    legacy,
    managers,
    rule,
    twin,
)

DEBIAN = release()
HOSTER = (
    "A firewall outside this host, such as your hosting provider's, is not visible from here. To test it, run preflight"
    " with --rehearse --hold 120, and run one of the commands that it prints on another machine."
)


def rows(given: Twin, **facts: Any) -> list[Result]:
    known = {"os_release": DEBIAN, "engine": ENGINE, "services": managers(), "conf": {}, **facts}
    return run("firewall.inbound", look(twin=given, **known))


def one(given: Twin, **facts: Any) -> Result:
    """Return the row of port 25."""
    return next(result for result in rows(given, **facts) if result.subject == "25/tcp")


def commands(result: Result) -> tuple[str, ...]:
    assert result.remedy
    return result.remedy.commands


def test_each_port_beyond_loopback_has_a_row() -> None:
    found = rows(twin())
    assert [result.subject for result in found] == [f"{port}/tcp" for port in PORTS]
    assert {result.status for result in found} == {Status.PASS}


def test_what_passes_says_what_was_tried_and_what_cannot_be_seen() -> None:
    result = one(twin())
    assert result.message == (
        "Connections from the Internet to 25/tcp will reach mailcow. IP versions tested: IPv4."
        " mailcow does not use IPv6. " + HOSTER
    )
    assert "reach mailcow. IP versions" in one(twin(derived=False)).message
    assert measured(result) == {
        "families": {
            "ipv4": {
                "verdict": "delivered", "way": ["eth0", "br-mailcow"], "table": None, "chain": None, "handle": None,
                "rule": None, "counter": None, "owner": None, "depends": [], "lan": None,
            },
            "ipv6": {
                "verdict": "off", "way": [], "table": None, "chain": None, "handle": None, "rule": None,
                "counter": None, "owner": None, "depends": [], "lan": None,
            },
        },
        "derived": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "words", "found"),
    [
        ("dropped", "do not reach mailcow: they are dropped (IPv4).", "dropped"),
        ("refused", "do not reach mailcow: they are refused (IPv4).", "refused"),
        ("oneway", "reach mailcow, but its answers are lost (IPv4).", "answers lost"),
        ("elsewhere", "are redirected away from mailcow (IPv4).", "redirected"),
        ("proxy", "only through docker-proxy (IPv4). mailcow then sees Docker's own address", "through docker-proxy"),
    ],
)  # fmt: skip
def test_what_does_not_get_through_fails(verdict: str, words: str, found: str) -> None:
    result = one(twin(journey(verdict)))
    assert (result.status, result.found, result.expected) == (Status.FAIL, found, "reaches mailcow")
    assert words in result.message
    assert result.remedy


def test_the_rule_is_named_with_its_handle_its_owner_and_its_counter() -> None:
    result = one(twin(journey("dropped", rule("ufw-reject-forward"))), services=managers("ufw"))
    assert (
        "The rule with handle 12 in the ufw-reject-forward chain of the ip filter table stops them." in result.message
    )
    assert "It belongs to ufw. Packets it has stopped on this host so far: 3." in result.message
    assert result.detail == "-A FORWARD -j DROP"
    four = measured(result)["families"]["ipv4"]
    assert four["owner"] == "ufw"
    assert (four["table"], four["chain"], four["handle"], four["counter"]) == ("ip filter", "ufw-reject-forward", 12, 3)
    assert four["way"] == ["eth0", "prerouting ip nat PREROUTING accept", "forward ip filter FORWARD drop"]


def test_the_worse_of_both_families_decides() -> None:
    six = journey("dropped", rule(family="ip6"), version=6)
    result = one(twin(journey(), six, families=families(six="judged")))
    assert result.status is Status.FAIL
    assert "(IPv6)" in result.message
    unknown = journey("depends", version=6, depends=("limit",))
    assert one(twin(journey(), unknown, families=families(six="judged"))).status is Status.UNKNOWN
    assert one(twin(journey("dropped"), unknown, families=families(six="judged"))).status is Status.FAIL


def test_an_address_has_one_family() -> None:
    given = twin(families=families(six="judged"))
    bound = msgspec.structs.replace(given, arrivals=(msgspec.structs.replace(given.arrivals[0], address="192.0.2.7"),))
    result = rows(bound, conf={"SMTP_PORT": "192.0.2.7:25"})[0]
    assert (result.subject, result.status) == ("192.0.2.7:25/tcp", Status.PASS)
    assert measured(result)["families"]["ipv6"] is None


def test_a_neighbour_decides_nothing_and_is_told_where_it_differs() -> None:
    near = journey("dropped", rule(), source="neighbour")
    result = one(twin(journey(), near))
    assert result.status is Status.PASS
    assert "Connections from this host's own network do not reach mailcow over IPv4." in result.message
    lan = measured(result)["families"]["ipv4"]["lan"]
    assert lan == {
        "verdict": "dropped",
        "table": "ip filter",
        "chain": "FORWARD",
        "handle": 12,
        "rule": "-A FORWARD -j DROP",
    }
    near = journey(source="neighbour")
    assert "own network do reach mailcow" in one(twin(journey("dropped", rule()), near)).message
    assert "own network" not in one(twin(journey(), near)).message


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (journey("depends", depends=("limit", "recent")), "rule conditions that change: limit, recent."),
        (journey("depends", depends=("order",)), "whether the ip_tables or the nf_tables rules come first"),
        (journey("unknown", reason="sources"), "The rules treat some Internet addresses differently"),
        (journey("unknown", reason="interface"), "on an interface without a default route"),
        (journey("unknown", reason="queue"), "NFQUEUE"),
        (journey("unknown", reason="late"), "too many firewall rules to test"),
        (journey("unknown"), "No test packet gave a result."),
    ],
)  # fmt: skip
def test_what_depends_is_unknown_and_says_on_what(given: Any, words: str) -> None:
    result = one(twin(given))
    assert result.status is Status.UNKNOWN
    assert result.reason is not None
    assert words in result.reason
    assert result.remedy


def test_a_rule_that_could_not_be_copied_is_named() -> None:
    lost = rule("custom", kind="rule")
    given = twin(
        journey("unknown", lost, reason="uncopied"),
        uncopied=(Uncopied("nf_tables", "filter", "other"), Uncopied("nf_tables", "filter", "custom", 12, "tproxy")),
    )
    assert "It is in the custom chain of the filter table and uses tproxy." in (one(given).reason or "")


@pytest.mark.parametrize("doubt", ["", "control", "rules", "sysctls", "modules", "derivation", "memory", "late"])
@pytest.mark.parametrize("container", [True, False])
def test_a_family_that_is_blind_is_unknown(doubt: str, container: bool) -> None:
    view = msgspec.structs.replace(VIEW, container=container)
    given = twin(families=families("blind", doubt=doubt, detail="iptables: No chain"))
    made = host(view=view, twin=given, engine=ENGINE, services=managers(), os_release=DEBIAN, conf={})
    results = run("firewall.inbound", look(made))
    assert {result.status for result in results} == {Status.UNKNOWN}
    assert len({result.reason for result in results}) == 1
    assert results[0].detail == "iptables: No chain"


def test_without_an_engine_its_absence_is_the_reason() -> None:
    given = twin(families=families("blind", doubt="derivation"))
    result = one(given, engine=Fact.unknown("docker", "No engine answers."))
    assert (result.status, result.reason) == (Status.UNKNOWN, "No engine answers.")
    assert one(given, engine=Fact.skipped("docker", "No engine.")).status is Status.SKIP


def test_facts_without_a_twin_say_why() -> None:
    results = run("firewall.inbound", look(conf={}, twin=Fact.skipped("twin", "Nobody asked.")))
    assert {(result.status, result.reason) for result in results} == {(Status.SKIP, "Nobody asked.")}


def test_a_host_without_a_way_out_is_unknown() -> None:
    result = one(twin(families=families("none", "none")))
    assert (result.status, result.reason) == (
        Status.UNKNOWN, "This host has no address with a default route, so no connection comes in.",
    )  # fmt: skip
    assert "for an IP version that mailcow uses" in (one(twin(families=families("none"))).reason or "")


def test_ports_for_the_host_alone_have_no_firewall() -> None:
    conf = {one: f"127.0.0.1:{port}" for one, port in zip(VARIABLES, PORTS, strict=True)}
    conf |= {"HTTP_PORT": "80", "HTTPS_PORT": "443", "HTTP_BIND": "127.0.0.1", "HTTPS_BIND": "127.0.0.1"}
    results = rows(twin(), conf=conf)
    assert {result.status for result in results} == {Status.SKIP}


VARIABLES = (
    "SMTP_PORT", "SMTPS_PORT", "SUBMISSION_PORT", "IMAP_PORT", "IMAPS_PORT", "POP_PORT", "POPS_PORT", "SIEVE_PORT",
    "HTTP_PORT", "HTTPS_PORT",
)  # fmt: skip


def test_what_was_not_tried_is_named() -> None:
    unseen = (Unseen("xdp", "eth0"), Unseen("tc", "eth0"), Unseen("ipvs"), Unseen("offload", "eth1"))
    message = one(twin(unseen=unseen)).message
    assert "XDP programs handle packets first on these interfaces and were not tested: eth0." in message
    assert "IPVS is in use" in message
    assert "tc filters" in message
    assert "hardware" in message


# --- what is done about it -----------------------------------------------------------------------------------------

ALL = "25,465,587,143,993,110,995,4190,80,443"
SET = "{ 25, 465, 587, 143, 993, 110, 995, 4190, 80, 443 }"
ROUTE = f"out on br-mailcow proto tcp from any to any port {ALL}"
ESTABLISHED = 'iifname "br-mailcow" ct state established,related accept'
NAT = Culprit(kind="nat", table="nat", chain="PREROUTING", to="192.0.2.9")
ANSWERS = "-i br-mailcow -m conntrack --ctstate RELATED,ESTABLISHED"


@pytest.mark.parametrize(
    ("culprit", "names", "wanted"),
    [
        (rule("ufw-reject-forward"), ("ufw",), (f"ufw route allow {ROUTE}",)),
        (rule("ufw-user-forward"), ("ufw",), (f"ufw route prepend allow {ROUTE}",)),
        (rule("ufw-before-forward"), ("ufw",), ("grep -n forward /etc/ufw/before.rules",)),
        (rule(kind="policy", handle=None), ("ufw",), (f"ufw route allow {ROUTE}",)),
        (rule("DOCKER-USER"), (), (
            f"iptables -I DOCKER-USER -o br-mailcow -p tcp -m multiport --dports {ALL} -j RETURN",
            f"iptables -I DOCKER-USER {ANSWERS} -j RETURN",
        )),
        (legacy("DOCKER-USER"), (), (
            f"iptables-legacy -I DOCKER-USER -o br-mailcow -p tcp -m multiport --dports {ALL} -j RETURN",
            f"iptables-legacy -I DOCKER-USER {ANSWERS} -j RETURN",
        )),
        (rule(), (), (
            f"iptables -I FORWARD -o br-mailcow -p tcp -m multiport --dports {ALL} -j ACCEPT",
            f"iptables -I FORWARD {ANSWERS} -j ACCEPT",
        )),
        (legacy(), (), (
            f"iptables-legacy -I FORWARD 2 -o br-mailcow -p tcp -m multiport --dports {ALL} -j ACCEPT",
            f"iptables-legacy -I FORWARD 2 {ANSWERS} -j ACCEPT",
        )),
        (legacy(kind="policy", number=None), ("iptables",), ("systemctl restart docker",)),
        (rule("forward", family="inet"), ("nftables",), (
            f"nft 'insert rule inet filter forward position 12 oifname \"br-mailcow\" tcp dport {SET} accept'",
            f"nft 'insert rule inet filter forward position 12 {ESTABLISHED}'",
        )),
        (rule("forward", family="inet", kind="policy", handle=None), ("nftables",), (
            f"nft 'add rule inet filter forward oifname \"br-mailcow\" tcp dport {SET} accept'",
            f"nft 'add rule inet filter forward {ESTABLISHED}'",
        )),
        (rule("it's; mine", family="inet"), (), ("nft -a list ruleset",)),
        (rule("DOCKER"), (), ("systemctl restart docker",)),
        (rule("f2b-sshd"), ("fail2ban",), ("fail2ban-client banned",)),
        (rule("CROWDSEC_CHAIN"), ("crowdsec",), ("cscli decisions list",)),
        (rule("MAILCOW"), (), ()),
        (rule(), ("shorewall",), (
            "sed -i 's/^DOCKER=.*/DOCKER=Yes/' /etc/shorewall/shorewall.conf", "shorewall check && shorewall reload",
            "systemctl restart docker",
        )),
        (rule("DENYIN"), ("csf",), (
            "sed -i 's/^DOCKER = .*/DOCKER = \"1\"/' /etc/csf/csf.conf", "csf -r", "systemctl restart docker",
        )),
        (rule(), ("ferm",), ("iptables-save",)),
        (Culprit(kind="filter"), (), (
            "printf '%s\\n' 'net.ipv4.conf.eth0.rp_filter = 2' > /etc/sysctl.d/90-mailcow-rp-filter.conf",
            "sysctl -p /etc/sysctl.d/90-mailcow-rp-filter.conf",
        )),
        (Culprit(kind="forwarding"), (), (
            "printf '%s\\n' 'net.ipv4.ip_forward = 1' 'net.ipv4.conf.eth0.forwarding = 1' > "
            "/etc/sysctl.d/90-mailcow-forwarding.conf",
            "sysctl -p /etc/sysctl.d/90-mailcow-forwarding.conf", "systemctl restart docker",
        )),
        (Culprit(kind="route"), (), ("ip rule", "ip route show table all")),
        (NAT, (), ("nft list ruleset", "iptables-save -t nat")),
        (Culprit(kind="socket"), (), ("systemctl restart docker",)),
    ],
)  # fmt: skip
def test_advice_fits_the_owner(culprit: Culprit, names: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    results = rows(twin(journey("dropped", culprit)), services=managers(*names))
    assert {commands(result) for result in results} == {wanted}  # one cause has one remedy
    assert len({result.remedy.text for result in results if result.remedy}) == 1


def test_a_port_that_is_taken_is_told_by_its_own_check() -> None:
    taken = Diversion(
        family="ipv4", backend="nf_tables", table="nat", chain="PREROUTING", rule=1, port=25, to="192.0.2.9",
        native=True, owner="", order="before",
    )  # fmt: skip
    result = one(twin(journey("elsewhere", NAT)), nat=Nat((taken,)))
    assert result.remedy
    assert result.remedy.text == "Free the port first (see ports.free)."


def test_a_policy_of_firewalld() -> None:
    given = twin(journey("refused", rule("filter_FORWARD", family="inet", table="firewalld")))
    made = commands(one(given, services=managers("firewalld")))
    assert made[0] == "firewall-cmd --permanent --new-policy=mailcow-in"
    assert "firewall-cmd --permanent --policy=mailcow-in --add-egress-zone=docker" in made
    assert "firewall-cmd --permanent --policy=mailcow-in --add-port=25/tcp" in made
    assert made[-2:] == ("firewall-cmd --reload", "systemctl restart docker")
    strict = rule("filter_FORWARD_dnat", family="inet", table="firewalld")
    result = one(twin(journey("refused", strict)))
    assert result.remedy
    assert "StrictForwardPorts" in result.remedy.text


def test_the_image_of_oracle_cloud() -> None:
    services = managers("iptables", chains=("InstanceServices",), closes=("INPUT", "FORWARD"))
    result = one(twin(journey("refused", rule())), services=services)
    assert "It belongs to Oracle Cloud." in result.message
    assert commands(result)[-1].startswith("sed -i '/^-A FORWARD -j REJECT/i -A FORWARD -i br-mailcow ")
    assert all(command.endswith("/etc/iptables/rules.v4") for command in commands(result)[2:])


def test_rules_outlast_a_reboot_in_the_file_that_they_are_from() -> None:
    services = managers("nftables", rule_files=(RuleFile("/etc/nftables.conf", 3),))
    result = one(twin(journey("dropped", rule("forward", family="inet"))), services=services)
    assert result.remedy
    assert "Add the same rules to /etc/nftables.conf" in result.remedy.text


def test_ports_are_those_that_the_rule_sees() -> None:
    conf = {"SMTP_PORT": "2525", "HTTP_PORT": "8080"}
    given = twin()
    moved = [
        msgspec.structs.replace(given.arrivals[0], port=port, journeys=(journey("dropped", rule()),))
        for port in (2525, 8080)
    ]
    result = rows(msgspec.structs.replace(given, arrivals=tuple(moved)), conf=conf)[0]
    assert result.subject == "2525/tcp"
    assert "--dports 25,8080 " in commands(result)[0]  # in the container; HTTP_PORT is the web server's as well
    early = rule("PREROUTING", table="raw")
    moved = [msgspec.structs.replace(one, journeys=(journey("dropped", early, steps=(RAW,)),)) for one in moved]
    result = rows(msgspec.structs.replace(given, arrivals=tuple(moved)), conf=conf)[0]
    assert commands(result) == (
        "iptables -t raw -I PREROUTING -p tcp -m multiport --dports 2525,8080 -j ACCEPT",
        "iptables -t raw -I PREROUTING -i br-mailcow -j ACCEPT",
    )


RAW = Step("prerouting", "ip raw", "PREROUTING", "drop")


def test_mailcows_chain_stays_the_first_where_it_runs() -> None:
    result = one(twin(journey("dropped", rule()), derived=False))
    assert commands(result)[0].startswith("iptables -I FORWARD 2 -o br-mailcow")


def test_both_families_have_one_remedy() -> None:
    four, six = (
        journey("dropped", rule("ufw-reject-forward")),
        journey("dropped", rule("ufw6-reject-forward", family="ip6"), version=6),
    )
    result = one(twin(four, six, families=families(six="judged")), services=managers("ufw"))
    assert commands(result) == (f"ufw route allow {ROUTE}",)
    assert "(IPv4, IPv6)" in result.message


def test_a_port_of_the_host_is_not_opened_where_docker_does_not_forward() -> None:
    closed = rule("ufw6-user-input", family="ip6")
    steps = (Step("input", "ip6 filter", "INPUT", "drop"),)
    six = journey("dropped", closed, version=6, steps=steps)
    result = one(twin(journey(), six, families=families(six="judged")), services=managers("ufw"))
    assert commands(result) == ("systemctl restart docker",)
    assert "Docker does not forward them, so the rules for the host's own ports apply to them." in result.message


def test_missing_rules_of_docker_are_one_cause() -> None:
    result = one(twin(journey("proxy"), tables=()))
    assert result.remedy
    assert "(see firewall.backend)" in result.remedy.text
    assert commands(result) == ("systemctl restart docker",)
    blind = twin(families=families("blind", doubt="derivation"), tables=docker_tables()[:1])
    assert one(blind).reason == "Docker's own rules are missing on this host (see firewall.backend)."


def test_settings_of_the_engine_are_told_by_their_own_check() -> None:
    config = DaemonConfig("/etc/docker/daemon.json", True, {"iptables": False})
    result = one(twin(journey("proxy"), tables=()), daemon_config=config)
    assert result.remedy
    assert result.remedy.text == "Let Docker manage the firewall (see docker.daemon-config)."


def test_forwarding_of_ipv6_keeps_the_default_route() -> None:
    lost = journey("dropped", Culprit(kind="forwarding"), version=6)
    kernel = Ipv6(True, False, True, False, {"eth0": 1})
    result = one(twin(journey(), lost, families=families(six="judged")), ipv6=kernel)
    assert "'net.ipv6.conf.eth0.accept_ra = 2' 'net.ipv6.conf.all.forwarding = 1'" in commands(result)[0]


def test_a_configuration_is_no_part_of_the_twin() -> None:
    """What is published moved since the facts were recorded: nothing was sent there."""
    given = look(
        twin=twin(), engine=ENGINE, services=managers(), os_release=DEBIAN, mailcow_conf=conf_file({"SMTP_PORT": "26"})
    )
    first = run("firewall.inbound", given)[0]
    assert (first.subject, first.status) == ("26/tcp", Status.UNKNOWN)
