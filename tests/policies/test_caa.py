"""CAA: values of any sort, and what mailcow's own look at them comes to, held against its shell."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts.records import Caa
from preflight.mailcow.certificate import is_asked_for
from preflight.policies.caa import AUTHORITY, climb, parse, refusal

# As functions.sh has it, `\d` written for every sed.
ACME = r"""CAAS=( $(sed -n 's/[0-9] issue "\(.*\)"/\1/p') )
if [[ ! -z ${CAAS} ]]; then [[ ${CAAS[@]} =~ "letsencrypt.org" ]] && echo yes || echo no; else echo yes; fi"""

records = st.builds(
    Caa,
    st.integers(0, 255),
    st.sampled_from(["issue", "ISSUE", "issuewild", "iodef", "other", "is-sue", ""]) | st.text(max_size=8),
    st.sampled_from([AUTHORITY, ";", "", f" {AUTHORITY} ; validationmethods=http-01"]) | st.text(max_size=40),
)


@given(st.lists(records, max_size=6).map(tuple), st.sampled_from(["http-01", "dns-01"]))
def test_records_of_any_sort_are_judged(found: tuple[Caa, ...], method: str) -> None:
    said = refusal(found, method)
    open_to_us = (*found, Caa(0, "issue", AUTHORITY))
    assert refusal(open_to_us, method) in (None, "critical")
    assert (said == "critical") == (refusal(open_to_us, method) == "critical")
    assert is_asked_for(open_to_us, AUTHORITY)


@given(st.text(max_size=60))
def test_values_of_any_sort_are_read(value: str) -> None:
    assert all(part.strip(" \t") == part for part in (parse(value).authority, *map("".join, parse(value).parameters)))


def test_the_way_up() -> None:
    assert climb("mail.example.org") == ("mail.example.org", "example.org", "org")


@pytest.mark.parametrize(
    "found",
    [
        (),
        (Caa(0, "issue", AUTHORITY),),
        (Caa(0, "issue", "digicert.com"),),
        (Caa(0, "issue", "digicert.com"), Caa(0, "issue", AUTHORITY)),
        (Caa(128, "issue", f"{AUTHORITY}; accounturi=x"),),
        (Caa(0, "issue", ";"),),
        (Caa(0, "issue", ""),),
        (Caa(0, "issue", " "),),
        (Caa(0, "Issue", "digicert.com"),),
        (Caa(0, "issuewild", "digicert.com"),),
        (Caa(0, "iodef", "mailto:a@example.org"),),
        (Caa(0, "issue", "LetsEncrypt.org"),),
        (Caa(0, "issue", "notletsencrypt.org"),),
        (Caa(0, "issue", "letsencryptxorg"),),
    ],
    ids=str,
)
def test_mailcow_looks_as_its_shell_does(found: tuple[Caa, ...]) -> None:
    dug = "".join(f"{record}\n" for record in found)
    said = subprocess.run(["bash", "-c", ACME], input=dug, capture_output=True, text=True, check=True).stdout
    assert is_asked_for(found, AUTHORITY) is (said == "yes\n")
