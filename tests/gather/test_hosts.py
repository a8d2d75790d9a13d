"""The host's /etc/hosts."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import HostsEntry
from preflight.gather.access.view import find_roots
from preflight.gather.names.hosts import ENTRIES, hosts_file, parse_hosts

NAME = "mail.example.org"

DEBIAN = f"""127.0.0.1\tlocalhost
127.0.1.1\t{NAME}\tmail

# The following lines are desirable for IPv6 capable hosts
::1     localhost ip6-localhost ip6-loopback
ff02::1 ip6-allnodes
198.51.100.7 other.example.org # {NAME}
"""


def test_debians_own_file_has_the_name_on_loopback() -> None:
    assert parse_hosts(DEBIAN, NAME) == (HostsEntry("127.0.1.1", (NAME, "mail"), 2),)


def test_capitals_dots_scopes_and_comments() -> None:
    text = f"198.51.100.7 MAIL.example.ORG.#x\r\n#127.0.0.1 {NAME}\nfe80::1%eth0 {NAME}\n127.0.0.1 x{NAME}"
    assert [(entry.address, entry.line) for entry in parse_hosts(text, NAME)] == [("198.51.100.7", 1), ("fe80::1", 3)]


def test_lines_without_an_address_are_passed_over() -> None:
    assert parse_hosts(f"{NAME}\nlocalhost {NAME}\n300.0.0.1 {NAME}\n", NAME) == ()


def test_a_huge_file_is_bounded() -> None:
    entries = parse_hosts(f"127.0.0.1 {NAME} {'a ' * 500}\n" * 500, NAME)
    assert len(entries) == ENTRIES
    assert len(entries[0].names) == 32


@given(st.text())
def test_nothing_breaks_the_parser(text: str) -> None:
    parse_hosts(text, NAME)
    parse_hosts(f"127.0.0.1 {NAME} {text}", NAME)


def test_the_fact(tmp_path: Path) -> None:
    roots = find_roots({}, str(tmp_path))
    assert hosts_file(roots, None).missing.kind == "skip"  # type: ignore[union-attr]
    assert hosts_file(roots, NAME).get() == ()
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/hosts").write_bytes(DEBIAN.encode() + b"\xff\n")
    assert hosts_file(roots, NAME).get()[0].address == "127.0.1.1"


def test_what_is_no_file_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc/hosts")
    fact = hosts_file(find_roots({}, str(tmp_path)), NAME)
    assert fact.missing
    assert "not a regular file" in fact.missing.reason
