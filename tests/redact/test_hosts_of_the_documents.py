"""Names that mailcow itself connects to are everybody's, and whoever reads a posted report must see them."""

from __future__ import annotations

import pytest

from preflight.facts import Attempt, Goal, Outgoing, Trial
from preflight.mailcow import blocklists, outgoing
from preflight.redact import Redaction
from preflight.redact.vocabulary import listed
from tests.build import host

ROWS = [row for name in (outgoing.OUTGOING, outgoing.SMTP) for row in outgoing.documented(name).connections]


def test_every_name_of_the_tables_is_listed_and_no_other() -> None:
    names = {name for row in ROWS for name in (row.host, *row.domains)}
    assert listed("hosts") == names | {row.zone for row in blocklists.documented().lists}


@pytest.mark.parametrize(
    ("name", "shown"), [("ghcr.io", True), ("GHCR.io", True), ("mirror.own.example", False), ("own.ghcr.io", False)]
)
def test_names_in_facts(name: str, shown: bool) -> None:
    trial = Trial(Goal(name, 443), (Attempt("203.0.113.9", "foreign", said="220 secret.example"),), "NOERROR")
    facts = Redaction(host(outgoing=Outgoing((trial,)))).facts().outgoing.get().trials[0]
    assert (facts.goal.host == name) is shown
    assert (facts.goal.port, facts.attempts[0].outcome, facts.names) == (443, "foreign", "NOERROR")
    assert facts.attempts[0].address != "203.0.113.9"
    assert "secret" not in facts.attempts[0].said
