"""Our checks of the DNS played against real servers: what they come to where a zone or a server is as it should not be.

The servers that the other tests play say what we believe that servers say. These here say it themselves.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real_dns import (
    ARPA,
    FIRST,
    GOOD,
    HOST,
    LONG_AGO,
    MX,
    NAME,
    NOWHERE,
    POINTER,
    RESOLVER,
    SECOND,
    SPF,
    TLSA,
    Servers,
    above,
    message,
    namespace,
    statuses,
    zone,
)
from tests.tools import LDNS, NSD, UNBOUND, lacking

CHECKS = (
    "hostname", "address", "reverse", "mx", "autodiscover", "autoconfig", "spf", "dkim", "dmarc", "srv", "tlsa", "caa",
)  # fmt: skip
WELL = {f"dns.{one}": "pass" for one in CHECKS}
PROGRAMS = {"dns.autodiscover": "warn", "dns.autoconfig": "warn"}
ONE = {"ns1.example.org.": FIRST}
TWO = ONE | {"ns2.example.org.": SECOND}
DOMAIN = "example.org."


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    for file in (NSD, UNBOUND, LDNS / "drill"):
        if not file.exists():
            lacking(file.name)
    for name in ("ip", "nsenter", "unshare"):
        if not shutil.which(name):
            lacking(name)
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no network namespace can be made")
    with namespace(tmp_path) as made:
        yield made


def plain(*rows: str, serial: int = 1) -> str:
    """Write example.org with one name server."""
    return zone(DOMAIN, *rows, serial=serial, servers=ONE)


@pytest.mark.parametrize("signs", [True, False], ids=["signed", "unsigned"])
def test_a_zone_is_well(servers: Servers, signs: bool) -> None:
    """Unbound checks signatures: it confirms the zone, or `org.` proves that there are none to check."""
    top, key = servers.key("org."), servers.key(DOMAIN)
    zones = above(ONE, key=key if signs else None)
    text = plain(*GOOD, TLSA)
    zones |= {"org.": servers.signed(zones["org."], top), DOMAIN: servers.signed(text, key) if signs else text}
    with servers.nsd(FIRST, zones), servers.unbound(top):
        report = servers.check()
    assert statuses(report) == WELL
    assert ("DNSSEC does not confirm" in message(report, "dns.tlsa")) is not signs


@pytest.mark.parametrize("told", ["yes", "no"], ids=["the reason told", "no reason told"])
@pytest.mark.parametrize(
    ("owner", "kind", "check", "others"),
    [
        ("example.org.", "MX", "mx", {"dns.spf": "unknown"}),
        (f"{NAME}.", "A", "address", {f"dns.{one}": "unknown" for one in ("hostname", "reverse", "spf")} | PROGRAMS),
    ],
    ids=["MX", "A"],
)
def test_signatures_that_are_over(
    servers: Servers, owner: str, kind: str, check: str, others: dict[str, str], told: str
) -> None:
    """One record's alone: the check that is about it fails; those that need it do not say that all is well."""
    key = servers.key(DOMAIN)
    now, old = servers.signed(plain(*GOOD), key), servers.signed(plain(*GOOD), key, *LONG_AGO)
    signature = re.compile(rf"^{re.escape(owner)}\t.*\tRRSIG\t{kind} .*$", re.MULTILINE)
    (over,) = signature.findall(old)
    zones = above(ONE) | {DOMAIN: signature.sub(lambda _: over, now)}
    with servers.nsd(FIRST, zones), servers.unbound(key, told=told):
        report = servers.check()
    assert statuses(report) == WELL | others | {f"dns.{check}": "fail"}
    assert f"DNSSEC signatures reject the {kind} records" in message(report, f"dns.{check}")
    assert ("signature expired" in message(report, f"dns.{check}")) is (told == "yes")


def test_a_second_server_without_the_zone(servers: Servers) -> None:
    given = zone(DOMAIN, *GOOD, servers=TWO)
    other = {"example.net.": zone("example.net.")}
    with servers.nsd(FIRST, above(TWO) | {DOMAIN: given}), servers.nsd(SECOND, other), servers.unbound():
        report = servers.check()
    assert statuses(report) == WELL | {"dns.mx": "warn"}
    assert "answer REFUSED to queries for the zone: ns2.example.org (192.0.2.2)" in message(report, "dns.mx")


def test_a_second_server_with_an_older_copy(servers: Servers) -> None:
    """The newer copy counts, and is well; whoever asks the other one does not find this host."""
    new = zone(DOMAIN, *GOOD, serial=2, servers=TWO)
    old = zone(DOMAIN, *(row for row in GOOD if row != MX), "@ 600 MX 10 old", "old 600 A 198.51.100.9", servers=TWO)
    with servers.nsd(FIRST, above(TWO) | {DOMAIN: new}), servers.nsd(SECOND, {DOMAIN: old}), servers.unbound():
        report = servers.check()
    assert statuses(report) == WELL | {"dns.mx": "warn"}
    assert "do not have the same MX records for example.org" in message(report, "dns.mx")


def test_a_second_server_that_is_silent(servers: Servers) -> None:
    two = ONE | {"ns2.example.org.": NOWHERE}
    given = zone(DOMAIN, *GOOD, servers=two)
    with servers.nsd(FIRST, above(two) | {DOMAIN: given}), servers.unbound():
        report = servers.check()
    assert statuses(report) == WELL
    assert "did not answer: ns2.example.org (192.0.2.99)" in message(report, "dns.mx")


def test_a_record_that_has_not_spread_yet(servers: Servers) -> None:
    """Unbound has the address of before in its cache, and counts its TTL down."""
    old = plain(*(row for row in GOOD if row != HOST), "mail 600 A 203.0.113.99")
    with servers.nsd(FIRST, above(ONE) | {DOMAIN: old}) as server, servers.unbound():
        assert "203.0.113.99" in servers.ask(RESOLVER, NAME, "A")
        servers.write(FIRST, DOMAIN, plain(*GOOD, serial=2))
        servers.reload(server, FIRST, "example.org", 2)
        report = servers.check()
    assert statuses(report) == WELL | {"dns.address": "warn"}
    assert f"{RESOLVER} still has an older answer for {NAME} A" in message(report, "dns.address")


def test_a_resolver_that_refuses(servers: Servers) -> None:
    with servers.nsd(FIRST, above(ONE) | {DOMAIN: plain(*GOOD)}), servers.unbound(access="refuse"):
        report = servers.check()
    assert statuses(report) == dict.fromkeys(WELL, "unknown")
    assert f"{RESOLVER} answered REFUSED" in message(report, "dns.mx")


@pytest.mark.parametrize("signs", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("whole", [False, True], ids=["an address alone", "all but SPF"])
def test_zone_lines_heal(servers: Servers, whole: bool, signs: bool) -> None:
    """What `--format zone` prints is text that NSD reads: once it serves that, nothing is missing."""
    key = servers.key(DOMAIN) if signs else None
    rows = tuple(row for row in GOOD if row != SPF) if whole else (HOST,)
    pointers = (POINTER,) if whole else ()

    def write(serial: int, *lines: str) -> dict[str, str]:
        reverse = [line for line in lines if f".{ARPA} " in line]
        text = plain(*rows, *(line for line in lines if line not in reverse), serial=serial)
        zones = above(ONE, (*pointers, *reverse)) | {DOMAIN: servers.signed(text, key) if key else text}
        for name, written in zones.items():
            servers.write(FIRST, name, written)
        return zones

    with servers.nsd(FIRST, write(1)) as server:
        with servers.unbound(key):
            before, lines = statuses(servers.check()), servers.check("zone").splitlines()
        write(2, *lines)
        servers.reload(server, FIRST, "example.org", 2)
        with servers.unbound(key):
            after = statuses(servers.check())
    missing = {"dns.spf": "warn"}
    if not whole:
        missing |= {"dns.reverse": "fail", "dns.mx": "fail", "dns.dmarc": "warn"} | PROGRAMS
    assert before == WELL | missing
    assert after == WELL
