"""The services' check: who else starts beside mailcow, and the commands that end it on each distribution."""

from __future__ import annotations

import shlex
from typing import Any

import msgspec
import pytest

from preflight.facts import Fact, OsRelease, Service, Services, SocketUnit
from preflight.model import Result, Status
from tests.build import VIEW, host, look, run
from tests.checks.test_system import release

DEBIAN, ALMA, ROCKY, ALPINE = release(), release("almalinux", "9.4"), release("rocky", "9.4"), release("alpine", "3.20")
PURGE = "apt-get purge exim4-base exim4-daemon-light"


def service(name: str = "exim4", kind: str = "mta", **more: Any) -> Service:
    given = {"unit": f"{name}.service", "enabled": True, "active": True, **more}
    return Service(name=name, kind=kind, **given)  # type: ignore[arg-type]  # the kinds are named in the tests


def results(
    *found: Service, system: OsRelease = DEBIAN, conf: dict[str, str] | None = None, **more: Any
) -> list[Result]:
    made = Services(more.pop("init", "systemd"), found, more.pop("processes", True), more.pop("sockets", ()))
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
        ({}, "is set to start at boot and runs now", "enabled, running"),
        ({"active": False}, "is set to start at boot, though it does not run now", "enabled, not running"),
        ({"active": None}, "is set to start at boot", "enabled"),
        ({"enabled": False}, "runs now, though it is not set to start at boot", "disabled, running"),
        ({"enabled": None}, "runs now, though it is not known to start at boot", "running"),
        ({"enabled": False, "masked": True}, "runs now, though it is not set to start at boot", "masked, running"),
        ({"enabled": False, "active": False, "sockets": ("exim4.socket",)},
         "is set to start at boot, though it does not run now", "disabled, exim4.socket, not running"),
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
    assert result.message == "No other mail or web server is set to start at boot or runs now."


def test_each_service_has_its_row() -> None:
    found = [service("postfix"), service("dovecot", "imap"), service("nginx", "web"), service("ntp", "time")]
    assert [(r.subject, r.status) for r in results(*found)] == [
        (name, Status.WARN) for name in ("postfix.service", "dovecot.service", "nginx.service")
    ]
    text = [r.message for r in results(*found)]
    assert ["mail server" in text[0], "IMAP or POP3" in text[1], "web server" in text[2]] == [True] * 3


def test_evidence() -> None:
    assert one(service(package="exim4", sockets=("a.socket",), detail="pid 7")).evidence == {
        "service": "exim4", "unit": "exim4.service", "kind": "mta", "enabled": True, "active": True,
        "sockets": ["a.socket"], "package": "exim4", "detail": "pid 7",
    }  # fmt: skip


# --- what cannot be told -------------------------------------------------------------------------------------


def test_unknown_services_are_unknown() -> None:
    (result,) = run("services.mail", look(os_release=DEBIAN))
    assert (result.status, result.reason) == (Status.UNKNOWN, "The test gives no services.")


def test_hidden_processes_are_no_pass() -> None:
    result = one(processes=False)
    assert (result.status, result.reason) == (Status.UNKNOWN, "Running processes could not be seen.")
    assert result.remedy
    assert result.remedy.text == "Run the check as root."
    assert one(service(), processes=False).status is Status.WARN


def test_a_copy_passes_on_what_starts_at_boot_and_says_so() -> None:
    view = msgspec.structs.replace(VIEW, live=False)
    given = host(view=view, services=Services("systemd", (), False), os_release=DEBIAN)
    (result,) = run("services.mail", look(given))
    assert result.status is Status.PASS
    assert "what runs now is not known of a copied root" in result.message


def test_an_unheard_of_init_system_may_start_what_is_installed() -> None:
    installed = service("postfix", unit=None, enabled=None, active=False, package="postfix")
    result = one(installed, init="other")
    assert (result.status, "could not be found out: postfix." in result.message) == (Status.UNKNOWN, True)
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
    assert (result.status, result.subject, result.evidence["ports"]) == (Status.WARN, "mx.socket", ports)
    assert result.message.endswith(f": port {', '.join(map(str, ports))}. It does not listen now.")
    assert commands(result) == ("systemctl disable --now mx.socket",)


def test_a_socket_unit_beside_a_service() -> None:
    unit = SocketUnit("a b.socket", (("", 25),), True)
    exim, mx = results(service(), sockets=(unit,))
    assert (exim.subject, mx.subject) == ("exim4.service", "a b.socket")
    assert "It listens there now." in mx.message
    assert commands(mx) == ("systemctl disable --now 'a b.socket'",)


# --- how it is mended ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "init", "unit", "package", "expected"),
    [
        (DEBIAN, "systemd", "exim4.service", "exim4-base exim4-daemon-light",
         ("systemctl disable --now exim4.service", PURGE)),
        (release("ubuntu", "24.04"), "systemd", "exim4.service", None, ("systemctl disable --now exim4.service",)),
        (ALMA, "systemd", "exim4.service", None, ("systemctl disable --now exim4.service", "dnf remove exim")),
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
    result = one(service(unit=unit, package=package), init=init, system=system or Fact.unknown("test", "Not there."))
    assert commands(result) == expected


def test_the_sockets_are_stopped_too_and_first() -> None:
    result = one(service("dovecot", "imap", sockets=("dovecot.socket",)))
    assert commands(result) == ("systemctl disable --now dovecot.socket dovecot.service",)


@pytest.mark.parametrize(
    ("system", "name", "more", "remove"),
    [
        (ALMA, "postfix", {}, ("dnf remove postfix",)),
        (ROCKY, "exim4", {}, ("dnf remove exim",)),
        (release("opensuse-leap", "15.6"), "dovecot", {"kind": "imap"}, ("zypper remove dovecot",)),
        (ALMA, "maddy", {}, ()),  # in no distribution of the family
        (ALMA, "postfix", {"unit": None, "detail": "pid 7"}, ()),  # started by hand, from wherever
        (DEBIAN, "postfix", {}, ()),  # there the database says that it came with no package
        (ALPINE, "postfix", {}, ()),
    ],
)
def test_a_package_that_rpm_alone_knows_is_removed_by_its_usual_name(
    system: OsRelease, name: str, more: dict[str, Any], remove: tuple[str, ...]
) -> None:
    _, *rest = commands(one(service(name, **{"package": None, **more}), system=system))
    assert tuple(rest) == remove


def test_a_web_server_is_stopped_but_not_removed() -> None:
    result = one(service("nginx", "web", package="nginx"))
    assert commands(result) == ("systemctl disable --now nginx.service",)
    assert result.remedy
    assert "HTTP_PORT" in result.remedy.text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"unit": None, "enabled": None, "detail": "pid 90"}, ("kill 90",)),
        ({"detail": "pid 90 runs outside of exim4.service"}, ("systemctl disable --now exim4.service", "kill 90")),
        ({"detail": "exim4.socket listens on 25; pid 90"}, ("systemctl disable --now exim4.service",)),
        ({"unit": None, "detail": "", "package": "exim4"}, ("apt-get purge exim4",)),
    ],
)
def test_a_process_without_a_unit_is_ended(changes: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert commands(one(service(**changes))) == expected


@pytest.mark.parametrize("name", ["a; reboot.service", "$(reboot)", "a\nb", "'", "`x`.service", "\x1b[31m", "<b>", "|"])
def test_hostile_names_stay_one_word_of_a_command(name: str) -> None:
    for init, system in (("systemd", DEBIAN), ("openrc", ALPINE), ("sysv", DEBIAN)):
        result = one(service(unit=name, package=f"exim4 {name}"), init=init, system=system)
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


def test_a_mail_server_in_the_proxy_s_unit_is_not_overlooked() -> None:
    conf = {"HTTP_PORT": "8080", "HTTPS_PORT": "8443"}
    pair = (service(unit="panel.service"), service("nginx", "web", unit="panel.service"))
    for found in (pair, pair[::-1]):
        result = one(*found, conf=conf)
        assert (result.status, result.subject, result.evidence["service"]) == (Status.WARN, "panel.service", "exim4")
