"""Known services of the host: units, packages and processes brought together."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import RuleFile, Service, Services, SocketUnit, Switch
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.access.view import find_roots
from preflight.gather.packages.packages import DPKG
from preflight.gather.services.init_scripts import Scripts
from preflight.gather.services.profiles import PACKAGES, PROCESSES, PROFILES, of_process
from preflight.gather.services.services import find as bring_together
from preflight.gather.services.services import init, services
from preflight.gather.sockets.processes import Running
from tests.gather.procs import ID, live, start
from tests.gather.trees import out_of_reach, write
from tests.gather.units import ETC, LIB, SERVICE, STANZA, SYSTEMD, WANTS, enabled, to, tree

RUNS = SYSTEMD | {"/run/systemd/system/x.slice": ""}
INSTALLED, GONE = "install ok installed", "deinstall ok config-files"


def active(*units: str) -> dict[str, str]:
    return {f"/run/systemd/units/invocation:{u}": "-> 0123456789abcdef" for u in units}


def dpkg(**packages: str) -> dict[str, str]:
    return {DPKG: "\n".join(STANZA.format(name, status) for name, status in packages.items())}


def gathered(roots: Roots) -> Services:
    return services(roots).get()


def running(root: Path, files: dict[str, str]) -> Roots:
    """Make a host whose systemd runs."""
    tree(root, RUNS | files)
    return live(root)


def rows(found: Services) -> list[tuple[str, str | None, bool | None, bool | None]]:
    return [(service.name, service.unit, service.enabled, service.active) for service in found.services]


# --- which init system ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "of_copy", "of_live"),
    [
        (RUNS, "systemd", "systemd"),
        (SYSTEMD, "systemd", "other"),
        ({"/lib/systemd/systemd": ""}, "systemd", "other"),
        ({"/etc/runlevels/default/x": "", "/etc/init.d/x": "", "/run/openrc/softlevel": "default"}, "openrc", "openrc"),
        ({"/etc/runlevels/default/x": "", "/etc/init.d/x": ""}, "openrc", "other"),
        (SYSTEMD | {"/etc/init.d/x": "", "/proc/1/comm": "init\n"}, "systemd", "sysv"),
        ({"/etc/init.d/x": "", "/proc/1/comm": "init\n"}, "sysv", "sysv"),
        ({"/etc/init.d/x": ""}, "sysv", "other"),
        ({}, None, "other"),
        ({"/etc/systemd/system/x.service": "", "/etc/init.d/x": ""}, None, "other"),
        ({"/proc/1/comm": "runit\n"}, None, "other"),
    ],
)
def test_init_systems(tmp_path: Path, files: dict[str, str], of_copy: str | None, of_live: str) -> None:
    """Of a copy the one that is installed counts, of a living host the one that runs; half a copy tells nothing."""
    write(tmp_path, "/proc/1/comm", "bash\n")
    (tmp_path / "etc").mkdir()
    for path, content in files.items():
        write(tmp_path, path, content)
    if of_copy is None:
        with pytest.raises(Unreadable):
            init(find_roots({}, str(tmp_path)))
    else:
        assert init(find_roots({}, str(tmp_path)))[0] == of_copy
    comm = (tmp_path / "proc/1/comm").read_text()
    roots = live(tmp_path)
    write(tmp_path, "/proc/1/comm", comm)
    assert init(roots)[0] == of_live


def test_an_init_system_of_its_own_kind_still_has_the_files_of_another(tmp_path: Path) -> None:
    tree(tmp_path, SYSTEMD | enabled("postfix.service"))
    found = gathered(live(tmp_path))
    assert found.init == "other"
    assert rows(found) == [("postfix", "postfix.service", True, False)]


# --- units and packages --------------------------------------------------------------------------------------


def test_what_is_not_there_is_not_listed(tmp_path: Path) -> None:
    assert gathered(tree(tmp_path, SYSTEMD | {f"{LIB}/ssh.service": SERVICE})) == Services("systemd", (), False)


def test_a_service_of_a_copied_debian(tmp_path: Path) -> None:
    files = {"exim4-base": INSTALLED, "exim4-daemon-light": INSTALLED, "exim4-daemon-heavy": GONE}
    (exim,) = gathered(tree(tmp_path, SYSTEMD | enabled("exim4.service") | dpkg(**files))).services
    assert exim == Service(
        name="exim4", kind="mta", unit="exim4.service", enabled=True, active=None,
        package="exim4-base exim4-daemon-light", source=f"{LIB}/exim4.service", dependents=(),
    )  # fmt: skip


def test_a_unit_has_one_row_whatever_its_aliases(tmp_path: Path) -> None:
    files = enabled("chrony.service", "apache2.service") | {
        f"{ETC}/chronyd.service": to("chrony.service"), f"{LIB}/httpd.service": "-> apache2.service",
        f"{LIB}/ntp.service": "-> ntpsec.service", f"{LIB}/ntpsec.service": SERVICE,
    }  # fmt: skip
    assert rows(gathered(tree(tmp_path, SYSTEMD | files))) == [
        ("apache2", "apache2.service", True, None),
        ("chrony", "chrony.service", True, None),
        ("ntpsec", "ntpsec.service", False, None),
    ]


def test_debians_transitional_ntp_is_no_second_service(tmp_path: Path) -> None:
    files = {
        **SYSTEMD,
        f"{LIB}/ntp.service": "-> ntpsec.service", f"{LIB}/ntpsec.service": SERVICE,
        **dpkg(ntp=INSTALLED, ntpsec=INSTALLED),
    }  # fmt: skip
    assert [row[:2] for row in rows(gathered(tree(tmp_path, files)))] == [("ntpsec", "ntpsec.service")]


def test_each_unit_of_a_service_has_its_row(tmp_path: Path) -> None:
    files = enabled("courier-imap.service", "courier-imap-ssl.service") | {f"{LIB}/courier-pop.service": SERVICE}
    assert rows(gathered(tree(tmp_path, SYSTEMD | files))) == [
        ("courier-imap", "courier-imap.service", True, None),
        ("courier-imap", "courier-imap-ssl.service", True, None),
        ("courier-imap", "courier-pop.service", False, None),
    ]


@pytest.mark.parametrize("with_unit", [True, False])
def test_an_enabled_instance_has_its_row(tmp_path: Path, with_unit: bool) -> None:
    files = {f"{LIB}/nginx@.service": SERVICE, f"{ETC}/{WANTS}/nginx@shop.service": to("nginx@.service")}
    if with_unit:
        files[f"{LIB}/nginx.service"] = SERVICE
    found = rows(gathered(tree(tmp_path, SYSTEMD | files)))
    assert found == [("nginx", "nginx.service", False, None)] * with_unit + [
        ("nginx", "nginx@shop.service", True, None)
    ]


def test_a_masked_unit(tmp_path: Path) -> None:
    (row,) = gathered(
        tree(tmp_path, SYSTEMD | enabled("nginx.service") | {f"{ETC}/nginx.service": "-> /dev/null"})
    ).services
    assert (row.enabled, row.masked, row.sockets) == (False, True, ())


def test_a_socket_that_starts_the_service(tmp_path: Path) -> None:
    files = {
        f"{LIB}/dovecot.service": SERVICE, f"{LIB}/dovecot.socket": "[Socket]\nListenStream=143\nListenStream=993\n",
        f"{ETC}/sockets.target.wants/dovecot.socket": to("dovecot.socket"),
    }  # fmt: skip
    (row,) = gathered(tree(tmp_path, SYSTEMD | files)).services
    assert (row.enabled, row.sockets) == (False, ("dovecot.socket",))
    assert row.opens == (SocketUnit("dovecot.socket", (("", 143), ("", 993))),)


@pytest.mark.parametrize(
    ("packages", "listed"),
    [
        ({"exim4-base": GONE, "exim4-daemon-light": GONE}, []),
        ({"exim4-base": GONE, "exim4-daemon-light": INSTALLED}, [("exim4", "exim4.service", True, None)]),
        ({"bash": INSTALLED}, [("exim4", "exim4.service", True, None)]),
    ],
)
def test_a_script_of_a_package_that_was_removed_starts_nothing(
    tmp_path: Path, packages: dict[str, str], listed: list[object]
) -> None:
    script = {"/etc/init.d/exim4": "#!/bin/sh\n", "/etc/rc2.d/S01exim4": "-> ../init.d/exim4"}
    assert rows(gathered(tree(tmp_path, SYSTEMD | script | dpkg(**packages)))) == listed


def test_a_unit_outlives_the_package_that_was_removed(tmp_path: Path) -> None:
    """nginx built by hand, say, after Debian's was removed."""
    files = SYSTEMD | enabled("nginx.service") | dpkg(nginx=GONE)
    assert rows(gathered(tree(tmp_path, files))) == [("nginx", "nginx.service", True, None)]


def test_a_package_without_a_unit(tmp_path: Path) -> None:
    (row,) = gathered(tree(tmp_path, SYSTEMD | dpkg(postfix=INSTALLED, nginx=GONE))).services
    assert (row.name, row.unit, row.enabled, row.active, row.package) == ("postfix", None, None, None, "postfix")


def test_alpine(tmp_path: Path) -> None:
    tree(tmp_path, {
        "/etc/init.d/nginx": "", "/etc/init.d/chronyd": "", "/etc/init.d/postfix": "", "/run/openrc/softlevel": "x",
        "/etc/runlevels/default/nginx": "-> /etc/init.d/nginx", "/run/openrc/started/postfix": "-> /etc/init.d/postfix",
        "/usr/lib/apk/db/installed": "P:nginx\nP:postfix\nP:chrony\n", "/run/openrc/started/nginx": "-> x",
    })  # fmt: skip
    found = gathered(live(tmp_path))
    assert found.init == "openrc"
    assert [(s.name, s.unit, s.enabled, s.active, s.package) for s in found.services] == [
        ("postfix", "postfix", False, True, "postfix"),
        ("nginx", "nginx", True, True, "nginx"),
        ("chrony", "chronyd", False, False, "chrony"),
    ]


def test_a_firewall_s_own_settings_are_read(tmp_path: Path) -> None:
    files = enabled("ufw.service", "firewalld.service") | {"/etc/ufw/ufw.conf": "ENABLED=no\n"}
    found = {s.name: s.switch for s in gathered(tree(tmp_path, SYSTEMD | files)).services}
    assert found == {"ufw": Switch("ENABLED", "no", False), "firewalld": None}


def test_a_firewall_s_own_rules_are_read(tmp_path: Path) -> None:
    files = enabled("nftables.service") | {"/etc/nftables.conf": "flush ruleset\nhook input priority 0; policy drop\n"}
    (row,) = gathered(tree(tmp_path, SYSTEMD | files)).services
    assert (row.rule_files, row.closes) == ((RuleFile("/etc/nftables.conf", 1, True),), ("INPUT",))


# --- processes -----------------------------------------------------------------------------------------------


def test_a_process_belongs_to_the_row_of_its_unit(tmp_path: Path) -> None:
    roots = running(tmp_path, enabled("nginx.service") | active("nginx.service"))
    start(tmp_path, 90, "nginx", "nginx: master process", cgroup="0::/system.slice/nginx.service")
    found = gathered(roots)
    assert rows(found) == [("nginx", "nginx.service", True, True)]
    assert (found.services[0].process, found.processes) == (None, True)


def test_a_process_outside_of_its_unit_is_told(tmp_path: Path) -> None:
    roots = running(tmp_path, enabled("nginx.service") | active("ssh.service"))
    start(tmp_path, 90, "nginx", "nginx: master process", cgroup="0::/user.slice/user-0.slice/session-3.scope")
    (row,) = gathered(roots).services
    assert (row.enabled, row.active, row.process, row.pid) == (True, True, 90, 90)


def test_a_process_in_a_unit_of_another_name_has_a_row_of_its_own(tmp_path: Path) -> None:
    files = {f"{LIB}/nginx.service": SERVICE} | enabled("panel.service") | active("panel.service")
    roots = running(tmp_path, files)
    start(tmp_path, 90, "nginx", "nginx: master process", cgroup="0::/system.slice/panel.service")
    start(tmp_path, 91, "nginx", "nginx: worker process", cgroup="0::/system.slice/panel.service")
    found = gathered(roots)
    assert rows(found) == [("nginx", "nginx.service", False, False), ("nginx", "panel.service", True, True)]
    assert (found.services[1].process, found.services[1].pid, found.services[1].source) == (90, None, "processes")


def test_a_process_without_any_unit(tmp_path: Path) -> None:
    roots = running(tmp_path, {})
    start(tmp_path, 90, "stalwart-mail", "/opt/stalwart-mail/bin/stalwart-mail")
    (row,) = gathered(roots).services
    assert (row.name, row.kind, row.unit, row.enabled, row.active) == ("stalwart", "mta", None, None, True)
    assert (row.process, row.pid) == (90, 90)


def test_an_instance_s_process_belongs_to_its_own_row_first(tmp_path: Path) -> None:
    files = enabled("postfix.service") | {
        f"{LIB}/postfix@.service": SERVICE, f"{ETC}/{WANTS}/postfix@relay.service": to("postfix@.service"),
        "/run/systemd/units/log-extra-fields:x": "-> x",
    }  # fmt: skip
    roots = running(tmp_path, files)
    start(tmp_path, 90, "master", "/usr/lib/postfix/sbin/master -w",
          cgroup="0::/system.slice/system-postfix.slice/postfix@relay.service")  # fmt: skip
    assert rows(gathered(roots)) == [
        ("postfix", "postfix.service", True, False), ("postfix", "postfix@relay.service", True, True),
    ]  # fmt: skip
    start(tmp_path, 91, "master", "/usr/lib/postfix/sbin/master -w",
          cgroup="0::/system.slice/system-postfix.slice/postfix@-.service")  # fmt: skip
    assert rows(gathered(roots))[0] == ("postfix", "postfix.service", True, True)


def test_a_service_in_a_container_is_none_of_the_host(tmp_path: Path) -> None:
    roots = running(tmp_path, {})
    start(tmp_path, 90, "nginx", "nginx: master process", cgroup=f"0::/system.slice/docker-{ID}.scope", ns="90 1")
    assert gathered(roots) == Services("systemd", (), True)


def test_where_processes_are_hidden_nothing_is_said_to_stand_still(tmp_path: Path) -> None:
    tree(tmp_path, {"/etc/init.d/nginx": "", "/proc/1/comm": "init\n"})
    write(tmp_path, "/etc/rc2.d/S01nginx", "")
    roots = live(tmp_path)
    write(tmp_path, "/proc/1/comm", "init\n")
    seen = gathered(roots)
    assert (rows(seen), seen.processes) == ([("nginx", "nginx", True, False)], True)
    (tmp_path / "proc/1/comm").unlink()
    hidden = gathered(roots)
    assert (rows(hidden), hidden.processes) == ([("nginx", "nginx", True, None)], False)


@pytest.mark.parametrize(
    ("name", "command", "service"),
    [
        ("exim4", "/usr/sbin/exim4 -bd -q30m", "exim4"), ("exim4", "/usr/sbin/exim4 -Mc 1abc", None),
        ("master", "/usr/lib/postfix/sbin/master -w", "postfix"),
        ("master", "/usr/lib/cyrus/bin/master", "cyrus-imapd"),
        ("master", "python master.py", None), ("sendmail-mta", "sendmail: MTA: accepting connections", "sendmail"),
        ("smtpd", "smtpd -n smtp -t inet", None), ("smtpd", "/usr/sbin/smtpd", "opensmtpd"),
        ("couriertcpd", "couriertcpd -stderrlogger=x esmtpd", "courier-mta"),
        ("couriertcpd", "couriertcpd imapd", "courier-imap"), ("ntpd", "ntpd: ntp engine", "openntpd"),
        ("ntpd", "/usr/sbin/ntpd -p /run/ntpd.pid -c /etc/ntpsec/ntp.conf", "ntpsec"), ("ntpd", "ntpd -g", "ntp"),
        ("ntp-daemon", "/usr/bin/ntp-daemon --config /etc/ntpd-rs/ntp.toml", "ntpd-rs"),
        ("busybox", "busybox ntpd -p pool", "ntp"), ("busybox", "busybox httpd", None),
        ("systemd-timesyn", "/lib/systemd/systemd-timesyncd", "systemd-timesyncd"),
        ("crowdsec-firewa", "/usr/bin/crowdsec-firewall-bouncer", "crowdsec"),
        ("lfd - sleeping", "lfd - sleeping", "csf"), ("nginx-debug", "nginx", None), ("", "", None),
    ],
)  # fmt: skip
def test_a_process_s_service(name: str, command: str, service: str | None) -> None:
    assert (of_process(name, command) or (None,))[0] == next((k for k in PROFILES if k.name == service), None)


def test_the_table_of_services_can_be_matched() -> None:
    """The kernel cuts a process's name after 15 characters; a service stands once, and each unit with its suffix."""
    assert not [name for name in PROCESSES if len(name) > 15]
    assert not [unit for known in PROFILES for unit in known.units if not unit.endswith(".service")]
    for names in ([known.name for known in PROFILES], [unit for known in PROFILES for unit in known.units]):
        assert len(names) == len(set(names))
    assert {"exim4", "postfix", "nginx"} <= PACKAGES


# --- what cannot be read -------------------------------------------------------------------------------------


def test_a_root_out_of_reach_names_the_flag() -> None:
    fact = services(out_of_reach())
    assert fact.missing
    assert "--pid=host" in fact.missing.help


@pytest.mark.parametrize("folder", ["/etc/systemd/system", "/etc/init.d", "/etc/rc3.d"])
def test_a_folder_that_cannot_be_read_makes_the_services_unknown(tmp_path: Path, folder: str) -> None:
    roots = tree(tmp_path, SYSTEMD | {folder: f"-> {folder}"})
    fact = services(roots)
    assert fact.missing
    assert folder in fact.missing.reason


COMMANDS = st.sampled_from(["", "x", "/usr/sbin/exim4 -bd", "/postfix/", "imap pop3", "\x1b[31m\n"])
UNITS = st.none() | st.sampled_from(["exim4", "postfix@-.service", "nginx.service", "a\nb", "exim4@x"])


@given(
    st.lists(st.builds(Running, st.integers(1), st.sampled_from(sorted(PROCESSES)), COMMANDS, UNITS), max_size=8),
    st.dictionaries(st.sampled_from(sorted(PACKAGES)), st.booleans(), max_size=5),
    st.frozensets(st.sampled_from(["exim4", "nginx", "postfix", "chronyd"])),
)
def test_no_mixture_breaks_it(found: list[Running], listed: dict[str, bool], scripts: frozenset[str]) -> None:
    made = bring_together(Scripts(scripts, scripts, None), listed, tuple(found))
    assert len({(row.name, row.unit) for row in made}) == len(made)
    for process in found:
        names = {known.name for known in of_process(process.name, process.command)}
        stem = (process.unit or "").partition("@")[0]
        mine = [row for row in made if row.name in names or row.unit in (process.unit, stem)]
        assert not names or any(row.active for row in mine)


def test_sockets_that_are_none_of_a_known_service_s(tmp_path: Path) -> None:
    files = {"/usr/lib/systemd/systemd": "", f"{LIB}/dovecot.service": SERVICE}
    for name in ("dovecot.socket", "mx.socket"):
        files |= {f"{LIB}/{name}": "[Socket]\nListenStream=143\n", f"{ETC}/sockets.target.wants/{name}": to(name)}
    found = services(tree(tmp_path, files)).get()
    assert [row.sockets for row in found.services] == [("dovecot.socket",)]
    assert found.sockets == (SocketUnit("mx.socket", (("", 143),)),)
