"""Processes of the host: found by name, described, and placed in units and containers."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import Parent
from preflight.gather.access.roots import Roots
from preflight.gather.access.view import find_roots
from preflight.gather.sockets import processes
from preflight.gather.sockets.processes import (
    Running,
    describe,
    parent_of,
    place,
    program,
    running_processes,
    runtime,
    user,
)
from tests.gather.procs import ID, live, start
from tests.gather.trees import copy, out_of_reach, write


def any_name(_: str) -> bool:
    return True


def seen(roots: Roots) -> dict[int, Running]:
    return {process.pid: process for process in running_processes(roots, any_name).get() if process.pid != 1}


# --- unit and container --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cgroup", "unit", "container"),
    [
        ("0::/system.slice/exim4.service", "exim4.service", None),
        ("0::/../exim4.service", "exim4.service", None),
        (r"0::/system.slice/system-postfix.slice/postfix@-.service", "postfix@-.service", None),
        (r"0::/system.slice/my\x2dmail.service/sub", r"my\x2dmail.service", None),
        ("12:pids:/system.slice/a.service\n1:name=systemd:/system.slice/b.service\n0::/", "b.service", None),
        ("12:pids:/system.slice/a.service", None, None),
        ("0::/init.scope", None, None),
        ("0::/user.slice/user-1000.slice/session-3.scope", None, None),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/caddy.service", None, None),
        ("0::/openrc.nginx", "nginx", None),
        ("0::/openrc/nginx/sub", "nginx", None),
        ("3:cpu:/x\n1:name=openrc:/dovecot", "dovecot", None),
        (f"0::/system.slice/docker-{ID}.scope", None, ID),
        (f"0::/../docker-{ID}.scope", None, ID),
        (f"4:memory:/docker/{ID}\n1:name=systemd:/docker/{ID}\n0::/", None, ID),
        (f"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope", None, ID),
        (f"0::/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:{ID}", "containerd.service", ID),
        (f"0::/machine.slice/libpod-{ID}.scope/container", None, ID),
        (f"0::/machine.slice/libpod-conmon-{ID}.scope", None, None),
        (f"0::/docker/{'f' * 64}/docker/{ID}", None, ID),
        (f"0::/docker/{'f' * 64}/system.slice/exim4.service", "exim4.service", "f" * 64),
        ("0::/docker/buildkit/0123456789abcdefghijklmno", None, "0123456789abcdefghijklmno"),
        ("0::/lxc.payload.web/system.slice/nginx.service", "nginx.service", "web"),
        ("0::/lxc/web", None, "web"),
        ("0::/machine.slice/systemd-nspawn@web.service/payload/init.scope", "systemd-nspawn@web.service", "web"),
        (f"0::/system.slice/docker-{ID[:-1]}.scope", None, None),
        (f"0::/system.slice/docker-{ID}0.scope", None, None),
        ("", None, None),
        ("0::", None, None),
        ("no cgroup at all", None, None),
        ("0::/system.slice/$(reboot).service", None, None),
        ("0::/system.slice/\x1b[31m.service", None, None),
    ],
)
def test_where_a_process_belongs(cgroup: str, unit: str | None, container: str | None) -> None:
    assert place(cgroup) == (unit, container)


@given(st.text(max_size=300) | st.text(alphabet="0:/\n=.-@servicdokplxn", max_size=300))
def test_no_cgroup_breaks_it(cgroup: str) -> None:
    for text in (cgroup, f"0::/{cgroup}", f"1:name=openrc:/{cgroup}"):
        unit, container = place(text)
        assert all(part is None or part in text for part in (unit, container))


# --- found by name -------------------------------------------------------------------------------------------


def test_processes_are_found_by_their_names(tmp_path: Path) -> None:
    roots = live(tmp_path)
    start(tmp_path, 90, "nginx", "nginx: worker process", cgroup="0::/system.slice/nginx.service")
    start(tmp_path, 812, "exim4", "/usr/sbin/exim4", "-bd", "-q30m", cgroup="0::/system.slice/exim4.service")
    start(tmp_path, 813, "bash", "-bash")
    found = running_processes(roots, {"exim4", "nginx"}.__contains__).get()
    assert found == (
        Running(90, "nginx", "nginx: worker process", "nginx.service"),
        Running(812, "exim4", "/usr/sbin/exim4 -bd -q30m", "exim4.service"),
    )


@pytest.mark.parametrize(
    ("cgroup", "ns"),
    [
        (f"0::/system.slice/docker-{ID}.scope", "7"),  # docker run --pid=host
        ("0::/system.slice/docker.service/unheard-of", "7 1"),
        ("0::/lxc.payload.web/system.slice/nginx.service", "7 300"),
        ("0::/machine.slice/systemd-nspawn@web.service/payload/system.slice/nginx.service", "7"),
        ("0::/system.slice/nginx.service", "7 2 1"),
    ],
)
def test_processes_in_containers_do_not_count(tmp_path: Path, cgroup: str, ns: str) -> None:
    roots = live(tmp_path)
    start(tmp_path, 7, "nginx", "nginx: master process", cgroup=cgroup, ns=ns)
    start(tmp_path, 8, "nginx", "nginx: master process", cgroup="0::/")
    assert set(seen(roots)) == {8}


def test_on_a_host_that_is_a_container_itself_its_processes_count(tmp_path: Path) -> None:
    roots = live(tmp_path)
    write(tmp_path, "/proc/1/cgroup", f"0::/docker/{ID}\n")
    start(tmp_path, 7, "nginx", "nginx: master process", cgroup=f"0::/docker/{ID}/system.slice/nginx.service")
    start(tmp_path, 8, "nginx", "nginx: master process", cgroup=f"0::/docker/{ID}/docker/{'e' * 64}")
    assert {pid: process.unit for pid, process in seen(roots).items()} == {7: "nginx.service"}


@pytest.mark.parametrize(
    ("name", "unit", "expected"),
    [
        ("exim4", "ssh.service", None), ("exim4", "cron.service", None), ("exim4", "getty@tty1.service", None),
        ("exim4", "sshd@3-192.0.2.1:22-192.0.2.2:99.service", None), ("exim4", "rc-local.service", None),
        ("sshd", "ssh.service", "ssh.service"), ("cron", "cron.service", "cron.service"),
        ("exim4", "sshguard.service", "sshguard.service"), ("exim4", "atdaemon.service", "atdaemon.service"),
    ],
)  # fmt: skip
def test_what_a_login_or_cron_started_is_not_its_unit_s(
    tmp_path: Path, name: str, unit: str, expected: str | None
) -> None:
    roots = live(tmp_path)
    start(tmp_path, 7, name, name, cgroup=f"0::/system.slice/{unit}")
    assert seen(roots)[7].unit == expected


@pytest.mark.parametrize(
    "name",
    ["(exim4)", "[kworker/0:1]", "exim4\nexim4", "exim4\n", "\x1b[31mexim4\x1b[0m", " exim4", "exim4) S 1 (x", "", "é"],
)
def test_a_name_that_only_looks_alike_is_another(tmp_path: Path, name: str) -> None:
    roots = live(tmp_path)
    start(tmp_path, 7, name, "/usr/sbin/exim4", "-bd")
    assert running_processes(roots, "exim4".__eq__).get() == ()
    assert seen(roots)[7].name == name


def test_bytes_that_are_no_text_stay_readable(tmp_path: Path) -> None:
    roots = live(tmp_path)
    start(tmp_path, 7, b"\xff\xfe\x80", "x")
    assert seen(roots)[7].name == "\ufffd" * 3


def test_kernel_threads_zombies_and_the_departed_do_not_count(tmp_path: Path) -> None:
    roots = live(tmp_path)
    start(tmp_path, 7, "nginx")
    start(tmp_path, 8, "nginx", "nginx: master process")
    (tmp_path / "proc/8/cgroup").unlink()
    (tmp_path / "proc/9").mkdir()
    (tmp_path / "proc/self").symlink_to("8")
    start(tmp_path, 10, "nginx", *["x" * 1000] * 100)
    found = seen(roots)
    assert set(found) == {10}
    assert len(found[10].command) == 4096


@pytest.mark.parametrize("file", ["comm", "cmdline", "cgroup", "status"])
def test_one_process_that_is_hidden_means_that_others_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    roots = live(tmp_path)
    start(tmp_path, 7, "nginx", "nginx: master process")
    if file == "comm":
        deny_open(monkeypatch, "/proc/7/comm")
    else:
        deny_os_open(monkeypatch, f"/proc/7/{file}")
    fact = running_processes(roots, any_name)
    assert fact.missing
    assert "hidden: Permission denied." in fact.missing.reason


def deny_open(monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    real = open

    def refuse(path: str, *more: object, **named: object) -> object:
        if str(path).endswith(ending):
            raise PermissionError(13, "Permission denied")
        return real(path, *more, **named)  # type: ignore[call-overload]  # as it was called

    monkeypatch.setattr(processes, "open", refuse, raising=False)


def deny_os_open(monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    real = os.open

    def refuse(path: str, flags: int) -> int:
        if path.endswith(ending):
            raise PermissionError(13, "Permission denied")
        return real(path, flags)

    monkeypatch.setattr(os, "open", refuse)


def test_hidepid_shows_in_the_first_process(tmp_path: Path) -> None:
    """Where /proc hides other users' processes, PID 1 is among them."""
    roots = live(tmp_path)
    start(tmp_path, 7, "nginx", "nginx: master process")
    (tmp_path / "proc/1/comm").unlink()
    fact = running_processes(roots, any_name)
    assert fact.missing
    assert "Other users' processes are hidden" in fact.missing.reason
    assert fact.missing.help == "Run the check as root."


def test_a_copy_and_a_root_out_of_reach_have_no_processes(tmp_path: Path) -> None:
    start(tmp_path, 1, "nginx", "nginx")
    assert not running_processes(find_roots({}, str(tmp_path)), any_name).known
    fact = running_processes(out_of_reach(), any_name)
    assert fact.missing
    assert "--pid=host" in fact.missing.help


def test_this_process_is_found_on_the_machine_it_runs_on() -> None:
    own, first = (place(Path(f"/proc/{pid}/cgroup").read_text())[1] for pid in ("self", "1"))
    if own not in (None, first):
        pytest.skip("this test runs in a container of the machine whose processes it sees")
    fact = running_processes(find_roots({}), Path("/proc/self/comm").read_text().rstrip("\n").__eq__)
    assert os.getpid() in {process.pid for process in fact.get()}


# --- described -----------------------------------------------------------------------------------------------


@pytest.fixture
def host(tmp_path: Path) -> Roots:
    write(tmp_path, "/etc/passwd", "root:x:0:0::/root:/bin/sh\nDebian-exim:x:104:110::/var/spool/exim4:/bin/false\n")
    return live(tmp_path)


def test_a_described_process(host: Roots, tmp_path: Path) -> None:
    start(tmp_path, 812, "exim4", "/usr/sbin/exim4", "-bd", "", "", cgroup="0::/system.slice/exim4.service")
    found = describe(host, 812)
    assert found is not None
    assert (found.name, found.user, found.unit, found.container) == ("exim4", "Debian-exim", "exim4.service", None)
    assert (found.command, found.parent, found.binary) == (("/usr/sbin/exim4", "-bd"), 1, None)
    (tmp_path / "proc/812/exe").symlink_to("/usr/sbin/exim4 (deleted)")
    again = describe(host, 812)
    assert again is not None
    assert again.binary == "/usr/sbin/exim4"


def test_a_described_process_whose_name_is_no_text(host: Roots, tmp_path: Path) -> None:
    start(tmp_path, 812, b"\xff\xfe) S 9", "x")
    found = describe(host, 812)
    assert found is not None
    assert (found.name, found.parent) == ("\ufffd\ufffd) S 9", 1)


def test_a_long_command_line_is_cut(host: Roots, tmp_path: Path) -> None:
    start(tmp_path, 812, "java", "java", "-cp", "x" * 5000, "Main")
    found = describe(host, 812)
    assert found is not None
    assert [len(word) for word in found.command] == [4, 3, processes.COMMAND - 9]


def test_a_name_that_the_kernel_has_cut(host: Roots, tmp_path: Path) -> None:
    start(tmp_path, 812, "systemd-resolve", "/usr/lib/systemd/systemd-resolved")
    start(tmp_path, 813, "systemd-resolve", "/usr/lib/systemd/other")
    assert [made.name for made in (describe(host, 812), describe(host, 813)) if made] == [
        "systemd-resolved", "systemd-resolve",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "command", "found"),
    [
        ("/usr/sbin/nginx", ("nginx: master process",), "/usr/sbin/nginx"),
        ("/usr/bin/python3.11", ("/usr/bin/python3", "-u", "/usr/sbin/mailman", "/etc/x"), "/usr/sbin/mailman"),
        ("/usr/bin/perl", ("perl", "postgrey.pl"), None),
        ("/usr/bin/perl", ("/usr/sbin/postgrey --inet=25",), None),  # wrote a title over its arguments
        ("/usr/sbin/php-fpm8.2", ("php-fpm: master process",), "/usr/sbin/php-fpm8.2"),
        ("/bin/busybox", (), None),
        ("/bin/dash", ("sh", "/opt/a\nb"), None),
        ("(unreachable)/x", ("/x",), None),
    ],
)
def test_the_program_of_a_process(path: str, command: tuple[str, ...], found: str | None) -> None:
    assert program(path, command) == found


def test_a_described_process_in_a_container(host: Roots, tmp_path: Path) -> None:
    start(tmp_path, 812, "nginx", "nginx", cgroup=f"0::/system.slice/docker-{ID}.scope", ns="812 1", uid=999)
    found = describe(host, 812)
    assert found is not None
    assert (found.user, found.unit, found.container, found.runtime) == ("999", None, ID, "docker")


@pytest.mark.parametrize(
    ("cgroup", "kind"),
    [
        (f"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope/container", "podman"),
        (f"0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-{ID}.scope", "kubernetes"),
        (f"0::/kubepods/besteffort/pod1/{ID}", "kubernetes"),
        (f"0::/docker/{ID}", "docker"), (f"0::/system.slice/docker-{ID}.scope", "docker"),
        ("0::/lxc.payload.guest/init.scope", "lxc"), ("0::/lxc/101/ns", "lxc"),
        ("0::/machine.slice/systemd-nspawn@guest.service/payload", "nspawn"),
        ("0::/system.slice/x.service", None),
    ],
)  # fmt: skip
def test_whose_container_it_is(cgroup: str, kind: str | None) -> None:
    assert runtime(cgroup) == kind


def test_who_started_a_process_without_a_unit(tmp_path: Path) -> None:
    roots = live(tmp_path)
    start(tmp_path, 90, "exim4", "/usr/sbin/exim4", "-bd", cgroup="0::/user.slice/user-0.slice/session-1.scope")
    start(tmp_path, 91, "master", "/usr/lib/postfix/sbin/master", cgroup="0::/system.slice/postfix.service")
    found = seen(roots)
    assert (found[90].parent, found[91].parent) == (Parent(1, "systemd"), None)
    assert parent_of(roots, 1 << 22) is None


@pytest.mark.parametrize("name", ["a) S 1 (b", "a b", "\x1b[31mred", "a\nb", "()", "[kworker/0:1]"])
def test_a_described_process_keeps_a_hostile_name(host: Roots, tmp_path: Path, name: str) -> None:
    start(tmp_path, 812, name, "x")
    found = describe(host, 812)
    assert found is not None
    assert (found.name, found.parent) == (name, 1)


@pytest.mark.parametrize("damage", ["gone", "stat", "status", "cgroup", "garbage", "denied"])
def test_what_cannot_be_described_is_nothing(
    host: Roots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    def refused(_: object) -> str:
        raise psutil.AccessDenied(812)

    if damage != "gone":
        start(tmp_path, 812, "exim4", "/usr/sbin/exim4")
    if damage == "garbage":
        write(tmp_path, "/proc/812/status", "\x00\x00")
    elif damage == "denied":
        monkeypatch.setattr("psutil.Process.name", refused)
    elif damage != "gone":
        (tmp_path / "proc/812" / damage).unlink()
    assert describe(host, 812) is None


def test_described_where_nothing_can_be_seen() -> None:
    assert describe(out_of_reach(), 1) is None
    assert describe(find_roots({}), 1 << 40) is None
    assert describe(find_roots({}), -1) is None


def test_this_process_described() -> None:
    found = describe(find_roots({}), os.getpid())
    assert found is not None
    assert (found.pid, found.parent, bool(found.command)) == (os.getpid(), os.getppid(), True)


@pytest.mark.parametrize(
    ("passwd", "uid", "name"),
    [
        ("a:x:1:\nb:x:2:\nc:x:2:\n", 2, "b"), ("", 0, "0"), ("root:x\n", 0, "0"), (":x:0:0\n", 0, "0"),
        ("a:x:10:\n", 1, "1"), ("# root:x:0\nroot:x:0:0", 0, "# root"), ("\x1b[31m:x:5:5", 5, "\x1b[31m"),
    ],
)  # fmt: skip
def test_names_of_users(passwd: str, uid: int, name: str) -> None:
    assert user(passwd, uid) == name


def test_without_passwd_a_user_is_a_number(tmp_path: Path) -> None:
    assert processes._user(copy(tmp_path), 104) == "104"


@given(st.text(max_size=200), st.integers(0, 70000))
def test_no_passwd_breaks_it(passwd: str, uid: int) -> None:
    assert user(passwd, uid)
