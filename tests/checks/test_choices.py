"""What a remedy says as data beside its words: what a person decides first, and lines of mailcow.conf."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from preflight.facts import Fact, MailTrace, Space
from preflight.report.model import Remedy, Result, Setting
from tests.build import look, run
from tests.checks.published import container, engine, free, listener

QUEUE = (MailTrace("queue", "/var/spool/exim4/input", 2),)


def held(address: str = "127.0.0.1", port: int = 25, **more: Any) -> Remedy:
    facts = {name: more.pop(name) for name in ("mail_traces", "conf") if name in more}
    return advice(free(("EADDRINUSE", "free"), listener(address, port, **more), port=port, **facts))


def advice(row: Result) -> Remedy:
    assert row.remedy is not None
    return row.remedy


@pytest.mark.parametrize(
    ("address", "traces", "choice"),
    [("127.0.0.1", (), UNSET), ("127.0.0.1", QUEUE, True), ("0.0.0.0", (), True), ("0.0.0.0", QUEUE, True)],
)
@pytest.mark.parametrize("holder", [("exim4", "exim4.service"), ("master", "postfix.service")])
def test_mail_that_waits_or_may_come_in_is_somebody_s_to_move(
    holder: tuple[str, str], address: str, traces: tuple[MailTrace, ...], choice: object
) -> None:
    process, unit = holder
    made = held(address, process=process, unit=unit, mail_traces=traces)
    assert made.commands
    assert made.choice is choice


def test_sites_and_containers_are_somebody_s_too() -> None:
    web = held("0.0.0.0", 443, process="nginx", unit="nginx.service")
    row = free(("EADDRINUSE", "free"), engine=engine(container("shop", ("", 25))))
    assert (web.choice, advice(row).choice) == (True, True)
    assert (web.commands, advice(row).commands[-1]) == (("systemctl disable --now nginx.service",), "docker stop shop")


def test_ports_that_can_be_moved_have_lines() -> None:
    web = tuple(Setting(*line.split("=")) for line in
                ("HTTP_BIND=127.0.0.1", "HTTP_PORT=8080", "HTTPS_BIND=127.0.0.1", "HTTPS_PORT=8443"))  # fmt: skip
    assert held("0.0.0.0", 443, process="nginx", unit="nginx.service").lines == web
    assert held("127.0.0.1", 13306, process="mariadbd", unit="mariadb.service").lines == (
        Setting("SQL_PORT", "127.0.0.1:13307"),
    )
    assert held().settings is UNSET
    assert held("0.0.0.0", 443, process="sshd", unit="ssh.service").settings is UNSET


@pytest.mark.parametrize(
    ("conf", "lines"),
    [
        ({"SQL_PORT": "0"}, (Setting("SQL_PORT", "127.0.0.1:13306"),)),
        ({"MAILCOW_HOSTNAME": "mail"}, ()),  # an example is no line for this host
    ],
)
def test_a_wrong_value_has_the_line_to_write(conf: dict[str, str], lines: tuple[Setting, ...]) -> None:
    (row,) = [row for row in run("ports.configuration", look(conf=conf)) if row.subject in conf]
    assert advice(row).lines == lines


def test_a_mount_point_is_one_word_to_a_shell() -> None:
    space = Space(
        path="/var/lib/docker", existing="/mnt/a b; reboot", mount="/mnt/a b; reboot", filesystem="ext4", options=(),
        total_bytes=1 << 40, available_bytes=1 << 39, inodes_total=1 << 20, inodes_available=1 << 19, read_only=True,
    )  # fmt: skip
    rows = run("resources.disk", look(spaces={"/var/lib/docker": Fact.of("test", space)}))
    (row,) = [row for row in rows if row.subject == "/var/lib/docker"]
    made = advice(row)
    assert made.commands[-1] == "mount -o remount,rw '/mnt/a b; reboot'"
    assert made.choice is True
