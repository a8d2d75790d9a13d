"""The services' check: who else starts beside mailcow, and the commands that end it on each distribution."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest

from preflight.facts import (
    BindAttempt,
    Fact,
    Holder,
    Ipv6,
    MailTrace,
    OsRelease,
    Parent,
    Service,
    Services,
    Sockets,
    SocketUnit,
)
from preflight.gather.services.services import services
from preflight.report.model import Result, Status
from tests.build import VIEW, host, look, measured, run
from tests.checks.hosts import release
from tests.gather.units import SYSTEMD, enabled, tree

DEBIAN, ALMA, ROCKY, ALPINE = release(), release("almalinux", "9.4"), release("rocky", "9.4"), release("alpine", "3.20")
PURGE = "apt-get purge exim4-base exim4-daemon-light"


def service(name: str = "exim4", kind: str = "mta", **more: Any) -> Service:
    given = {"unit": f"{name}.service", "enabled": True, "active": True, **more}
    return Service(name=name, kind=kind, **given)  # type: ignore[arg-type]  # the kinds are named in the tests


def results(
    *found: Service, system: OsRelease = DEBIAN, conf: dict[str, str] | None = None, **more: Any
) -> list[Result]:
    made = Services(more.pop("init", "systemd"), found, more.pop("processes", True), more.pop("sockets", ()))
    more |= {"sockets": more.pop("sockets_seen")} if "sockets_seen" in more else {}
    return run("services.mail", look(services=made, os_release=system, conf=conf, **more))


def one(*found: Service, **more: Any) -> Result:
    (result,) = results(*found, **more)
    return result


def commands(result: Result) -> tuple[str, ...]:
    return result.remedy.commands if result.remedy else ()


# --- what warns ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "when", "found"),
    [
        ({}, "is set to start at boot and is running", "enabled, running"),
        ({"active": False}, "is set to start at boot but is not running", "enabled, not running"),
        ({"active": None}, "is set to start at boot", "enabled"),
        ({"enabled": False}, "is running but is not set to start at boot", "disabled, running"),
        ({"enabled": None}, "is running and may start at boot", "running"),
        ({"enabled": False, "masked": True}, "is running but is not set to start at boot", "masked, running"),
        ({"enabled": False, "active": False, "sockets": ("exim4.socket",)},
         "is set to start at boot but is not running", "disabled, exim4.socket, not running"),
    ],
)  # fmt: skip
def test_another_mail_server(changes: dict[str, Any], when: str, found: str) -> None:
    result = one(service(**changes))
    assert (result.status, result.subject, result.found) == (Status.WARN, "exim4.service", found)
    assert result.message == f"exim4.service is a mail server. It {when}."
    assert result.expected == "none"


@pytest.mark.parametrize(
    "found",
    [
        service(enabled=False, active=False), service(enabled=False, active=False, masked=True),
        service(enabled=False, active=None), service(unit=None, enabled=None, active=False, package="exim4"),
        service("chrony", "time"), service("firewalld", "firewall"),
    ],
)  # fmt: skip
def test_what_neither_starts_nor_runs_does_not_warn(found: Service) -> None:
    result = one(found)
    assert (result.status, result.subject, result.found) == (Status.PASS, None, "none")
    assert result.message == "No other mail or web server is set to start at boot or is running."


def test_each_service_has_its_row() -> None:
    found = [service("postfix"), service("dovecot", "imap"), service("nginx", "web"), service("ntp", "time")]
    assert [(r.subject, r.status) for r in results(*found)] == [
        (name, Status.WARN) for name in ("postfix.service", "dovecot.service", "nginx.service")
    ]
    text = [r.message for r in results(*found)]
    assert ["mail server" in text[0], "IMAP or POP3" in text[1], "web server" in text[2]] == [True] * 3


def test_evidence() -> None:
    assert measured(one(service(package="exim4", sockets=("a.socket",), process=7))) == {
        "service": "exim4", "unit": "exim4.service", "kind": "mta", "enabled": True, "active": True,
        "sockets": ["a.socket"], "package": "exim4", "detail": "pid 7",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"process": 90, "pid": 90}, "pid 90 runs outside exim4.service"),
        ({"process": 90, "pid": 90, "unit": None}, "pid 90"),
        ({"opens": (SocketUnit("exim4.socket", (("", 25), ("::", 25), ("127.0.0.1", 587))),), "process": 90},
         "exim4.socket listens on 25, 587; pid 90"),
    ],
)  # fmt: skip
def test_what_else_is_known_of_a_service_is_evidence(changes: dict[str, Any], words: str) -> None:
    assert one(service(**changes)).evidence.detail == words


# --- what cannot be told -------------------------------------------------------------------------------------


def test_unknown_services_are_unknown() -> None:
    (result,) = run("services.mail", look(os_release=DEBIAN))
    assert (result.status, result.reason) == (Status.UNKNOWN, "The test gives no services.")


def test_hidden_processes_are_no_pass() -> None:
    result = one(processes=False)
    assert (result.status, result.reason) == (Status.UNKNOWN, "Could not read the running processes.")
    assert result.remedy
    assert result.remedy.text == "Run the check as root."
    assert one(service(), processes=False).status is Status.WARN


def test_a_copy_passes_on_what_starts_at_boot_and_says_so() -> None:
    view = msgspec.structs.replace(VIEW, live=False)
    given = host(view=view, services=Services("systemd", (), False), os_release=DEBIAN)
    (result,) = run("services.mail", look(given))
    assert result.status is Status.PASS
    assert "A copied root does not show what is running" in result.message


def test_an_unheard_of_init_system_may_start_what_is_installed() -> None:
    installed = service("postfix", unit=None, enabled=None, active=False, package="postfix")
    result = one(installed, init="other")
    assert (result.status, "start at boot: postfix." in result.message) == (Status.UNKNOWN, True)
    assert one(installed, init="systemd").status is Status.PASS
    assert one(service("ntp", "time", unit=None, enabled=None, package="ntp"), init="other").status is Status.PASS


# --- socket units of any name --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("streams", "conf", "ports"),
    [
        ((("", 25),), {}, [25]),
        ((("127.0.0.1", 25), ("", 2525), ("", 443)), {}, [25, 443]),
        ((("::", 25),), {"SMTP_PORT": "192.0.2.1:25"}, [25]),
        ((("127.0.0.1", 25),), {"SMTP_PORT": "192.0.2.1:25"}, []),
        ((("", 80),), {"HTTP_PORT": "8080"}, []),
        ((("", 22),), {}, []),
    ],
)
def test_a_socket_unit_that_opens_one_of_mailcows_ports(
    streams: tuple[tuple[str, int], ...], conf: dict[str, str], ports: list[int]
) -> None:
    result = one(sockets=(SocketUnit("mx.socket", streams, False),), conf=conf)
    if not ports:
        assert result.status is Status.PASS
        return
    assert (result.status, result.subject, measured(result)["ports"]) == (Status.WARN, "mx.socket", ports)
    assert result.message.endswith(f": {', '.join(map(str, ports))}. It is not listening now.")
    assert commands(result) == ("systemctl disable --now mx.socket",)


def test_a_socket_unit_beside_a_service() -> None:
    unit = SocketUnit("a b.socket", (("", 25),), True)
    exim, mx = results(service(), sockets=(unit,))
    assert (exim.subject, mx.subject) == ("exim4.service", "a b.socket")
    assert "It is listening there now." in mx.message
    assert commands(mx) == ("systemctl disable --now 'a b.socket'",)


# --- how it is mended ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "init", "unit", "package", "expected"),
    [
        (DEBIAN, "systemd", "exim4.service", "exim4-base exim4-daemon-light",
         ("systemctl disable --now exim4.service", PURGE)),
        (release("ubuntu", "24.04"), "systemd", "exim4.service", None, ("systemctl disable --now exim4.service",)),
        (ROCKY, "systemd", "exim4.service", "exim4", ("systemctl disable --now exim4.service", "dnf remove exim4")),
        (ALPINE, "openrc", "exim4", "exim4", ("rc-service exim4 stop", "rc-update del exim4", "apk del exim4")),
        (DEBIAN, "sysv", "exim4", "exim4",
         ("service exim4 stop", "update-rc.d exim4 disable", "apt-get purge exim4")),
        (release("unheard-of"), "systemd", "exim4.service", "exim4", ("systemctl disable --now exim4.service",)),
        (None, "systemd", "exim4.service", "exim4", ("systemctl disable --now exim4.service",)),
    ],
)  # fmt: skip
def test_commands_fit_the_distribution(
    system: OsRelease | None, init: str, unit: str, package: str | None, expected: tuple[str, ...]
) -> None:
    given = service(unit=unit, package=package, dependents=())
    result = one(given, init=init, system=system or Fact.unknown("test", "Not there."))
    assert commands(result) == expected


@pytest.mark.parametrize("dependents", [None, ("bsd-mailx",)])
def test_what_others_need_or_may_need_is_not_removed(dependents: tuple[str, ...] | None) -> None:
    result = one(service(package="exim4-base", dependents=dependents))
    assert commands(result) == ("systemctl disable --now exim4.service",)
    assert result.remedy
    assert ("because others need them: bsd-mailx." in result.remedy.text) == bool(dependents)


def test_a_queue_keeps_its_packages() -> None:
    queue = (MailTrace("queue", "/var/spool/exim4/input", 3),)
    result = one(service(package="exim4-base", dependents=()), mail_traces=queue)
    assert commands(result) == ("systemctl disable --now exim4.service",)
    assert result.remedy
    assert "Messages waiting in /var/spool/exim4/input: 3." in result.remedy.text


# --- Postfix keeps on sending --------------------------------------------------------------------------------


@pytest.mark.parametrize("dependents", [None, ("proxmox-ve", "pve-manager")])
@pytest.mark.parametrize(
    ("system", "init", "restart"),
    [
        (DEBIAN, "systemd", "systemctl restart postfix.service"),
        (ALMA, "systemd", "systemctl restart postfix.service"),
        (ALPINE, "openrc", "rc-service postfix restart"), (DEBIAN, "sysv", "service postfix restart"),
    ],
)  # fmt: skip
def test_postfix_loses_its_listeners_and_stays(
    system: OsRelease, init: str, restart: str, dependents: tuple[str, ...] | None
) -> None:
    result = one(service("postfix", package="postfix", dependents=dependents), system=system, init=init)
    assert commands(result) == ("postconf -e master_service_disable=inet", restart)
    assert result.remedy
    assert ("because others need them: proxmox-ve, pve-manager." in result.remedy.text) == bool(dependents)


def test_postfix_that_was_told_to_listen_no_more_is_no_finding(tmp_path: Path) -> None:
    """What the commands write is what the next run reads."""
    files = SYSTEMD | enabled("postfix.service") | {
        "/etc/postfix/main.cf": "myhostname = x\n", "/etc/postfix/master.cf": "smtp inet n - y - - smtpd\n",
    }  # fmt: skip
    (before,) = run("services.mail", look(services=services(tree(tmp_path / "a", files)), os_release=DEBIAN))
    assert (before.status, commands(before)[0]) == (Status.WARN, "postconf -e master_service_disable=inet")
    files["/etc/postfix/main.cf"] += commands(before)[0].removeprefix("postconf -e ") + "\n"
    (after,) = run("services.mail", look(services=services(tree(tmp_path / "b", files)), os_release=DEBIAN))
    assert after.status is Status.PASS


def test_an_imap_server_keeps_its_packages() -> None:
    result = one(service("dovecot", "imap", package="dovecot-core", dependents=()))
    assert commands(result) == ("systemctl disable --now dovecot.service",)
    assert result.remedy
    assert "If people still read mail on dovecot" in result.remedy.text


def test_postfix_that_nothing_needs_may_go() -> None:
    result = one(service("postfix", package="postfix", dependents=()))
    assert commands(result) == ("systemctl disable --now postfix.service", "apt-get purge postfix")


def test_another_instance_of_postfix_has_settings_of_its_own() -> None:
    assert commands(one(service("postfix", unit="postfix@out.service"))) == (
        "systemctl disable --now postfix@out.service",
    )


@pytest.mark.parametrize(
    ("streams", "conf", "stays"),
    [
        ((), {}, True), ((("127.0.0.1", 10025),), {}, True), ((("", 25),), {}, False),
        ((("127.0.0.1", 25),), {}, False), (None, {}, False), ((("", 25),), {"SMTP_PORT": "26"}, True),
        ((("192.0.2.9", 25),), {"SMTP_PORT": "192.0.2.1:25"}, True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("active", [True, False, None])
def test_a_server_that_opens_no_port_of_mailcows_may_stay(
    streams: tuple[tuple[str, int], ...] | None, conf: dict[str, str], stays: bool, active: bool | None
) -> None:
    result = one(service("postfix", streams=streams, active=active), conf=conf)
    assert (result.status, result.subject) == (Status.PASS if stays else Status.WARN, "postfix.service")
    assert (result.remedy is None) == stays


def test_a_unit_whose_conditions_are_not_met_does_not_start() -> None:
    condition = "ConditionPathExists=/etc/postfix/main.cf"
    result = one(service("postfix", active=False, unmet=condition))
    assert (result.status, result.remedy) == (Status.PASS, None)
    assert condition in result.message
    assert one(service("postfix", active=True, unmet=condition)).status is Status.WARN


# --- what runs without listening, and what ports.free tells --------------------------------------------------


def held(unit: str | None, port: int = 25, **more: Any) -> dict[str, Any]:
    """Make a host on which somebody holds a port."""
    given = look()
    binds = tuple(
        BindAttempt(half, row.port, "EADDRINUSE" if row.port == port and half != "::" else "free")
        for row in given.plan.bindings for half in ((row.address,) if row.address else ("0.0.0.0", "::"))
    )  # fmt: skip
    holder = Holder(
        pid=9, process="x", user="x", unit=unit, container=None, image=None, address="127.0.0.1", port=port,
        state="listening", **more,
    )  # fmt: skip
    return {"binds": binds, "sockets_seen": Sockets((holder,), True), "ipv6": Ipv6(True, False, True)}


@pytest.mark.parametrize("unit", ["postfix.service", "postfix@-.service", "postfix.socket"])
def test_who_holds_a_port_is_told_by_the_check_of_ports_alone(unit: str) -> None:
    result = one(service("postfix", sockets=("postfix.socket",), streams=(("", 25),)), **held(unit))
    assert (result.status, result.subject, result.remedy) == (Status.SKIP, "postfix.service", None)
    assert result.reason == "postfix.service uses ports that mailcow publishes, so ports.free reports it: 25/tcp."
    assert one(service("postfix", streams=(("", 25),)), **held("other.service")).status is Status.WARN
    by_hand = service(unit=None, enabled=None, pid=9)
    assert one(by_hand, **held(None)).status is Status.SKIP
    assert one(service(unit=None, enabled=None, pid=8), **held(None)).status is Status.WARN


def test_a_socket_that_holds_its_port_is_told_by_the_check_of_ports_alone() -> None:
    result = one(sockets=(SocketUnit("mx.socket", (("", 25),), True),), **held("mx.socket"))
    assert (result.status, result.subject) == (Status.SKIP, "mx.socket")


@pytest.mark.parametrize(
    ("changes", "owners", "status"),
    [
        ({"seen": True}, True, Status.PASS),
        ({"seen": True}, False, Status.WARN),  # who holds what could not be seen
        ({"seen": None}, True, Status.WARN),
        ({"seen": False}, True, Status.WARN),  # a unit that is active without a process
        ({"seen": True, "active": False}, True, Status.WARN),
        ({"seen": True, "sockets": ("dovecot.socket",)}, True, Status.WARN),
        ({"seen": True, "streams": (("", 143),)}, True, Status.WARN),  # changed, and not restarted yet
        ({"seen": True, "name": "cpanel"}, True, Status.WARN),
    ],
)
def test_what_runs_and_listens_on_no_port_of_mailcows_may_stay(
    changes: dict[str, Any], owners: bool, status: Status
) -> None:
    result = one(service(**{"name": "dovecot", "kind": "imap", **changes}), sockets_seen=Sockets((), owners))
    assert result.status is status


def test_a_way_in_that_opens_a_port_is_no_socket_to_disable() -> None:
    result = one(sockets=(SocketUnit("ssh.socket", (("", 443),), True),))
    assert (result.status, "disable" in " ".join(commands(result))) == (Status.WARN, False)
    assert result.remedy
    assert "The SSH server is your way in" in result.remedy.text


# --- live mail -----------------------------------------------------------------------------------------------

VMAIL = (MailTrace("mailboxes", "/var/vmail", 7),)
PLESK = (MailTrace("panel", "/usr/local/psa", name="Plesk"),)


@pytest.mark.parametrize("found", [service("postfix", dependents=()), service("dovecot", "imap"), service("exim4")])
def test_people_s_mail_is_moved_before_its_server_goes(found: Service) -> None:
    result = one(found, mail_traces=VMAIL)
    assert (result.status, commands(result)) == (Status.WARN, ())
    assert result.remedy
    assert result.remedy.when == "last"
    assert "Mailboxes in /var/vmail: 7." in result.remedy.text


def test_mail_of_the_host_s_own_users_is_only_people_s_where_it_is_read() -> None:
    spool = (MailTrace("mailboxes", "/var/mail", 1),)
    assert commands(one(service(), mail_traces=spool)) == ("systemctl disable --now exim4.service",)
    exim, _ = results(service(), service("dovecot", "imap"), mail_traces=spool)
    assert commands(exim) == ()


@pytest.mark.parametrize("found", [service("postfix"), service("dovecot", "imap"), service("nginx", "web")])
def test_a_panel_s_services_are_its_own(found: Service) -> None:
    result = one(found, mail_traces=PLESK)
    assert (result.status, commands(result)) == (Status.WARN, ())
    assert result.remedy
    assert "Plesk manages this host" in result.remedy.text
    assert commands(one(service("cpanel", dependents=(), package="cpanel"))) == ()


def test_the_sockets_are_stopped_too_and_first() -> None:
    result = one(service("dovecot", "imap", sockets=("dovecot.socket",)))
    assert commands(result) == ("systemctl disable --now dovecot.socket dovecot.service",)


def test_a_web_server_is_stopped_but_not_removed() -> None:
    result = one(service("nginx", "web", package="nginx"))
    assert commands(result) == ("systemctl disable --now nginx.service",)
    assert result.remedy
    assert "HTTP_PORT" in result.remedy.text


@pytest.mark.parametrize(
    ("changes", "expected", "words"),
    [
        ({"unit": None, "enabled": None, "pid": 90, "parent": Parent(80, "supervisord")},
         ("ps -o pid,ppid,user,lstart,args -p 90,80",), "(parent supervisord, pid 80)"),
        ({"unit": None, "enabled": None, "pid": 90, "parent": Parent(1, "systemd")},
         ("ps -o pid,ppid,user,lstart,args -p 90,1",), "(parent systemd, pid 1"),
        ({"unit": None, "enabled": None, "pid": 90}, ("ps -o pid,ppid,user,lstart,args -p 90",), "what starts it"),
        ({"pid": 90, "process": 90},
         ("systemctl disable --now exim4.service", "ps -o pid,ppid,user,lstart,args -p 90"), "what starts it"),
        ({"opens": (SocketUnit("exim4.socket", (("", 25),)),), "process": 90},
         ("systemctl disable --now exim4.service",), "Stop exim4"),
        ({"unit": None, "package": "exim4", "dependents": ()}, ("ps -eo pid,ppid,user,lstart,args",),
         "what starts it"),
    ],
)  # fmt: skip
def test_a_process_without_a_unit_is_ended_where_it_is_started(
    changes: dict[str, Any], expected: tuple[str, ...], words: str
) -> None:
    result = one(service(**changes))
    assert commands(result) == expected
    assert result.remedy
    assert words in result.remedy.text


@pytest.mark.parametrize("name", ["a; reboot.service", "$(reboot)", "a\nb", "'", "`x`.service", "\x1b[31m", "<b>", "|"])
def test_hostile_names_stay_one_word_of_a_command(name: str) -> None:
    for init, system in (("systemd", DEBIAN), ("openrc", ALPINE), ("sysv", DEBIAN)):
        result = one(service(unit=name, package=f"exim4 {name}", dependents=()), init=init, system=system)
        assert result.subject == name
        *stops, remove = map(shlex.split, commands(result))
        assert stops
        assert all(name in words or name.removesuffix(".service") in words for words in stops)
        assert remove[2:] == ["exim4", *name.split()]


# --- a reverse proxy may stay --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conf", "stays"),
    [
        ({}, False),
        ({"HTTP_PORT": "8080", "HTTPS_PORT": "8443"}, True),
        ({"HTTP_PORT": "8080"}, False),
        ({"HTTP_BIND": "127.0.0.1", "HTTPS_BIND": "127.0.0.1"}, True),
        ({"HTTP_BIND": "127.0.0.1", "HTTPS_PORT": "8443"}, True),
        ({"HTTP_BIND": "192.0.2.1", "HTTPS_BIND": "192.0.2.1"}, False),
        ({"HTTP_BIND": "[::1]", "HTTPS_BIND": "[::1]"}, True),
    ],
)
def test_a_reverse_proxy(conf: dict[str, str], stays: bool) -> None:
    nginx, exim = results(service("nginx", "web"), service(), conf=conf)
    assert exim.status is Status.WARN
    assert nginx.status is (Status.PASS if stays else Status.WARN)
    if stays:
        assert "can stay as a reverse proxy" in nginx.message
        assert nginx.remedy is None


@pytest.mark.parametrize(
    ("streams", "clash"),
    [
        ((("127.0.0.1", 8080),), True),
        ((("", 443), ("", 8080)), True),
        ((("", 80), ("", 443)), False),
        ((("192.0.2.1", 8080),), False),
        ((), False),
        (None, False),
    ],
)
def test_a_reverse_proxy_that_opens_mailcows_own_ports(
    streams: tuple[tuple[str, int], ...] | None, clash: bool
) -> None:
    conf = {"HTTP_PORT": "8080", "HTTP_BIND": "127.0.0.1", "HTTPS_PORT": "8443", "HTTPS_BIND": "127.0.0.1"}
    result = one(service("nginx", "web", streams=streams), conf=conf)
    assert result.status is (Status.WARN if clash else Status.PASS), result.message
    if clash:
        assert "8080" in result.message
        assert result.remedy is not None
        assert (result.remedy.place, result.remedy.commands) == ("mailcow.conf", ())


def test_a_reverse_proxy_that_holds_mailcows_own_port_is_told_by_the_port() -> None:
    conf = {"HTTP_PORT": "8080", "HTTPS_PORT": "8443"}
    assert one(service("nginx", "web"), conf=conf, **held("nginx.service", 8080)).status is Status.SKIP


def test_a_mail_server_in_the_proxy_s_unit_is_not_overlooked() -> None:
    conf = {"HTTP_PORT": "8080", "HTTPS_PORT": "8443"}
    pair = (service(unit="panel.service"), service("nginx", "web", unit="panel.service"))
    for found in (pair, pair[::-1]):
        result = one(*found, conf=conf)
        assert (result.status, result.subject, result.evidence.service) == (Status.WARN, "panel.service", "exim4")
