"""The checks of ports and mailcow.conf, on made-up hosts."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from preflight.facts import (
    Address,
    BindAttempt,
    Compose,
    ConfFile,
    Container,
    DaemonConfig,
    Engine,
    EnvFile,
    Fact,
    Ipv6,
    Link,
    OsRelease,
    PublishedPort,
    Route,
    Setting,
    Sockets,
    SwarmService,
)
from preflight.gather.access.roots import Roots
from preflight.gather.conf.env_file import env_file
from preflight.gather.conf.mailcow_conf import parse
from preflight.mailcow.plan import DEFAULT_CONF
from preflight.report.model import Remedy, Result, Status
from tests.build import VIEW, conf_file, look, measured, run
from tests.checks.published import ON, attempts, container, engine, free, listener, proxy

PASS, WARN, FAIL, UNKNOWN = Status.PASS, Status.WARN, Status.FAIL, Status.UNKNOWN
LINKS = (Link("eth0", 1500, True, (Address("192.0.2.2", 24, "global"), Address("2001:db8::2", 64, "global"))),)


# --- ports.configuration -------------------------------------------------------------------------------------


def configuration(conf: ConfFile, **facts: Any) -> dict[str | None, Result]:
    return {row.subject: row for row in run("ports.configuration", look(mailcow_conf=conf, **{"links": LINKS} | facts))}


def remedy(row: Result) -> Remedy:
    assert row.remedy is not None
    return row.remedy


def test_nothing_to_complain_of_is_one_pass() -> None:
    (row,) = configuration(conf_file({"SMTP_PORT": "192.0.2.2:25", "HTTP_BIND": "127.0.0.1"})).values()
    assert (row.subject, row.status) == (None, PASS)
    (row,) = configuration(ConfFile(DEFAULT_CONF, False, {})).values()
    assert row.status is PASS
    assert "no mailcow.conf yet" in row.message


def test_a_wrong_value_is_named_with_file_and_line() -> None:
    conf = conf_file({"TZ": "UTC", "HTTP_PORT": "1.2.3.4:8080"})
    (row,) = configuration(conf).values()
    assert (row.subject, row.status, row.found) == ("HTTP_PORT", FAIL, "1.2.3.4:8080")
    assert f"See {DEFAULT_CONF}, line 2." in row.message
    assert row.remedy is not None
    assert "HTTP_BIND=1.2.3.4 · HTTP_PORT=8080" in row.remedy.text


def test_two_problems_of_one_variable_are_one_finding() -> None:
    conf = conf_file({"HTTP_PORT": "8081", "HTTPS_PORT": "8081"})
    rows = configuration(conf)
    assert set(rows) == {"HTTP_PORT", "HTTPS_PORT"}
    assert "must not be 8081" in rows["HTTPS_PORT"].message
    assert "both publish port 8081" in rows["HTTPS_PORT"].message


def test_a_lesser_problem_warns() -> None:
    assert configuration(conf_file({"SQL_PORT": "13306"}))["SQL_PORT"].status is WARN


def test_duplicates_lines_and_what_a_shell_chokes_on() -> None:
    conf = msgspec.structs.replace(
        conf_file({"SMTP_PORT": "25", "HTTP_PORT": "x"}),
        duplicates={"SMTP_PORT": [1, 7], "HTTP_PORT": [2, 3]},
        bad_lines=(3, 5),
        refusals=("quote", "space"),
        marks=("bom", "crlf"),
        commands=(4,),
        shell_ends=9,
    )
    rows = configuration(conf)
    assert {name: row.status for name, row in rows.items()} == {
        "line 3": FAIL, "line 5": FAIL, DEFAULT_CONF: WARN, "SMTP_PORT": WARN, "HTTP_PORT": FAIL,
    }  # fmt: skip
    assert "its quote is not closed" in rows["line 3"].message
    assert remedy(rows["line 3"]).commands == (f"sed -n 3p {DEFAULT_CONF}",)
    assert "lines 1, 7" in rows["SMTP_PORT"].message
    assert measured(rows["SMTP_PORT"])["lines"] == [1, 7]
    assert "lines 2, 3" in rows["HTTP_PORT"].message
    assert "HTTP_PORT=80" in remedy(rows["HTTP_PORT"]).text
    said = rows[DEFAULT_CONF].message
    assert all(word in said for word in ("CR LF", "part of these lines as a command: 4.", "stop reading at line 9"))
    assert [command.split()[:3] for command in remedy(rows[DEFAULT_CONF]).commands] == [
        ["sed", "-n", "4p"], ["sed", "-n", "9p"], ["sed", "-i", "'1s/^\\xef\\xbb\\xbf//'"], ["sed", "-i", "'s/\\r$//'"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("marks", "advice", "command"),
    [
        (("bom",), "Remove the byte-order mark.", "xef"),
        (("crlf",), "Convert the line ends to LF.", "\\r$"),
    ],
)
def test_each_mark_of_another_system_has_its_own_remedy(marks: tuple[str, ...], advice: str, command: str) -> None:
    row = configuration(msgspec.structs.replace(conf_file({}), marks=marks))[DEFAULT_CONF]
    assert (row.status, remedy(row).text) == (WARN, advice)
    (told,) = remedy(row).commands
    assert command in told


def test_the_remedies_for_marks_do_what_they_say(tmp_path: Path) -> None:
    file = tmp_path / "mailcow conf"
    file.write_bytes(b"\xef\xbb\xbfTZ=UTC\r\nSMTP_PORT=25\r\n")
    conf = msgspec.structs.replace(parse(file.read_bytes(), str(file)))
    assert conf.marks == ("bom", "crlf")
    for command in remedy(configuration(conf)[str(file)]).commands:
        subprocess.run(["sh", "-c", command], check=True)
    assert file.read_bytes() == b"TZ=UTC\nSMTP_PORT=25\n"


def test_a_file_that_was_not_read_to_its_end_is_no_matter_of_marks() -> None:
    row = configuration(msgspec.structs.replace(conf_file({}), read_to=100_001))[DEFAULT_CONF]
    assert (row.status, "up to line 100001" in row.message) == (WARN, True)
    assert "differently from Docker Compose" not in row.message
    assert remedy(row).text == "Remove what does not belong in the file."
    assert remedy(row).commands == (f"wc -l {DEFAULT_CONF}",)
    assert measured(row)["line"] == 100_001


def test_a_file_that_was_not_read_to_its_end_may_have_marks_too() -> None:
    row = configuration(msgspec.structs.replace(conf_file({}), read_to=100_001, marks=("crlf",)))[DEFAULT_CONF]
    assert all(words in row.message for words in ("CR LF", "up to line 100001"))
    assert remedy(row).commands == (rf"sed -i 's/\r$//' {DEFAULT_CONF}", f"wc -l {DEFAULT_CONF}")


@pytest.mark.parametrize(
    ("env", "present", "status", "words"),
    [
        (EnvFile("/m/.env", "link", "mailcow.conf", same=True, clone=True), True, None, ""),
        (EnvFile("/m/.env", "link", "mailcow.conf", same=True, clone=True), False, None, ""),
        (EnvFile("/m/.env", "absent"), True, None, ""),
        (EnvFile("/m/.env", "absent", clone=True), True, FAIL, "is missing"),
        (EnvFile("/m/.env", "file"), True, FAIL, "a separate file"),
        (EnvFile("/m/.env", "file"), False, FAIL, "refuses to run"),
        (EnvFile("/m/.env", "file", same=True), True, WARN, "later changes"),
        (EnvFile("/m/.env", "link", "../old/mailcow.conf"), True, FAIL, "a link to ../old/mailcow.conf"),
        (EnvFile("/m/.env", "other"), True, FAIL, "neither a file nor a link"),
    ],
)
def test_compose_reads_dot_env(env: EnvFile, present: bool, status: Status | None, words: str) -> None:
    conf = msgspec.structs.replace(conf_file({"HTTP_PORT": "8080"}, "/m/mailcow.conf"), present=present, env=env)
    rows = configuration(conf)
    assert {name: row.status for name, row in rows.items()} == ({"/m/.env": status} if status else {None: PASS})
    if status:
        assert words in rows["/m/.env"].message
        assert remedy(rows["/m/.env"]).when == ("now" if present else "cloned")


@pytest.mark.parametrize("before", ["absent", "file", "link", "directory"])
def test_the_remedy_for_dot_env_makes_its_finding_go_away(tmp_path: Path, before: str) -> None:
    folder = tmp_path / "opt/mailcow dockerized"
    folder.mkdir(parents=True)
    for name in ("mailcow.conf", "docker-compose.yml", "generate_config.sh"):
        (folder / name).write_text("TZ=UTC\n")
    env = folder / ".env"
    if before == "file":
        env.write_text("mailcow.conf")
    elif before == "link":
        env.symlink_to("nowhere")
    elif before == "directory":
        env.mkdir()
    roots = Roots("/", VIEW)
    conf = conf_file({}, str(folder / "mailcow.conf"))
    row = configuration(msgspec.structs.replace(conf, env=env_file(roots, conf.path)))[str(env)]
    assert row.status is FAIL
    subprocess.run(["sh", "-ec", "\n".join(remedy(row).commands)], check=True)
    assert configuration(msgspec.structs.replace(conf, env=env_file(roots, conf.path)))[None].status is PASS
    kept = [path for path in folder.iterdir() if path.name.startswith(".env.")]
    assert len(kept) == (before != "absent")


def test_facts_of_before_reasons_were_told_still_fail() -> None:
    conf = msgspec.structs.replace(conf_file({}), bad_lines=(3,))
    assert configuration(conf)["line 3"].status is FAIL


@pytest.mark.parametrize(
    ("version", "status"),
    [("2.26.1-4", FAIL), ("v2.27.1", FAIL), ("2.27.2", None), ("2.40.3", None), ("v5.0.0", None), ("", WARN)],
)
def test_a_value_without_a_name_is_what_older_composes_refuse(version: str, status: Status | None) -> None:
    conf = msgspec.structs.replace(conf_file({}), nameless=(2,))
    rows = configuration(conf, compose=Compose("plugin", "/p", version))
    assert {name: row.status for name, row in rows.items()} == ({"line 2": status} if status else {None: PASS})
    if not version:
        assert configuration(conf)["line 2"].status is WARN


@pytest.mark.parametrize(
    ("value", "shell", "fix"),
    [
        ("native", "", "ACME_DNS_PROVIDER=native"),
        ("not one", "", "ACME_DNS_PROVIDER='not one'"),
        ("it's", "its", None),
        ("a…", "a", None),
        ("a\tb", "a", None),
    ],
)
def test_a_value_that_a_shell_reads_differently(value: str, shell: str, fix: str | None) -> None:
    settings = {"HTTP_REDIRECT": Setting("n", 1), "ACME_DNS_PROVIDER": Setting(value, 3, shell=shell)}
    (row,) = configuration(ConfFile(DEFAULT_CONF, True, settings)).values()
    assert row.status is WARN
    assert (f"Set in mailcow.conf: {fix}" if fix else "Correct the line") in remedy(row).text
    assert f"ACME_DNS_PROVIDER as '{value}'" in row.message
    assert (f"read '{shell}'" if shell else "read nothing") in row.message
    assert f"See {DEFAULT_CONF}, line 3." in row.message


def test_a_network_of_mailcow_is_proposed_that_is_free_here() -> None:
    taken = (Route("0.0.0.0/0", "192.0.2.1", "eth0", 0), Route("172.22.0.0/16", "", "eth0", 0))
    row = configuration(conf_file({"IPV4_NETWORK": "mail"}), routes=taken)["IPV4_NETWORK"]
    assert row.status is FAIL
    free = (row.expected or "").removeprefix("IPV4_NETWORK=")
    assert free.count(".") == 2
    assert not free.startswith("172.22.")
    assert configuration(conf_file({"IPV4_NETWORK": "mail"}))["IPV4_NETWORK"].expected == "IPV4_NETWORK=172.22.1"


@pytest.mark.parametrize(
    ("values", "subject", "line"),
    [
        (
            {"SMTP_PORT": "198.51.100.7:25"},
            "SMTP_PORT",
            "SMTP_PORT=25 in mailcow.conf, or replace 198.51.100.7 with 192.0.2.2",
        ),
        ({"HTTP_BIND": "198.51.100.7"}, "HTTP_BIND", "HTTP_BIND= in mailcow.conf, or replace"),
        ({"HTTP_BIND": "[2001:db8::99]"}, "HTTP_BIND", "HTTP_BIND= in mailcow.conf, or replace"),
        ({"SNAT_TO_SOURCE": "198.51.100.7"}, "SNAT_TO_SOURCE", "SNAT_TO_SOURCE=n"),
        ({"SNAT6_TO_SOURCE": "2001:DB8::99"}, "SNAT6_TO_SOURCE", "SNAT6_TO_SOURCE=n"),
    ],
)
def test_an_address_that_is_not_of_this_host(values: dict[str, str], subject: str, line: str) -> None:
    conf = msgspec.structs.replace(conf_file(values), duplicates={subject: [1, 1]})
    (row,) = configuration(conf).values()
    assert (row.subject, row.status) == (subject, FAIL)
    assert ("replies would not reach" if "SNAT" in subject else "cannot assign requested address") in row.message
    assert line in remedy(row).text
    more = (
        *LINKS,
        Link("eth1", 1500, True, (Address("192.0.2.3", 24, "global"), Address("2001:db8::3", 64, "global"))),
    )
    (row,) = configuration(conf, links=more).values()
    assert "an address of this host" in remedy(row).text


@pytest.mark.parametrize(
    ("values", "attempt"),
    [
        ({"SMTP_PORT": "203.0.113.9:25"}, BindAttempt("203.0.113.9", 25, "free")),
        ({"SMTP_PORT": "203.0.113.9:25"}, BindAttempt("203.0.113.9", 25, "EADDRINUSE")),
        ({"HTTP_BIND": "[2001:db8::99]"}, BindAttempt("2001:db8::99", 80, "free")),
        ({"SNAT_TO_SOURCE": "203.0.113.9"}, BindAttempt("203.0.113.9", 0, "free")),
    ],
)
@pytest.mark.parametrize("links", [LINKS, Fact.unknown("s", "No links.")])
def test_an_address_that_could_be_bound_is_no_stranger(
    values: dict[str, str], attempt: BindAttempt, links: Any
) -> None:
    (subject,) = values
    rows = configuration(conf_file(values), binds=(attempt,), links=links)
    assert {name: row.status for name, row in rows.items()} == {subject: PASS, None: PASS}
    assert "No interface has this address now" in rows[subject].message
    repeated = msgspec.structs.replace(conf_file(values), duplicates={subject: [1, 1]})
    assert configuration(repeated, binds=(attempt,), links=links)[subject].status is WARN
    refused = msgspec.structs.replace(attempt, outcome="EADDRNOTAVAIL")
    assert configuration(conf_file(values), binds=(refused,), links=links)[subject].status is FAIL


def test_an_address_of_an_interface_that_cannot_be_bound_yet() -> None:
    given = {"conf": {"SMTP_PORT": "[2001:db8::2]:25"}, "links": LINKS, "ipv6": ON}
    (row,) = (
        row
        for row in run("ports.free", look(binds=(BindAttempt("2001:db8::2", 25, "EADDRNOTAVAIL"),), **given))
        if row.subject == "[2001:db8::2]:25/tcp"
    )
    assert (row.status, "an interface has the address" in row.message) == (FAIL, True)


def test_addresses_of_this_host_are_fine_and_loopback_always_is() -> None:
    values = {"SMTP_PORT": "192.0.2.2:25", "HTTP_BIND": "[2001:db8::2]", "SNAT_TO_SOURCE": "192.0.2.2"}
    assert configuration(conf_file(values))[None].status is PASS
    assert configuration(conf_file({"IMAP_PORT": "127.0.0.9:143"}), links=())[None].status is PASS


def test_without_knowing_the_addresses_the_rest_is_still_told() -> None:
    conf = conf_file({"SMTP_PORT": "192.0.2.2:25", "IMAP_PORT": "x"})
    rows = configuration(conf, links=Fact.unknown("s", "No links."))
    assert (rows["IMAP_PORT"].status, rows[None].status) == (FAIL, UNKNOWN)


def test_a_file_that_cannot_be_read_is_unknown() -> None:
    (row,) = run("ports.configuration", look())
    assert row.status is UNKNOWN


# --- ports.free ----------------------------------------------------------------------------------------------


def postfix(*ports: tuple[str, int], **more: Any) -> Container:
    own = {"project": "mailcowdockerized", "service": "postfix-mailcow", "restart": "always"}
    return container("mailcowdockerized-postfix-mailcow-1", *ports, **own | more)


@pytest.mark.parametrize("cut", ["containers", "stopped", "services"])
def test_what_the_engine_keeps_to_itself_may_publish_the_port(cut: str) -> None:
    said = Engine(version="28.5.2", api_version="1.51", truncated=True, cut=(cut,))
    row = free(engine=said)
    assert (row.status, row.reason) == (UNKNOWN, "The engine did not list everything that may publish ports.")
    assert free(("EADDRINUSE", "free"), engine=said).status is FAIL
    assert free(engine=msgspec.structs.replace(said, cut=("volumes",))).status is PASS


def test_a_free_port() -> None:
    row = free()
    assert (row.status, row.message, row.expected, row.found) == (PASS, "25/tcp is free.", "free", "free")
    assert measured(row) == {
        "service": "postfix-mailcow", "variables": ["SMTP_PORT"], "bind": "*:25", "holder": None, "holders": [],
        "decided_by": "bind",
    }  # fmt: skip


def test_a_port_that_another_runs_rehearsal_has_is_not_taken() -> None:
    """It is gone in a moment, and whether anybody has it then is not known."""
    stand_in = container("mailcow-preflight-0-postfix-mailcow", ("", 25), run="0")
    row = free(("EADDRINUSE", "EADDRINUSE"), listener("0.0.0.0", process="docker-proxy"), engine=engine(stand_in))
    assert row.status is UNKNOWN
    assert "rehearsal" in str(row.reason)


def test_there_is_a_row_for_each_port_in_mailcows_order() -> None:
    given = look(conf={"SMTPS_PORT": "25"})
    rows = run("ports.free", look(conf={"SMTPS_PORT": "25"}, binds=attempts(given, 0, "free")))
    assert [row.subject for row in rows] == [binding.subject for binding in given.plan.bindings]
    assert measured(rows[0])["variables"] == ["SMTP_PORT", "SMTPS_PORT"]
    assert all(row.status is PASS for row in rows)


def test_a_held_port_as_the_contract_has_it() -> None:
    came = {"command": ("/usr/sbin/exim4", "-bd"), "binary": "/usr/sbin/exim4", "package": "exim4-daemon-light"}
    row = free(("EADDRINUSE", "free"), listener("127.0.0.1", **came))
    assert (row.status, row.expected, row.found) == (FAIL, "free", "127.0.0.1:25")
    assert row.message == "25/tcp is in use by exim4 (pid 812, exim4.service) on 127.0.0.1."
    holder = {
        "pid": 812, "process": "exim4", "user": "Debian-exim", "unit": "exim4.service", "container": None,
        "image": None, "address": "127.0.0.1", "port": 25, "state": "listening",
        "command": ["/usr/sbin/exim4", "-bd"], "binary": "/usr/sbin/exim4", "package": "exim4-daemon-light",
        "project": None, "restart": None, "swarm_service": None,
    }  # fmt: skip
    assert measured(row) == {
        "service": "postfix-mailcow", "variables": ["SMTP_PORT"], "bind": "*:25", "holder": holder,
        "holders": [holder], "decided_by": "bind",
    }  # fmt: skip
    assert row.remedy is not None
    assert row.remedy.commands == ("systemctl disable --now exim4.service",)
    assert "package" not in row.remedy.text  # whose name says it


@pytest.mark.parametrize(
    ("family", "more", "said"),
    [
        ("rocky", {}, "To find the package of exim4, run `rpm -qf '/opt/a b'`."),  # a binary database
        ("debian", {}, ""),
        ("debian", {"package": "mail-server"}, "exim4 belongs to the package mail-server."),
        ("debian", {"package": "exim4"}, ""),
        ("rocky", {"container": "c" * 64}, ""),
        ("rocky", {"process": "docker-proxy"}, ""),
        ("debian", {"process": "systemd", "package": "systemd", "unit": "exim4.socket"}, ""),
    ],
)
def test_the_package_of_a_holder_is_named_where_that_helps(family: str, more: dict[str, Any], said: str) -> None:
    release = OsRelease(id=family, version_id="9", id_like=(), pretty_name="", codename="")
    row = free(("EADDRINUSE", "free"), listener("0.0.0.0", **{"binary": "/opt/a b", **more}), os_release=release)
    assert row.remedy is not None
    assert said in row.remedy.text
    assert bool(said) == ("package" in row.remedy.text)


def test_all_holders_are_named() -> None:
    row = free(("EADDRINUSE", "EADDRINUSE"), listener("127.0.0.1"), listener("::1", pid=9, process="x", unit=None))
    assert row.message == "25/tcp is in use by exim4 (pid 812, exim4.service), x (pid 9)."
    assert [holder["pid"] for holder in measured(row)["holders"]] == [812, 9]
    assert row.remedy is not None
    assert row.remedy.commands == (
        "systemctl disable --now exim4.service", "ps -o pid,ppid,user,lstart,args -p 9"
    )  # fmt: skip


def test_commands_fit_the_host() -> None:
    row = free(("EADDRINUSE", "free"), listener("0.0.0.0", unit="exim"))
    assert row.remedy is not None
    assert row.remedy.commands == ("rc-service exim stop", "rc-update del exim")
    quoted = free(("EADDRINUSE", "free"), listener("0.0.0.0", unit="a;reboot.service"))
    assert quoted.remedy is not None
    assert quoted.remedy.commands == ("systemctl disable --now 'a;reboot.service'",)


def test_a_web_server_may_stay_as_a_reverse_proxy() -> None:
    row = free(("EADDRINUSE", "free"), listener("0.0.0.0", 443, process="nginx", unit="nginx.service"), port=443)
    assert row.remedy is not None
    for line in ("HTTP_BIND=127.0.0.1", "HTTP_PORT=8080", "HTTPS_BIND=127.0.0.1", "HTTPS_PORT=8443"):
        assert line in row.remedy.text
    assert "keep nginx in front" in row.remedy.text
    assert "(see https://docs.mailcow.email/" in row.remedy.text


@pytest.mark.parametrize(
    ("conf", "taken", "lines"),
    [
        ({}, 8080, "HTTP_PORT=8088 HTTPS_BIND=127.0.0.1 HTTPS_PORT=8443"),
        ({}, 8443, "HTTP_PORT=8080 HTTPS_BIND=127.0.0.1 HTTPS_PORT=8448"),
        ({"SIEVE_PORT": "8443"}, 1, "HTTP_PORT=8080 HTTPS_BIND=127.0.0.1 HTTPS_PORT=8448"),
        ({"HTTPS_PORT": "8443"}, 1, "HTTP_PORT=8080 HTTPS_BIND=127.0.0.1 HTTPS_PORT=8443"),
    ],
)
def test_ports_behind_a_web_server_are_none_that_are_taken(conf: dict[str, str], taken: int, lines: str) -> None:
    web = engine(container("web", ("127.0.0.1", taken)))
    row = free(("EADDRINUSE", "free"), listener("0.0.0.0", 80, process="x"), port=80, conf=conf, engine=web)
    assert f"HTTP_BIND=127.0.0.1 {lines} (see" in remedy(row).text
    assert "put mailcow behind a web server" in remedy(row).text


def test_the_port_that_is_held_is_not_proposed() -> None:
    row = free(("EADDRINUSE", "free"), listener("0.0.0.0", 8080), port=8080, conf={"HTTP_PORT": "8080"})
    assert "HTTP_PORT=8088" in remedy(row).text


def test_a_moved_smtp_port_can_be_moved_again() -> None:
    row = free(("EADDRINUSE", "free"), listener("0.0.0.0", 2525), port=2525, conf={"SMTP_PORT": "2525"})
    assert "cannot be changed" not in remedy(row).text


# The half that a socket blocks is known from the attempts; a listener on [::] may be in the way of IPv4 as well.
@pytest.mark.parametrize(
    ("outcomes", "address", "named"),
    [
        (("free", "EADDRINUSE"), "::1", True),
        (("EADDRINUSE", "EADDRINUSE"), "::", True),
        (("EADDRINUSE", "free"), "127.0.0.2", True),
        (("EADDRINUSE", "free"), "::1", False),  # somebody else's
        (("free", "EADDRINUSE"), "127.0.0.1", False),
    ],
)
def test_only_who_can_be_in_the_way_is_named(outcomes: tuple[str, str], address: str, named: bool) -> None:
    row = free(outcomes, listener(address))
    assert row.status is FAIL
    assert bool(row.evidence.holder) is named


def test_the_attempt_decides_whatever_the_tables_show() -> None:
    assert free(("free", "free"), listener("127.0.0.1")).status is PASS
    assert free(("EADDRINUSE", "free")).status is FAIL


# --- the IPv6 half -------------------------------------------------------------------------------------------

NO_PROXY = DaemonConfig("/etc/docker/daemon.json", True, {"userland-proxy": False})


@pytest.mark.parametrize(
    ("ipv6", "conf", "daemon", "status"),
    [
        (ON, {}, None, FAIL),
        (ON, {"ENABLE_IPV6": "false"}, None, FAIL),  # the userland proxy takes it
        (ON, {}, NO_PROXY, FAIL),  # mailcow's network has IPv6
        (ON, {"ENABLE_IPV6": "false"}, NO_PROXY, PASS),
        (Ipv6(True, True, False), {}, None, PASS),
        (Ipv6(False, False, False), {}, None, PASS),
        (None, {}, None, FAIL),
    ],
)
def test_the_ipv6_half_counts_where_the_engine_binds_it(
    ipv6: Ipv6 | None, conf: dict[str, str], daemon: DaemonConfig | None, status: Status
) -> None:
    facts: dict[str, Any] = {"ipv6": ipv6 or Fact.unknown("s", "R.")} | ({"daemon_config": daemon} if daemon else {})
    assert free(("free", "EADDRINUSE"), listener("::1"), conf=conf, **facts).status is status


def test_an_ipv6_address_alone_that_the_engine_would_leave_out() -> None:
    conf = {"SMTP_PORT": "[2001:db8::2]:25", "ENABLE_IPV6": "false"}
    assert free(("free", "EADDRINUSE"), listener("::"), conf=conf).status is FAIL
    row = free(("free", "EADDRINUSE"), listener("::"), conf=conf, daemon_config=NO_PROXY)
    assert (row.status, row.found) == (WARN, "not published")


@pytest.mark.parametrize("said", ["EAFNOSUPPORT", "EADDRNOTAVAIL"])
def test_no_ipv6_is_no_conflict(said: str) -> None:
    assert free(("free", said)).status is PASS


def test_a_dual_stack_listener_blocks_ipv4_even_without_ipv6() -> None:
    row = free(("EADDRINUSE", "EADDRINUSE"), listener("::"), ipv6=Ipv6(True, True, False))
    assert (row.status, row.found) == (FAIL, "[::]:25")


@pytest.mark.parametrize(
    ("value", "outcomes", "status"),
    [
        ("0.0.0.0:25", ("free", "EADDRINUSE"), PASS),
        ("192.0.2.2:25", ("EADDRINUSE", "free"), FAIL),
        ("[2001:db8::2]:25", ("free", "EADDRINUSE"), FAIL),
    ],
)
def test_an_address_of_ones_own(value: str, outcomes: tuple[str, str], status: Status) -> None:
    row = free(outcomes, conf={"SMTP_PORT": value})
    assert (row.status, row.subject, row.evidence.bind) == (status, f"{value}/tcp", value)


def test_errors_are_different_findings() -> None:
    row = free(("EADDRNOTAVAIL", "free"), conf={"SMTP_PORT": "198.51.100.7:25"})
    assert (row.status, row.found) == (FAIL, "198.51.100.7")
    assert "cannot assign requested address" in row.message
    row = free(("EADDRNOTAVAIL", "free"), listener("0.0.0.0"), conf={"SMTP_PORT": "198.51.100.7:25"})
    assert (row.found, row.evidence.holder) == ("198.51.100.7", None)  # whoever listens everywhere
    rival = engine(container("web", ("", 25)))
    assert free(("EADDRNOTAVAIL", "free"), conf={"SMTP_PORT": "198.51.100.7:25"}, engine=rival).found == "198.51.100.7"
    row = free(("EACCES", "EACCES"))
    assert (row.status, row.remedy and row.remedy.text) == (UNKNOWN, "Run the check as root.")
    row = free(("ENOBUFS", "free"))
    assert row.status is UNKNOWN
    assert "ENOBUFS" in (row.reason or "")
    assert free(("EACCES", "EADDRINUSE")).status is FAIL


def test_facts_without_this_port_are_no_pass() -> None:
    (row, *_) = run("ports.free", look(conf={"SMTP_PORT": "2525"}, binds=(), ipv6=ON))
    assert (row.subject, row.status) == ("2525/tcp", UNKNOWN)


# --- the kernel only, and holders that cannot be seen -------------------------------------------------------


def test_time_wait_is_waited_for() -> None:
    row = free(("EADDRINUSE", "free"), listener("192.0.2.2", pid=None, state="time-wait"))
    assert (row.status, row.found) == (FAIL, "192.0.2.2:25 time-wait")
    assert (row.evidence.holder, measured(row)["holders"]) == (None, [])
    assert "kernel only" in row.message
    assert row.remedy is not None
    assert row.remedy.text.startswith("Wait a minute")
    # TIME_WAIT has no process even where processes are hidden.
    assert free(("EADDRINUSE", "free"), listener("192.0.2.2", pid=None, state="time-wait"), owners=False).message == (
        row.message
    )


def test_a_listener_without_owner() -> None:
    row = free(("EADDRINUSE", "free"), listener("0.0.0.0", pid=None))
    assert row.evidence.holder is None
    assert "kernel itself" in row.message
    row = free(("EADDRINUSE", "free"), listener("0.0.0.0", pid=None), owners=False)
    assert row.evidence.holder.address == "0.0.0.0"
    assert "Run the check as root." in row.message


def test_no_socket_at_all() -> None:
    row = free(("EADDRINUSE", "free"))
    assert (row.status, row.found, row.evidence.holder) == (FAIL, "in use", None)
    row = free(("EADDRINUSE", "free"), sockets=Fact.unknown("s", "The tables are closed."))
    assert "The tables are closed." in row.message


def test_bound_and_connected_holders_are_told_with_their_state() -> None:
    row = free(("EADDRINUSE", "free"), listener("0.0.0.0", state="bound"))
    assert row.found == "0.0.0.0:25 bound"
    row = free(("EADDRINUSE", "free"), listener("192.0.2.2", state="established"))
    assert row.found == "192.0.2.2:25 established"


# --- without a bind attempt ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "state", "status"),
    [
        ("127.0.0.1", "listening", FAIL),
        ("::1", "listening", FAIL),
        ("::", "listening", FAIL),
        ("127.0.0.1", "bound", UNKNOWN),
        ("127.0.0.1", "established", UNKNOWN),
        ("127.0.0.1", "time-wait", UNKNOWN),
    ],
)
def test_sockets_alone_prove_a_failure_and_never_a_pass(address: str, state: str, status: Status) -> None:
    row = free(None, listener(address, state=state))
    assert row.status is status
    if status is FAIL:
        assert row.evidence.decided_by == "sockets"
    assert free(None).status is UNKNOWN


def test_the_reason_is_that_of_the_attempts() -> None:
    binds = Fact.unknown("bind(2)", "Not the host's network.", "Add --network=host to docker run.")
    row = free(None, binds=binds)
    assert (row.reason, row.remedy and row.remedy.text) == (
        "Not the host's network.", "Add --network=host to docker run.",
    )  # fmt: skip


def test_where_no_attempt_was_made_the_port_is_still_described() -> None:
    result = run("ports.free", look(conf={"SMTP_PORT": "2525"}))[0]
    told = measured(result)
    assert (told["bind"], told["variables"], told["service"]) == ("*:2525", ["SMTP_PORT"], "postfix-mailcow")
    assert (result.status, told["source"], told["holder"]) == (Status.UNKNOWN, "test", None)


def test_a_listener_on_every_ipv6_address_does_not_prove_an_ipv4_conflict() -> None:
    assert free(None, listener("::"), conf={"SMTP_PORT": "0.0.0.0:25"}).status is UNKNOWN
    assert free(None, listener("::"), conf={"ENABLE_IPV6": "false"}, daemon_config=NO_PROXY).status is UNKNOWN
    assert free(None, listener("192.0.2.3"), conf={"SMTP_PORT": "192.0.2.2:25"}).status is UNKNOWN


def test_where_only_root_may_bind_a_listener_still_proves_it() -> None:
    assert free(("EACCES", "EACCES"), listener("127.0.0.1")).status is FAIL


# --- containers ----------------------------------------------------------------------------------------------


def test_a_proxy_is_named_as_its_container() -> None:
    web = container("web", ("", 25))
    row = free(("EADDRINUSE", "EADDRINUSE"), proxy("0.0.0.0"), proxy("::"), engine=engine(web))
    assert row.message == "25/tcp is in use by the container web (web:1)."
    assert (row.evidence.holder.container, row.evidence.holder.image) == ("web", "web:1")
    assert row.remedy is not None
    assert row.remedy.commands == ("docker update --restart=no web", "docker stop web")


def test_a_proxy_of_an_unknown_container() -> None:
    row = free(("EADDRINUSE", "free"), proxy("0.0.0.0"))
    assert "docker-proxy (pid 812" in row.message
    assert row.remedy is not None
    assert row.remedy.commands == ("docker ps --filter publish=25",)


def test_a_process_inside_a_container_on_the_hosts_network() -> None:
    inside = container("mail")
    holder = listener("0.0.0.0", process="master", unit=None, container="a" * 64)
    row = free(("EADDRINUSE", "free"), holder, engine=engine(inside))
    assert row.message == "25/tcp is in use by master (pid 812) in the container mail."
    assert row.evidence.holder.container == "mail"
    lxc = free(("EADDRINUSE", "free"), listener("0.0.0.0", unit=None, container="guest"))
    assert lxc.evidence.holder.container == "guest"


@pytest.mark.parametrize("address", ["", "0.0.0.0", "127.0.0.1", "::"])
def test_a_published_port_without_a_socket_is_taken(address: str) -> None:
    row = free(("free", "free"), engine=engine(container("web", (address, 25))))
    assert (row.status, row.found, row.evidence.decided_by) == (FAIL, "container web", "engine")
    assert "port is already allocated" in row.message
    assert row.evidence.holder.container == "web"
    assert free(None, engine=engine(container("web", (address, 25)))).status is FAIL


def test_a_container_of_a_compose_project_is_stopped_and_kept() -> None:
    blog = container("blog-web-1", ("", 25), project="blog", restart="always"), container("b", ("", 25), project="blog")
    row = free(("EADDRINUSE", "free"), proxy("0.0.0.0"), engine=engine(blog[0]))
    assert (
        row.message
        == "25/tcp is in use by the container blog-web-1 (web:1). blog-web-1 belongs to the Compose project blog."
    )
    assert (row.evidence.holder.project, row.evidence.holder.restart) == ("blog", "always")
    silent = free(("free", "free"), engine=engine(*blog))  # no userland proxy
    assert [holder["project"] for holder in measured(silent)["holders"]] == ["blog", "blog"]
    for made in (row, silent):
        assert made.remedy is not None
        assert made.remedy.commands[:2] == ("docker update --restart=no blog-web-1", "docker stop blog-web-1")
        assert "Compose project blog starts it again" in made.remedy.text
    own = container("x", ("", 25), project="mailcowdockerized", service="x")  # with it, mailcow would go down
    row = free(("EADDRINUSE", "free"), proxy("0.0.0.0"), engine=engine(own))
    assert row.remedy is not None
    assert row.remedy.commands == ("docker update --restart=no x", "docker stop x")


def test_what_is_published_elsewhere_does_not_matter() -> None:
    udp = container("dns", state="running")
    udp = msgspec.structs.replace(udp, ports=(PublishedPort("", 25, 25, "udp"),))
    assert free(engine=engine(udp, container("web", ("", 2525)))).status is PASS
    conf = {"SMTP_PORT": "192.0.2.2:25"}
    assert free(conf=conf, engine=engine(container("web", ("192.0.2.3", 25)))).status is PASS
    assert free(engine=engine(container("probe", ("", 25), run="abc"))).status is PASS


@pytest.mark.parametrize("container", [True, False])
@pytest.mark.parametrize(
    ("hidden", "told", "helped"),
    [
        ("denied", "Other users' processes are hidden.", True),
        ("unreadable", "Could not list the host's processes.", True),
        ("late", "took too long.", False),
        ("", "25/tcp is in use by a process that is not visible from here.", False),
    ],
)
def test_why_a_holder_is_hidden(hidden: Any, told: str, helped: bool, container: bool) -> None:
    """What would show it is advised as this program was started."""
    holders = listener("0.0.0.0", pid=None), listener("::", pid=None)
    row = free(
        ("EADDRINUSE", "EADDRINUSE"),
        sockets=Sockets(holders, False, hidden),
        view=msgspec.structs.replace(VIEW, container=container),
    )
    assert row.status is FAIL
    help_ = "Add --privileged to docker run." if container else "Run the check as root."
    assert row.message.endswith(f"{told} {help_}" if helped else told)


def test_mailcow_itself_is_no_conflict() -> None:
    own = postfix(("0.0.0.0", 25), ("::", 25))
    row = free(("EADDRINUSE", "EADDRINUSE"), proxy("0.0.0.0"), proxy("::"), engine=engine(own))
    assert (row.status, row.found) == (PASS, "mailcow")
    hidden = listener("0.0.0.0", pid=None), listener("::", pid=None)
    assert free(("EADDRINUSE", "EADDRINUSE"), *hidden, owners=False, engine=engine(own)).status is PASS
    assert free(("EACCES", "EACCES"), engine=engine(own)).status is PASS
    assert free(None, engine=engine(own)).status is PASS  # the engine's word, not the sockets'
    assert free(("free", "free"), engine=engine(own)).status is PASS  # without the userland proxy


@pytest.mark.parametrize(
    "own",
    [
        postfix(("0.0.0.0", 25), ("::", 25), project="mailcow-dockerized"),
        postfix(("0.0.0.0", 25), ("::", 25), service="nginx-mailcow"),
    ],
)
def test_only_this_mailcow_on_its_own_port_is_no_conflict(own: Container) -> None:
    assert free(("EADDRINUSE", "EADDRINUSE"), proxy("0.0.0.0"), engine=engine(own)).status is FAIL


def test_somebody_else_beside_mailcow_is_a_conflict() -> None:
    own = postfix(("0.0.0.0", 25))
    row = free(("EADDRINUSE", "EADDRINUSE"), proxy("0.0.0.0"), listener("::1"), engine=engine(own))
    assert row.message == "25/tcp is in use by exim4 (pid 812, exim4.service) on ::1."


def test_a_foreign_ipv6_listener_does_not_take_what_mailcow_publishes_on_ipv4() -> None:
    own = postfix(("0.0.0.0", 25))
    conf = {"SMTP_PORT": "0.0.0.0:25"}
    row = free(("EADDRINUSE", "EADDRINUSE"), proxy("0.0.0.0"), listener("::"), conf=conf, engine=engine(own))
    assert row.status is PASS


@pytest.mark.parametrize(
    ("state", "restart", "ended", "status"),
    [
        ("exited", "always", {"exit_code": 0}, WARN),
        ("dead", "always", {}, WARN),
        ("created", "always", {"error": "address already in use"}, PASS),
        ("restarting", "always", {}, WARN),
        ("restarting", "unless-stopped", {}, WARN),
        ("exited", "unless-stopped", {"exit_code": 137}, PASS),  # by hand, else it would run
        ("exited", "unless-stopped", {"exit_code": 128, "error": "address already in use"}, WARN),
        ("exited", "on-failure", {"exit_code": 0}, PASS),
        ("exited", "on-failure", {"exit_code": 3}, WARN),
        ("exited", "on-failure", {}, WARN),  # not told
        ("exited", "no", {"exit_code": 1}, PASS),
        ("exited", "", {}, PASS),
    ],
)
def test_a_stopped_container_that_comes_back(state: str, restart: str, ended: dict[str, Any], status: Status) -> None:
    row = free(engine=engine(container("web", ("", 25), state=state, restart=restart, **ended)))
    assert row.status is status
    if status is WARN:
        assert row.remedy is not None
        assert row.remedy.commands == ("docker update --restart=no web",)
    own = postfix(("", 25), state="exited")
    assert free(engine=engine(own)).status is PASS


# --- ports that the kernel gives out -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fleeting", "reserved", "status"),
    [
        ((32768, 60999), (), PASS), (None, (), PASS), ((1024, 65535), (), WARN), ((13306, 13306), (), WARN),
        ((1024, 65535), ((13000, 14000),), PASS), ((1024, 65535), ((13305, 13305), (13307, 13307)), WARN),
    ],
)  # fmt: skip
def test_a_port_that_any_connection_may_have(
    fleeting: tuple[int, int] | None, reserved: tuple[tuple[int, int], ...], status: Status
) -> None:
    given = Sockets((), True, "", True, fleeting, reserved)
    row = free(port=13306, sockets=given)
    assert row.status is status, row.message
    if status is WARN:
        assert "13306" in remedy(row).commands[0].partition("=")[2].partition(" ")[0].split(",")
    own = container("mysql", ("127.0.0.1", 13306), project="mailcowdockerized", service="mysql-mailcow")
    assert free(port=13306, sockets=given, engine=engine(own)).status is PASS  # it has the port
    taken = free(("EADDRINUSE", "free"), port=13306, sockets=given)
    assert taken.status is FAIL


def test_ports_that_are_reserved_already_stay_so() -> None:
    row = free(port=13306, sockets=Sockets((), True, "", True, (13000, 20000), ((8080, 8082), (20, 20))))
    line = "echo net.ipv4.ip_local_reserved_ports=20,8080-8082,13306,19991 > /etc/sysctl.d/90-mailcow-ports.conf"
    assert remedy(row).commands == (line, "sysctl -p /etc/sysctl.d/90-mailcow-ports.conf")


# --- the swarm -----------------------------------------------------------------------------------------------


def swarm(*containers: Container, mesh: bool = True, ports: tuple[tuple[int, int], ...] = ((25, 2525),)) -> Engine:
    published = tuple(PublishedPort("", port, inner) for port, inner in ports)
    services = (SwarmService(name="mx", image="mx:1", ports=published, mesh=mesh),)
    return msgspec.structs.replace(engine(*containers), swarm="active", services=services)


def test_a_port_of_the_routing_mesh_is_held_for_a_service() -> None:
    holder = listener("::", process="dockerd", user="root", unit="docker.service")
    row = free(("EADDRINUSE", "EADDRINUSE"), holder, engine=swarm())
    assert row.message == "25/tcp is in use by the engine for the swarm service mx (mx:1)."
    assert row.evidence.holder.swarm_service == "mx"
    assert remedy(row).commands == ("docker service update --publish-rm published=25,target=2525 mx",)
    hidden = free(("EADDRINUSE", "EADDRINUSE"), listener("::", pid=None), owners=False, engine=swarm())
    assert hidden.message.startswith(row.message)
    # What is no socket of the engine's is none of the service's.
    other = free(("EADDRINUSE", "EADDRINUSE"), listener("::"), engine=swarm())
    assert other.message == "25/tcp is in use by exim4 (pid 812, exim4.service)."


def test_a_task_that_publishes_a_port_itself_gives_it_up_by_its_service() -> None:
    task = container("mx.1.x", ("", 25), swarm="mx")
    for facts in ((("EADDRINUSE", "EADDRINUSE"), proxy("::")), (("free", "free"),)):
        row = free(*facts, engine=swarm(task, mesh=False))
        assert "mx.1.x (web:1). mx.1.x is a task of the swarm service mx" in row.message
        assert row.evidence.holder.swarm_service == "mx"
        assert remedy(row).commands == ("docker service update --publish-rm published=25,target=25,mode=host mx",)
        assert "manager node of the swarm" in remedy(row).text


@pytest.mark.parametrize(
    ("mesh", "command"), [(True, "published=25,target=2525 mx"), (False, "published=25,target=2525,mode=host mx")]
)
def test_a_port_that_a_service_publishes_may_be_taken_at_any_time(mesh: bool, command: str) -> None:
    row = free(engine=swarm(mesh=mesh))
    assert (row.status, row.found) == (WARN, "swarm service mx")
    assert remedy(row).commands == (f"docker service update --publish-rm {command}",)
    assert free(engine=swarm(mesh=mesh, ports=((26, 25),))).status is PASS


def test_a_node_that_is_no_manager_does_not_know_the_service() -> None:
    holder = listener("::", process="dockerd", user="root", unit="docker.service")
    worker = msgspec.structs.replace(engine(), swarm="active")
    said = remedy(free(("EADDRINUSE", "EADDRINUSE"), holder, engine=worker)).text
    assert "`docker service ls` on a manager" in said
    assert "swarm" not in remedy(free(("EADDRINUSE", "EADDRINUSE"), holder, engine=engine())).text
    assert "swarm" not in remedy(free(("EADDRINUSE", "EADDRINUSE"), listener("::"), engine=worker)).text


def test_hostile_facts_break_nothing() -> None:
    odd = container("x", ("not an address", 25), ("", 25), state="running")
    assert free(("EADDRINUSE", "free"), listener("nonsense"), engine=engine(odd)).status is FAIL
