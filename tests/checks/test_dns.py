"""The mail host's names: judged on answers, without a name server."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from preflight.checks import Look
from preflight.facts import Address, Answer, Answers, Asked, Fact, HostsEntry, Link, Route
from preflight.facts.records import A, Txt
from preflight.mailcow import requirements
from preflight.report.model import DnsRecord, Result, Status
from preflight.report.older_answers import record
from tests import build

NAME = "mail.example.org"
V4, V6 = "198.51.100.7", "2001:db8::7"
POINTER4 = "7.100.51.198.in-addr.arpa"
POINTER6 = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
CHECKS = ("dns.hostname", "dns.address", "dns.reverse", "dns.mx", "dns.autodiscover", "dns.autoconfig")

REQUIREMENTS = requirements.load("current")

Zone = dict[tuple[str, str], Answer]


def link(*addresses: str, name: str = "eth0") -> Link:
    return Link(name, 1500, True, tuple(Address(a, 64 if ":" in a else 24, "global") for a in addresses))


DEFAULT6 = Route("::/0", "eth0", "fe80::1", 0)


def answer(name: str, kind: str, *records: str, rcode: str = "NOERROR", alias: str | None = None) -> Answer:
    return Answer(f"{name}.", kind, rcode, tuple(record(kind, line) for line in records), alias, "192.0.2.53")


def zone(**changed: Answer | None) -> Zone:
    """A zone in which all is well; answers are changed or left out by type: A, AAAA, PTR, MX, discover, config."""
    made = {
        "A": answer(NAME, "A", V4),
        "AAAA": answer(NAME, "AAAA"),
        "PTR": answer(POINTER4, "PTR", f"{NAME}."),
        "MX": answer("example.org", "MX", f"10 {NAME}."),
        "discover": answer("autodiscover.example.org", "A", V4, alias=f"{NAME}."),
        "discover6": answer("autodiscover.example.org", "AAAA", alias=f"{NAME}."),
        "config": answer("autoconfig.example.org", "A", V4, alias=f"{NAME}."),
        "config6": answer("autoconfig.example.org", "AAAA", alias=f"{NAME}."),
    } | changed
    return {(one.name, one.type): one for one in made.values() if one is not None}


def look(
    given: Zone | None = None,
    *,
    hostname: str | None = NAME,
    public: tuple[str, ...] = (),
    domains: tuple[str, ...] = (),
    **facts: Any,
) -> Look:
    records = {f"{name} {kind}": one for (name, kind), one in (zone() if given is None else given).items()}
    defaults: dict[str, Any] = {"answers": Answers(records), "links": (link(V4),), "routes": (), "hosts_file": ()}
    asked = Asked(hostname=hostname, public_ips=public, domains=domains)
    return build.look(asked=asked, requirements=REQUIREMENTS, **(defaults | facts))


def run(identity: str, given: Look) -> dict[str | None, Result]:
    return {result.subject: result for result in build.run(f"dns.{identity}", given)}


def one(identity: str, given: Look, subject: str | None = None) -> Result:
    return run(identity, given)[subject]


# --- what all have in common


def test_all_is_well() -> None:
    for identity in CHECKS:
        for result in build.run(identity, look()):
            assert result.status is Status.PASS, result
            assert build.measured(result)["zone"] == []


@pytest.mark.parametrize("identity", CHECKS)
def test_without_a_host_name_nothing_is_judged(identity: str) -> None:
    (*results,) = build.run(identity, look(hostname=None, answers=Fact.skipped("DNS", "No --hostname was given.")))
    assert {(r.status, r.reason) for r in results} == {(Status.SKIP, "No --hostname was given.")}


@pytest.mark.parametrize("identity", CHECKS)
def test_offline_is_skipped(identity: str) -> None:
    offline = Fact.skipped("DNS", "--offline lets no packet out.")
    for links in ((link(V4),), (link("10.0.0.2"),), Fact.unknown("x", "No links.")):
        for result in build.run(identity, look(answers=offline, links=links)):
            assert (result.status, result.reason) == (Status.SKIP, "--offline lets no packet out.")


@pytest.mark.parametrize("identity", CHECKS)
def test_dead_name_servers_are_one_cause_everywhere(identity: str) -> None:
    dead = Fact.unknown("DNS", "The name server 192.0.2.53 did not answer any query.", "Do something.")
    for result in build.run(identity, look(answers=dead)):
        assert (result.status, result.reason) == (Status.UNKNOWN, dead.missing.reason)


@pytest.mark.parametrize(
    ("rcode", "said"),
    [
        ("SERVFAIL", "192.0.2.53 answered SERVFAIL to a query for"),
        ("REFUSED", "192.0.2.53 answered REFUSED to a query for"),
        ("timeout", "192.0.2.53 did not answer a query for"),
        ("error", "The query to 192.0.2.53 for"),
    ],
)
def test_what_is_no_answer_is_unknown_and_says_what_it_was(rcode: str, said: str) -> None:
    none = {key: Answer(*key, rcode, server="192.0.2.53") for key in zone()}
    for identity in CHECKS:
        for result in build.run(identity, look(none)):
            assert result.status is Status.UNKNOWN
            assert said in (result.reason or "")


@pytest.mark.parametrize("identity", CHECKS)
def test_what_was_not_asked_is_unknown(identity: str) -> None:
    assert {result.status for result in build.run(identity, look({}))} == {Status.UNKNOWN}


@pytest.mark.parametrize(
    ("why", "said", "advised"), [("budget", "limit of queries", "fewer"), ("deadline", "out of time", "--timeout")]
)
def test_what_was_not_asked_any_more_says_why(why: Literal["budget", "deadline"], said: str, advised: str) -> None:
    (result,) = build.run("dns.mx", look(answers=Answers(unasked={"example.org. MX": why})))
    assert result.status is Status.UNKNOWN
    assert said in (result.reason or "")
    assert result.remedy
    assert advised in result.remedy.text


def test_records_of_which_some_were_left_out_prove_nothing() -> None:
    part = {key: replace(one, truncated=True) for key, one in zone().items()}
    for identity in CHECKS:
        for result in build.run(identity, look(part)):
            assert result.status is Status.UNKNOWN, result
            assert "left out records" in (result.reason or "")


def test_a_record_of_another_type_than_asked_for_is_no_target() -> None:
    odd = Answer("example.org.", "MX", "NOERROR", (Txt(("10 mail.example.org.",)), A(V4)), server="192.0.2.53")
    assert one("mx", look(zone(MX=odd)), "example.org").status is Status.FAIL


# --- dns.hostname


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mail.example.org.", "ends with a dot"),
        ("mail_1.example.org", "underscore"),
        ("mail", "single label"),
        ("-mail.example.org", "label"),
        ("mail..example.org", "empty label"),
        ("a" * 64 + ".example.org", "label"),
        (".".join(["abcdefgh"] * 29), "253"),
        ("198.51.100.7", "address"),
        ("mail.example.1", "digits"),
        ("mail.example.localhost", ".localhost"),
        ("mail.example.invalid", ".invalid"),
        ("mail example.org", "label"),
        (".", "dot"),
    ],
)
def test_names_that_cannot_be_a_mail_hosts(name: str, said: str) -> None:
    for answers in (Fact.skipped("DNS", "Offline."), Fact.unknown("DNS", "Dead.")):
        result = one("hostname", look(hostname=name, answers=answers))
        assert result.status is Status.FAIL
        assert said in result.message


def test_a_trailing_dot_is_mended_by_leaving_it_out() -> None:
    remedy = one("hostname", look(hostname=f"{NAME}.")).remedy
    assert remedy
    assert remedy.text == f"Write the name without the dot: {NAME}"


@pytest.mark.parametrize(("name", "said"), [("example.org", "bare domain"), ("mail.office.local", ".local")])
def test_names_that_are_a_poor_choice_warn(name: str, said: str) -> None:
    asked = {(f"{name}.", "A"): answer(name, "A", V4)}
    for view in (look(asked, hostname=name), look(hostname=name, answers=Fact.skipped("DNS", "Offline."))):
        result = one("hostname", view)
        assert result.status is Status.WARN
        assert said in result.message


@pytest.mark.parametrize(
    "name", ["mail.example.test", "mail.example.example", "a.b.c.example.org", "xn--pst-sna.example.org"]
)
def test_names_of_laboratories_are_good_names(name: str) -> None:
    assert one("hostname", look({(f"{name}.", "A"): answer(name, "A", V4)}, hostname=name)).status is Status.PASS


def test_capitals_and_umlauts_are_remarks() -> None:
    result = one("hostname", look(hostname="MAIL.Example.org"))
    assert result.status is Status.PASS
    assert "Capital letters" in result.message
    name = "xn--pst-sna.example.org"
    result = one("hostname", look({(f"{name}.", "A"): answer(name, "A", V4)}, hostname="pöst.example.org"))
    assert result.status is Status.PASS
    assert name in result.message


@pytest.mark.parametrize("rcode", ["NOERROR", "NXDOMAIN"])
def test_an_alias_fails_even_where_it_leads_nowhere(rcode: str) -> None:
    records = (V4,) if rcode == "NOERROR" else ()
    result = one("hostname", look(zone(A=answer(NAME, "A", *records, rcode=rcode, alias="host.example.net."))))
    assert result.status is Status.FAIL
    assert "host.example.net" in result.message


def test_a_name_that_does_not_exist_is_not_this_checks_finding() -> None:
    given = look(zone(A=answer(NAME, "A", rcode="NXDOMAIN")))
    assert one("hostname", given).status is Status.PASS
    assert one("address", given, "A").status is Status.FAIL


@pytest.mark.parametrize("address", ["127.0.1.1", "127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::"])
def test_a_name_on_loopback_in_the_hosts_file_fails(address: str) -> None:
    for answers in ({}, {"answers": Fact.skipped("DNS", "Offline.")}):
        result = one("hostname", look(hosts_file=(HostsEntry(address, (NAME, "mail"), 2),), **answers))
        assert result.status is Status.FAIL
        assert result.found == address
        assert result.remedy
        assert result.remedy.commands[0].startswith("sed -i.bak -E '2s/")


def test_lines_for_another_name_are_none_of_this_ones() -> None:
    """Facts that were recorded for one name can be asked about another."""
    assert (
        one("hostname", look(hosts_file=(HostsEntry("127.0.1.1", ("mail.elsewhere.example",), 2),))).status
        is Status.PASS
    )


def test_the_remedys_command_takes_the_name_alone_out_of_its_line(tmp_path: Any) -> None:
    import shlex
    import subprocess

    file = tmp_path / "hosts"
    file.write_text(f"127.0.0.1 localhost\n127.0.1.1\t{NAME.upper()}\tmail x{NAME}\n127.0.0.1 {NAME}\n")
    entries = (HostsEntry("127.0.1.1", (NAME,), 2), HostsEntry("127.0.0.1", (NAME,), 3))
    remedy = one("hostname", look(hosts_file=entries)).remedy
    assert remedy
    for command in remedy.commands:
        subprocess.run(shlex.split(command.replace("/etc/hosts", str(file))), check=True)
    assert file.read_text() == f"127.0.0.1 localhost\n127.0.1.1\tmail x{NAME}\n127.0.0.1\n"


def test_other_entries_of_the_hosts_file_are_fine() -> None:
    assert one("hostname", look(hosts_file=(HostsEntry(V4, (NAME,), 2),))).status is Status.PASS


def test_a_name_that_the_hosts_file_leads_elsewhere_is_told() -> None:
    """The host sees another address than the world: its own private one may be meant, another one is a mistake."""
    private, elsewhere = (HostsEntry(address, (f"{NAME}.", "mail"), 3) for address in ("10.0.0.5", "203.0.113.9"))
    inner = one("hostname", look(hosts_file=(private,), links=(link(V4), link("10.0.0.5", name="eth1"))))
    assert inner.status is Status.PASS
    assert "Line 3 of /etc/hosts gives it the address 10.0.0.5, but the DNS gives 198.51.100.7." in inner.message
    result = one("hostname", look(hosts_file=(private, elsewhere)))
    assert result.status is Status.WARN
    assert result.remedy
    assert len(result.remedy.commands) == 2
    unknown = zone(A=answer(NAME, "A"))
    assert one("hostname", look(unknown, hosts_file=(elsewhere,))).status is Status.PASS


def test_an_unreadable_hosts_file_hides_no_alias_and_gives_no_pass() -> None:
    closed = Fact.unknown("/etc/hosts", "Out of reach.", "Add --pid=host to docker run.")
    result = one("hostname", look(hosts_file=closed))
    assert (result.status, result.reason) == (Status.UNKNOWN, "Out of reach.")
    aliased = zone(A=answer(NAME, "A", V4, alias="x.example.net."))
    assert one("hostname", look(aliased, hosts_file=closed)).status is Status.FAIL


# --- dns.address


@pytest.mark.parametrize("rcode", ["NXDOMAIN", "NOERROR"])
def test_a_missing_address_comes_with_its_zone_line(rcode: str) -> None:
    result = one("address", look(zone(A=answer(NAME, "A", rcode=rcode))), "A")
    assert result.status is Status.FAIL
    assert build.measured(result) == {
        "name": NAME, "type": "A", "expected": [V4], "found": [], "zone": [f"{NAME}. 3600 IN A {V4}"],
    }  # fmt: skip
    assert result.remedy
    assert f"{NAME}. 3600 IN A {V4}" in result.remedy.text


def test_a_missing_address_fails_though_the_right_one_is_not_known() -> None:
    for links in ((link("10.0.0.2"),), Fact.unknown("x", "No links.")):
        result = one("address", look(zone(A=answer(NAME, "A")), links=links), "A")
        assert result.status is Status.FAIL
        assert build.measured(result)["zone"] == []
        assert result.remedy
        assert "--public-ip" in result.remedy.text


def test_an_address_of_another_host_fails() -> None:
    result = one("address", look(zone(A=answer(NAME, "A", "203.0.113.9"))), "A")
    assert result.status is Status.FAIL
    assert result.found == "203.0.113.9"
    assert build.measured(result)["zone"] == [f"{NAME}. 3600 IN A {V4}"]
    both = one("address", look(zone(A=answer(NAME, "A", V4, "203.0.113.9"))), "A")
    assert both.status is Status.FAIL
    assert build.measured(both)["zone"] == []


def test_several_addresses_of_this_host_pass() -> None:
    given = look(zone(A=answer(NAME, "A", V4, "198.51.100.8")), links=(link(V4), link("198.51.100.8", name="eth1")))
    assert one("address", given, "A").status is Status.PASS


def test_given_addresses_are_believed() -> None:
    given = look(links=Fact.unknown("x", "No links."), public=(V4,))
    assert {result.status for result in run("address", given).values()} == {Status.PASS}
    wrong = look(public=("203.0.113.9",))
    assert one("address", wrong, "A").status is Status.FAIL
    assert build.measured(one("address", wrong, "A"))["expected"] == ["203.0.113.9"]
    private = look(zone(A=answer(NAME, "A", "10.0.0.2")), public=("10.0.0.2",))
    assert one("address", private, "A").status is Status.PASS


def test_behind_nat_it_cannot_be_known() -> None:
    for addresses in (("10.0.0.2",), ("100.64.0.2",), ("192.168.1.2",), ("172.20.0.2",)):
        result = one("address", look(links=(link(*addresses),)), "A")
        assert result.status is Status.UNKNOWN
        assert result.remedy
        assert "--public-ip" in result.remedy.text


def test_the_containers_bridges_are_not_the_host() -> None:
    for bridge in ("docker0", "br-0123456789ab", "br-mailcow", "vethab12"):
        result = one("address", look(links=(link("10.0.0.2"), link(V4, name=bridge))), "A")
        assert result.status is Status.UNKNOWN


def test_a_private_address_that_is_the_hosts_warns() -> None:
    given = look(zone(A=answer(NAME, "A", "10.0.0.2")), links=(link("10.0.0.2"),))
    assert one("address", given, "A").status is Status.WARN
    public_too = look(zone(A=answer(NAME, "A", "10.0.0.2")), links=(link("10.0.0.2", V4),))
    assert one("address", public_too, "A").status is Status.FAIL


def test_no_aaaa_is_fine_with_and_without_ipv6() -> None:
    for links in ((link(V4),), Fact.unknown("x", "No links.")):
        assert one("address", look(links=links), "AAAA").status is Status.PASS
    result = one("address", look(links=(link(V4, V6),)), "AAAA")
    assert result.status is Status.PASS
    assert V6 in result.message


def test_an_aaaa_needs_working_ipv6() -> None:
    with6 = zone(AAAA=answer(NAME, "AAAA", V6))
    assert one("address", look(with6, links=(link(V4, V6),), routes=(DEFAULT6,)), "AAAA").status is Status.PASS
    other = look(with6, links=(link(V4, "2001:db8::8"),), routes=(DEFAULT6,))
    assert one("address", other, "AAAA").status is Status.FAIL
    for links, routes, said in (
        ((link(V4),), (DEFAULT6,), "no public IPv6 address"),
        ((link(V4, "fd00::7"),), (DEFAULT6,), "no public IPv6 address"),
        ((link(V4, V6),), (), "no default route for IPv6"),
        ((link(V4, V6),), (Route("2001:db8::/32", "eth0", "", 0),), "no default route for IPv6"),
    ):
        result = one("address", look(with6, links=links, routes=routes), "AAAA")
        assert result.status is Status.FAIL
        assert said in result.message
    blind = look(with6, links=(link(V4, V6),), routes=Fact.unknown("x", "No routes."))
    assert one("address", blind, "AAAA").status is Status.UNKNOWN


def test_a_given_ipv6_address_is_believed_too() -> None:
    given = look(zone(AAAA=answer(NAME, "AAAA", V6)), public=(V4, V6), routes=Fact.unknown("x", "No routes."))
    assert one("address", given, "AAAA").status is Status.PASS


# --- dns.reverse


def test_a_missing_reverse_name_is_the_providers_to_set() -> None:
    result = one("reverse", look(zone(PTR=answer(POINTER4, "PTR", rcode="NXDOMAIN"))), V4)
    assert result.status is Status.FAIL
    assert build.measured(result)["zone"] == [f"{POINTER4}. 3600 IN PTR {NAME}."]
    assert result.remedy
    assert "provider" in result.remedy.text


def test_another_reverse_name_fails() -> None:
    result = one("reverse", look(zone(PTR=answer(POINTER4, "PTR", "static.7.example.net."))), V4)
    assert result.status is Status.FAIL
    assert "static.7.example.net" in result.message


def test_the_case_of_a_reverse_name_makes_no_difference() -> None:
    assert one("reverse", look(zone(PTR=answer(POINTER4, "PTR", "MAIL.Example.ORG."))), V4).status is Status.PASS


def test_a_reverse_name_that_does_not_lead_back_fails() -> None:
    result = one("reverse", look(zone(A=answer(NAME, "A", "203.0.113.9"))), V4)
    assert result.status is Status.FAIL
    assert "does not resolve to" in result.message
    assert one("reverse", look(zone(A=answer(NAME, "A", rcode="SERVFAIL"))), V4).status is Status.UNKNOWN


def test_several_reverse_names_warn_where_one_does_not_lead_back() -> None:
    two = answer(POINTER4, "PTR", "web.example.org.", f"{NAME}.")
    good = one("reverse", look(zone(PTR=two, other=answer("web.example.org", "A", V4))), V4)
    assert good.status is Status.PASS
    assert "web.example.org" in good.message
    strange = answer("web.example.org", "A", "203.0.113.9")
    assert one("reverse", look(zone(PTR=two, other=strange)), V4).status is Status.WARN
    silent = answer("web.example.org", "A", rcode="SERVFAIL")
    assert one("reverse", look(zone(PTR=two, other=silent)), V4).status is Status.PASS


def test_ipv6_has_a_reverse_name_as_well() -> None:
    six = {"AAAA": answer(NAME, "AAAA", V6), "links": (link(V4, V6),)}
    ptr = answer(POINTER6, "PTR", f"{NAME}.")
    given = look(zone(AAAA=six["AAAA"], six=ptr), links=six["links"])
    assert {s: r.status for s, r in run("reverse", given).items()} == {V4: Status.PASS, V6: Status.PASS}
    without = look(zone(AAAA=six["AAAA"], six=answer(POINTER6, "PTR", rcode="NXDOMAIN")), links=six["links"])
    assert one("reverse", without, V6).status is Status.FAIL


def test_ipv6_does_not_count_where_mailcow_goes_without() -> None:
    given = look(links=(link(V4, V6),), mailcow_conf=build.conf_file({"ENABLE_IPV6": "false"}))
    assert list(run("reverse", given)) == [V4]


def test_only_the_addresses_of_the_name_count_where_the_host_has_more() -> None:
    assert list(run("reverse", look(links=(link(V4, "198.51.100.8"),)))) == [V4]
    wrong = look(zone(A=answer(NAME, "A", "203.0.113.9")), links=(link(V4, "198.51.100.8"),))
    assert list(run("reverse", wrong)) == [V4, "198.51.100.8"]


def test_given_addresses_are_the_subjects_of_reverse() -> None:
    assert list(run("reverse", look(public=(V4,), links=Fact.unknown("x", "No links.")))) == [V4]
    assert list(run("reverse", look(public=(V4,), links=(link("10.0.0.2"),)))) == [V4]


def test_behind_nat_the_reverse_name_cannot_be_known() -> None:
    (result,) = run("reverse", look(links=(link("10.0.0.2"),))).values()
    assert result.status is Status.UNKNOWN
    assert result.remedy
    assert "--public-ip" in result.remedy.text


WAY = Route("0.0.0.0/0", "eth0", "198.51.100.1", 0)


def second(**facts: Any) -> Look:
    """Make a look at a host whose name leads to its second address, while mail leaves with the first one."""
    other = answer("9.113.0.203.in-addr.arpa", "PTR", f"{NAME}.")
    generic = answer(POINTER4, "PTR", "static-7.example.net.")
    records = zone(A=answer(NAME, "A", "203.0.113.9"), PTR=generic, other=other)
    links = (Link("eth0", 1500, True, (Address(V4, 24, "global"), Address("203.0.113.9", 32, "global"))),)
    return look(records, **({"links": links, "routes": (WAY,)} | facts))


def test_the_address_that_mail_is_sent_from_needs_its_reverse_name() -> None:
    results = run("reverse", second())
    assert {s: r.status for s, r in results.items()} == {"203.0.113.9": Status.PASS, V4: Status.FAIL}
    remedy = results[V4].remedy
    assert remedy
    assert (remedy.place, remedy.when) == ("mailcow.conf", "cloned")
    assert "SNAT_TO_SOURCE=203.0.113.9" in remedy.text


def test_the_advice_on_the_address_to_send_from_makes_its_finding_go_away(tmp_path: Path) -> None:
    path = tmp_path / "mailcow.conf"
    path.write_text("MAILCOW_HOSTNAME=mail.example.org\n#SNAT_TO_SOURCE=\nSNAT_TO_SOURCE=192.0.2.1")
    conf = build.conf_file({"SNAT_TO_SOURCE": V4}, str(path))
    remedy = run("reverse", second(mailcow_conf=conf))[V4].remedy
    assert remedy
    assert remedy.when == "now"
    for command in remedy.commands:
        subprocess.run(command, shell=True, check=True)
    assert path.read_text().split() == ["MAILCOW_HOSTNAME=mail.example.org", "SNAT_TO_SOURCE=203.0.113.9"]
    told = build.conf_file({"SNAT_TO_SOURCE": "203.0.113.9"})
    assert {s: r.status for s, r in run("reverse", second(mailcow_conf=told)).items()} == {"203.0.113.9": Status.PASS}


@pytest.mark.parametrize(("name", "place"), [("lo", "mailcow.conf"), ("dummy0", "mailcow.conf"), ("eth1", "provider")])
def test_mail_is_sent_from_no_address_of_another_uplink(name: str, place: str) -> None:
    remedy = run("reverse", second(links=(link(V4), link("203.0.113.9", name=name))))[V4].remedy
    assert remedy
    assert remedy.place == place


def test_an_address_to_send_from_without_another_is_the_providers() -> None:
    """A reverse name is missing, and mailcow.conf cannot help."""
    remedy = one("reverse", look(zone(PTR=answer(POINTER4, "PTR")), routes=(WAY,)), V4).remedy
    assert remedy
    assert remedy.place == "provider"
    assert remedy.records == (DnsRecord(POINTER4, "PTR", f"{NAME}.", 3600),)


def test_a_private_address_to_send_from_says_nothing_of_the_worlds_view() -> None:
    given = look(public=(V4,), links=(link("10.0.0.2"),), routes=(WAY,))
    assert list(run("reverse", given)) == [V4]


def test_an_address_that_nat_beyond_this_host_gives_is_believed() -> None:
    given = look(public=(V4,), links=(link("203.0.113.9"),), routes=(WAY,))
    assert list(run("reverse", given)) == [V4]
    assert list(run("reverse", second(public=("203.0.113.9",)))) == ["203.0.113.9", V4]


# --- a resolver that denies the world, a domain that nobody has


def denying(how: str, above: str) -> Zone:
    return {
        key: Answer(*key, "NXDOMAIN", server="192.0.2.53", denied=how, above=above)  # type: ignore[arg-type]
        for key in zone()
    }


@pytest.mark.parametrize(("how", "above"), [("root", ""), ("top", "org")])
def test_a_resolver_that_denies_the_world_proves_nothing(how: str, above: str) -> None:
    for identity in CHECKS:
        for result in build.run(identity, look(denying(how, above))):
            assert result.status is Status.UNKNOWN, result
            assert "means nothing" in (result.reason or "")
            assert result.remedy
            assert "--resolver" in result.remedy.text


@pytest.mark.parametrize(("how", "above"), [("domain", "exmaple-mail.de"), ("strange", "dee")])
def test_a_domain_that_does_not_exist_is_one_finding(how: str, above: str) -> None:
    name, domain = f"mail.{above}", above
    asked = [(f"{name}.", "A"), (f"{name}.", "AAAA"), (f"{domain}.", "MX"), (f"autodiscover.{domain}.", "A")]
    rows = {key: Answer(*key, "NXDOMAIN", denied=how, above=above) for key in asked}  # type: ignore[arg-type]
    rows[f"{POINTER4}.", "PTR"] = answer(POINTER4, "PTR")
    given = look(rows, hostname=name, domains=(domain,))
    found = one("hostname", given)
    assert found.status is Status.FAIL
    assert "Check the spelling" in found.message
    for identity in ("address", "reverse", "mx", "autodiscover"):
        for result in run(identity, given).values():
            assert result.status is Status.UNKNOWN, result
            assert "Enter" not in (result.remedy.text if result.remedy else "")


def test_another_domain_that_does_not_exist_is_its_own_finding() -> None:
    gone = Answer("exmaple.net.", "MX", "NXDOMAIN", denied="domain", above="exmaple.net")
    result = one("mx", look(zone(other=gone), domains=("exmaple.net",)), "exmaple.net")
    assert result.status is Status.FAIL
    assert build.measured(result)["zone"] == []
    assert "exmaple.net does not exist" in result.message


def test_the_documentations_name_is_recognised_where_the_dns_has_nothing_for_it() -> None:
    """Laboratories have such names, and a name server that knows them."""
    world = {key: Answer(*key, "NXDOMAIN") for key in zone()} | {
        ("example.org.", "MX"): answer("example.org", "MX", "0 .")
    }
    result = one("hostname", look(world))
    assert result.status is Status.FAIL
    assert "example" in result.message
    for identity in CHECKS[1:]:
        for other in build.run(identity, look(world)):
            assert other.status is Status.UNKNOWN, other


@pytest.mark.parametrize(("broken", "said"), [("circle", "form a loop"), ("long", "too many CNAME records")])
def test_aliases_that_end_nowhere_are_one_finding(broken: Literal["circle", "long"], said: str) -> None:
    def round(kind: str) -> Answer:
        return Answer(f"{NAME}.", kind, "NOERROR", (), "a.example.org.", "192.0.2.53", broken=broken)

    given = look(zone(A=round("A"), AAAA=round("AAAA")))
    assert one("hostname", given).status is Status.FAIL
    for result in run("address", given).values():
        assert result.status is Status.UNKNOWN
        assert said in (result.reason or "")


# --- dns.mx


@pytest.mark.parametrize("rcode", ["NXDOMAIN", "NOERROR"])
def test_a_missing_mx_comes_with_its_zone_line(rcode: str) -> None:
    result = one("mx", look(zone(MX=answer("example.org", "MX", rcode=rcode))), "example.org")
    assert result.status is Status.FAIL
    assert build.measured(result)["zone"] == [f"example.org. 3600 IN MX 10 {NAME}."]


@pytest.mark.parametrize(
    ("records", "status", "said"),
    [
        ((f"10 {NAME}.",), Status.PASS, "goes to"),
        (("10 Mail.EXAMPLE.org.",), Status.PASS, "goes to"),
        (("0 .",), Status.FAIL, "null MX"),
        (("10 mx.example.net.",), Status.WARN, " today."),
        (("10 mail.example.org.example.org.",), Status.WARN, " today."),
        ((f"10 {NAME}.", "20 backup.example.net."), Status.WARN, "also goes to"),
        (("5 gateway.example.net.", f"10 {NAME}."), Status.WARN, "first"),
        (("5 gateway.example.net.", f"10 {NAME}.", "20 backup.example.net."), Status.WARN, "first"),
    ],
)
def test_where_mail_goes(records: tuple[str, ...], status: Status, said: str) -> None:
    result = one("mx", look(zone(MX=answer("example.org", "MX", *records))), "example.org")
    assert result.status is status
    assert said in result.message
    assert bool(build.measured(result)["zone"]) is (f"{NAME}." not in {r.lower().rpartition(" ")[2] for r in records})


def test_an_alias_as_the_target_fails() -> None:
    result = one("mx", look(zone(A=answer(NAME, "A", V4, alias="x.example.net."))), "example.org")
    assert result.status is Status.FAIL
    assert "alias" in result.message


def test_another_name_of_the_same_addresses_warns() -> None:
    mx = answer("example.org", "MX", "10 mx.example.org.")
    same = zone(MX=mx, other=answer("mx.example.org", "A", V4))
    assert one("mx", look(same), "example.org").status is Status.WARN
    for other in (answer("mx.example.org", "A", V4, alias=f"{NAME}."), answer("mx.example.org", "A", "203.0.113.9")):
        assert " today." in one("mx", look(zone(MX=mx, other=other)), "example.org").message


def test_mail_that_goes_elsewhere_today_is_moved_last() -> None:
    mx = answer("example.org", "MX", "0 example-org.mail.example.net.")
    there = answer("example-org.mail.example.net", "A", "203.0.113.9")
    given = look(zone(MX=mx, other=there, discover=answer("autodiscover.example.org", "A", rcode="NXDOMAIN"),
                      discover6=answer("autodiscover.example.org", "AAAA", rcode="NXDOMAIN")))  # fmt: skip
    result = one("mx", given, "example.org")
    assert result.status is Status.WARN
    assert result.remedy
    assert (result.remedy.when, result.remedy.place) == ("last", "dns")
    assert result.remedy.records == (DnsRecord("example.org", "MX", f"10 {NAME}.", 3600),)
    assert "300 s" in result.remedy.text
    assert "emove" not in result.remedy.text
    programs = one("autodiscover", given, "example.org")
    assert programs.remedy
    assert programs.remedy.when == "last"


def test_mail_that_goes_nowhere_may_be_moved_now() -> None:
    mx = answer("example.org", "MX", "10 gone.example.org.")
    gone = {kind: answer("gone.example.org", kind, rcode="NXDOMAIN") for kind in ("A", "AAAA")}
    result = one("mx", look(zone(MX=mx, **{f"gone{kind}": one for kind, one in gone.items()})), "example.org")
    assert result.status is Status.FAIL
    assert result.remedy
    assert result.remedy.when == "now"


def test_the_settings_of_another_provider_are_replaced_last() -> None:
    outlook = answer("autodiscover.example.org", "A", "203.0.113.9", alias="autodiscover.example.net.")
    result = one("autodiscover", look(zone(discover=outlook)), "example.org")
    assert result.status is Status.WARN
    assert result.remedy
    assert result.remedy.when == "last"
    assert "emove" not in result.remedy.text
    assert result.remedy.records == (DnsRecord("autodiscover.example.org", "CNAME", f"{NAME}.", 3600),)


def test_a_name_that_serves_mail_on_another_host_today_is_moved_last() -> None:
    result = one("address", look(zone(A=answer(NAME, "A", "203.0.113.9"))), "A")
    assert result.status is Status.FAIL
    assert result.remedy
    assert result.remedy.when == "last"
    assert "--public-ip" in result.remedy.text
    unused = zone(A=answer(NAME, "A", "203.0.113.9"), MX=answer("example.org", "MX"))
    remedy = one("address", look(unused), "A").remedy
    assert remedy
    assert remedy.when == "now"


def test_each_domain_has_its_own_result() -> None:
    results = run("mx", look(domains=("example.org", "example.net")))
    assert {s: r.status for s, r in results.items()} == {"example.org": Status.PASS, "example.net": Status.UNKNOWN}


# --- dns.autodiscover, dns.autoconfig


@pytest.mark.parametrize(("label", "key"), [("autodiscover", "discover"), ("autoconfig", "config")])
def test_names_for_mail_programs(label: str, key: str) -> None:
    name = f"{label}.example.org"

    def status(four: Answer, six: Answer | None = None) -> Status:
        given = look(zone(**{key: four, f"{key}6": six or answer(name, "AAAA")}))
        return one(label, given, "example.org").status

    assert status(answer(name, "A", V4, alias=f"{NAME.upper()}.")) is Status.PASS
    assert status(answer(name, "A", V4)) is Status.PASS
    assert status(answer(name, "A", V4), answer(name, "AAAA", "2001:db8::99")) is Status.WARN
    assert status(answer(name, "A", "203.0.113.9")) is Status.WARN
    assert status(answer(name, "A", "203.0.113.9", alias="other.example.net.")) is Status.WARN
    assert status(answer(name, "A", rcode="NXDOMAIN")) is Status.WARN
    missing = one(label, look(zone(**{key: answer(name, "A"), f"{key}6": answer(name, "AAAA")})), "example.org")
    assert build.measured(missing)["zone"] == [f"{name}. 3600 IN CNAME {NAME}."]
    dangling = zone(**{key: answer(name, "A", alias=f"{NAME}."), "A": answer(NAME, "A")})
    assert one(label, look(dangling), "example.org").status is Status.PASS


# --- hostile answers

texts = st.text(max_size=40) | st.sampled_from(["", " ", ".", "10", "10 ", f"10 {NAME}.", V4, f"{NAME}.", "::1"])


@given(
    st.lists(texts, max_size=5),
    st.sampled_from(["NOERROR", "NXDOMAIN", "SERVFAIL", "", "timeout"]),
    st.none() | texts,
    st.lists(texts, max_size=4),
)
def test_hostile_answers_break_no_check(records: list[str], rcode: str, alias: str | None, found: list[str]) -> None:
    odd = {key: Answer(*key, rcode, tuple(record(key[1], line) for line in records), alias) for key in zone()}
    links = (Link("eth0", None, None, tuple(Address(a, 0, "global") for a in found)),)
    hosts = tuple(HostsEntry(address, (), 1) for address in found)
    for identity in CHECKS:
        for result in build.run(identity, look(odd, links=links, hosts_file=hosts)):
            assert result.status is not Status.ERROR, result


@given(st.text(max_size=80))
def test_hostile_names_break_no_check(name: str) -> None:
    for identity in CHECKS:
        for result in build.run(identity, look(hostname=name, domains=(name,))):
            assert result.status is not Status.ERROR, result
