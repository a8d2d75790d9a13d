"""Policies of IPsec, as the kernel has them: which of them hold up packets between addresses."""

from __future__ import annotations

import errno
import socket
import subprocess
from collections.abc import Callable

import pytest

from preflight.twin import copies, policies
from preflight.twin.policies import XFRM, Policy, meet, parse
from preflight.twin.request import Request
from preflight.twin.spaces import Space
from preflight.twin.wire import Refused, Wire

REQUEST = Request(ports=(), bridge="br-mailcow", subnet4="172.22.1.0/24")
TUNNEL = "tmpl proto esp mode tunnel"
ALL4, ALL6 = (bytes(4), 0), (bytes(16), 0)
OWN = (bytes((172, 22, 1, 0)), 24)


def given(space: Space, *lines: str) -> tuple[Policy, ...]:
    """Return what is read where `ip xfrm policy add` was given these lines."""
    with space.entered():
        for line in lines:
            subprocess.run(["ip", "xfrm", "policy", "add", *line.split()], check=True)
        return copies.read(REQUEST).policies


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (f"src 0.0.0.0/0 dst 172.22.1.0/24 dir fwd {TUNNEL}", Policy(ALL4, OWN)),
        ("src 0.0.0.0/0 dst 172.22.1.0/24 dir in action block", Policy(ALL4, OWN)),
        (f"src 172.22.1.0/24 dst 0.0.0.0/0 dir out {TUNNEL}", Policy(OWN, ALL4)),
        (f"src ::/0 dst ::/0 dir fwd {TUNNEL}", Policy(ALL6, ALL6)),
        ("src 0.0.0.0/0 dst 172.22.1.0/24 dir fwd action allow", None),
        (f"src 0.0.0.0/0 dst 0.0.0.0/0 dir fwd if_id 5 {TUNNEL}", None),
    ],
)
def test_policies_that_hold_packets_up_are_read(
    namespaces: Callable[[], Space], line: str, found: Policy | None
) -> None:
    try:
        assert given(namespaces(), line) == ((found,) if found else ())
    except subprocess.CalledProcessError:
        pytest.skip("no xfrm here")


def test_where_there_are_none_none_are_read(namespaces: Callable[[], Space]) -> None:
    assert given(namespaces()) == ()


def test_those_of_sockets_and_what_is_cut_short_are_none() -> None:
    body = bytearray(168)
    body[161] = 1
    assert parse(bytes(body)) is not None
    body[160] = 3
    assert parse(bytes(body)) is None
    assert parse(bytes(167)) is None


@pytest.mark.parametrize(
    ("policy", "met"),
    [
        (Policy(ALL4, OWN), True),
        (Policy(OWN, ALL4), True),
        (Policy(ALL4, (bytes((172, 22, 1, 253)), 32)), True),
        (Policy((bytes((10, 0, 0, 0)), 8), OWN), False),
        (Policy(OWN, (bytes((10, 0, 0, 0)), 8)), False),
        (Policy(ALL6, ALL6), False),
    ],
)
def test_whose_packets_a_policy_is_about(policy: Policy, met: bool) -> None:
    assert meet([policy], ("84.0.0.1", "172.22.1.253")) is met
    assert not meet([], ("84.0.0.1", "172.22.1.253"))


def test_what_is_not_loaded_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "Wire", lambda _: pytest.fail("asked"))
    assert (
        copies.read(Request(ports=(), bridge="b", subnet4="172.22.1.0/24", modules=("ip_set_hash_ip",))).policies == ()
    )


@pytest.mark.parametrize(("code", "known"), [(errno.EPROTONOSUPPORT, True), (errno.EPERM, False)])
def test_a_kernel_without_them_has_none(monkeypatch: pytest.MonkeyPatch, code: int, known: bool) -> None:
    def opened(_: int) -> Wire:
        raise OSError(code, "no")

    monkeypatch.setattr(copies, "Wire", opened)
    asked = Request(ports=(), bridge="b", subnet4="172.22.1.0/24", modules=(policies.MODULE,))
    if known:
        assert copies.read(asked).policies == ()
    else:
        with pytest.raises(OSError, match="no"):
            copies.read(asked)


def test_a_refusal_is_a_kernel_without() -> None:
    class Refusing:
        def dump(self, *_: object) -> None:
            raise Refused(errno.EINVAL, "no")

    assert policies.read(Refusing()) == ()  # type: ignore[arg-type]  # of a wire only this
    assert XFRM == socket.NETLINK_XFRM if hasattr(socket, "NETLINK_XFRM") else XFRM == 6
