"""The engine's programs fail, are of another kernel, or would leave a trace: what is said, and what is not run."""

from __future__ import annotations

from typing import Any, Literal, cast

import pytest

from preflight.gather.access.command import Output
from preflight.twin import derive, derive_iptables, derive_zones
from preflight.twin.derive_programs import Programs
from preflight.twin.derive_state import Change, State, Underivable
from preflight.twin.request import Port, Request
from tests.twin.wires import NoWire

DONE = Output(0, "", "")
FAILED = Output(4, "", "iptables v1.8.9:\n  it is full\n")
WORDS = "iptables v1.8.9: it is full"
ISOLATED = f":{derive_iptables.ISOLATION1} - [0:0]\n:{derive_iptables.ISOLATION2} - [0:0]\n"
START = f"*nat\n:DOCKER - [0:0]\nCOMMIT\n*filter\n:DOCKER - [0:0]\n:DOCKER-USER - [0:0]\n{ISOLATED}COMMIT\n"
SMTP = Port("", 25, "postfix-mailcow", 25, "172.22.1.253", "fd4d::253")


class Run:
    """The engine's programs: what they print by their names, and what they are given."""

    def __init__(self, *, native: bool = True, **printed: Output | list[Output]) -> None:
        self._native = native
        self._printed = {name.replace("_", "-"): told for name, told in printed.items()}
        self.ran: list[str] = []
        self.given: list[tuple[tuple[str, ...], str]] = []

    def native(self, program: str) -> bool:
        return self._native

    def run(self, program: str, *words: str, stdin: bytes = b"") -> Output:
        self.ran.append(program)
        self.given.append((words, stdin.decode()))
        told = self._printed.get(program, Output(0, START, "") if program.endswith("-save") else DONE)
        return told.pop(0) if isinstance(told, list) else told


def request(engine: str = "26.1.5", **changed: Any) -> Request:
    return Request(
        **{"ports": (SMTP,), "bridge": "br-mailcow", "subnet4": "172.22.1.0/24", "engine": engine, **changed}
    )


def by_iptables(run: Run, asked: Request | None = None, version: Literal[4, 6] = 4) -> str:
    return derive._by_iptables(asked or request(), version, True, cast("Programs", run))


# --- iptables ---------------------------------------------------------------------------------------------------------


def test_what_is_there_is_read_and_what_is_added_is_written_at_once() -> None:
    run = Run()
    assert by_iptables(run) == ""
    assert run.ran == ["iptables-save", "iptables-restore"]
    words, text = run.given[1]
    assert words == ("--noflush", "--wait")
    assert "-A DOCKER ! -i br-mailcow -p tcp -m tcp --dport 25 -j DNAT --to-destination 172.22.1.253:25\n" in text


def test_the_program_that_fails_says_why() -> None:
    assert by_iptables(Run(iptables_restore=FAILED)) == WORDS
    assert by_iptables(Run(iptables_restore=Output(2, "", ""))) == "exit 2"


def test_rules_that_cannot_be_read_are_not_taken_for_none() -> None:
    with pytest.raises(Underivable, match="it is full"):
        by_iptables(run := Run(iptables_save=FAILED))
    assert run.ran == ["iptables-save"]


def test_the_first_command_whose_chain_is_missing_is_had_alone() -> None:
    bare = Output(0, "*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n*nat\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n", "")
    run = Run(iptables_save=bare, iptables=FAILED)
    assert by_iptables(run) == WORDS
    assert run.ran == ["iptables-save", "iptables"]
    assert run.given[1][0] == ("--wait", "-t", "nat", "-I", "DOCKER", "-i", "br-mailcow", "-j", "RETURN")


@pytest.mark.parametrize("there", [False, True])
def test_rules_of_nf_tables_are_read_where_there_are_nf_tables(there: bool) -> None:
    """Asked for them, the program would have the kernel load their module."""
    run = Run()
    found = by_iptables(run, request(modules=("nf_tables",) if there else ()))
    assert run.ran == (["iptables-save", "iptables-restore"] if there else [])
    assert found == ("" if there else "iptables: No chain/target/match by that name.")


def test_ip_tables_are_read_whatever_nf_tables_there_are() -> None:
    run = Run(native=False)
    assert by_iptables(run, request(modules=())) == ""
    assert run.ran == ["iptables-save", "iptables-restore"]


@pytest.mark.parametrize(
    ("starts", "saved", "native", "started"),
    [
        (True, "*nat\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n", True, True),
        (True, "", True, True),
        (True, START, True, False),  # it has done so already
        (False, "*nat\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n", True, False),
        (True, "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n", False, False),  # a table would be made
        (True, "*nat\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n", False, True),
    ],
)
def test_an_engine_that_is_restarted_makes_its_chains_for_ipv6_first(
    starts: bool, saved: str, native: bool, started: bool
) -> None:
    asked = request(subnet6="fd4d::/64", starts_ip6tables=starts)
    run = Run(native=native, ip6tables_save=[Output(0, saved, ""), Output(0, START, "")])
    by_iptables(run, asked, 6)
    texts = [text for _, text in run.given]
    assert (derive_iptables.START in texts) is started
    assert (run.ran[:3] == ["ip6tables-save", "ip6tables-restore", "ip6tables-save"]) is started


def test_an_engine_whose_start_fails_opens_nothing() -> None:
    asked = request(subnet6="fd4d::/64", starts_ip6tables=True)
    run = Run(ip6tables_save=Output(0, "", ""), ip6tables_restore=FAILED)
    assert by_iptables(run, asked, 6) == WORDS
    assert run.ran == ["ip6tables-save", "ip6tables-restore"]


def test_of_ipv4_nothing_is_started_anew() -> None:
    run = Run(iptables_save=Output(0, "*nat\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n", ""))
    by_iptables(run, request(starts_ip6tables=True))
    assert derive_iptables.START not in [text for _, text in run.given]


@pytest.mark.parametrize(("native", "alone"), [(True, False), (False, True)])
def test_a_table_that_would_be_made_is_none(native: bool, alone: bool) -> None:
    state = State(chains=frozenset({("filter", "FORWARD")}), native=native)
    run = Run()
    changes = [Change("-A", "filter", "FORWARD", "-j ACCEPT"), Change("-A", "nat", "POSTROUTING", "-j MASQUERADE")]
    failed = derive._alone(6, changes, state, cast("Programs", run))
    assert failed == ("ip6tables: No chain/target/match by that name." if alone else "")
    assert run.ran == []


def test_a_chain_that_is_made_first_is_not_missing() -> None:
    state = State(chains=frozenset())
    changes = [Change("-N", "filter", "DOCKER-USER"), Change("-A", "filter", "DOCKER-USER", "-j RETURN")]
    assert derive._alone(4, changes, state, cast("Programs", run := Run(iptables=FAILED))) == ""
    assert run.ran == []


# --- nft, and switches ------------------------------------------------------------------------------------------------


@pytest.fixture
def switches(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """Return the values of a namespace: none is on."""
    values: dict[str, bool] = {}
    monkeypatch.setattr(derive, "_is_on", lambda name: values.get(name, False))
    monkeypatch.setattr(derive, "_switch_on", lambda name: values.update({name: True}))
    return values


def add(run: Run, asked: Request, version: Literal[4, 6], engine: tuple[int, ...]) -> str:
    return derive._add(asked, version, engine, cast("Programs", run))


FOUR, SIX = {"ipv4/ip_forward"}, {"ipv6/conf/all/forwarding", "ipv6/conf/default/forwarding"}
NFT = {"engine": "29.7.2", "backend": "nftables", "subnet6": "fd4d::/64"}


@pytest.mark.parametrize(
    ("changed", "version", "on", "failed", "ran", "switched"),
    [
        ({}, 4, set(), "", ["iptables-save", "iptables-restore"], set()),
        ({"engine": "28.5.2"}, 4, set(), "", None, FOUR),
        ({"engine": "28.5.2", "ip_forward": False}, 4, set(), "", None, set()),
        ({"engine": "28.5.2", "iptables": False}, 4, set(), "", [], FOUR),
        ({"subnet6": "fd4d::/64"}, 6, set(), "", ["ip6tables-save", "ip6tables-restore"], SIX),
        ({"subnet6": "fd4d::/64", "ip6tables": False}, 6, set(), "", [], SIX),
        (NFT, 4, FOUR, "", ["nft"], FOUR),
        (NFT, 6, SIX, "", ["nft"], SIX),
        # It makes no network without, and leaves the switch to others.
        (NFT, 4, set(), "IPv4 forwarding is disabled", [], set()),
        (NFT, 6, {"ipv6/conf/all/forwarding"}, "IPv6 forwarding is disabled", [], {"ipv6/conf/all/forwarding"}),
        ({**NFT, "ip_forward": False}, 4, set(), "", ["nft"], set()),
    ],
)
def test_forwarding_is_switched_on_by_the_engines_that_do(
    switches: dict[str, bool], changed: dict[str, Any], version: Literal[4, 6], on: set[str], failed: str,
    ran: list[str] | None, switched: set[str],
) -> None:  # fmt: skip
    switches.update(dict.fromkeys(on, True))
    asked = request(**changed)
    chains = "".join(f":{chain} - [0:0]\n" for chain in ("DOCKER", "DOCKER-FORWARD", "DOCKER-CT", "DOCKER-BRIDGE",
                     derive_iptables.ISOLATION1, derive_iptables.ISOLATION2, "DOCKER-USER"))  # fmt: skip
    saved = Output(0, f"*nat\n:DOCKER - [0:0]\n*filter\n{chains}", "")
    run = Run(iptables_save=saved, ip6tables_save=saved)
    engine = tuple(map(int, asked.engine.split(".")))
    assert add(run, asked, version, engine) == failed
    assert ran is None or run.ran == ran
    assert {name for name, value in switches.items() if value} == switched


@pytest.mark.parametrize(("changed", "program"), [(NFT, "nft"), ({"engine": "28.5.2"}, "iptables_restore")])
def test_what_fails_switches_nothing_on(switches: dict[str, bool], changed: dict[str, Any], program: str) -> None:
    switches["ipv4/ip_forward"] = changed is NFT
    chains = ":DOCKER-FORWARD - [0:0]\n:DOCKER-CT - [0:0]\n:DOCKER-BRIDGE - [0:0]\n"
    saved = Output(0, START.replace("*filter\n", f"*filter\n{chains}"), "")
    asked = request(**changed)
    failed = add(Run(iptables_save=saved, **{program: FAILED}), asked, 4, (29,) if changed is NFT else (28, 5, 2))
    assert failed == WORDS
    assert switches == {"ipv4/ip_forward": changed is NFT}


def test_a_switch_that_is_on_or_not_there_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(derive, "_SYSTEM", str(tmp_path))
    for value in ("1\n", "0\n"):
        (tmp_path / "one").write_text(value)
        before = (tmp_path / "one").stat().st_mtime_ns
        assert derive._is_on("one") is (value == "1\n")
        derive._switch_on("one")
        assert (tmp_path / "one").read_text() == "1\n"
        assert ((tmp_path / "one").stat().st_mtime_ns == before) is (value == "1\n")
    derive._switch_on("none")
    assert not (tmp_path / "none").exists()
    assert derive._is_on("none") is False


# --- firewalld --------------------------------------------------------------------------------------------------------


ZONES = "*filter\n:INPUT_ZONES - [0:0]\n-A INPUT_ZONES -i docker0 -g IN_docker\nCOMMIT\n"


@pytest.fixture
def natively(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have firewalld's rules in nf_tables get as many brothers; return the numbers that are still to be told."""
    numbers: list[int] = []

    monkeypatch.setattr(derive, "Wire", NoWire)
    monkeypatch.setattr(derive_zones, "in_nf_tables", lambda wire, bridge: numbers.pop(0))
    return numbers


@pytest.mark.parametrize(
    ("brothers", "backend", "modules", "ran"),
    [
        ([3], "nftables+firewalld", None, []),
        ([0], "nftables+firewalld", None, ["iptables-save", "iptables-restore", "ip6tables-save", "ip6tables-restore"]),
        ([0], "nftables", None, []),
        ([0], "iptables+firewalld", None, []),  # found with its own rules
        ([], "iptables", ("ip_tables",), []),
    ],
)
def test_the_zone_of_the_bridge(
    natively: list[int], brothers: list[int], backend: str, modules: tuple[str, ...] | None, ran: list[str]
) -> None:
    natively += brothers
    zones = Output(0, ZONES, "")
    run = Run(iptables_save=zones, ip6tables_save=zones)
    asked = request("29.7.2", backend=backend, subnet6="fd4d::/64", modules=modules)
    derive._zone(asked, cast("Programs", run))
    assert (run.ran, natively) == (ran, [])
    if ran:
        assert run.given[1][1] == "*filter\n-I INPUT_ZONES 2 -i br-mailcow -g IN_docker\nCOMMIT\n"


def test_a_zone_that_cannot_be_had_is_not_known(natively: list[int]) -> None:
    natively.append(0)
    run = Run(iptables_save=Output(0, ZONES, ""), iptables_restore=FAILED)
    with pytest.raises(Underivable, match="it is full"):
        derive._zone(request("29.7.2", backend="nftables+firewalld"), cast("Programs", run))
