"""Macros of SPF, what a tree of records has to be asked for, and which terms of a record are none."""

from __future__ import annotations

import pytest

from preflight.policies.spf.evaluation import LOOKUPS, evaluate, is_domain
from preflight.policies.spf.macros import Mail, expand
from preflight.policies.spf.syntax import Faulty, parse
from preflight.policies.spf.walk import Walk
from tests.policies.zones import Zone, lookup

V4 = Mail("192.0.2.3", "strong-bad@email.example.com", "mx.example.org")
V6 = Mail("2001:db8::cb01", "strong-bad@email.example.com", "mx.example.org")


@pytest.mark.parametrize(
    ("text", "mail", "name"),
    [  # the examples of RFC 7208, 7.4, and what it has none for
        ("%{s}", V4, "strong-bad@email.example.com"),
        ("%{o}", V4, "email.example.com"),
        ("%{d4}", V4, "email.example.com"),
        ("%{d2}", V4, "example.com"),
        ("%{dr}", V4, "com.example.email"),
        ("%{d2r}", V4, "example.email"),
        ("%{lr-}", V4, "bad.strong"),
        ("%{l1r-}", V4, "strong"),
        ("%{ir}.%{v}._spf.%{d2}", V4, "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", V4, "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", V4, "example.com.trusted-domains.example.net"),
        ("%{ir}.%{v}._spf.%{d2}", V6, "1.0.b.c." + "0." * 20 + "8.b.d.0.1.0.0.2.ip6._spf.example.com"),
        ("%{h}.%%.%_.%-.%{p}", V4, "mx.example.org.%. .%20.unknown"),
        ("%{S}.test", V4, "strong-bad%40email.example.com.test"),
        ("%{i}.test", Mail("192.0.2.3", "example.com", "x"), "192.0.2.3.test"),
        ("%{l}.test", Mail("192.0.2.3", "@example.com", "x"), "postmaster.test"),
        ("a" * 200 + "." + "b" * 60 + ".test", V4, "b" * 60 + ".test"),
    ],
)
def test_macros(text: str, mail: Mail, name: str) -> None:
    assert expand(text, mail, "email.example.com") == name


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("example.org", True), ("org", False), ("a..org", False), ("", False), (".example.org", False),
        ("a" * 63 + ".org", True), ("a" * 64 + ".org", False), (".".join(["a" * 49] * 5), True),
        (".".join(["a" * 50] * 5), False), ("a\0.org", False),
    ],
)  # fmt: skip
def test_names_that_can_be_asked_for(name: str, there: bool) -> None:
    assert is_domain(name) is there


@pytest.mark.parametrize("term", ["include", "includeexample.org", "exists", "all:x.org", "ip4", "ptr/24", "a//129"])
def test_terms_that_are_none(term: str) -> None:
    with pytest.raises(Faulty, match=term):
        parse(f"v=spf1 {term} -all")


REVERSE = "3.2.0.192.in-addr.arpa"
TREE: Zone = {
    "email.example.com": [
        ("TXT", "v=spf1 a mx:in.test ip4:192.0.2.9 exists:%{i}.e.test include:sub.test ptr -all a:z.test"),
    ],
    "in.test": [("MX", "10 host.test."), ("MX", "20 other.test.")],
    "sub.test": [("TXT", "v=spf1 redirect=%{d1}.end.test"), ("TXT", "unrelated")],
    "test.end.test": [("TXT", "v=spf1 a:%{p}.test -all")],
    REVERSE: [("PTR", "name.test.")],
}  # fmt: skip


def test_the_tree_of_a_record_is_asked_for_to_its_end() -> None:
    walk = Walk(lookup(TREE), [V4])
    both = [(name, kind) for name in ("host.test", "other.test") for kind in ("A", "AAAA")]
    assert walk.questions("email.example.com") == [
        ("email.example.com", "TXT"), ("email.example.com", "A"), ("email.example.com", "AAAA"), ("in.test", "MX"),
        *both, ("192.0.2.3.e.test", "A"), ("sub.test", "TXT"), ("test.end.test", "TXT"), (REVERSE, "PTR"),
        ("name.test", "A"), ("name.test", "AAAA"), ("unknown.test", "A"), ("unknown.test", "AAAA"),
    ]  # fmt: skip
    assert walk.lookups == 7


def test_nothing_is_asked_beyond_what_is_known_and_no_name_that_is_none() -> None:
    assert Walk(lambda name, kind: None, [V4]).questions("example.com") == [("example.com", "TXT")]
    bad: Zone = {"example.com": [("TXT", "v=spf1 a:a..test mx:%{i}.x..test -all")]}
    assert Walk(lookup(bad), [V4]).questions("example.com") == [("example.com", "TXT")]


def test_terms_beyond_the_limit_are_counted_and_not_asked_for() -> None:
    terms = " ".join(f"a:n{n}.test" for n in range(LOOKUPS + 5))
    walk = Walk(lookup({"example.com": [("TXT", f"v=spf1 {terms} -all")]}), [])
    assert len(walk.questions("example.com")) == 1 + 2 * LOOKUPS
    assert walk.lookups == LOOKUPS + 1


def test_records_that_include_each_other_end() -> None:
    circle: Zone = {
        "a.test": [("TXT", "v=spf1 include:b.test include:c.test -all")],
        "b.test": [("TXT", "v=spf1 include:a.test -all")],
        "c.test": [("TXT", "v=spf1 faulty! -all")],
    }
    walk = Walk(lookup(circle), [V4])
    assert walk.questions("a.test") == [("a.test", "TXT"), ("b.test", "TXT")]
    assert walk.lookups == LOOKUPS + 1


@pytest.mark.parametrize(
    ("address", "records", "outcome"),
    [
        ("2001:db8::1", [("A", "192.0.2.1")], "neutral"),  # lacks IPv6 alone
        ("2001:db8::1", [], "permerror"),
        ("192.0.2.3", [("AAAA", "2001:db8::1")], "permerror"),
    ],
)
def test_void_lookups(address: str, records: list[tuple[str, str]], outcome: str) -> None:
    zone: Zone = {
        "example.com": [("TXT", "v=spf1 a:n0.test a:n1.test a:n2.test ?all")],
        **{f"n{n}.test": records for n in range(3)},
    }
    assert evaluate(lookup(zone), Mail(address, "a@example.com", "x")).outcome == outcome


@pytest.mark.parametrize(("count", "outcome"), [(2, "neutral"), (3, "permerror")])
def test_void_lookups_of_mx(count: int, outcome: str) -> None:
    zone: Zone = {"example.com": [("TXT", "v=spf1 " + "mx:gone.test " * count + "?all")]}
    assert evaluate(lookup(zone), V4_OF_EXAMPLE).outcome == outcome


V4_OF_EXAMPLE = Mail("192.0.2.3", "a@example.com", "x")
