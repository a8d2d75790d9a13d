"""Sysctls: what differs is written, in an order in which it stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from preflight.twin import links, sysctls
from preflight.twin import wire as w
from preflight.twin.links import Link
from preflight.twin.spaces import Space
from preflight.twin.sysctls import Sysctls
from preflight.twin.wire import Refused, Wire

NOWHERE = cast("Wire", None)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory in the place of /proc/sys/net."""
    monkeypatch.setattr(sysctls, "ROOT", f"{tmp_path}/")
    return tmp_path


def put(root: Path, **values: str) -> None:
    """Write files."""
    for name, value in values.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value + "\n")


def test_what_sets_others_comes_first() -> None:
    order = list(sysctls.paths())
    assert order[0] == "ipv4/ip_forward"
    assert order.index("ipv4/conf/all/forwarding") < order.index("ipv4/conf/default/forwarding")
    assert order.index("ipv6/conf/all/disable_ipv6") < order.index("ipv6/conf/default/disable_ipv6")
    assert len(set(order)) == len(order)


def test_only_what_is_there_is_read(root: Path) -> None:
    put(root, ipv4__ip_forward="1", ipv4__conf__default__rp_filter="2")
    found = sysctls.read()
    assert found.values == {"ipv4/ip_forward": "1", "ipv4/conf/default/rp_filter": "2"}
    assert found.default(4, "rp_filter") == 2
    assert found.default(4, "arp_ignore") is None


def test_what_stands_there_is_not_written(root: Path) -> None:
    put(root, ipv4__ip_forward="1")
    before = (root / "ipv4/ip_forward").stat().st_mtime_ns
    assert sysctls.put("ipv4/ip_forward", "1")
    assert (root / "ipv4/ip_forward").stat().st_mtime_ns == before
    assert sysctls.put("ipv4/ip_forward", "0")
    assert (root / "ipv4/ip_forward").read_text() == "0\n"
    assert sysctls.put("ipv4/of_a_newer_kernel", "0")
    assert not (root / "ipv4/of_a_newer_kernel").exists()


def test_what_cannot_be_written_is_no_success(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysctls, "get", lambda path: "0")
    put(root, ipv4__ip_forward="0")
    assert not sysctls.put("ipv4", "1")  # a directory
    assert not sysctls.put("ipv4/ip_forward", "1")  # the kernel keeps what it has


def test_ipv6_stays_off_until_all_is_up(root: Path) -> None:
    put(root, ipv4__ip_forward="1", ipv6__conf__all__disable_ipv6="1")
    wanted = Sysctls({"ipv4/ip_forward": "0", "ipv6/conf/all/disable_ipv6": "0"})
    sysctls.write(wanted, awake=False)
    assert (root / "ipv6/conf/all/disable_ipv6").read_text() == "1\n"
    assert (root / "ipv4/ip_forward").read_text() == "0\n"
    sysctls.write(wanted, awake=True)
    assert (root / "ipv6/conf/all/disable_ipv6").read_text() == "0\n"


def test_a_new_interface_has_the_defaults() -> None:
    lo = Link(index=1, name="lo", conf4=(9,) * 33, conf6=(9,) * 27)
    found = sysctls.fresh(Sysctls({"ipv4/conf/default/rp_filter": "2", "ipv6/conf/default/hop_limit": "70"}), lo)
    assert found[4][sysctls.DEVICE4["rp_filter"] - 1] == 2
    assert found[6][1] == 70
    assert sysctls.fresh(Sysctls({}), None) == {4: (), 6: ()}
    assert sysctls.awake(found[6])[26] == 0
    assert sysctls.awake((1, 2)) == (1, 2)


class Silent:
    """A namespace without interfaces."""

    def dump(self, kind: int, body: bytes) -> list[object]:
        return []


def test_what_differs_is_told_by_family(root: Path) -> None:
    put(root, ipv4__ip_forward="1", ipv6__bindv6only="0", ipv4__conf__all__log_martians="1")
    put(root, **{"bridge__bridge-nf-call-iptables": "1"})
    wanted = Sysctls(
        {"ipv4/ip_forward": "0", "ipv6/bindv6only": "0", "bridge/bridge-nf-call-iptables": "0", "ipv4/x": "1"}
    )
    assert sysctls.unwritten(Silent(), wanted, {}) == {  # type: ignore[arg-type]
        4: ["net.ipv4.ip_forward", "net.ipv4.conf.all.log_martians"],
        6: [],
        0: ["net.bridge.bridge-nf-call-iptables"],
    }


# --- single interfaces ------------------------------------------------------------------------------------------------


def conf4(**values: int) -> tuple[int, ...]:
    """Return sysctls of IPv4 as the kernel counts them, all others 0."""
    found = [0] * 33
    for name, value in values.items():
        found[sysctls.DEVICE4[name] - 1] = value
    return tuple(found)


def conf6(**values: int) -> tuple[int, ...]:
    found = [0] * 50
    for name, value in values.items():
        found[sysctls.DEVICE6[name]] = value
    return tuple(found)


class Devices:
    """A namespace with interfaces, whose sysctls of IPv4 rtnetlink sets, or refuses to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *links: Link, refuses: bool = False) -> None:
        self.configured: list[tuple[int, dict[int, int]]] = []
        monkeypatch.setattr(sysctls.links, "read", lambda wire: links)

        def configure(wire: object, index: int, values: dict[int, int]) -> None:
            if refuses:
                raise Refused(1, "")
            self.configured.append((index, values))

        monkeypatch.setattr(sysctls.links, "configure", configure)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Return what is written into files, in their order."""
    found: list[tuple[str, str]] = []
    monkeypatch.setattr(sysctls, "put", lambda path, value: found.append((path, value)))
    return found


def test_an_interface_gets_what_differs_from_the_host_s(
    monkeypatch: pytest.MonkeyPatch, written: list[tuple[str, str]]
) -> None:
    host = Link(index=2, name="eth0", conf4=conf4(rp_filter=1, arp_ignore=2, forwarding=1), conf6=conf6(hop_limit=70))
    twin = Link(index=2, name="eth0", conf4=conf4(forwarding=1, arp_ignore=1), conf6=conf6())
    devices = Devices(monkeypatch, Link(index=1, name="lo"), twin)
    sysctls.write_devices(NOWHERE, {2: host, 9: host})
    assert devices.configured == [(2, {8: 1, 19: 2})]  # IPV4_DEVCONF_RP_FILTER, _ARP_IGNORE
    assert written == [("ipv6/conf/eth0/hop_limit", "70")]


def test_what_is_the_same_is_left_alone(monkeypatch: pytest.MonkeyPatch, written: list[tuple[str, str]]) -> None:
    same = Link(index=2, name="eth0", conf4=conf4(rp_filter=1), conf6=conf6(hop_limit=70))
    devices = Devices(monkeypatch, same)
    sysctls.write_devices(NOWHERE, {2: same})
    assert devices.configured == written == []


def test_where_the_kernel_takes_none_by_rtnetlink_they_are_written(
    monkeypatch: pytest.MonkeyPatch, written: list[tuple[str, str]]
) -> None:
    host = Link(index=2, name="eth0", conf4=conf4(rp_filter=1, arp_filter=1))
    Devices(monkeypatch, Link(index=2, name="eth0", conf4=conf4()), refuses=True)
    sysctls.write_devices(NOWHERE, {2: host})
    assert written == [("ipv4/conf/eth0/rp_filter", "1"), ("ipv4/conf/eth0/arp_filter", "1")]


@pytest.mark.parametrize(("wanted", "there"), [(7, 33), (33, 7), (8, 8), (0, 33)])
def test_older_kernels_count_fewer(
    monkeypatch: pytest.MonkeyPatch, written: list[tuple[str, str]], wanted: int, there: int
) -> None:
    """rp_filter is the eighth: where either side does not have it, nothing is known of it."""
    host = Link(index=2, name="eth0", conf4=conf4(rp_filter=1)[:wanted])
    devices = Devices(monkeypatch, Link(index=2, name="eth0", conf4=conf4()[:there]))
    sysctls.write_devices(NOWHERE, {2: host})
    assert devices.configured == ([(2, {8: 1})] if min(wanted, there) >= 8 else [])


def test_what_differs_of_interfaces_is_told_by_family(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Link(index=2, name="eth\udcff", conf4=conf4(rp_filter=1), conf6=conf6(forwarding=1, disable_ipv6=1))
    Devices(monkeypatch, Link(index=1, name="lo"), Link(index=2, name="eth\udcff", conf4=conf4(), conf6=conf6()))
    assert sysctls.unwritten(NOWHERE, Sysctls({}), {2: host}) == {
        4: ["net.ipv4.conf.eth\ufffd.rp_filter"],
        6: ["net.ipv6.conf.eth\ufffd.forwarding", "net.ipv6.conf.eth\ufffd.disable_ipv6"],
        0: [],
    }
    assert sysctls.unwritten(NOWHERE, Sysctls({}), {}) == {4: [], 6: [], 0: []}


# --- silence ----------------------------------------------------------------------------------------------------------


def test_a_namespace_is_silent_before_it_has_interfaces(written: list[tuple[str, str]]) -> None:
    sysctls.hush()
    assert written[0] == ("ipv6/conf/all/disable_ipv6", "1")
    assert set(written[1:]) >= {
        ("ipv4/conf/all/log_martians", "0"), ("ipv6/conf/default/accept_ra", "0"), ("ipv6/conf/all/accept_dad", "0"),
        ("ipv6/conf/default/addr_gen_mode", "1"),
    }  # fmt: skip
    del written[:]
    sysctls.wake()
    assert written == [("ipv6/conf/all/disable_ipv6", "0")]


def test_the_world_takes_whatever_is_for_it_and_passes_nothing_on(written: list[tuple[str, str]]) -> None:
    sysctls.relax("ipv6/ip_nonlocal_bind")
    assert written[0] == ("ipv4/ip_forward", "0")
    assert written[-1] == ("ipv6/ip_nonlocal_bind", "1")
    filters = {(f"ipv4/conf/{group}/rp_filter", "0") for group in ("all", "default")}
    assert filters < set(written[1:-1])
    assert {value for _, value in written[:-1]} == {"0"}


@pytest.mark.parametrize(("value", "number"), [("2", 2), ("-1", -1), ("", None), ("--", None), ("1\t5", None)])
def test_a_default_is_a_number_or_none(value: str, number: int | None) -> None:
    assert Sysctls({"ipv4/conf/default/rp_filter": value}).default(4, "rp_filter") == number


def test_what_is_no_text_is_read_all_the_same(root: Path) -> None:
    put(root, ipv4__ip_forward="1")
    (root / "ipv4/ip_forward").write_bytes(b" \xff1 \n")
    assert sysctls.get("ipv4/ip_forward") == "\ufffd1"
    assert sysctls.get("ipv4") is None


# --- this kernel ------------------------------------------------------------------------------------------------------

LATER = {"nf_conntrack_helper", "nf_conntrack_tcp_ignore_invalid_rst", "seg6_enabled", "tcp_l3mdev_accept",
         "udp_l3mdev_accept"}  # fmt: skip


def test_this_kernel_has_what_is_copied(namespaces: Callable[[], Space]) -> None:
    """A name that no kernel has would be passed over in silence, and not be as on the host."""
    with namespaces().entered():
        there = {folder for folder in ("ipv4", "ipv6", "bridge", "netfilter") if Path(sysctls.ROOT, folder).exists()}
        asked = [path for path in (*sysctls.paths(), *sysctls.QUIET) if path.partition("/")[0] in there]
        conntrack = Path(sysctls.ROOT, "netfilter/nf_conntrack_checksum").exists()
        missing = {path for path in asked if sysctls.get(path) is None and path.rpartition("/")[2] not in LATER}
    assert {path for path in missing if conntrack or not path.startswith("netfilter/")} == set()


@pytest.mark.parametrize("version", [4, 6])
def test_the_kernel_counts_sysctls_of_interfaces_as_we_do(namespaces: Callable[[], Space], version: int) -> None:
    """Each is changed for itself, and what it is counted as is the one that changes."""
    names, first = (sysctls.DEVICE4, 1) if version == 4 else (sysctls.DEVICE6, 0)
    with namespaces().entered(), Wire(w.ROUTE) as wire:
        folder = Path(sysctls.ROOT, f"ipv{version}/conf/lo")
        if not folder.exists():
            pytest.skip("no such family")

        def counted() -> tuple[int, ...]:
            (lo,) = links.read(wire)
            return lo.conf4 if version == 4 else lo.conf6

        for name, number in names.items():
            before, old = counted(), int((folder / name).read_text())
            (folder / name).write_text(str(70 if name == "hop_limit" else 1 - old if old in (0, 1) else 0))
            after = counted()
            assert [place + first for place, value in enumerate(after) if value != before[place]] == [number], name
            (folder / name).write_text(str(old))
