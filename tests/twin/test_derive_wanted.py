"""What the engine is asked for, as the kernel writes it."""

from __future__ import annotations

import pytest

from preflight.twin import derive_wanted
from preflight.twin.derive_state import Underivable
from preflight.twin.request import Port, Request


def port(address: str = "", container6: str = "fd4d::5") -> Port:
    return Port(address, 25, "postfix-mailcow", 25, "172.22.1.253", container6)


def request(engine: str) -> Request:
    return Request(ports=(), bridge="br-mailcow", subnet4="172.22.1.0/24", engine=engine)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("20.10.24+dfsg1", (20, 10, 24)), ("v29.7.2", (29, 7, 2)), ("28.0.1", (28, 0, 1)), ("18.03.1-ce", (18, 3, 1))],
)
def test_the_engines_version(text: str, expected: tuple[int, ...]) -> None:
    assert derive_wanted.engine_of(request(text)) == expected


@pytest.mark.parametrize("text", ["", "dev", "17.12.1-ce", "28.0.0", "5.4.0"])
def test_an_engine_that_is_not_known(text: str) -> None:
    with pytest.raises(Underivable):
        derive_wanted.engine_of(request(text))


@pytest.mark.parametrize("bridge", ["", "br mailcow", "br-mailcow\nCOMMIT", 'br"', "longer-than-a-name"])
def test_a_bridge_that_no_kernel_has(bridge: str) -> None:
    with pytest.raises(Underivable):
        derive_wanted.engine_of(Request(ports=(), bridge=bridge, subnet4="172.22.1.0/24", engine="26.1.5"))


def test_addresses_that_are_none() -> None:
    odd = Request(ports=(port("any"),), bridge="br-mailcow", subnet4="172.22.1")
    with pytest.raises(Underivable, match="any"):
        derive_wanted.ports_of(odd, 4)
    with pytest.raises(Underivable, match=r"172\.22\.1"):
        derive_wanted.subnet_of(odd, 4)


@pytest.mark.parametrize(
    ("address", "container6", "expected"),
    [
        ("", "fd4d::5", [4, 6]),
        ("", "", [4]),
        ("0.0.0.0", "fd4d::5", [4]),
        ("203.0.113.5", "fd4d::5", [4]),
        ("::", "fd4d::5", [6]),
        ("2001:db8::5", "", []),  # docker-proxy takes it to the container's address of IPv4
    ],
)
def test_which_ports_have_rules(address: str, container6: str, expected: list[int]) -> None:
    asked = Request(ports=(port(address, container6),), bridge="br-mailcow", subnet4="172.22.1.0/24")
    assert [version for version in (4, 6) if derive_wanted.ports_of(asked, version)] == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, [4]),
        ({"subnet6": "fd4d::/64"}, [4, 6]),
        ({"subnet6": "fd4d::/64", "ip6tables": False}, [4]),
        ({"subnet6": "fd4d::/64", "iptables": False}, [6]),
    ],
)
def test_for_which_versions_the_engine_has_rules(changed: dict[str, str | bool], expected: list[int]) -> None:
    asked = Request(ports=(), bridge="br-mailcow", subnet4="172.22.1.0/24", **changed)  # type: ignore[arg-type]
    assert [version for version in (4, 6) if derive_wanted.concerned(asked, version)] == expected  # type: ignore[arg-type]


def test_addresses_are_written_as_the_kernel_does() -> None:
    spelled = Port("0.0.0.0", 25, "postfix-mailcow", 25, "172.22.1.253", "FD4D:0::0005")
    assert derive_wanted.container_of(spelled, 6) == "fd4d::5"
    assert derive_wanted.address_of(spelled) == ""
    assert derive_wanted.address_of(port("203.0.113.5")) == "203.0.113.5"
    asked = Request(ports=(), bridge="br-mailcow", subnet4="172.22.1.1/24", subnet6="FD4D:0::/64")
    assert [derive_wanted.subnet_of(asked, 4), derive_wanted.subnet_of(asked, 6)] == ["172.22.1.0/24", "fd4d::/64"]
    assert [derive_wanted.host_of("172.22.1.2"), derive_wanted.host_of("fd4d::2")] == ["172.22.1.2/32", "fd4d::2/128"]
    assert [derive_wanted.target("172.22.1.2", 25), derive_wanted.target("fd4d::2", 25)] == [
        "172.22.1.2:25",
        "[fd4d::2]:25",
    ]


@pytest.mark.parametrize(("address", "expected"), [("", False), ("127.0.0.1", True), ("203.0.113.5", False)])
def test_loopback_addresses(address: str, expected: bool) -> None:
    assert derive_wanted.loopback(port(address), 4) is expected
    assert not derive_wanted.loopback(port("::1"), 6)
