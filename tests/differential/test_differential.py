"""The twin agrees with real packets on random hosts: some of each sort; `make differential` plays many."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.differential.cases import PROGRAMS, Case, Step
from tests.differential.compare import compare, linked
from tests.differential.generators import FAMILIES, make

NUMBER, BESIDE = 18, 3  # cases of each family; as much at once, as each of them waits now and then
SEED = 1_000_000


@pytest.fixture(scope="module")
def hosts() -> None:
    """Skip where hosts cannot be made."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    lacking = [name for name in PROGRAMS if not shutil.which(name)]
    if lacking:
        pytest.skip(f"needs {', '.join(lacking)}")
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no network namespace can be made")


@pytest.mark.parametrize("family", FAMILIES)
def test_the_twin_says_what_packets_come_to(hosts: None, tree: Path, family: str) -> None:
    number = NUMBER // BESIDE
    words = [sys.executable, "-m", "tests.differential", "--family", family, "--number", str(number)]
    playing = [
        subprocess.Popen(
            [*words, "--seed", str(SEED + number * part)], cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for part in range(BESIDE)
    ]
    told = [one.communicate()[0].decode() for one in playing]
    assert [one.returncode for one in playing] == [0] * BESIDE, "\n".join(told)


@pytest.mark.parametrize(
    ("lines", "dropped"),
    [
        # Where a copy of a packet goes, that packet is not.
        (
            (
                'ip prerouting -250 iifname "eth0" tcp dport 25 dup to 198.51.100.77 device "eth0"',
                "inet forward -10 tcp dport 25 counter drop",
            ),
            2,
        ),
        # A rule before Docker's sends it to somebody else, who is there or not.
        (("ip prerouting -110 tcp dport 25 dnat to 45.1.2.3", "ip forward -10 counter accept"), 0),
        (("ip prerouting -110 tcp dport 25 dnat to 198.51.100.99", "ip forward -10 counter accept"), 0),
    ],
)
def test_where_a_packet_comes_to_is_where_its_own_address_is(
    hosts: None, tmp_path: Path, lines: tuple[str, ...], dropped: int
) -> None:
    made = []
    for number, line in enumerate(lines):
        family, hook, priority, rule = line.split(" ", 3)
        kind = "nat" if "dnat" in rule else "filter"
        chain = f"{{ type {kind} hook {hook} priority {priority} ; policy accept ; }}"
        of = f"{family} t{number}"
        made += [f"add table {of}", f"add chain {of} c {chain}", f"add rule {of} c {rule}"]
    policy = Step("iptables-nft", ("filter -P FORWARD ACCEPT",))
    found = compare(Case(family="nft", seed=1, six=False, after=(policy, Step("nft", tuple(made)))), linked(tmp_path))
    assert found.differences == []
    assert found.figures[4]["named"] + found.figures[4]["no counter"] >= dropped


def test_a_case_is_always_the_same_and_can_be_pasted() -> None:
    case = make("mixed", 5)
    assert case == make("mixed", 5) != make("mixed", 6)
    assert eval(case.text(), {"Case": Case, "Step": Step}).steps == tuple(step for step in case.steps if step.lines)


def test_lines_are_left_out_large_parts_first() -> None:
    case = make("mixed", 5)
    number = sum(len(step.lines) for step in case.steps)
    sizes = [number - sum(len(step.lines) for step in less.steps) for less in case.smaller()]
    assert sizes[0] == number // 2
    assert sizes[-number:] == [1] * number
