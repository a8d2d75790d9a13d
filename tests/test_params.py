"""Values of options, as they are written on a command line."""

from __future__ import annotations

import datetime
import re

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.assess.waivers import Waiver
from preflight.cli.params import WaiverType

IDS = ("ports.free", "dns.*", "services.mail", "*")
SUBJECTS = (
    "25/tcp", "198.51.100.7:25/tcp", "[2001:db8::1]:25/tcp", "[fe80::1%eth0]:443/tcp", "2001:db8::1", "container:web-1",
    "network:a_b", "postfix@-.service", "getty@tty1.service", "_25._tcp.mail.example.org", "/var/lib/docker", "x@y",
    "interface:br-mailcow", "a b", "@", "::", "udp:53", "2027-01-31", "*/tcp",
)  # fmt: skip
REASONS = ("a=b", "see: x@y", "at 10:00", "since @2026-01-01 or so", "2027-01-31")
DATE = re.compile(r"@\s*[0-9./-]+$")


def read(text: str) -> Waiver:
    return WaiverType().convert(text, None, None)


def plain(text: str) -> bool:
    return text == text.strip() != ""


words = st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"]), max_size=30).filter(plain)


@given(
    identity=st.sampled_from(IDS),
    subject=st.none() | st.sampled_from(SUBJECTS) | words.filter(lambda text: "=" not in text),
    reason=st.just("") | words | st.sampled_from(REASONS),
    until=st.none() | st.dates(datetime.date(1000, 1, 1)),
)
def test_what_is_written_is_read(identity: str, subject: str | None, reason: str, until: datetime.date | None) -> None:
    text = identity + (f":{subject}" if subject else "") + (f"={reason}" if reason else "")
    if until is None and DATE.search(text):
        return  # the next test's
    assert read(text + (f"@{until}" if until else "")) == Waiver(identity, subject, reason, until)


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        made = read(text)
    except click.BadParameter:
        return
    assert made.check == made.check.strip()
    assert ":" not in made.check
    assert "=" not in made.check + (made.subject or "")


@pytest.mark.parametrize(
    "date",
    ["2027-1-31", "2027-02-30", "31.01.2027", "2027/01/31", "01/31/2027", "20270131", "27-01-31", "2027-13-01",
     "0000-01-01", " 2027-1-31"],
)  # fmt: skip
@pytest.mark.parametrize("before", ["resources.swap", "resources.swap=known", "ports.free:25/tcp=known"])
def test_a_day_written_in_another_way_is_refused(before: str, date: str) -> None:
    """As a part of the reason it would let the finding be ignored for ever."""
    with pytest.raises(click.BadParameter, match="not a date such as 2027-01-31"):
        read(f"{before}@{date}")


@pytest.mark.parametrize("reason", ["mail me@192.0.2.1", "since 2026-01-01", "root@10", "v@1.2"])
def test_what_is_no_date_stays_a_reason(reason: str) -> None:
    assert read(f"resources.swap={reason}").reason == reason
