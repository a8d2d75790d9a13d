"""Rules as the host's own programs print them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from preflight.facts.twin import Culprit
from preflight.twin import texts
from preflight.twin.texts import Text

LISTING = """\
table ip filter { # handle 1
	chain INPUT { # handle 1
		type filter hook input priority filter; policy accept;
		tcp dport 25 counter packets 7 bytes 420 drop comment "a # handle 9" # handle 12
		ip saddr @blocked drop # handle 13
		tcp dport vmap { 25 : drop, 80 : accept } # handle 14
		jump { # handle 16
			tcp dport 25 drop # handle 15
		}
	}
}
"""
SAVED = """\
-P INPUT ACCEPT -c 0 0
-A INPUT -s 192.0.2.0/24 -c 3 180 -j DROP
-A INPUT -p tcp -m comment --comment "a -c 1 2 -j b" -c 12 720 -j LOG --log-prefix "x -c 9"
-A INPUT-x -j DROP
-A INPUT -p tcp -c 5 300
"""


@pytest.mark.parametrize(
    ("handle", "rule", "counter", "number"),
    [
        (12, 'tcp dport 25 counter drop comment "a # handle 9"', 7, 1),
        (13, "ip saddr @blocked drop", None, 2),
        (14, "tcp dport vmap { 25 : drop, 80 : accept }", None, 3),
        (99, "", None, 0),
        (None, "", None, 0),
    ],
)
def test_native(handle: int | None, rule: str, counter: int | None, number: int) -> None:
    found, place = texts.native(LISTING, handle)
    assert (found.rule, found.counter, place) == (rule, counter, number)


@pytest.mark.parametrize(
    ("number", "rule", "counter"),
    [
        (1, "-A INPUT -s 192.0.2.0/24 -j DROP", 3),
        (2, '-A INPUT -p tcp -m comment --comment "a -c 1 2 -j b" -j LOG --log-prefix "x -c 9"', 12),
        (3, "-A INPUT -p tcp", 5),
        (4, "", None),
        (0, "", None),
    ],
)
def test_saved(number: int, rule: str, counter: int | None) -> None:
    assert texts.saved(SAVED, "INPUT", number) == texts.Text(rule, counter)


# --- which program is asked -------------------------------------------------------------------------------------------

RULE = Culprit(kind="rule", backend="nf_tables", family="ip", table="filter", chain="INPUT", handle=13)
OLD = Culprit(kind="rule", backend="ip_tables", family="ip", table="filter", chain="INPUT", number=2)
Asked = list[tuple[str, ...]]
UNTIL = time.monotonic() + 3600
PRINTED = {
    "nft": LISTING, "iptables-nft": SAVED, "iptables": SAVED, "iptables-legacy": SAVED, "ip6tables-legacy": SAVED,
}  # fmt: skip


def programs(monkeypatch: pytest.MonkeyPatch, **printed: str) -> Asked:
    """Have programs print something; return what is run. Of the others, none is there."""
    asked: Asked = []

    def run(root: str, until: float, name: str, *words: str) -> str:
        assert (root, until) == ("/r", UNTIL)
        asked.append((name, *words))
        return printed.get(name, "")

    monkeypatch.setattr(texts, "_run", run)
    return asked


@pytest.mark.parametrize(
    ("culprit", "present", "rule", "names"),
    [
        (RULE, ("nft", "iptables-nft", "iptables"), '-A INPUT -p tcp -m comment --comment "a -c 1 2 -j b" '
         '-j LOG --log-prefix "x -c 9"', ["nft", "iptables-nft"]),
        (RULE, ("nft", "iptables"), '-A INPUT -p tcp -m comment --comment "a -c 1 2 -j b" -j LOG --log-prefix "x -c 9"',
         ["nft", "iptables-nft", "iptables"]),
        # iptables refuses a table that holds what it does not know: nft's words are left.
        (RULE, ("nft",), "ip saddr @blocked drop", ["nft", "iptables-nft", "iptables"]),
        (replace(RULE, family="inet"), ("nft", "iptables-nft"), "ip saddr @blocked drop", ["nft"]),
        (replace(RULE, table="mine"), ("nft", "iptables-nft"), "ip saddr @blocked drop", ["nft"]),
        (replace(RULE, handle=99), ("nft", "iptables-nft"), "", ["nft"]),  # gone meanwhile
        (RULE, (), "", ["nft"]),
        (replace(RULE, family="ip6", handle=12), ("nft",), 'tcp dport 25 counter drop comment "a # handle 9"',
         ["nft", "ip6tables-nft", "ip6tables"]),
        (OLD, ("iptables-legacy", "iptables"),
         '-A INPUT -p tcp -m comment --comment "a -c 1 2 -j b" -j LOG --log-prefix "x -c 9"', ["iptables-legacy"]),
        (replace(OLD, number=1), ("iptables",), "-A INPUT -s 192.0.2.0/24 -j DROP", ["iptables-legacy", "iptables"]),
        (replace(OLD, number=4), ("iptables-legacy",), "", ["iptables-legacy", "iptables"]),
        (replace(OLD, family="ip6", number=3), ("ip6tables-legacy",), "-A INPUT -p tcp", ["ip6tables-legacy"]),
        (replace(OLD, number=None), ("iptables-legacy",), "", []),
        (replace(RULE, predicted=True), ("nft",), "", []),  # the engine's, to come
        (replace(RULE, kind="policy", handle=None), ("nft",), "", []),
        (Culprit(kind="route"), ("nft",), "", []),
    ],
)  # fmt: skip
def test_a_rule_is_said_as_its_owner_would_write_it(
    monkeypatch: pytest.MonkeyPatch, culprit: Culprit, present: tuple[str, ...], rule: str, names: list[str]
) -> None:
    asked = programs(monkeypatch, **{name: PRINTED[name] for name in present})
    assert texts.rule(culprit, "/r", UNTIL).rule == rule
    assert [one[0] for one in asked] == names


def test_one_chain_of_one_table_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = programs(monkeypatch)
    texts.rule(replace(RULE, family="inet"), "/r", UNTIL)
    texts.rule(replace(OLD, table="nat", chain="DOCKER"), "/r", UNTIL)
    assert asked == [
        ("nft", "-a", "list", "chain", "inet", "filter", "INPUT"),
        ("iptables-legacy", "-t", "nat", "-S", "DOCKER", "-v"), ("iptables", "-t", "nat", "-S", "DOCKER", "-v"),
    ]  # fmt: skip


def test_the_counter_is_that_of_the_program_whose_text_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    programs(monkeypatch, nft=LISTING, **{"iptables-nft": SAVED})
    assert texts.rule(replace(RULE, handle=12), "/r", UNTIL) == Text("-A INPUT -s 192.0.2.0/24 -j DROP", 3)
    assert texts.rule(replace(RULE, handle=12, table="fw"), "/r", UNTIL).counter == 7


def test_a_rule_without_an_end_is_cut() -> None:
    rule = f"ip saddr {{ {'192.0.2.1, ' * 500}}} drop"
    found, _ = texts.native(f"\t\t{rule} # handle 3\n", 3)
    assert found.rule == rule[: texts.LONGEST]


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(texts, "FOLDERS", f"{tmp_path}/first:{tmp_path}/second")
    return tmp_path


@pytest.mark.parametrize(
    ("script", "said"), [('echo "$@"', "-a list\n"), ("echo half; exit 1", ""), ("sleep 60", ""), ("kill -9 $$", "")]
)
def test_what_a_program_that_fails_prints_is_nobody_s_rule(
    monkeypatch: pytest.MonkeyPatch, folder: Path, script: str, said: str
) -> None:
    if script.startswith("sleep"):
        monkeypatch.setattr(texts, "SECONDS", 0.2)
    program(folder / "second/nft", script)
    assert texts._run("/", UNTIL, "nft", "-a", "list") == said


def test_no_program_outlasts_the_time_that_is_left(folder: Path) -> None:
    program(folder / "first/nft", "echo said; exec sleep 60")
    began = time.monotonic()
    assert texts._run("/", began + 0.2, "nft") == ""
    assert time.monotonic() - began < 30
    program(folder / "first/nft", f"touch {folder}/ran; echo said")
    assert texts._run("/", began, "nft") == ""
    assert not (folder / "ran").exists()
    assert texts._run("/", UNTIL, "nft") == "said\n"


def test_the_first_program_that_is_there_is_run_and_no_other(folder: Path) -> None:
    program(folder / "second/nft", "echo second")
    (folder / "first/nft").write_text("no program")
    assert texts._run("/", UNTIL, "nft") == "second\n"
    program(folder / "first/nft", "exit 3")
    assert texts._run("/", UNTIL, "nft") == ""
    assert texts._run("/", UNTIL, "iptables") == ""


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.parametrize("table", ["filter", "nat", "mangle", "raw", "security"])
def test_tables_of_iptables_are_said_by_iptables(monkeypatch: pytest.MonkeyPatch, table: str) -> None:
    asked = programs(monkeypatch, nft=LISTING, **{"ip6tables-nft": SAVED})
    found = texts.rule(replace(RULE, table=table, family="ip6", handle=12), "/r", UNTIL)
    assert found.rule.startswith("-A INPUT ")
    assert asked[1] == ("ip6tables-nft", "-t", table, "-S", "INPUT", "-v")
