"""Sysctls: what differs is written, in an order in which it stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from preflight.twin import sysctls
from preflight.twin.links import Link
from preflight.twin.sysctls import Sysctls


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
