"""Where the engine is: the one that is named, the host's own, or one mounted into our own container."""

from __future__ import annotations

from pathlib import Path

import pytest

from preflight.facts import Missing, View
from preflight.gather.access.roots import Roots
from preflight.gather.access.view import find_roots
from preflight.gather.engine import engine as adapter
from preflight.gather.engine.address import address
from tests.gather.fakeengine import hangs, serve
from tests.gather.replies import ID
from tests.gather.trees import out_of_reach


def live(root: Path, *, container: bool = True) -> Roots:
    view = View(container=container, root=str(root), live=True, network=True, privileged=True)
    return Roots(str(root), view)


@pytest.fixture
def sock(tmp_path: Path) -> Path:
    """Make a host with an engine's socket at the usual place, `/var/run` being a link as everywhere."""
    (tmp_path / "run").mkdir()
    (tmp_path / "var").mkdir()
    (tmp_path / "var/run").symlink_to("/run")
    with serve(tmp_path / "run", hangs):
        pass  # the socket stays
    return tmp_path / "run/docker.sock"


def test_the_usual_place_is_the_hosts(tmp_path: Path, sock: Path) -> None:
    assert adapter.locate(live(tmp_path), {}, None) == f"unix://{sock}"
    assert adapter.locate(live(tmp_path), {"DOCKER_HOST": ""}, None) == f"unix://{sock}"


def test_what_is_named_wins(tmp_path: Path, sock: Path) -> None:
    environ = {"DOCKER_HOST": "tcp://192.0.2.1:2375"}
    assert adapter.locate(live(tmp_path), environ, None) == "tcp://192.0.2.1:2375"
    assert adapter.locate(live(tmp_path), environ, "tcp://192.0.2.2") == "tcp://192.0.2.2"
    assert adapter.locate(find_roots({}, str(tmp_path)), {}, "192.0.2.3:2375") == "tcp://192.0.2.3:2375"


@pytest.mark.parametrize("scheme", ["", "unix://"])
def test_a_named_socket_is_ours_or_the_hosts(tmp_path: Path, sock: Path, scheme: str) -> None:
    assert adapter.locate(live(tmp_path), {}, f"{scheme}{sock}") == f"unix://{sock}"
    assert adapter.locate(live(tmp_path), {"DOCKER_HOST": f"{scheme}/run/docker.sock"}, None) in (
        f"unix://{sock}",
        "unix:///run/docker.sock",  # where this machine has one of its own
    )
    assert adapter.locate(live(tmp_path), {}, f"{scheme}/no/such.sock") == "unix:///no/such.sock"
    # It may be the host's, whose files are out of reach: no word that there is no engine, but how to reach them.
    assert adapter.locate(out_of_reach(), {}, f"{scheme}/no/such.sock") == out_of_reach().why
    assert adapter.locate(out_of_reach(), {"DOCKER_HOST": f"{scheme}{sock}"}, None) == f"unix://{sock}"


ADDRESSES = {
    "unix:///run/docker.sock": True, "/run/docker.sock": True, "unix://docker.sock": True, "unix://": False,
    "tcp://192.0.2.1": True, "tcp://192.0.2.1:2375": True, "tcp://192.0.2.1:2375/": True, "192.0.2.1:2375": True,
    "engine.example.org:2376": True, "tcp://[2001:db8::1]:2375": True, "tcp://[fe80::1%eth0]:2375": True,
    "[2001:db8::1]:2375": True, "tcp://": True, "http://engine:80/v1": True, "https://engine": True,
    "ssh://root@engine": True, "ssh://": False, "fd://": True, "npipe:////./pipe/docker": True, "npipe://": False,
    "foo": False, "gopher://x": False, "": False, " ": False, "://": False, "TCP://x": False, ":2375": False,
    "foo:": False, "foo:bar": False, "tcp://foo:bar": False, "tcp://foo:0": False, "tcp://foo:65536": False,
    "tcp://foo:65535": True, "tcp://[::1": False, "tcp://a:b:c": False, "tcp://2001:db8::1": False,
    "tcp://foo bar": False, "tcp://foo\nbar": False, "tcp://u:p@foo": False, "unix": False, "foo/bar": False,
}  # fmt: skip


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address_is_what_docker_takes_for_one(text: str) -> None:
    if ADDRESSES[text]:
        assert address(text).endswith(text)
        assert "://" in address(text)
        assert address(address(text)) == address(text)
    else:
        with pytest.raises(ValueError, match="not the address of an engine"):
            address(text)


@pytest.mark.parametrize("text", ["foo", "gopher://x", "tcp://[::1", "tcp://foo:99999", "\x1b[31m", "x" * 10_000])
def test_a_variable_that_holds_no_address_says_nothing_of_the_engine(tmp_path: Path, sock: Path, text: str) -> None:
    found = adapter.locate(live(tmp_path), {"DOCKER_HOST": text}, None)
    assert isinstance(found, Missing)
    assert (found.kind, "DOCKER_HOST" in found.reason, "DOCKER_HOST" in found.help) == ("unknown", True, True)


def test_a_copy_has_no_engine_but_one_that_is_named(tmp_path: Path, sock: Path) -> None:
    found = adapter.locate(find_roots({}, str(tmp_path)), {"DOCKER_HOST": f"unix://{sock}"}, None)
    assert isinstance(found, Missing)
    assert (found.kind, "--docker-host" in found.help) == ("unknown", True)


def test_a_root_that_is_given_has_not_the_engine_of_the_variable(tmp_path: Path, sock: Path) -> None:
    found = adapter.locate(live(tmp_path), {"DOCKER_HOST": f"unix://{sock}"}, None, root_given=True)
    assert isinstance(found, Missing)
    assert found.help == f"Add --docker-host unix://{tmp_path}/var/run/docker.sock."


@pytest.mark.parametrize("here", [False, True])
def test_a_socket_mounted_into_our_container(
    tmp_path: Path, sock: Path, monkeypatch: pytest.MonkeyPatch, here: bool
) -> None:
    mounted = tmp_path / "mounted.sock"
    if here:
        sock.rename(mounted)
    monkeypatch.setattr(adapter, "SOCKET", str(mounted))
    expected = f"unix://{mounted}" if here else f"unix://{tmp_path}{mounted}"
    assert adapter.locate(live(tmp_path), {}, None) == expected
    unreached = adapter.locate(out_of_reach(), {}, None)
    assert unreached == (f"unix://{mounted}" if here else out_of_reach().why)
    assert adapter.locate(live(tmp_path, container=False), {}, None) == f"unix://{tmp_path}{mounted}"


# --- our own container ---------------------------------------------------------------------------------------

CONTAINERS = "/var/lib/docker/containers"


@pytest.mark.parametrize(
    "captured",
    [
        f"660 650 8:1 {CONTAINERS}/{ID}/hostname /etc/hostname rw,relatime - ext4 /dev/sda1 rw",
        f"661 650 0:25 /docker/containers/{ID}/resolv.conf /etc/resolv.conf rw - btrfs /dev/sda1 rw,subvol=/docker",
        f"662 650 0:24 /containers/overlay-containers/{ID}/userdata/hosts /etc/hosts rw - tmpfs tmpfs rw",
        f"12:pids:/user.slice\n0::/system.slice/docker-{ID}.scope",
        f"11:memory:/docker/{ID}",
        f"0::/machine.slice/libpod-{ID}.scope",
    ],
)
def test_our_own_container_in_what_the_kernel_says(captured: str) -> None:
    assert adapter.parse_own(f"1 0 8:1 / / rw\n{captured}\n") == ID


@pytest.mark.parametrize("captured", ["", "0::/", f"0::/x/{ID}", f"1:x:/docker/{ID[:12]}", f"/mnt/{ID}/hostname "])
def test_what_says_nothing_of_a_container(captured: str) -> None:
    assert adapter.parse_own(captured) is None


def test_on_the_host_we_are_in_no_container() -> None:
    assert adapter.own_container(find_roots({})) is None
