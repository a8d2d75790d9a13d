"""Which name servers are asked."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.gather.access.roots import Roots
from preflight.gather.names import nameservers
from preflight.gather.names.lookups import look_up
from preflight.gather.names.nameservers import find_servers, parse_resolv_conf, server, shown
from tests.build import VIEW
from tests.gather.nameserver import serve, zone


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("198.51.100.53", "198.51.100.53", 53),
        ("198.51.100.53:5353", "198.51.100.53", 5353),
        ("2001:db8::53", "2001:db8::53", 53),
        ("2001:DB8::53", "2001:db8::53", 53),
        ("[2001:db8::53]", "2001:db8::53", 53),
        ("[2001:db8::53]:5353", "2001:db8::53", 5353),
        ("[fe80::1%eth0]:5353", "fe80::1%eth0", 5353),
    ],
)
def test_servers_as_users_write_them(text: str, address: str, port: int) -> None:
    assert server(text) == (address, port)
    assert server(shown((address, port))) == (address, port)


@pytest.mark.parametrize(
    "text",
    [
        "", "dns.example.org", "198.51.100", "198.51.100.53:", "198.51.100.53:x", "198.51.100.53:0",
        "198.51.100.53:65536", "198.51.100.53:99999", "[198.51.100.53]:53", "[2001:db8::53",
        "2001:db8::53]:53", "[2001:db8::53]:", "1.2.3.4 ",
        "١٩٨.51.100.53", "198.51.100.53:٥٣", "\x00", "[]:53",
    ],
)  # fmt: skip
def test_what_is_no_server_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"^.{1,200}\.$"):
        server(text)


@given(st.text())
def test_no_text_breaks_the_parsers(text: str) -> None:
    assert len(parse_resolv_conf(text)) <= 3
    with contextlib.suppress(ValueError):
        assert 1 <= server(text)[1] <= 65535


def test_a_resolv_conf() -> None:
    text = "# nameserver 192.0.2.1\nsearch example.org\nnameserver 192.0.2.2 # x\n nameserver\t2001:db8::1\n"
    assert parse_resolv_conf(text + "nameserver x\nnameserver\nnameservers 192.0.2.9\nnameserver 192.0.2.2\n") == (
        ("192.0.2.2", 53), ("2001:db8::1", 53),
    )  # fmt: skip
    assert len(parse_resolv_conf("".join(f"nameserver 192.0.2.{n}\n" for n in range(9)))) == 3


def roots(path: Path, **view: object) -> Roots:
    return Roots(str(path), msgspec.structs.replace(VIEW, **view))


@pytest.fixture
def host(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "run/systemd/resolve").mkdir(parents=True)
    (tmp_path / "run/systemd/resolve/stub-resolv.conf").write_text("nameserver 127.0.0.53\noptions edns0\n")
    (tmp_path / "etc/resolv.conf").symlink_to("/run/systemd/resolve/stub-resolv.conf")
    return tmp_path


def test_given_servers_are_asked_for_everything(host: Path) -> None:
    given = find_servers(roots(host, live=False), ("192.0.2.53", "192.0.2.53:53", "[2001:db8::53]:5353"))
    assert given.get() == (("192.0.2.53", 53), ("2001:db8::53", 5353))
    assert find_servers(roots(host), ("nonsense",)).missing is not None


def test_the_hosts_own_servers_through_its_own_links(host: Path) -> None:
    assert find_servers(roots(host), ()).get() == (("127.0.0.53", 53),)


def test_from_another_network_the_stub_is_out_of_reach(host: Path) -> None:
    missing = find_servers(roots(host, network=False), ()).missing
    assert missing
    assert "127.0.0.53" in missing.reason
    assert "--network=host" in missing.help


def test_behind_the_stub_stand_real_servers(host: Path) -> None:
    (host / "run/systemd/resolve/resolv.conf").write_text("nameserver 192.0.2.53\n")
    fact = find_servers(roots(host, network=None), ())
    assert fact.get() == (("192.0.2.53", 53),)
    assert fact.source == "/run/systemd/resolve/resolv.conf"


def test_servers_elsewhere_are_asked_from_any_network(host: Path) -> None:
    (host / "etc/resolv.conf").unlink()
    (host / "etc/resolv.conf").write_text("nameserver 127.0.0.1\nnameserver 192.0.2.53\n")
    assert find_servers(roots(host, network=False), ()).get() == (("192.0.2.53", 53),)


@pytest.mark.parametrize("text", ["", "search example.org\n", None])
def test_no_server_is_unknown(host: Path, text: str | None) -> None:
    (host / "etc/resolv.conf").unlink()
    if text is not None:
        (host / "etc/resolv.conf").write_text(text)
    missing = find_servers(roots(host), ()).missing
    assert missing
    assert "--resolver" in missing.help


def test_the_servers_of_a_copy_are_not_asked(host: Path) -> None:
    missing = find_servers(roots(host, live=False), ()).missing
    assert missing
    assert "copy" in missing.reason


def test_without_the_hosts_root_the_containers_own_file_serves(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (host / "own").write_text("nameserver 192.0.2.99\n")
    closed = Roots(None, VIEW)
    monkeypatch.setattr(nameservers, "PATH", str(host / "own"))
    assert find_servers(closed, ()).get() == (("192.0.2.99", 53),)
    monkeypatch.setattr(nameservers, "PATH", str(host / "absent"))
    assert find_servers(closed, ()).missing is not None


def test_a_search_list_never_changes_what_is_asked(tmp_path: Path) -> None:
    """The names of a mail host are whole: no list makes mail.example.org.example.com of one that does not exist."""
    (tmp_path / "etc").mkdir()
    text = "search example.com example.net\ndomain example.com\noptions ndots:15 rotate\nnameserver 127.0.0.1\n"
    (tmp_path / "etc/resolv.conf").write_text(text)
    with serve(zone()) as state:
        given = f"127.0.0.1:{state.server[1]}"
        roots = Roots(str(tmp_path), VIEW)
        look_up(roots, "mail.example.org", ("example.org",), ("192.0.2.1",), (given,), time.monotonic() + 20)
    ends = (".example.org.", "192.in-addr.arpa.")
    above = {"org.", "_dmarc.org.", ".", "example.org.", "in-addr.arpa."}
    names = {name for name, _, _ in state.asked}
    assert all(name in above or name.endswith(ends) for name in names)
    assert "mail.example.org." in names
