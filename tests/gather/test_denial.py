"""What a name server's denial is worth."""

from __future__ import annotations

import time

import pytest

from preflight.facts import Answer, Answers
from preflight.gather.access.roots import Roots
from preflight.gather.names import denial
from preflight.gather.names.lookups import look_up
from preflight.gather.names.nameservers import shown
from tests.build import VIEW
from tests.gather.nameserver import serve, zone

WORLD = (". NS a.root-servers.net.", "org. NS a.org.", "uk. NS a.uk.", "co.uk. NS a.uk.", "in-addr.arpa. NS a.arpa.")


def asked(name: str, domain: str, *records: str) -> Answers:
    with serve(zone(*records)) as state:
        servers = (shown(state.server),)
        found = look_up(Roots("/nowhere", VIEW), name, (domain,), ("198.51.100.7",), servers, time.monotonic() + 8)
    return found.get()


@pytest.mark.parametrize(
    ("name", "domain", "records", "how", "above"),
    [
        ("mail.exmaple.org", "exmaple.org", WORLD, "domain", "exmaple.org"),
        ("mail.exmaple.co.uk", "exmaple.co.uk", WORLD, "domain", "exmaple.co.uk"),
        ("mail.example.ogr", "example.ogr", WORLD, "strange", "ogr"),
        ("mail.example.org", "example.org", (), "root", ""),
        ("mail.example.de", "example.de", WORLD, "top", "de"),
        ("mail.example.org", "example.org", (*WORLD, "example.org. NS ns.example.net."), "", ""),
    ],
)
def test_what_is_denied_above_a_name(name: str, domain: str, records: tuple[str, ...], how: str, above: str) -> None:
    answers = asked(name, domain, *records)
    assert (answers.of(name, "A").denied, answers.of(name, "A").above) == (how, above)
    assert set(answers.by_question) >= {f"{domain}. MX", f"autoconfig.{domain}. AAAA"}
    assert answers.get(".", "NS") is None


def test_a_server_that_has_records_of_the_domain_is_believed() -> None:
    """The name server of a closed network, or of a laboratory, does not know the root."""
    answers = asked("mail.example.org", "example.org", "mail.example.org. A 198.51.100.7")
    assert answers.of("example.org", "MX").denied == ""
    assert answers.of("autodiscover.example.org", "A").denied == ""


@pytest.mark.parametrize(("records", "how"), [(WORLD, ""), ((), "root"), (WORLD[:2], "top")])
def test_reverse_names_hang_on_their_tree(records: tuple[str, ...], how: str) -> None:
    answers = asked("mail.example.org", "example.org", "mail.example.org. A 198.51.100.7", *records)
    assert answers.of("7.100.51.198.in-addr.arpa", "PTR").denied == how


def test_nothing_further_is_asked_where_nothing_is_denied() -> None:
    assert denial.questions([Answer("mail.example.org.", "A", "NOERROR")]) == []
    there, gone = Answer("example.org.", "MX", "NOERROR"), Answer("autoconfig.example.org.", "A", "NXDOMAIN")
    assert denial.questions([there, gone]) == []
