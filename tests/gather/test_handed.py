"""Which name servers the engine finds for its containers."""

from __future__ import annotations

from pathlib import Path

from preflight.facts import View
from preflight.gather.access.roots import Roots
from preflight.gather.names import nameservers


def test_the_file_behind_the_stub_is_taken_where_it_is_all_there_is(tmp_path: Path) -> None:
    view = View(container=False, root=str(tmp_path), live=False, network=False, privileged=None)
    roots = Roots(str(tmp_path), view)
    assert not nameservers.handed(roots).known
    for name in ("etc/resolv.conf", "run/systemd/resolve/resolv.conf"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "etc/resolv.conf").write_text("# x\nsearch y\nnameserver 127.0.0.53\n")
    assert not nameservers.handed(roots).known
    (tmp_path / "run/systemd/resolve/resolv.conf").write_text("nameserver 192.0.2.1\nnameserver fe80::1%ens3\n")
    assert nameservers.handed(roots).get() == ("192.0.2.1", "fe80::1%ens3")
    (tmp_path / "etc/resolv.conf").write_text("nameserver 127.0.0.53\nnameserver 192.0.2.9\nnameserver\n")
    assert nameservers.handed(roots).get() == ("127.0.0.53", "192.0.2.9")
