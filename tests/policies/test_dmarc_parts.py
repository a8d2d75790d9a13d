"""What the random worlds brought to light, and the RFC's own examples: DMARC records, the walk, reports, DKIM keys."""

from __future__ import annotations

from typing import Any

import pytest

from preflight.policies import dkim
from preflight.policies.dmarc import parse
from preflight.policies.dmarc_tree import Found, organization, questions, strangers
from preflight.report.model import Status
from tests.checks.test_policies import DOMAIN, NAME, key, look, one, records, text, world
from tests.policies.zones import Zone, lookup

GRANT = "example.org._report._dmarc.stranger.test"
SUB = "a.example.org"


def zone(**given: str) -> Zone:
    """A zone of DMARC records alone; `__` for a dot."""
    return {f"_dmarc.{name.replace('__', '.')}": [("TXT", record)] for name, record in given.items()}


@pytest.mark.parametrize(
    ("record", "said", "proposed"),
    [
        ("v=DMARC1; p=none; p=reject", "same tag more than once: p.", "v=DMARC1; p=none"),
        ("v=DMARC1; p=none; RUA=mailto:a@example.org; rua=mailto:b@example.org", "more than once: rua.",
         "v=DMARC1; p=none; rua=mailto:a@example.org"),
        (" v=DMARC1; p=reject", "is not a DMARC record", "v=DMARC1; p=reject"),
        ("v=DMARC1; p=reject\u00a0", "has no policy", "v=DMARC1; p=none"),
        ("v=DMARC1; p=rejekt; rua=https://example.net/x", "counts as p=none, because it has no valid value for p",
         "v=DMARC1; p=none; rua=https://example.net/x"),
    ],
    ids=["twice", "twice-in-another-case", "blank-first", "no-break-space", "other-scheme"],
)  # fmt: skip
def test_records_with_a_mistake(record: str, said: str, proposed: str) -> None:
    result = one("dmarc", look(world(dmarc=record)))
    assert result.status is Status.WARN, result
    assert said in result.message
    assert [text(made) for made in records(result)] == [proposed]


@pytest.mark.parametrize(
    ("record", "remark"),
    [
        ("V=DMARC1; p=reject", ""),
        ("v=DMARC1; p=none; ruf=mailto:a@example.org; fo=0:1", "values are not valid: fo."),
        ("v=DMARC1; p=none; ruf=mailto:a@example.org; fo=d:1:s", ""),
        ("v=DMARC1; p=none; fo=x", ""),
    ],
    ids=["capital", "fo-excluded", "fo", "fo-without-ruf"],
)
def test_records_without_one(record: str, remark: str) -> None:
    result = one("dmarc", look(world(dmarc=record)))
    assert result.status is Status.PASS, result
    assert result.message.endswith(remark or "has a DMARC record (p=reject).") or "(p=none)." in result.message
    assert bool(remark) == ("not valid" in result.message)


@pytest.mark.parametrize(
    ("astray", "proposed"),
    [
        ("v=DMARC1;p=quarantine", "v=DMARC1;p=quarantine"),
        ("v=DMARC1; p=rejekt; adkim=s", "v=DMARC1; p=none; adkim=s"),
        ("v=DMARC1; p=none; p=reject", "v=DMARC1; p=none"),
    ],
)
def test_a_misplaced_record_is_put_right_as_it_is_moved(astray: str, proposed: str) -> None:
    rows = world(dmarc=None)
    rows[DOMAIN].append(("TXT", astray))
    assert text(records(one("dmarc", look(rows)))[0]) == proposed


@pytest.mark.parametrize(
    ("consent", "agreed"),
    [
        (["v=DMARC1"], True),
        (["V = DMARC1 ;"], True),
        (["yes", "v=DMARC1; rua=mailto:b@stranger.test"], True),
        (["v=DMARC10"], False),
        (["v=DMARC1 yes"], False),
        (["v=DMARC1; rua=mailto:b@further.test"], False),
        ([], False),
    ],
)
def test_consent_to_reports(consent: list[str], agreed: bool) -> None:
    """RFC 9990, 4: a record of the usual form, which sends reports to no third host."""
    rows = world(dmarc="v=DMARC1; p=none; rua=mailto:a@stranger.test")
    rows[GRANT] = [("TXT", text) for text in consent]
    assert (one("dmarc", look(rows)).status is Status.PASS) == agreed


def test_silence_is_no_refusal_of_reports() -> None:
    rows = world(dmarc="v=DMARC1; p=none; rua=mailto:a@stranger.test")
    rows[GRANT] = ["TIMEOUT"]
    assert one("dmarc", look(rows)).status is Status.PASS


@pytest.mark.parametrize(
    ("records_", "host", "apart"),
    [
        ({"example__org": "v=DMARC1"}, "c.example.org", False),
        ({}, "c.example.org", True),
        ({"example__org": "v=DMARC1", "c__example__org": "v=DMARC1; psd=n"}, "c.example.org", True),
        ({"example__org": "v=DMARC1; psd=y"}, "c.example.org", True),
        ({"example__org": "v=DMARC1"}, "example.org", False),
        ({}, "example.org", True),
        ({}, "x.a.example.org", False),
        ({"example__org": "v=DMARC1"}, "x.a.example.org", False),
        ({}, "stranger.org", True),
        ({}, SUB, False),
    ],
)  # fmt: skip
def test_whose_a_report_host_is(records_: dict[str, str], host: str, apart: bool) -> None:
    """RFC 9990, 4: of another organization are those whose walk ends elsewhere."""
    found = Found(SUB, parse(f"v=DMARC1; rua=mailto:d@{host}"))
    known = lookup(zone(**{"a__example__org": "v=DMARC1"} | records_))
    assert strangers(known, found) == ((host,) if apart else ())
    assert strangers(lambda *_: None, found) == ((host,) if host == "stranger.org" else ())


@pytest.mark.parametrize(
    ("records_", "ends"),
    [
        ({"mail__example__com": "v=DMARC1", "example__com": "v=DMARC1"}, "example.com"),
        ({"mail__example__com": "v=DMARC1; psd=n", "example__com": "v=DMARC1"}, "mail.example.com"),
        ({"com": "v=DMARC1; psd=y"}, "example.com"),
        ({"a__mail__example__com": "v=DMARC1; psd=y", "example__com": "v=DMARC1"}, "a.mail.example.com"),
        ({}, "a.mail.example.com"),
    ],
)
def test_where_an_organization_ends(records_: dict[str, str], ends: str) -> None:
    """The examples of RFC 9989, 4.10.2."""
    assert organization(lookup(zone(**records_)), "a.mail.example.com") == ends


def test_silence_above_the_end_of_an_organization_does_not_matter() -> None:
    rows: Any = world(dmarc=None, _dmarc__a__example__org=[("TXT", "v=DMARC1; p=none; psd=n")])
    rows |= {"_dmarc.example.org": ["TIMEOUT"], "x.a.example.org": [("MX", f"10 {NAME}.")]}
    assert one("dmarc", look(rows, domain="x.a.example.org")).status is Status.PASS
    assert organization(lookup(rows), "x.a.example.org") == SUB
    assert organization(lookup(rows), "b.example.org") is None


def test_what_is_asked_for_is_bounded() -> None:
    deep = ".".join("abcdefghi")
    uris = ",".join(f"mailto:d@{deep}.x{n}.{SUB},mailto:d@x{n}.test" for n in range(50))
    known = lookup(zone(a__example__org=f"v=DMARC1; p=none; rua={uris}"))
    asked = list(questions(known, SUB, 4))
    assert len(asked) <= 8 + 16 + 4
    assert list(questions(lookup(zone(example__org="v=DMARC1; rua=mailto:a@example.org")), "example.org", 4)) == [
        ("_dmarc.example.org", "TXT")
    ]


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        ("v=DKIM1; p={key}; p={key}", "syntax"),
        ("v=DKIM1; stray; p={key}", "syntax"),
        ("v=DKIM1;; p={key}", "syntax"),
        ("v=DKIM1; p={key};", ""),
        ("v=DKIM1; p={key}; P={key}", ""),
        ("v=DKIM1; P={key}", "no-key"),
        ("v=DKIM1; k=RSA; p={key}", "kind"),
        ("v=DKIM1; h=SHA256; p={key}", "hash"),
        ("v=DKIM1; p={key}\u00a0", "base64"),
    ],
)
def test_dkim_records_are_read_to_the_letter(record: str, fault: str) -> None:
    """RFC 6376, 3.2: names and values in their case, each tag once, and nothing that is no tag."""
    assert dkim.parse(record.format(key=key(2048))).fault == fault
