"""Our reading of DMARC records and DKIM keys against others', on random worlds: where they differ, it is known why.

checkdmarc comes with 26 other packages (24 MB), so it is no dependency of the tests: `record_others.py` has written
down what it and dkimpy say of the worlds that seeds make. A difference has to be one of those that `explained` and
`explained_key` name, each with the section that decides it.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest
from msgspec import Struct

from preflight.facts.records import Txt
from preflight.net.hostnames import registrable
from preflight.policies import tags
from preflight.policies.dkim import Key
from preflight.policies.dkim import parse as parse_key
from preflight.policies.dmarc import hosts, is_record, texts
from preflight.policies.dmarc_tree import Found, Known, discover, grant, names, owner, refusing, strangers
from preflight.report.model import Result, Status
from tests.checks.test_policies import look, one
from tests.policies import dmarc_worlds
from tests.policies.record_others import RECORDED

RECORD = json.loads(RECORDED.read_text())
POLICY = ("p", "sp", "np")


class World(Struct, frozen=True):
    """A mail domain, what can be asked, and what we make of it."""

    domain: str
    known: Known
    everybody: frozenset[str]  # hosts with a wildcard that agrees to all reports
    found: Found | None
    result: Result

    @property
    def own(self) -> list[str]:
        """The texts at the domain's own name."""
        return text_at(self.known, owner(self.domain))

    @property
    def text(self) -> str:
        """The record that counts."""
        return self.found.policy.text if self.found else ""


def text_at(known: Known, name: str) -> list[str]:
    answer = known(name, "TXT")
    return [record.text for record in answer.of(Txt)] if answer else []


def world(seed: int) -> World:
    domain, rows = dmarc_worlds.zone(random.Random(seed))
    given = look(rows, domain=domain)
    known = given.host.answers.get().get
    everybody = frozenset(name.rpartition("._dmarc.")[2] for name in rows if name.startswith("*."))
    return World(domain, known, everybody, discover(known, domain), one("dmarc", given))


def explained(ours: World, theirs: dict[str, Any]) -> str:
    """Return why the two differ, '' where they do not; fail where nobody knows."""
    if "error" in theirs:
        return of_the_walk(ours, theirs["error"])
    assert ours.found, theirs
    assert ours.found.at == theirs["at"]
    if "fault" in theirs:
        return of_the_record(ours, ours.found, theirs)
    return of_the_policy(ours, ours.found, theirs) or of_the_reports(ours, ours.found, theirs["refused"])


def of_the_walk(ours: World, error: str) -> str:
    """They found no record, or several, or the name servers are silent."""
    above = [text_at(ours.known, owner(name)) for name in names(ours.domain)[1:]]
    match error:
        case "DMARCRecordNotFound" | "DMARCRecordInWrongLocation":
            assert ours.found is None
            assert ours.result.status is Status.WARN
            return ""
        case "MultipleDMARCRecords":
            if sum(map(is_record, ours.own)) > 1:
                assert "several DMARC records" in ours.result.message
                return ""
            assert any(sum(map(is_record, texts)) > 1 for texts in above)
            assert not ours.found or sum(map(is_record, text_at(ours.known, owner(ours.found.at)))) == 1
            return "several above: discarded, and the walk goes on (RFC 9989, 4.10, step 6)"
        case "DMARCRecordStartsWithWhitespace":
            assert any(
                is_record(text.lstrip()) and not is_record(text) for texts in (ours.own, *above) for text in texts
            )
            if not any(map(is_record, ours.own)) and any(is_record(text.lstrip()) for text in ours.own):
                assert "is not a DMARC record" in ours.result.message
                return ""
            return "a blank before the version: discarded, and the others count (RFC 9989, 4.10, steps 2 and 6)"
        case "DMARCError":
            return of_silence(ours)
    raise AssertionError(error)


def of_silence(ours: World) -> str:
    silent = [
        name for name in names(ours.domain) if (found := ours.known(owner(name), "TXT")) and found.rcode == "timeout"
    ]
    assert silent
    if ours.result.status is Status.UNKNOWN:
        return ""
    if "is not a DMARC record" in ours.result.message or "several" in ours.result.message:
        return "silence above, but what stands at the name itself is a finding anyhow"
    assert silent == [names(ours.domain)[-1]]
    return "silence of the top-level domain: left to the receiver (RFC 9989, 4.10.1)"


def of_the_record(ours: World, found: Found, theirs: dict[str, Any]) -> str:
    """They refuse the record as a whole."""
    given, policy = tags.read(ours.text), found.policy
    match theirs["fault"]:
        case "InvalidDMARCTag":
            assert policy.repeated
            return ""
        case "InvalidDMARCTagValue":
            name = theirs["why"].split()[1] if theirs["why"].startswith("Tag ") else "fo"
            assert name in policy.wrong or (name == "fo" and "ruf" not in given)
            return "" if name in POLICY else "a wrong value gives way to the default (RFC 9989, 4.8)"
        case "DMARCSyntaxError":
            empty = any(not value for value in given.values())
            assert tags.strays(ours.text) or empty or any(not name.isalpha() for name in given)
            return "what is no tag is ignored (RFC 9989, 4.8)"
        case "InvalidDMARCReportURI":
            uris = [one for name in ("rua", "ruf") if name in given for one in given[name].split(",")]
            assert any(not hosts(one) and "://" not in one for one in uris)
            return "a wrong URI is ignored (RFC 9989, 4.8)"
    raise AssertionError(theirs)


def of_the_policy(ours: World, found: Found, theirs: dict[str, Any]) -> str:
    policy = found.policy
    assert (policy.testing, policy.public or "u") == (theirs["t"] == "y", theirs["psd"])
    assert not {*POLICY} & {*policy.wrong}
    if not policy.asked:
        assert "p" not in tags.read(ours.text)
        return "without `p` and an address for reports nothing is done (RFC 9989, 4.10.1)"
    # 4.10.1, which 4.7 leads to for `p`: without it the record is one of p=none, whatever `sp` says.
    assert (policy.asked, policy.below) == (theirs["p"], theirs["sp"] if "p" in tags.read(ours.text) else "none")
    return ""


def of_the_reports(ours: World, found: Found, theirs: list[str]) -> str:
    mine = refusing(ours.known, found)
    reasons = {reason_of(ours, found, host) for host in {*mine} ^ {*theirs}}
    assert "" not in reasons, (mine, theirs)
    return min(reasons, default="")


def reason_of(ours: World, found: Found, host: str) -> str:
    answer = ours.known(grant(found.at, host), "TXT")
    apart = host in strangers(ours.known, found)
    if (registrable(host) != registrable(found.at)) != apart:
        return "whose a host is, the walk decides, not a list (RFC 9990, 4)"
    if answer is None or answer.rcode == "timeout":
        return "silence is no refusal (RFC 9990, 4, step 5)"
    granted = texts(answer)
    if any(other != host for text in granted for other in hosts(tags.read(text).get("rua", ""))):
        return "reports sent on to a third host go nowhere (RFC 9990, 4)"
    if answer.of(Txt) and not granted and host in ours.everybody:
        return "a name of its own hides the wildcard (RFC 4592, 2.2.1)"
    return ""


def explained_key(text: str, key: Key, theirs: dict[str, Any]) -> str:
    """Return why the two differ on a key record, '' where they do not; fail where nobody knows."""
    if ("error" in theirs) == bool(key.fault):
        assert key.fault or (key.bits, key.kind) == (theirs["bits"], theirs["kind"])
        return ""
    given = tags.read(text, fold=str)
    match key.fault:
        case "":
            assert "email" in given["s"].split(":")[1:]
            return "a key may be for several services (RFC 6376, 3.6.1, s=)"
        case "hash":
            assert "sha256" not in given["h"].split(":")
            return "a key that does not allow sha256 verifies nothing today (RFC 6376, 3.6.1, h=; RFC 8301)"
        case "version":
            assert given["v"] == "DKIM1"
            assert next(iter(given)) != "v"
            return "the version has to be the first tag (RFC 6376, 3.6.1, v=)"
        case "base64":
            assert "!" in given["p"] or len("".join(given["p"].split())) % 4
            return "what is not base64 to its end is no key (RFC 6376, 3.2; RFC 4648, 4)"
    raise AssertionError((text, key, theirs))


def test_worlds_are_those_that_were_recorded() -> None:
    """Python's or our own random worlds changed if not: record anew."""
    count = len(RECORD["dmarc"])
    assert count == len(RECORD["dkim"]) >= 400
    assert RECORD["worlds"] == [dmarc_worlds.digest(make, count) for make in (dmarc_worlds.zone, dmarc_worlds.key)]


@pytest.mark.parametrize("start", range(0, 400, 50))
def test_dmarc_records_are_read_as_checkdmarc_reads_them(start: int) -> None:
    seen: Counter[str] = Counter()
    for seed in range(start, start + 50):
        ours, theirs = world(seed), RECORD["dmarc"][seed]
        try:
            seen[explained(ours, theirs)] += 1
        except AssertionError as error:
            raise AssertionError(seed, theirs, ours.result, ours.text) from error
    assert seen[""] > 25, seen


def test_dkim_keys_are_read_as_dkimpy_reads_them() -> None:
    seen: Counter[str] = Counter()
    for seed, theirs in enumerate(RECORD["dkim"]):
        text = dmarc_worlds.key(random.Random(seed))
        try:
            seen[explained_key(text, parse_key(text), theirs)] += 1
        except AssertionError as error:
            raise AssertionError(seed, text, theirs) from error
    assert seen[""] > 300, seen
