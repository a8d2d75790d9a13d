"""Ports that a connection has, of the kernel's own or of a process, on made-up hosts."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from preflight.facts import BindAttempt, Holder, Ipv6, Sockets
from preflight.report.model import Result, Status
from tests.build import look, run


def held(port: int = 993, conf: dict[str, str] | None = None, **more: Any) -> Result:
    """Judge a port whose bind failed for one socket on it: by default that of an NFS mount."""
    known = {
        "pid": None, "process": None, "user": None, "unit": None, "container": None, "image": None,
        "address": "192.0.2.2", "port": port, "state": "established", "peer": "192.0.2.9", "peer_port": 2049,
    }  # fmt: skip
    socket = Holder(**{**known, **more})
    given = look(
        conf=conf or {}, ipv6=Ipv6(True, False, True), sockets=Sockets((socket,), True),
        binds=(BindAttempt("0.0.0.0", port, "EADDRINUSE"), BindAttempt("::", port, "free")),
    )  # fmt: skip
    (row,) = (row for row in run("ports.free", given) if row.subject == f"{port}/tcp")
    assert row.status is Status.FAIL
    assert row.remedy is not None
    return row


def test_an_nfs_mount_does_not_go_away_by_waiting() -> None:
    row = held()
    assert (
        row.message == "993/tcp is the local port of the kernel's own connection to 192.0.2.9:2049, for an NFS mount."
    )
    assert (row.found, row.evidence.holder) == ("192.0.2.2:993 established", None)
    assert row.remedy is not None
    assert "Wait" not in row.remedy.text
    assert "as long as the share is mounted" in row.remedy.text
    assert "max_resvport=992" in row.remedy.text
    assert row.remedy.commands[:2] == ("findmnt -t nfs,nfs4", "sysctl -w sunrpc.max_resvport=992")
    (file,) = row.remedy.files
    assert (file.path, file.text) == ("/etc/modprobe.d/90-mailcow-nfs.conf", "options sunrpc max_resvport=992\n")


def test_the_command_writes_the_file_that_is_told(tmp_path: Path) -> None:
    remedy = held().remedy
    assert remedy is not None
    (file,) = remedy.files
    made = tmp_path / "made"
    subprocess.run(["sh", "-c", remedy.commands[-1].replace(file.path, str(made))], check=True)
    assert made.read_text() == file.text


@pytest.mark.parametrize(
    ("conf", "port", "option"),
    [
        ({}, 995, "max_resvport=992"),
        ({"IMAPS_PORT": "700", "POPS_PORT": "710"}, 700, "min_resvport=711"),
        ({"IMAPS_PORT": "700", "POPS_PORT": "1000"}, 700, None),  # neither side has ports enough
    ],
)
def test_nfs_is_kept_away_from_all_of_mailcows_ports(conf: dict[str, str], port: int, option: str | None) -> None:
    remedy = held(port, conf).remedy
    assert remedy is not None
    assert [file.text for file in remedy.files] == ([f"options sunrpc {option}\n"] if option else [])
    assert remedy.commands[0] == "findmnt -t nfs,nfs4"


@pytest.mark.parametrize(
    ("more", "said", "advice"),
    [
        ({"state": "close-wait"}, "for an NFS mount", "as long as the share"),
        ({"peer": "2001:db8::9"}, "[2001:db8::9]:2049", "as long as the share"),
        ({"peer_port": 111}, "192.0.2.9:111 (established), most likely for an NFS mount.", "as long as the share"),
        ({"peer": "", "peer_port": 0}, "connection to ? (established), most likely", "as long as the share"),
        ({"port": 4190, "peer_port": 7788}, "connection to 192.0.2.9:7788 (established).", "which part of the kernel"),
        ({"state": "time-wait", "peer_port": 0}, "closing (time-wait)", "Wait a minute"),
        ({"state": "fin-wait-2", "peer_port": 0}, "closing (fin-wait-2)", "Wait a minute"),
        ({"state": "last-ack", "peer_port": 0}, "closing (last-ack)", "a few minutes"),
    ],
)
def test_each_state_has_its_own_end(more: dict[str, Any], said: str, advice: str) -> None:
    row = held(**{"port": 993, **more})
    assert said in row.message
    assert row.remedy is not None
    assert advice in row.remedy.text


def test_a_connection_of_a_process_is_no_service_to_be_stopped_for_good() -> None:
    row = held(pid=812, process="automount", user="root", unit="autofs.service", peer_port=111)
    assert row.message == "993/tcp is in use by automount (pid 812, autofs.service)."
    assert row.remedy is not None
    assert "not to a service" in row.remedy.text
    assert row.remedy.commands == ("ss -tnp 'sport = :993'",)
    listens = held(pid=812, process="x", unit="x.service", state="listening", peer="", peer_port=0)
    assert listens.remedy is not None
    assert any("x.service" in line for line in listens.remedy.commands)
