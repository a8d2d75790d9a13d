"""All rules at once: what they single out, whose come first, and in which order they are put in place."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from preflight.facts.twin import Chain, Table, Uncopied
from preflight.packets.nlmsg import attribute, nested
from preflight.twin import copies, ipsets, legacy
from preflight.twin.copies import Copies, Loaded
from preflight.twin.legacy_load import Refusal
from preflight.twin.nft import load as nft_load
from preflight.twin.nft.mentions import enters
from preflight.twin.nft.read import Chain as NativeChain
from preflight.twin.nft.read import Ruleset, read
from preflight.twin.request import Request
from preflight.twin.spaces import Space
from preflight.twin.stage import Stage
from preflight.twin.wire import NETFILTER, Wire
from tests.twin.wires import NoWire

REQUEST = Request(ports=(), bridge="br-mailcow", subnet4="172.22.1.0/24")


def outlined(*tables: Table) -> Copies:
    """Return copies whose tables look like that."""

    class Outlined(Copies, frozen=True):
        def outline(self) -> tuple[Table, ...]:
            return tables

    return Outlined()


def table(backend: str, family: str, *chains: tuple[str, int, int], name: str = "nat", policy: str = "accept") -> Table:
    """Return a table: of each chain its hook, its priority and how many rules it has."""
    made = (
        Chain(f"c{place}", rules, hook, priority, policy) for place, (hook, priority, rules) in enumerate(chains)
    )  # fmt: skip
    return Table(backend, family, name, tuple(made))  # type: ignore[arg-type]  # one of its words


@pytest.mark.parametrize(
    ("tables", "disputed"),
    [
        ([table("ip_tables", "ip", ("prerouting", -100, 1)), table("nf_tables", "ip", ("prerouting", -100, 1))], True),
        ([table("ip_tables", "ip", ("output", -100, 1)), table("nf_tables", "inet", ("output", -100, 2))], True),
        ([table("ip_tables", "ip6", ("output", -100, 1)), table("nf_tables", "inet", ("output", -100, 1))], True),
        (
            [
                table("ip_tables", "ip", ("forward", -150, 1), name="mangle"),
                table("nf_tables", "ip", ("forward", 5, 3), ("forward", -150, 1), name="mine"),
            ],
            True,
        ),
        ([table("ip_tables", "ip6", ("output", -100, 1)), table("nf_tables", "ip", ("output", -100, 1))], False),
        ([table("ip_tables", "ip", ("prerouting", -100, 1)), table("nf_tables", "ip", ("prerouting", -99, 1))], False),
        ([table("ip_tables", "ip", ("prerouting", -100, 1)), table("nf_tables", "ip", ("output", -100, 1))], False),
        # Nothing stands in the one, or in the other.
        ([table("ip_tables", "ip", ("prerouting", -100, 0)), table("nf_tables", "ip", ("prerouting", -100, 1))], False),
        ([table("ip_tables", "ip", ("prerouting", -100, 1)), table("nf_tables", "ip", ("prerouting", -100, 0))], False),
        ([table("ip_tables", "ip", ("", 0, 1)), table("nf_tables", "ip", ("", 0, 1))], False),
        # Both only filter: whoever drops first, it is dropped.
        (
            [table("ip_tables", "ip", ("forward", 0, 1), name="filter"), table("nf_tables", "ip", ("forward", 0, 1))],
            False,
        ),
        ([table("ip_tables", "ip", ("prerouting", -100, 1)), table("ip_tables", "ip", ("prerouting", -100, 1))], False),
        ([], False),
    ],
)  # fmt: skip
def test_whose_rules_come_first_is_not_known_at_equal_priorities(tables: list[Table], disputed: bool) -> None:
    assert outlined(*tables).disputed() is disputed


@pytest.mark.parametrize(
    ("tables", "bridged"),
    [
        ([table("nf_tables", "bridge", ("forward", 0, 1))], True),
        ([table("nf_tables", "ip", ("input", 0, 9)), table("nf_tables", "bridge", ("", 0, 5), ("input", 0, 1))], True),
        ([table("nf_tables", "bridge", ("forward", 0, 0), ("", 0, 5))], False),
        ([Table("nf_tables", "bridge", "t", (Chain("c", 0, "forward", 0, "drop"),))], True),
        ([table("nf_tables", "inet", ("forward", 0, 1))], False),
        ([], False),
    ],
)  # fmt: skip
def test_rules_of_bridges_count_where_packets_come_by_them(tables: list[Table], bridged: bool) -> None:
    assert outlined(*tables).bridged() is bridged


BASE = "{ type filter hook input priority 0 ; policy %s ; }"


@pytest.mark.parametrize(
    ("family", "policy", "rules", "asking"),
    [
        ("arp", "accept", ("arp operation request drop",), True),
        ("arp", "accept", ('iifname "br-mailcow" drop',), True),
        ("arp", "accept", ('iifname "br-*" drop',), True),
        ("arp", "accept", ('iifname != "eth0" drop',), True),
        ("arp", "accept", ('iifname "eth0" accept', "drop"), True),
        ("arp", "drop", (), True),
        ("arp", "accept", ('iifname "eth0" arp operation request drop', 'iifname "br-mailcow2" drop'), False),
        ("arp", "accept", (), False),
        ("arp", "", ("drop",), False),
        ("inet", "drop", ("drop",), False),
    ],
)
def test_rules_of_arp_count_where_containers_ask_for_the_host(
    namespaces: Callable[[], Space], family: str, policy: str, rules: tuple[str, ...], asking: bool
) -> None:
    lines = [f"add table {family} t", f"add chain {family} t c {BASE % policy if policy else ''}"]
    lines += [f"add rule {family} t c {rule}" for rule in rules]
    with namespaces().entered(), Wire(NETFILTER) as wire:
        subprocess.run(["nft", "-f", "-"], input="\n".join([*lines, ""]), text=True, check=True)
        assert Copies(read(wire)).asking("br-mailcow") is asking
    assert not Copies().asking("br-mailcow")


ENTRY = '{ type filter hook %s device "%s" priority 0 ; policy %s ; }'


@pytest.mark.parametrize(
    ("family", "hook", "device", "policy", "rules", "early"),
    [
        ("netdev", "ingress", "eth0", "accept", ("tcp dport 25 drop",), True),
        ("netdev", "egress", "eth0", "accept", ("tcp dport 25 drop",), True),
        ("inet", "ingress", "eth0", "accept", ("tcp dport 25 drop",), True),
        ("netdev", "ingress", "eth0", "drop", (), True),
        ("netdev", "ingress", "eth0", "accept", (), False),
        ("netdev", "ingress", "eth1", "accept", ("tcp dport 25 drop",), False),
    ],
)
def test_rules_below_an_interface_count_where_packets_come_by_them(
    namespaces: Callable[[], Space],
    family: str,
    hook: str,
    device: str,
    policy: str,
    rules: tuple[str, ...],
    early: bool,
) -> None:
    lines = [f"add table {family} t", f"add chain {family} t c {ENTRY % (hook, device, policy)}"]
    lines += [f"add rule {family} t c {rule}" for rule in rules]
    with namespaces().entered(), Wire(NETFILTER) as wire:
        for name in ("eth0", "eth1"):
            subprocess.run(["ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}x"], check=True)
        subprocess.run(["nft", "-f", "-"], input="\n".join([*lines, ""]), text=True, check=True)
        found = Copies(read(wire))
    assert found.early({"eth0", "eth7"}) is early
    assert not found.early(set())
    assert not Copies().early({"eth0"})


def test_an_interface_may_be_named_by_its_beginning_or_among_others() -> None:
    devices = nested(4, attribute(1, b"wan0\0"), attribute(1, b"wan1\0"), attribute(2, b"eth\0"))
    chain = NativeChain(5, "t", "c", nested(4, devices), hook="ingress")
    asked = ("wan1", "wan", "wan10", "eth0", "eth", "et")
    assert [enters(chain, (one,)) for one in asked] == [True, False, False, True, True, False]
    assert not enters(NativeChain(5, "t", "c", b""), ("eth0",))


def test_the_outline_is_of_both_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = table("nf_tables", "ip"), table("ip_tables", "ip")
    monkeypatch.setattr(copies.legacy, "outline", lambda blob: two if blob == "blob" else one)
    native = cast("Ruleset", SimpleNamespace(outline=lambda: (one,)))
    assert Copies(native, (cast("legacy.Blob", "blob"),)).outline() == (one, two)
    assert Copies().outline() == ()


def test_an_address_is_ordinary_where_nothing_singles_it_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def naming(which: str) -> Callable[[object], Callable[[str], bool]]:
        return lambda _: lambda address: address == which

    monkeypatch.setattr(copies.nft_mentions, "of", naming("192.0.2.1"))
    monkeypatch.setattr(copies.legacy, "mentions", lambda blob: lambda address: address == blob)
    monkeypatch.setattr(copies.ipsets, "mentions", naming("192.0.2.4"))
    blobs = cast("tuple[legacy.Blob, ...]", ("192.0.2.2", "192.0.2.3"))
    ordinary = Copies(Ruleset(), blobs, ipsets.Sets({}, ())).ordinary()
    assert [ordinary(f"192.0.2.{last}") for last in range(6)] == [True, False, False, False, False, True]
    assert Copies().ordinary()("192.0.2.1")


# --- what could not be copied -----------------------------------------------------------------------------------------


def of_ip_tables(blind: str = "", **more: Any) -> legacy.Loaded:
    """Return a copy of a table."""
    blob = cast("legacy.Blob", None)
    return legacy.Loaded(blob, blob, blind=blind, **more)


@pytest.mark.parametrize(
    ("native", "old", "blind"),
    [
        (None, [], ""),
        ("", ["", ""], ""),
        ("ENOENT", ["", "EPERM"], "ENOENT"),
        ("", ["", "EPERM"], "EPERM"),
        (None, ["EINVAL"], "EINVAL"),
    ],
)
def test_one_part_that_could_not_be_copied_at_all_leaves_all_in_doubt(
    native: str | None, old: list[str], blind: str
) -> None:
    loaded = Loaded(None if native is None else nft_load.Loaded(blind=native), [of_ip_tables(one) for one in old])
    assert loaded.blind == blind


def test_conditions_are_those_of_all_rules() -> None:
    first = of_ip_tables(conditions={3: frozenset(("limit",)), 9: frozenset(("recent", "time"))})
    native = nft_load.Loaded(conditions=frozenset(("quota",)))
    assert Loaded(native, [first, of_ip_tables()]).conditions == {"limit", "recent", "time", "quota"}
    assert Loaded(None, [first]).conditions == {"limit", "recent", "time"}
    assert Loaded().conditions == frozenset()


def test_what_could_not_be_copied_is_told_of_all_parts() -> None:
    one, two, three = (Uncopied("nf_tables", "ip a"), Uncopied("ip_tables", "filter", "INPUT", what="x", error="E"),
                       Uncopied("ip_set", "bad"))  # fmt: skip
    native = cast("nft_load.Loaded", SimpleNamespace(uncopied=lambda: (one,)))
    old = of_ip_tables(refused={7: Refusal(4, "filter", "INPUT", 2, "x", "E")})
    assert Loaded(native, [old], ipsets.Copied({}, (three,))).uncopied() == (one, two, three)
    assert Loaded().uncopied() == ()


# --- read and put in place --------------------------------------------------------------------------------------------


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list of what the kernel is asked for: rules of two tables each, sets, nf_tables, IPsec."""
    asked: list[str] = []

    def told(what: str) -> str:
        asked.append(what)
        return what

    monkeypatch.setattr(copies, "Wire", NoWire)
    monkeypatch.setattr(copies.nft_read, "read", lambda wire: told("nft"))
    monkeypatch.setattr(copies.ipsets, "read", lambda wire: told("sets"))
    monkeypatch.setattr(copies.policies, "read", lambda wire: (told("policies"),))
    monkeypatch.setattr(copies.legacy, "tables", lambda version: ("raw", "filter"))
    monkeypatch.setattr(copies.legacy, "read", lambda version, table: told(f"{version} {table}"))
    monkeypatch.setattr(copies.legacy, "queues", lambda: frozenset((3,)))
    return asked


@pytest.mark.parametrize(
    ("modules", "asked"),
    [
        (None, ["nft", "4 raw", "4 filter", "6 raw", "6 filter", "sets", "policies"]),
        (("nf_tables",), ["nft"]),
        (("ip_tables",), ["4 raw", "4 filter"]),
        (("ip6_tables",), ["6 raw", "6 filter"]),
        (("ip_set", "xt_set"), ["sets"]),
        (("xfrm_user",), ["policies"]),
        ((), []),
    ],
)
def test_only_modules_that_are_there_are_asked(
    kernel: list[str], modules: tuple[str, ...] | None, asked: list[str]
) -> None:
    found = copies.read(Request(ports=(), bridge="b", subnet4="", modules=modules))
    assert kernel == asked
    assert (found.nft, found.sets) == ("nft" if "nft" in asked else None, "sets" if "sets" in asked else None)
    assert found.legacy == tuple(one for one in asked if " " in one)
    assert found.queues == {3}
    assert found.policies == (("policies",) if "policies" in asked else ())


class Twin:
    """A stage whose twin has to be entered before anything is put in place."""

    def __init__(self) -> None:
        self.inside = False
        self.twin = self

    @contextmanager
    def entered(self) -> Iterator[None]:
        self.inside = True
        yield
        self.inside = False


@pytest.mark.parametrize(
    ("swapped", "order"), [(False, ["sets", "raw", "filter", "nft"]), (True, ["sets", "nft", "raw", "filter"])]
)
@pytest.mark.parametrize("with_sets", [True, False])
def test_sets_come_first_and_the_later_of_equals_is_asked_first(
    monkeypatch: pytest.MonkeyPatch, swapped: bool, order: list[str], with_sets: bool
) -> None:
    done: list[str] = []
    stage = Twin()
    indices = {4: 9} if with_sets else {}

    def put(what: str, *given: object) -> Any:
        assert stage.inside
        assert what == "sets" or given == (indices, "met", frozenset((3,)))
        done.append(what)
        return ipsets.Copied({4: 9}, ()) if what == "sets" else what

    monkeypatch.setattr(copies, "Wire", NoWire)
    monkeypatch.setattr(copies.ipsets, "load", lambda sets, wire: put("sets"))
    monkeypatch.setattr(copies.legacy, "load", lambda blob, of, world, queues: put(blob, of, world, queues))
    monkeypatch.setattr(copies.nft_load, "load", lambda one, wire, world, of, queues: put("nft", of, world, queues))
    sets = ipsets.Sets({}, (cast("ipsets.Set", "a set"),) if with_sets else ())
    read = Copies(cast("Ruleset", "nft"), cast("Any", ("raw", "filter")), sets, frozenset((3,)))
    loaded = copies.load(read, cast("Stage", stage), "met", swapped=swapped)
    assert done == (order if with_sets else order[1:])
    assert (loaded.nft, loaded.legacy) == ("nft", ["raw", "filter"])
    assert (loaded.sets is not None) is with_sets


def test_a_host_without_rules_has_nothing_to_put_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise AssertionError("the module would be loaded")

    monkeypatch.setattr(copies, "Wire", refuse)
    assert copies.load(Copies(), cast("Stage", Twin()), "as-is") == Loaded()
