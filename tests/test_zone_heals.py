"""The zone lines of a report, applied to the zones that they are for: the findings are gone, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.zone
import pytest

from preflight.assess import assess
from preflight.checks import catalogue
from preflight.facts import Answer, Asked, Route, absolute
from preflight.gather.names.messages import parse_message
from preflight.gather.names.questions import MailHost
from preflight.mailcow.services import ANNOUNCED
from preflight.render import render
from preflight.render.record_words import ZONE_LATER
from preflight.report.model import Report, Status
from tests import build
from tests.checks.test_dns import DEFAULT6, V4, V6, link
from tests.checks.test_policies import gathered
from tests.gather.authorities import recursor, zone

NAME, DOMAIN = "mail.example.org", "example.org"
HOST = f"mail 600 A {V4}"
MX, SPF, DMARC = "@ 600 MX 10 mail", '@ 600 TXT "v=spf1 mx a -all"', '_dmarc 600 TXT "v=DMARC1; p=none"'
DISCOVER, CONFIG = "autodiscover 600 CNAME mail", "autoconfig 600 CNAME mail"
SERVICES = (
    *(f"{one.owner('')[:-1]} 600 SRV 0 1 {one.port} mail" for one in ANNOUNCED),
    *(f'{one.owner("")[:-1]} 600 TXT "path={one.path}"' for one in ANNOUNCED if one.path),
)
GOOD = (HOST, MX, SPF, DMARC, DISCOVER, CONFIG, *SERVICES)
POINTER, POINTER6 = "7 600 PTR mail.example.org.", "7 600 PTR mail.example.org."
OWN6 = f"mail 600 AAAA {V6}"
LONG = f'@ 600 TXT "v=spf1 {" ".join(f"ip4:203.0.113.{n}" for n in range(12))}" " ip4:192.0.2.1 -all"'
BESIDE = '@ 600 TXT "verification=abc"'  # of somebody else's, which stays

# A mistake, with the records that are not there and those that are there in their place.
Mistake = tuple[str, tuple[str, ...], tuple[str, ...]]
MISTAKES: list[Mistake] = [
    ("no address", (HOST,), ()),
    ("the address of nobody", (HOST, MX), ("mail 600 A 203.0.113.9", "@ 600 MX 10 gone")),
    ("a second address", (MX,), ("mail 600 A 203.0.113.9",)),
    ("an address without IPv6", (), (OWN6,)),
    ("two addresses without IPv6", (), (OWN6, "mail 600 AAAA 2001:db8::8")),
    ("an alias to nowhere", (HOST,), ("mail 600 CNAME gone",)),
    ("an alias to this host", (HOST,), (f"host 600 A {V4}", "mail 600 CNAME host")),
    ("an alias out of the zone", (HOST, MX), ("mail 600 CNAME here.example.net.",)),
    ("no MX", (MX,), ()),
    ("a null MX", (MX,), ("@ 600 MX 0 .",)),
    ("a null MX beside", (), ("@ 600 MX 0 .",)),
    ("an MX that leads nowhere", (MX,), ("@ 600 MX 10 gone",)),
    ("two MX that lead nowhere", (MX,), ("@ 600 MX 10 gone", "@ 600 MX 20 gone.example.net.")),
    ("no autodiscover", (DISCOVER,), ()),
    ("no autoconfig", (CONFIG,), ()),
    ("neither", (DISCOVER, CONFIG), ()),
    ("no SPF", (SPF,), ()),
    ("two SPF", (), ('@ 600 TXT "v=spf1 ip4:192.0.2.5 ~all"',)),
    ("the same SPF twice", (), ('@ 600 TXT "v=spf1 mx a ~all"',)),
    ("SPF of others", (SPF,), ('@ 600 TXT "v=spf1 ip4:203.0.113.5 -all"',)),
    ("SPF without its ending", (SPF,), ('@ 600 TXT "v=spf1 ip4:203.0.113.5"',)),
    ("SPF that is misspelt", (SPF,), ('@ 600 TXT "v=spf1 mx ipv4:203.0.113.5 -all"',)),
    ("SPF that includes nothing", (SPF,), ('@ 600 TXT "v=spf1 include:gone.example.org mx -all"',)),
    ("SPF for everybody", (SPF,), ('@ 600 TXT "v=spf1 mx +all"',)),
    ("SPF in several texts", (SPF,), (LONG,)),
    ("SPF beside another text", (SPF,), (BESIDE, '@ 600 TXT "v=spf1 ip4:203.0.113.5 -all"')),
    ("no DMARC", (DMARC,), ()),
    ("DMARC at the domain", (DMARC,), ('@ 600 TXT "v=DMARC1; p=reject"',)),
    ("DMARC without its blank", (DMARC,), ('_dmarc 600 TXT "v=DMARC1 p=none"',)),
    ("DMARC in small letters", (DMARC,), ('_dmarc 600 TXT "v=dmarc1; p=none"',)),
    ("DMARC that asks for nothing", (DMARC,), ('_dmarc 600 TXT "v=DMARC1; adkim=s"',)),
    ("DMARC with a wrong policy", (DMARC,), ('_dmarc 600 TXT "v=DMARC1; p=rejekt"',)),
    ("DMARC with a wrong policy below", (DMARC,), ('_dmarc 600 TXT "v=DMARC1; p=none; sp=all"',)),
    ("CAA of another authority", (), ('@ 600 CAA 0 issue "ca.example.net"',)),
    ("CAA of nobody", (), ('@ 600 CAA 0 issue ";"',)),
    ("nothing but an MX", (HOST, SPF, DMARC, DISCOVER, CONFIG), ()),
    ("nothing but the address", GOOD[1:], ()),
]
POINTERS: list[Mistake] = [
    ("no PTR", (POINTER,), ()),
    ("a generic PTR", (POINTER,), ("7 600 PTR static.7.example.net.",)),
    ("two PTR, one of them loose", (), ("7 600 PTR static.7.example.net.",)),
    ("two wrong PTR", (POINTER,), ("7 600 PTR a.example.net.", "7 600 PTR b.example.net.")),
]
# What serves somebody today.
LATER: list[Mistake] = [
    ("an MX elsewhere", (MX,), ("@ 600 MX 10 there.example.net.",)),
    ("an address elsewhere that takes mail", (HOST,), ("mail 600 A 203.0.113.9",)),
    ("an alias elsewhere that takes mail", (HOST,), ("mail 600 CNAME there.example.net.",)),
    ("autodiscover elsewhere", (DISCOVER,), ("autodiscover 600 CNAME there.example.net.",)),
    ("autoconfig at an address elsewhere", (CONFIG,), ("autoconfig 600 A 203.0.113.9",)),
]


def world(
    taken: Iterable[str] = (), added: Iterable[str] = (), pointers: Iterable[str] = (POINTER,)
) -> list[dns.zone.Zone]:
    others = zone("example.net.", f"here 600 A {V4}", "there 600 A 203.0.113.9", servers=("ns.example.com.",))
    rows = [*(row for row in GOOD if row not in taken), *added]
    arpa = zone("100.51.198.in-addr.arpa.", *pointers, servers=("ns.example.net.",))
    above = zone(".", servers=("a.root.",)), zone("org.", servers=("a.org.",)), zone("net.", servers=("a.net.",))
    return [zone("example.org.", *rows), arpa, others, *above]


def resolver(zones: Iterable[dns.zone.Zone]) -> Callable[[str, str], Answer]:
    script = recursor(*zones)

    def ask(name: str, kind: str) -> Answer:
        (data,) = script(dns.message.make_query(absolute(name), kind), "udp")
        return parse_message(absolute(name), kind, dns.message.from_wire(data), "192.0.2.53")

    return ask


def report(zones: Iterable[dns.zone.Zone], *addresses: str, routes: tuple[Route, ...] = ()) -> Report:
    """Look at a host with these addresses by what the zones say."""
    own = addresses or (V4,)
    answers = gathered(resolver(zones), MailHost(NAME, (DOMAIN,), own))
    asked = Asked(hostname=NAME, domains=(DOMAIN,))
    look = build.look(asked=asked, answers=answers, links=(link(*own),), routes=routes, hosts_file=())
    checks = tuple(check for check in catalogue() if check.section == "dns")
    return assess(look.host, look.plan, look.requirements, checks)


def findings(made: Report) -> list[tuple[str, str | None, str]]:
    return [(row.check, row.subject, row.message) for row in made.results if row.status is not Status.PASS]


def _change(zones: Iterable[dns.zone.Zone], line: str, *, remove: bool) -> None:
    fields = line.split(" ", 3 if remove else 4)
    name, kind = dns.name.from_text(fields[0]), dns.rdatatype.from_text(fields[2 if remove else 3])
    value = dns.rdata.from_text(dns.rdataclass.IN, kind, fields[-1], relativize=False)
    fitting = [one for one in zones if one.origin and name.is_subdomain(one.origin)]
    here = max(fitting, key=lambda one: len(one.origin or ()))
    rows = here.find_rdataset(name, kind, create=True)
    if remove:
        rows.items.pop(value)  # raises where no such record is there
        if not rows:
            here.delete_rdataset(name, kind)
    else:
        assert kind == dns.rdatatype.CNAME or not here.get_rdataset(name, dns.rdatatype.CNAME)
        rows.add(value, 600)


def apply(zones: list[dns.zone.Zone], text: str, *, later: bool = False) -> int:
    """Do what zone lines say, and what is said for later too where that is wanted; return how many were done."""
    now, _, last = text.partition(f"; {ZONE_LATER}\n")
    lines = [line.removeprefix("; ") for line in last.splitlines() if later]
    lines += [line.removeprefix("; ") if line.startswith("; Remove: ") else line for line in now.splitlines()]
    done = [line for line in lines if line.startswith("Remove: ")]
    for line in done:
        _change(zones, line.removeprefix("Remove: "), remove=True)
    entered = [line for line in lines if " IN " in line and not line.startswith(("Remove: ", ";", "dns."))]
    for line in entered:
        _change(zones, line, remove=False)
    return len(done) + len(entered)


def test_a_good_zone_has_no_findings_and_no_lines() -> None:
    made = report(world(added=(BESIDE,)))
    assert findings(made) == []
    assert render(made, "zone") == "; No missing records are known.\n"


@pytest.mark.parametrize(("taken", "added"), [one[1:] for one in MISTAKES], ids=[one[0] for one in MISTAKES])
def test_zone_lines_heal_a_mistake(taken: tuple[str, ...], added: tuple[str, ...]) -> None:
    zones = world(taken, added)
    made = report(zones)
    assert findings(made)
    assert apply(zones, render(made, "zone"))
    assert findings(report(zones)) == []
    assert BESIDE not in added or "verification=abc" in zones[0].to_text()


@pytest.mark.parametrize(("taken", "added"), [one[1:] for one in POINTERS], ids=[one[0] for one in POINTERS])
def test_zone_lines_heal_a_reverse_name(taken: tuple[str, ...], added: tuple[str, ...]) -> None:
    zones = world(pointers=[*(row for row in (POINTER,) if row not in taken), *added])
    made = report(zones)
    assert findings(made)
    assert apply(zones, render(made, "zone"))
    assert findings(report(zones)) == []


@pytest.mark.parametrize(("taken", "added"), [one[1:] for one in LATER], ids=[one[0] for one in LATER])
def test_what_serves_somebody_is_left_alone_and_heals_as_the_last_step(
    taken: tuple[str, ...], added: tuple[str, ...]
) -> None:
    zones = world(taken, added)
    before, made = zones[0].to_text(), report(zones)
    assert findings(made)
    text = render(made, "zone")
    apply(zones, text)
    assert set(before.splitlines()) <= set(zones[0].to_text().splitlines())
    zones = world(taken, added)
    assert apply(zones, text, later=True)
    assert findings(report(zones)) == []


def test_zone_lines_heal_a_host_with_both_kinds_of_addresses() -> None:
    arpa6 = zone(
        "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.", servers=("ns.example.net.",)
    )
    zones = [*world((HOST, MX), ("mail 600 AAAA 2001:db8::99",), ()), arpa6]
    made = report(zones, V4, V6, routes=(DEFAULT6,))
    assert apply(zones, render(made, "zone"))
    assert findings(report(zones, V4, V6, routes=(DEFAULT6,))) == []


def test_lines_are_printed_for_a_mistake_alone() -> None:
    """What is right, and what is nobody's mistake, stands in no line."""
    for name, taken, added in MISTAKES[:-2]:
        lines = [row for row in render(report(world(taken, added)), "zone").splitlines() if row[:1] != ";" and row]
        assert len(lines) <= 2, name
