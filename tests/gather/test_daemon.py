"""The engine's settings: daemon.json of any shape, the arguments of the right daemon, and which of the two count."""

from __future__ import annotations

import json
import os
import shlex
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import DaemonConfig, Engine, JsonFault, View
from preflight.gather.access.roots import FILE_BYTES, Roots
from preflight.gather.engine.daemon import PATH, SNAP, daemon_config
from preflight.gather.engine.dockerd import fits
from preflight.gather.engine.settings import KEYS, as_arguments, parse_arguments, parse_daemon_json
from tests.gather.dockerd import JSON
from tests.gather.trees import copy, out_of_reach, write

USUAL = ("-H", "fd://", "--containerd=/run/containerd/containerd.sock")
DEFAULT = "unix:///var/run/docker.sock"


def engine(**said: Any) -> Engine:
    return Engine(version="28.5.2", api_version="1.51", **({"root_dir": "/var/lib/docker"} | said))


def start(root: Path, pid: int, *words: str, name: str = "dockerd", uid: int = 0, inside: str | None = None) -> None:
    """Let a process run on a host below a root; `inside`: its own root, where that is another."""
    write(root, f"/proc/{pid}/comm", f"{name}\n")
    write(root, f"/proc/{pid}/cmdline", "\0".join(["/usr/bin/dockerd", *words, ""]))
    write(root, f"/proc/{pid}/status", f"Name:\t{name}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n")
    (root / f"proc/{pid}/root").symlink_to(inside or root)


def live(root: Path) -> Roots:
    return Roots(str(root), View(container=True, root=str(root), live=True, network=True, privileged=True))


# --- the file ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("{}", {}),
        ('{"iptables": false, "ipv6": true}', {"iptables": False, "ipv6": True}),
        ('\ufeff{"mtu": 1400}\n', {"mtu": 1400}),
        ('{"iptables": false, "iptables": true}', {"iptables": True}),
        ('{"hosts": ["fd://", "tcp://0.0.0.0:2375"]}', {"hosts": ["fd://", "tcp://0.0.0.0:2375"]}),
        ('{"firewall-backend": "nftables"}', {"firewall-backend": "nftables"}),
        ('{"default-address-pools": [{"base": "10.0.0.0/8", "size": 24}]}',
         {"default-address-pools": ["base=10.0.0.0/8,size=24"]}),
        ('{"features": {"containerd-snapshotter": true}}', {"features": ["containerd-snapshotter=true"]}),
        ('{"default-network-opts": {"bridge": {"com.docker.network.driver.mtu": "1450", "x": "secret"}, "nat": {}}}',
         {"default-network-opts": ["bridge=com.docker.network.driver.mtu=1450"]}),
        ('{"iptables": null, "dns": []}', {"dns": []}),
        ('{"log-opts": {"token": "secret"}, "proxies": {"http-proxy": "http://u:p@x"}, "a": [[[]]]}', {}),
    ],
)  # fmt: skip
def test_settings_that_matter_are_kept(text: str, settings: dict[str, Any]) -> None:
    assert parse_daemon_json(text.encode()) == (settings, None)


@pytest.mark.parametrize(
    "text",
    [
        '"iptables": "false"', '"iptables": 0', '"mtu": "1400"', '"mtu": 1400.0', '"mtu": true', '"mtu": 1e999',
        '"mtu": 99999999999999999999', '"hosts": "fd://"', '"hosts": {"a": 1}', '"dns": [1]', '"dns": [["1.1.1.1"]]',
        '"default-network-opts": {"bridge": {"com.docker.network.driver.mtu": 1450}}', '"default-network-opts": []',
        '"default-network-opts": {"bridge": "x"}',
        '"features": ["a=true"]', '"data-root": ["/srv"]', '"bip": 7',
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_kind_is_kept_as_none(text: str) -> None:
    settings, fault = parse_daemon_json(f"{{{text}}}".encode())
    assert (list(settings.values()), fault) == ([None], None)


@pytest.mark.parametrize(
    ("data", "kind", "line"),
    [
        (b"", "empty", 0), (b" \n\t", "empty", 0), (b"\xef\xbb\xbf", "empty", 0), (b"{", "syntax", 1),
        (b'{"iptables": false,}', "last-comma", 1), (b'{\n  "a": 1,\n\n}', "last-comma", 2),
        (b'{\n  "a": [1\n,]}', "last-comma", 3),
        (b'{\n  "a": 1\n  "b": 2\n}', "comma", 2), (b"# comment\n{}", "comment", 1),
        (b'{"a": 1,\n// b\n}', "comment", 2), (b'{"a": 1} {"b": 2}', "syntax", 1), (b"{'a': 1}", "quotes", 1),
        (b'{"a": "\xff"}', "encoding", 0), ('{"a": 1}'.encode("utf-16"), "encoding", 0), (b"\0" * 100, "syntax", 1),
        (b"[]", "object", 0), (b"null", "object", 0), (b'"x"', "object", 0),
        (b'{"mtu": NaN}', "json", 0), (b'{"mtu": ' + b"9" * 5000 + b"}", "json", 0),
        (b"[" * 200_000, "json", 0), (b'{"a":' * 100_000, "json", 0), (b'{"a": \n"x\ny"}', "syntax", 2),
        (b"<html></html>", "syntax", 1),
    ],
)  # fmt: skip
def test_files_that_the_engine_or_the_installer_stops_at(data: bytes, kind: str, line: int) -> None:
    settings, fault = parse_daemon_json(data)
    assert fault is not None
    assert (settings, fault.kind, fault.line) == ({}, kind, line)
    assert bool(fault.detail) == (kind == "syntax")  # the parser's own words, where there are no better ones


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, JSON)) | JSON)
def test_whatever_the_file_holds_becomes_a_fact_that_can_be_written_and_read(document: Any) -> None:
    settings, fault = parse_daemon_json(json.dumps(document).encode())
    fact = DaemonConfig(PATH, True, settings, as_arguments(settings), fault)
    assert msgspec.json.decode(msgspec.json.encode(fact), type=DaemonConfig) == fact


@given(st.binary() | st.text().map(str.encode))
def test_what_is_no_json_is_an_error_in_a_line(data: bytes) -> None:
    settings, fault = parse_daemon_json(data)
    assert fault is None or (fault.detail.isprintable() and fault.line <= data.count(b"\n") + 1)
    assert not (settings and fault)


# --- arguments -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "settings", "config"),
    [
        (USUAL, {"hosts": ["fd://"]}, ""),
        (("-H=unix:///a", "--host", "tcp://b", "-Hfd://"), {"hosts": ["unix:///a", "tcp://b", "fd://"]}, ""),
        (("--iptables=false", "--ip6tables=TRUE", "--ipv6"), {"iptables": False, "ip6tables": True, "ipv6": True}, ""),
        (("--iptables", "false"), {"iptables": True}, ""),  # a switch takes no word after it
        (("--mtu=1400", "--mtu", "1450"), {"mtu": 1450}, ""), (("--mtu=x",), {"mtu": "x"}, ""),
        (("-g", "/srv", "-s", "vfs", "-b=none"), {"data-root": "/srv", "storage-driver": "vfs", "bridge": "none"}, ""),
        (("--default-address-pool", "base=10.0.0.0/8,size=24"),
         {"default-address-pools": ["base=10.0.0.0/8,size=24"]}, ""),
        (("--default-network-opt", "bridge=com.docker.network.driver.mtu=1450"),
         {"default-network-opts": ["bridge=com.docker.network.driver.mtu=1450"]}, ""),
        (("--feature=a=true", "--feature=b"), {"features": ["a=true", "b"]}, ""),
        (("--config-file", "/srv/daemon.json"), {}, "/srv/daemon.json"), (("--config-file=/x",), {}, "/x"),
        (("--host",), {"hosts": [""]}, ""), (("--unknown=1", "-D", "", "--", "word"), {}, ""), ((), {}, ""),
    ],
)  # fmt: skip
def test_arguments(words: tuple[str, ...], settings: dict[str, Any], config: str) -> None:
    assert parse_arguments(words) == (settings, config)


@given(
    st.lists(st.sampled_from(["--host", "-H", "--mtu", "--iptables", "--dns=x", "-b=", "--config-file"]) | st.text())
)
def test_any_arguments_can_be_read_and_shown(words: list[str]) -> None:
    settings, _ = parse_arguments(tuple(words))
    assert all(word.startswith("--") for word in as_arguments(settings))


def test_settings_are_shown_as_arguments() -> None:
    settings, _ = parse_arguments(("-H", "fd://", "-H", "tcp://x y", "--iptables=0", "--mtu=1400"))
    assert as_arguments(settings) == ("--hosts=fd://", "--hosts=tcp://x y", "--iptables=false", "--mtu=1400")


@pytest.mark.parametrize(
    ("words", "root", "url", "answer"),
    [
        (USUAL, "/var/lib/docker", DEFAULT, True), (USUAL, "/var/lib/docker", "unix:///run/docker.sock", True),
        ((), "", "unix:///proc/1/root/run/docker.sock", True), ((), "", "", True), ((), "", "tcp://192.0.2.1", True),
        (("-H=unix:///srv/d.sock",), "", "unix:///srv/d.sock", True), (("-H=unix:///srv/d.sock",), "", DEFAULT, False),
        (("-H", "unix:///var/run/docker.sock"), "", "unix:///run/docker.sock", True),
        (USUAL, "", "unix:///srv/d.sock", False), (("-H", "tcp://x", *USUAL), "", DEFAULT, True),
        (("--data-root=/srv/docker/",), "/srv/docker", "", True), (("--data-root=/srv",), "/srv2", "", False),
        (("--data-root=/",), "/srv2", "", True),
        (("--data-root=/srv/docker",), "/srv/docker/100000.100000", "", True),  # with userns-remap
    ],
)  # fmt: skip
def test_which_daemon_answers_there(words: tuple[str, ...], root: str, url: str, answer: bool) -> None:
    assert fits(words, engine(root_dir=root), url) is answer
    assert fits(words, None, url) is (answer or root == "/srv2")


# --- both, on a host -----------------------------------------------------------------------------------------


def test_without_file_and_daemon_there_are_no_settings(tmp_path: Path) -> None:
    nothing = DaemonConfig(PATH, False, {})
    assert daemon_config(live(tmp_path)).get() == nothing
    assert daemon_config(copy(tmp_path), engine(), DEFAULT).get() == nothing


def test_a_setting_stands_in_the_file_or_among_the_arguments(tmp_path: Path) -> None:
    write(tmp_path, PATH, '{"mtu": 1400}')
    start(tmp_path, 812, *USUAL, "--iptables=false")
    found = daemon_config(live(tmp_path), engine(), DEFAULT).get()
    assert (found.path, found.present, found.fault) == (PATH, True, None)
    assert found.settings == {"mtu": 1400, "hosts": ["fd://"], "iptables": False}
    assert found.arguments == ("--hosts=fd://", "--iptables=false")


def test_a_copy_has_a_file_but_no_daemon(tmp_path: Path) -> None:
    start(tmp_path, 812, "--iptables=false")
    write(tmp_path, PATH, '{"mtu": 1400}')
    assert daemon_config(copy(tmp_path)).get().settings == {"mtu": 1400}


@pytest.mark.parametrize(
    ("config", "said", "words", "path"),
    [
        (PATH, {}, USUAL, PATH),
        (SNAP, {"root_dir": "/var/snap/docker/common/var-lib-docker"}, (), SNAP),
        ("/srv/d.json", {}, (*USUAL, "--config-file=/srv/d.json"), "/srv/d.json"),
    ],
)  # fmt: skip
def test_where_the_file_lies(
    tmp_path: Path, config: str, said: dict[str, Any], words: tuple[str, ...], path: str
) -> None:
    write(tmp_path, config, '{"mtu": 1400}')
    start(tmp_path, 812, *words)
    found = daemon_config(live(tmp_path), engine(**said), DEFAULT)
    assert (found.source, found.get().path, found.get().settings["mtu"]) == (path, path, 1400)


def test_a_rootless_engine_has_its_settings_elsewhere(tmp_path: Path) -> None:
    write(tmp_path, PATH, "{}")
    fact = daemon_config(live(tmp_path), engine(security_options=("name=seccomp,profile=builtin", "name=rootless")))
    assert fact.missing is not None
    assert (fact.missing.kind, "rootless" in fact.missing.reason) == ("unknown", True)


def test_the_daemon_is_that_of_the_engine_that_answers(tmp_path: Path) -> None:
    start(tmp_path, 90, "--iptables=false", "-H", "unix:///srv/d.sock", "--data-root=/srv/docker")
    start(tmp_path, 91, *USUAL, "--mtu=1400")
    start(tmp_path, 92, *USUAL, "--mtu=1300")
    second = "unix:///srv/d.sock"
    assert daemon_config(live(tmp_path), engine(), DEFAULT).get().settings["mtu"] == 1400
    assert "iptables" in daemon_config(live(tmp_path), engine(root_dir="/srv/docker"), second).get().settings
    write(tmp_path, "/var/run/docker.pid", "92")
    assert daemon_config(live(tmp_path), engine(), DEFAULT).get().settings["mtu"] == 1300


@pytest.mark.parametrize("pid", ["", "x", "٩٢", "1", "../../92", "9" * 20, "93"])
def test_a_file_that_names_no_daemon_is_not_believed(tmp_path: Path, pid: str) -> None:
    start(tmp_path, 92, *USUAL, "--mtu=1400")
    start(tmp_path, 93, "--iptables=false", name="sleep")
    write(tmp_path, "/var/run/docker.pid", pid)
    assert daemon_config(live(tmp_path), engine(), DEFAULT).get().settings["mtu"] == 1400


def test_where_nobody_listens_no_process_is_searched_for(tmp_path: Path) -> None:
    start(tmp_path, 92, *USUAL, "--mtu=1400")
    nobody = daemon_config(live(tmp_path), None, DEFAULT, listening=False).get()
    assert (nobody.settings, daemon_config(live(tmp_path), None, DEFAULT).get().settings["mtu"]) == ({}, 1400)
    write(tmp_path, "/var/run/docker.pid", "92")  # its socket was removed, it runs
    assert daemon_config(live(tmp_path), None, DEFAULT, listening=False).get().settings["mtu"] == 1400


@pytest.mark.parametrize(
    "group",
    [
        "/sys/fs/cgroup/system.slice/docker.service", "/sys/fs/cgroup/systemd/system.slice/docker.service",
        "/sys/fs/cgroup/unified/system.slice/snap.docker.dockerd.service",
    ],
)  # fmt: skip
def test_the_daemon_is_among_the_processes_of_its_unit(tmp_path: Path, group: str) -> None:
    start(tmp_path, 91, *USUAL, "--mtu=1300")
    start(tmp_path, 92, *USUAL, "--mtu=1400")
    start(tmp_path, 93, name="docker-proxy")
    write(tmp_path, f"{group}/cgroup.procs", "93\n94\n92\n")
    assert daemon_config(live(tmp_path), None, DEFAULT).get().settings["mtu"] == 1400


def test_the_daemon_is_who_listens_at_the_socket(tmp_path: Path) -> None:
    start(tmp_path, 7, "-H", f"unix://{tmp_path}/d.sock", "--mtu=1300")
    start(tmp_path, os.getpid(), "-H", f"unix://{tmp_path}/d.sock", "--mtu=1400")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{tmp_path}/d.sock")
        listener.listen()
        found = daemon_config(live(tmp_path), None, f"unix://{tmp_path}/d.sock", listening=False)
        assert found.get().settings["mtu"] == 1400


@pytest.mark.parametrize("other", [{"uid": 1000}, {"name": "dockerd-x"}, {"inside": "/"}])
def test_daemons_of_users_and_of_containers_are_not_the_hosts(tmp_path: Path, other: dict[str, Any]) -> None:
    start(tmp_path, 812, *USUAL, "--iptables=false", **other)
    assert daemon_config(live(tmp_path), engine(), DEFAULT).get().settings == {}


def test_of_an_engine_elsewhere_nothing_is_known(tmp_path: Path) -> None:
    write(tmp_path, PATH, '{"iptables": false}')
    start(tmp_path, 812, *USUAL)
    fact = daemon_config(live(tmp_path), engine(), "unix:///srv/d.sock")
    assert fact.missing is not None
    assert (fact.missing.kind, "unix:///srv/d.sock" in fact.missing.reason) == ("unknown", True)
    (tmp_path / "proc/812/comm").unlink()
    assert daemon_config(live(tmp_path), engine(), "tcp://192.0.2.1:2375").missing is not None


def test_out_of_reach_is_unknown() -> None:
    assert daemon_config(out_of_reach()).missing == out_of_reach().why


def test_what_cannot_be_read_is_unknown_and_never_a_default(tmp_path: Path) -> None:
    for name in ("pipe", "circle"):
        root = tmp_path / name
        write(root, "/etc/docker/key.json", "")
        path = root / PATH.lstrip("/")
        if name == "pipe":
            os.mkfifo(path)
        else:
            path.symlink_to("daemon.json")
        fact = daemon_config(copy(root))
        assert fact.missing is not None
        assert (fact.missing.kind, fact.missing.commands) == ("unknown", (f"ls -l {PATH}",))


def test_a_directory_is_a_file_that_the_engine_stops_at(tmp_path: Path) -> None:
    (tmp_path / PATH.lstrip("/")).mkdir(parents=True)
    found = daemon_config(copy(tmp_path)).get()
    assert (found.present, found.directory, found.fault) == (True, True, JsonFault("directory"))


def test_a_huge_file_is_not_called_broken(tmp_path: Path) -> None:
    write(tmp_path, PATH, '{"iptables": true' + " " * FILE_BYTES + "}")
    fact = daemon_config(copy(tmp_path))
    assert (fact.known, fact.missing and "larger than 1 MiB" in fact.missing.reason) == (False, True)
    write(tmp_path, PATH, '{"iptables": true' + " " * (FILE_BYTES // 2) + "}")
    assert daemon_config(copy(tmp_path)).get().settings == {"iptables": True}


def test_a_path_of_hostile_shape_stays_one_word_of_a_command(tmp_path: Path) -> None:
    path = "/srv/$(reboot); reboot"
    (tmp_path / "srv").mkdir()
    os.mkfifo(tmp_path / path.lstrip("/"))
    start(tmp_path, 812, f"--config-file={path}")
    fact = daemon_config(live(tmp_path), engine(), DEFAULT)
    assert fact.missing is not None
    assert shlex.split(fact.missing.commands[0]) == ["ls", "-l", path]
