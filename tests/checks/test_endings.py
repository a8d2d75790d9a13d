"""How each holder of a port gives it up: no way in is cut, no live mail touched, nothing removed or killed."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from preflight.checks.holders.known_programs import NAMES
from preflight.checks.holders.supervised import SUPERVISORS
from preflight.facts import MailTrace, OsRelease, Parent, PublishedPort, SwarmService
from preflight.report.model import Remedy, Result, Status
from tests.checks.hosts import release
from tests.checks.published import container, engine, free, listener, proxy

CUTS = re.compile(r"(disable --now|stop|kill|purge|remove|mask|del)\b", re.IGNORECASE)


def taken(process: str, unit: str | None = None, port: int = 443, **more: Any) -> Result:
    """Judge a port that a process holds."""
    facts = {name: more.pop(name) for name in ("mail_traces", "os_release", "conf", "engine") if name in more}
    holder = listener("0.0.0.0", port, process=process, unit=unit, **more)
    row = free(("EADDRINUSE", "free"), holder, port=port, **facts)
    assert row.status is Status.FAIL
    return row


def advice(*args: Any, **more: Any) -> Remedy:
    found = taken(*args, **more).remedy
    assert found is not None
    return found


# --- the way in ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("port", [25, 443, 465, 587, 993, 80, 13306])
@pytest.mark.parametrize("name", sorted({name for names in NAMES.values() for name in names.split()}))
def test_no_way_in_is_ever_cut(name: str, port: int) -> None:
    """By its process, its unit or its package; with a unit, a socket and without either."""
    if port not in (25, 443) and name not in ("sshd", "openvpn"):
        return
    for given in (
        {"process": name, "unit": f"{name}.service"}, {"process": name, "unit": f"{name}@one.service"},
        {"process": "systemd", "unit": f"{name}.socket"}, {"process": "x", "unit": f"{name}.service"},
        {"process": name}, {"process": "x", "unit": "y.service", "package": name}, {"process": name, "unit": name},
    ):  # fmt: skip
        made = advice(port=port, **given)  # type: ignore[arg-type]  # names of fields, given as they are
        assert not [line for line in made.commands if CUTS.search(line)], made.commands
        assert "way in" in made.text or "cluster" in made.text


@pytest.mark.parametrize("unit", ["ssh.service", "sshd.service"])
def test_ssh_gets_a_second_port_before_it_loses_the_first(unit: str) -> None:
    made = advice("sshd", unit)
    assert [line.split()[0] for line in made.commands] == ["cp", "if", "sshd", "ss"]
    assert "echo 'Port 22' > /etc/ssh/sshd_config.d/" in made.commands[1]
    assert "sed -i '1i Port 22' /etc/ssh/sshd_config" in made.commands[1]
    assert made.commands[2] == f"sshd -t && systemctl reload {unit}"
    for words in ("Log in through port 22", "Only then remove the line `Port 443`", "HTTPS_PORT=8443 in mailcow.conf"):
        assert words in made.text
    assert made.text.index("Log in") < made.text.index("Only then")


def test_ssh_behind_a_socket_or_another_server_is_told_in_words() -> None:
    """A socket unit that fails to start again would lock everybody out: nothing of that is a command."""
    for made in (advice("systemd", "ssh.socket"), advice("dropbear", "dropbear.service"), advice("sshd", "sshd")):
        assert made.commands == ("ss -tlnp 'sport = :443'",)
        assert "another port" in made.text
    assert "ListenStream=" in advice("systemd", "ssh.socket").text


@pytest.mark.parametrize(
    ("port", "conf", "words"),
    [
        (443, {}, "HTTPS_PORT=8443"), (80, {}, "DNS challenge"), (25, {}, "no other port"),
        (993, {}, "set IMAPS_PORT"), (2525, {"SMTP_PORT": "2525"}, "set SMTP_PORT"),
        (8443, {"HTTPS_PORT": "8443"}, "HTTPS_PORT=8448"), (13306, {}, "SQL_PORT"),
    ],
)  # fmt: skip
def test_mailcow_goes_elsewhere_where_it_can(port: int, conf: dict[str, str], words: str) -> None:
    for process in ("sshd", "openvpn"):
        assert words in advice(process, f"{process}.service", port, conf=conf).text


@pytest.mark.parametrize("image", ["tailscale/tailscale:v1", "ghcr.io/wg-easy/wg-easy", "portainer/portainer-ce:2",
                                   "guacamole/guacd@sha256:0"])  # fmt: skip
def test_a_container_that_is_a_way_in_is_not_stopped(image: str) -> None:
    for row in (
        free(("EADDRINUSE", "free"), proxy("0.0.0.0"), engine=engine(container("a b", ("", 25), image=image))),
        free(("free", "free"), engine=engine(container("a b", ("", 25), image=image))),
    ):
        assert row.remedy
        assert row.remedy.commands == ("docker port 'a b'",)
        assert "way in" in row.remedy.text


# --- mail ----------------------------------------------------------------------------------------------------


def test_postfix_loses_its_listeners_and_stays() -> None:
    for unit, restart in (
        ("postfix.service", "systemctl restart postfix"), ("postfix@-.service", "systemctl restart postfix"),
        ("postfix", "rc-service postfix restart"),
    ):  # fmt: skip
        made = advice("master", unit, 25, package="postfix")
        assert made.commands == ("postconf -e master_service_disable=inet", restart)
    assert advice("master", "postfix@out.service", 25).commands == ("systemctl disable --now postfix@out.service",)


@pytest.mark.parametrize(
    ("process", "unit", "traces", "clients"),
    [
        ("dovecot", "dovecot.service", (MailTrace("mailboxes", "/home", 2),), 0),
        ("dovecot", "dovecot.service", (), 3),
        ("master", "postfix.service", (MailTrace("mailboxes", "/var/vmail", 2),), 0),
        ("exim4", "exim4.service", (), 1),
    ],
)
def test_a_server_that_people_use_goes_last(
    process: str, unit: str, traces: tuple[MailTrace, ...], clients: int
) -> None:
    made = advice(process, unit, 25, mail_traces=traces, clients=clients)
    assert made.when == "last"
    assert not [line for line in made.commands if CUTS.search(line)]
    assert "back up its mailboxes" in made.text
    assert "On the day of the switch-over" in made.text


def test_a_mail_server_that_nobody_uses_is_stopped() -> None:
    queue = (MailTrace("queue", "/var/spool/exim4/input", 2), MailTrace("mailboxes", "/var/mail", 1))
    made = advice("exim4", "exim4.service", 25, mail_traces=queue)
    assert (made.commands, made.when) == (("systemctl disable --now exim4.service",), "now")
    assert "Messages waiting in /var/spool/exim4/input: 2." in made.text
    assert advice("dovecot", "dovecot.service", 993).commands == ("systemctl disable --now dovecot.service",)


@pytest.mark.parametrize(("process", "port"), [("nginx", 443), ("master", 25), ("dovecot", 993), ("x", 80)])
def test_a_panel_s_ports_are_its_own(process: str, port: int) -> None:
    made = advice(process, f"{process}.service", port, mail_traces=(MailTrace("panel", "/usr/local/psa", 0, "Plesk"),))
    assert made.commands == ()
    assert "Plesk manages this host" in made.text


@pytest.mark.parametrize("image", ["mailserver/docker-mailserver:15", "ghcr.io/mailu/front:2", "analogic/poste.io",
                                   "ghcr.io/mailcow/postfix:1.80"])  # fmt: skip
def test_a_mail_server_in_a_container_goes_last(image: str) -> None:
    given = container("mx", ("", 25), image=image, project="mx")
    row = free(("EADDRINUSE", "free"), proxy("0.0.0.0"), engine=engine(given))
    assert row.remedy
    assert (row.remedy.commands, row.remedy.when) == (("docker inspect mx",), "last")


@pytest.mark.parametrize(("image", "shown"), [("mailserver/docker-mailserver:15", True), ("tailscale/tailscale", True),
                                              ("mx:1", False)])  # fmt: skip
def test_a_service_of_the_swarm_that_serves_mail_or_is_a_way_in_keeps_its_port(image: str, shown: bool) -> None:
    service = SwarmService(name="m x", image=image, ports=(PublishedPort("", 25, 25),))
    for row in (
        free(engine=msgspec.structs.replace(engine(), services=(service,))),
        free(("EADDRINUSE", "free"), listener("0.0.0.0", process="dockerd", unit="docker.service"),
             engine=msgspec.structs.replace(engine(), services=(service,))),
    ):  # fmt: skip
        assert row.remedy
        assert (row.remedy.commands == ("docker service inspect --pretty 'm x'",)) is shown
        assert any("--publish-rm" in line for line in row.remedy.commands) is not shown


@pytest.mark.parametrize(("address", "told"), [("0.0.0.0", True), ("::", True), ("127.0.0.1", False), ("::1", False)])
@pytest.mark.parametrize("unit", ["postfix.service", "exim4.service"])
def test_what_other_machines_can_send_mail_to_may_be_somebody_s(address: str, told: bool, unit: str) -> None:
    outcomes = ("free", "EADDRINUSE") if ":" in address else ("EADDRINUSE", "free")
    row = free(outcomes, listener(address, unit=unit))
    assert row.remedy
    assert ("If an MX record points here" in row.remedy.text) is told


# --- web servers ---------------------------------------------------------------------------------------------


def test_a_web_server_with_visitors_is_not_stopped() -> None:
    busy = advice("nginx", "nginx.service", clients=4)
    assert busy.when == "last"
    assert not [line for line in busy.commands if CUTS.search(line)]
    assert "keep nginx in front" in busy.text
    assert advice("nginx", "nginx.service").commands == ("systemctl disable --now nginx.service",)


# --- no unit -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parent", "words", "pids"),
    [
        (Parent(70, "supervisord"), "(parent supervisord, pid 70)", "812,70"),
        (Parent(1, "systemd"), "(parent systemd, pid 1", "812,1"),
        (Parent(70, None), "(parent ?, pid 70)", "812,70"),
        (None, "Find out what starts it", "812"),
    ],
)
def test_a_process_without_a_unit_is_ended_where_it_is_started(parent: Parent | None, words: str, pids: str) -> None:
    made = advice("python3", None, 25, parent=parent)
    assert words in made.text
    assert made.commands == (f"ps -o pid,ppid,user,lstart,args -p {pids}",)


@pytest.mark.parametrize(
    ("runtime", "command"),
    [
        ("podman", "podman ps --all --filter id='a b'"), ("kubernetes", "crictl ps --id 'a b'"),
        ("lxc", "lxc-ls --fancy"), ("nspawn", "machinectl list"), ("docker", "ss -tanp 'sport = :25'"),
        (None, "ss -tanp 'sport = :25'"),
    ],
)  # fmt: skip
def test_another_runtime_s_container_is_stopped_by_that(runtime: Any, command: str) -> None:
    made = advice("nginx", None, 25, container="a b", runtime=runtime)
    assert made.commands == (command,)
    assert made.text


@pytest.mark.parametrize(("user", "command"), [("root", "podman ps"), ("al ice", None)])
def test_podman_s_own_processes_lead_to_its_containers(user: str, command: str | None) -> None:
    for process in ("rootlessport", "conmon", "podman"):
        made = advice(process, "user@1000.service", 25, user=user)
        assert made.commands == (command or f"su -s /bin/sh - {shlex.quote(user)} -c 'podman ps'",)


# --- who takes ports at random -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "first"),
    [
        (release(), "nfsconf --set statd port 32765"),
        (release("almalinux", "8"), "nfsconf --set statd port 32765"),
        (release("ubuntu", "24.04"), "nfsconf --set statd port 32765"),
        (release("debian", "11"), "sed -i 's/^STATDOPTS=.*/STATDOPTS=\"--port 32765 --outgoing-port 32766\"/'"
         " /etc/default/nfs-common"),
        (release("ubuntu", "20.04"), "sed -i 's/^STATDOPTS=.*/STATDOPTS=\"--port 32765 --outgoing-port 32766\"/'"
         " /etc/default/nfs-common"),
        (release("debian", "sid"), "nfsconf --set statd port 32765"),
    ],
)  # fmt: skip
def test_the_lock_service_of_nfs_gets_a_fixed_port(system: OsRelease, first: str) -> None:
    made = advice("rpc.statd", "rpc-statd.service", 993, os_release=system)
    assert (made.commands[0], made.commands[-1]) == (first, "systemctl restart rpc-statd.service")
    assert not [line for line in made.commands if CUTS.search(line)]


def test_others_that_take_ports_at_random_are_not_stopped() -> None:
    made = advice("rpc.mountd", "nfs-mountd.service", 993)
    assert "fixed port" in made.text
    assert not [line for line in made.commands if CUTS.search(line)]


# --- several -------------------------------------------------------------------------------------------------


def test_of_several_holders_a_way_in_decides_what_else_is_said() -> None:
    holders = listener("127.0.0.1", 443, process="sshd", unit="ssh.service"), listener("::1", 443, unit="x.service")
    row = free(("EADDRINUSE", "EADDRINUSE"), *holders, port=443)
    assert row.remedy
    assert "systemctl disable --now x.service" in row.remedy.commands
    assert not [line for line in row.remedy.commands if "disable" in line and "ssh" in line]
    assert "behind a web server" not in row.remedy.text


# --- services that run many programs -------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [*(unit for entry in SUPERVISORS for unit in entry.units), "pm2-root", "pm2"])
def test_who_runs_many_programs_is_not_stopped_for_one(unit: str) -> None:
    for name in (f"{unit}.service", unit):
        made = advice("nginx", name, 80)
        assert not [line for line in made.commands if CUTS.search(line)], made.commands
        assert "nginx" in made.text
    assert advice("nginx", "nginx.service", 80).commands == ("systemctl disable --now nginx.service",)


# --- what the commands do ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "dropped"),
    [
        ("Include /etc/ssh/sshd_config.d/*.conf\nPort 443\n", True),
        ("  include   /etc/ssh/sshd_config.d/*.conf\nPort 443\n", True),
        ("Port 443\nMatch User x\n  X11Forwarding no\n", False),
        ("#Include /etc/ssh/sshd_config.d/*.conf\nPort 443\n", False),
    ],
)
def test_the_second_port_is_written_where_the_server_reads_it(tmp_path: Path, config: str, dropped: bool) -> None:
    (tmp_path / "sshd_config.d").mkdir()
    main = tmp_path / "sshd_config"
    main.write_text(config.replace("/etc/ssh", str(tmp_path)))
    for line in advice("sshd", "ssh.service").commands[:2]:
        subprocess.run(["sh", "-ec", line.replace("/etc/ssh", str(tmp_path))], check=True, timeout=20)
    added = [path.read_text() for path in (tmp_path / "sshd_config.d").iterdir()]
    assert added == (["Port 22\n"] if dropped else [])
    before = (tmp_path / "sshd_config.before-mailcow").read_text()
    assert main.read_text() == (before if dropped else f"Port 22\n{before}")
