"""Names by IDNA 2008, and which part of a name can be registered."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.cli.params import Domain
from preflight.net import hostnames


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("straße.de", "xn--strae-oqa.de"),
        ("faß.de", "xn--fa-hia.de"),
        ("MAIL.BÜCHER.example.", "mail.xn--bcher-kva.example"),
        ("mail。bücher。example", "mail.xn--bcher-kva.example"),
        ("نامه\u200cای.com", "xn--mgba3gch31f060k.com"),
        ("Mail.Example.ORG", "mail.example.org"),
        ("xn--strae-oqa.de", "xn--strae-oqa.de"),
    ],
)
def test_names_are_written_by_idna_2008(written: str, name: str) -> None:
    assert hostnames.ascii_name(written) == name
    assert hostnames.fault(written.rstrip("."), name) is None


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("i❤.ws", "not allowed in internationalised host names"),
        ("ab\u200dcd.de", "not allowed in internationalised host names"),
        ("mail.xn--mail.de", "not valid in internationalised names"),
        ("mail.xn--i-7iq.ws", "not valid in internationalised names"),
    ],
)
def test_what_idna_2008_has_no_letters_for_is_said(written: str, said: str) -> None:
    assert said in (hostnames.fault(written, hostnames.ascii_name(written)) or "")


def test_two_hyphens_alone_make_no_internationalised_label() -> None:
    assert hostnames.fault("r1---sn.example.org", "r1---sn.example.org") is None


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("mail.example.org", "example.org"),
        ("example.org", "example.org"),
        ("example.co.uk", "example.co.uk"),
        ("mail.example.co.uk", "example.co.uk"),
        ("example.github.io", "example.github.io"),
        ("example.dyndns.org", "example.dyndns.org"),
        ("mail.city.kawasaki.jp", "city.kawasaki.jp"),
        ("city.kawasaki.jp", "city.kawasaki.jp"),
        ("mail.other.kawasaki.jp", "mail.other.kawasaki.jp"),
        ("example.co.ck", "example.co.ck"),
        ("mail.www.ck", "www.ck"),
        ("mail.xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"),
        ("xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"),
        ("mail.office.lan", "office.lan"),
        ("co.uk", "co.uk"),
        ("mail", "mail"),
    ],
)
def test_the_mail_domain_is_never_above_what_can_be_registered(host: str, domain: str) -> None:
    assert hostnames.mail_domain(host) == domain


@pytest.mark.parametrize("name", ["mail.example.org", "example.com", "mail.example", "mx.your-domain.de", "a.b.test"])
def test_names_of_examples(name: str) -> None:
    assert hostnames.placeholder(name)


@pytest.mark.parametrize("name", ["mail.example.de", "mail.example.org.uk", "mail.mailcow.email", "test.de"])
def test_names_of_ones_own(name: str) -> None:
    assert not hostnames.placeholder(name)


@given(st.text(max_size=80))
def test_any_text_has_a_domain_or_a_fault(text: str) -> None:
    assert isinstance(hostnames.mail_domain(hostnames.ascii_name(text)), str)
    hostnames.fault(text, hostnames.ascii_name(text))


@pytest.mark.parametrize("text", ["example.org", "example.org.", "Straße.de", "a.b.example.net", "xn--strae-oqa.de"])
def test_domains_are_taken(text: str) -> None:
    assert Domain().convert(text, None, None) == text


@pytest.mark.parametrize(
    "text",
    [
        "-x-.example..org",
        "example..org",
        "-x.org",
        "a_b.org",
        "org",
        "192.0.2.1",
        "❤.ws",
        "example.1",
        ".",
        "x" * 64 + ".de",
    ],
)
def test_what_is_no_domain_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Domain().convert(text, None, None)
