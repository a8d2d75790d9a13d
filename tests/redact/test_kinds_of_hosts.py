"""Hosts with names and addresses of every kind: redacted, recorded, read again, they are judged as they really are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from preflight.assess import assess
from preflight.assess.waivers import Waiver
from preflight.checks import catalogue
from preflight.facts import Address, Answer, Answers, Asked, ConfFile, Host, HostsEntry, Link, Route, Setting
from preflight.facts.records import A, Mx, Ptr, Txt
from preflight.mailcow import plan
from preflight.mailcow.plan import DEFAULT_CONF
from preflight.mailcow.requirements import load
from preflight.net.hostnames import ascii_name, mail_domain
from preflight.redact import Recorded, Redaction
from preflight.render import FORMATS, Context, render
from preflight.report.documents import encode, read_facts
from preflight.report.model import Report
from tests.build import host
from tests.redact.hosts import rich

NUMBERS, CHECKS = load("current"), catalogue()

# Names of mail hosts, and the parts of them that are nobody else's.
NAMES = {
    "two labels": ("geheim.example", ("geheim",)),
    "three labels": ("post.geheim.example", ("geheim", "post.")),
    "many labels": ("a1.b2.tannhaeuser.geheim.co.uk", ("geheim", "tannhaeuser", "a1.", "b2.")),
    "capitals": ("Post.Geheim.Example", ("geheim",)),
    "a dot at its end": ("post.geheim.example.", ("geheim",)),
    "not ASCII": ("pöst.gehéim.example", ("gehéim", "pöst", "pst-sna", "gehim-")),
    "its ASCII form": ("xn--pst-sna.xn--gehim-fsa.example", ("gehim", "pst-sna")),
    "one label": ("geheimhost", ("geheimhost",)),
    "an underscore": ("po_st.geheim.example", ("geheim", "po_st")),
    "a hyphen at its end": ("post-.geheim.example", ("geheim", "post-")),
    "a long label": (f"{'g' * 64}.geheim.example", ("geheim", "g" * 64)),
    "a local ending": ("post.geheim.local", ("geheim", "post.")),
    "a network at home": ("post.home.arpa", ("post.",)),
    "an address": ("203.0.113.77", ("203.0.113.77",)),
    "numbers": ("10.20.geheim.4711", ("geheim", "4711.")),
    "an empty label": ("post..geheim.example", ("geheim",)),
}


def judge(given: Host, waivers: tuple[Waiver, ...] = ()) -> Report:
    made = plan.make(given.mailcow_conf.value, given.asked)
    return assess(given, made, NUMBERS, CHECKS, waivers, timer=lambda: 0.0)


def called(name: str) -> Host:
    """Return a host of this name, that knows itself by it and of which the DNS does."""
    fqdn = ascii_name(name).rstrip(".")
    domain = mail_domain(fqdn) or fqdn
    told = (
        Answer(f"{fqdn}.", "A", "NOERROR", (A("203.0.113.25"),)),
        Answer(f"{fqdn}.", "AAAA", "NOERROR"),
        Answer(f"{domain}.", "MX", "NOERROR", (Mx(10, f"{fqdn}."),)),
        Answer(f"{domain}.", "TXT", "NOERROR", (Txt(("v=spf1 mx a:", f"{fqdn} -all")),)),
        Answer("25.113.0.203.in-addr.arpa.", "PTR", "NOERROR", (Ptr(f"{fqdn}."),)),
    )
    return rich(
        asked=Asked(hostname=name, offline=False),
        name=name,
        hosts_file=(HostsEntry("127.0.1.1", (fqdn,), 3),),
        answers=Answers({Answers.key(answer.name, answer.type): answer for answer in told}),
        mailcow_conf=ConfFile(DEFAULT_CONF, True, {"MAILCOW_HOSTNAME": Setting(name, 1)}),
    )


def statuses(report: Report) -> list[tuple[str, str]]:
    return [(result.check, result.status.value) for result in report.results]


def hold(given: Host, secrets: tuple[str, ...], tmp_path: Path) -> None:
    """Nothing shows in any document, every status is the real one, and recorded facts give that very report."""
    real, redaction = judge(given), Redaction(given)
    shown = redaction.report(real, NUMBERS, CHECKS)
    assert statuses(shown) == statuses(real)
    assert shown.verdict is real.verdict
    path = tmp_path / "facts.json"
    path.write_text(encode(redaction.facts()))
    recorded = Recorded(read_facts(path))
    again = recorded.report(judge(recorded.host), NUMBERS, CHECKS)
    assert [(r.check, r.subject, r.status, r.message) for r in again.results] == [
        (r.check, r.subject, r.status, r.message) for r in shown.results
    ]
    documents = {form: render(shown, form, Context(redacted=True)) for form in FORMATS} | {"facts": path.read_text()}
    for form, text in documents.items():
        assert not [secret for secret in secrets if secret.lower() in text.lower()], form
    # The page's checksums of its own style and script may have any letters.
    shown_text = "".join(re.sub(r"sha256-[\w+/=]+", "", text) for form, text in documents.items() if form != "facts")
    assert "zq" not in shown_text


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str, tmp_path: Path) -> None:
    whole, secrets = NAMES[name]
    hold(called(whole), secrets, tmp_path)


# --- addresses -------------------------------------------------------------------------------------------------

ADDRESSES = {
    "a public one": ("198.51.101.7", 24, "198.51.101.1", "203.0.113."),
    "a private one": ("10.99.88.7", 16, "10.99.0.1", "10.99."),
    "in mailcow's network": ("172.22.1.77", 24, "172.22.1.254", "10.99."),
    "beside mailcow's network": ("172.22.0.77", 23, "172.22.0.1", "172.22.0.77"),  # the network is told by its place
    "shared by a carrier": ("100.77.66.5", 10, "100.77.0.1", "100.77."),
    "of the link": ("169.254.33.44", 16, "169.254.1.1", "169.254.33."),
    "alone": ("45.67.89.10", 32, "45.67.89.1", "45.67."),
}


@pytest.mark.parametrize("kind", ADDRESSES)
def test_addresses(kind: str, tmp_path: Path) -> None:
    (address, length, gateway, secret), local = ADDRESSES[kind], "fd12:3456:789a::7"
    given = rich(
        links=(Link("eth0", 1500, True, (Address(address, length, "global"), Address(local, 64, "global"))),),
        routes=(
            Route("0.0.0.0/0", "eth0", gateway, 0), Route("fd12:3456:789a::/64", "eth0", "", 256),
            Route("::/0", "eth0", "fe80::77", 1024),
        ),
    )  # fmt: skip
    hold(given, (secret, "fd12:3456", "fe80::77") if kind != "in mailcow's network" else ("fd12:3456",), tmp_path)


NETWORKS = ("10.88.77", "192.168.99", "172.22.1", "172.31.255", "203.0.113", "geheim", "10.88.77.0/24", "")


@pytest.mark.parametrize("octets", NETWORKS)
def test_mailcows_own_network(octets: str, tmp_path: Path) -> None:
    settings = {"MAILCOW_HOSTNAME": Setting("post.geheim.example", 1), "IPV4_NETWORK": Setting(octets, 2)}
    given = rich(mailcow_conf=ConfFile(DEFAULT_CONF, True, settings), routes=(Route("10.88.0.0/16", "wg0", "", 0),))
    mine = () if octets in ("172.22.1", "") else (octets,)
    hold(given, ("geheim.example", *mine), tmp_path)


BINDS = {
    "a private address": "10.88.77.66:8080", "IPv6": "[2001:db8:77::66]:8080", "a name": "post.geheim.example:8080",
    "nonsense": "geheim:geheim:geheim", "too large": "99999", "a range": "8080-8090", "a blank": " 8080 ",
}  # fmt: skip


@pytest.mark.parametrize("kind", BINDS)
def test_ports_of_mailcow_conf(kind: str, tmp_path: Path) -> None:
    settings = {"MAILCOW_HOSTNAME": Setting("post.geheim.example", 1), "HTTP_PORT": Setting(BINDS[kind], 2)}
    given = rich(mailcow_conf=ConfFile(DEFAULT_CONF, True, settings))
    hold(given, ("geheim", "10.88.77", "2001:db8:77"), tmp_path)


# --- waivers ---------------------------------------------------------------------------------------------------


def test_a_waiver_means_the_real_subject_and_is_told_of_the_placeholder() -> None:
    given = called("post.geheim.example")
    (subject,) = {result.subject for result in judge(given).results if result.check == "dns.mx"}
    assert subject == "geheim.example"
    waivers = (Waiver("dns.*", subject, "geheim: see ticket 4711"),)
    bad = rich(asked=Asked(hostname="post.geheim.example", domains=("geheim.example",)))
    real = judge(bad, waivers)
    shown = Redaction(bad).report(real, NUMBERS, CHECKS, waivers)
    waived = [(one, other) for one, other in zip(real.results, shown.results, strict=True) if one.was]
    assert waived
    for one, other in waived:
        assert (other.status, other.was) == (one.status, one.was)
        assert other.subject == "<domain-1>"
        assert "geheim" not in (other.reason or "")
        assert "4711" not in (other.reason or "")
    assert "geheim" not in "".join(render(shown, form, Context(redacted=True)) for form in FORMATS)


def test_a_bare_host_is_redacted_too(tmp_path: Path) -> None:
    given: Any = host(name="geheim")
    hold(given, ("geheim",), tmp_path)
    assert Redaction(given).facts().name.value == "<host-1>"
    assert msgspec.structs.replace(Recorded(given).host) == given
