"""What leaves the host: nothing with --offline, and without a network what there is to say, soon and once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.gather import nameserver
from tests.gather.partners import listener, says

# Runs the program, and writes down each address and name that it means to reach, line by line: it ends without
# closing files.
WATCHED = """
import socket, sys
told = open(sys.argv.pop(1), "w", buffering=1)
LOCAL = (socket.AF_UNIX, socket.AF_NETLINK)
def hear(event, given):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg") and given[0].family not in LOCAL:
        print(given[1], file=told)
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        print(given[0], file=told)
sys.addaudithook(hear)
from preflight.__main__ import main
main()
"""
WORDS = ("check", "--no-probe", "--docker-host", "unix:///nowhere/docker.sock", "--hostname", "mail.example.org")
HERE = ("--resolver", "127.0.0.1:1")
TIMES = ("--ntp-server", "127.0.0.1:1", "--ntp-server", "ntp.example.org")
TARGETS = (
    "--outbound", "127.0.0.1:9/udp", "--smtp-target", "127.0.0.1:9", "--blocklist", "a.example",
    "--address-service", "http://127.0.0.1:9/", "--public-ip", "203.0.113.7",
)  # fmt: skip
ONLINE = {"network.outbound", "network.smtp-out", "network.blocklists", "network.public-address", "clock.offset"}


@pytest.fixture
def watched(tmp_path: Path, tree: Path) -> Any:
    """Give what runs the program, and returns its report and where it wanted to go."""

    def run(*words: str) -> tuple[dict[str, Any], set[str]]:
        seen = tmp_path / "reached"
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PREFLIGHT_")}
        command = [sys.executable, "-c", WATCHED, str(seen), *WORDS, "--format", "json", "--quiet", *words]
        ran = subprocess.run(command, capture_output=True, text=True, cwd=tree, env=environ, timeout=120, check=False)
        assert ran.returncode in (0, 1, 3), ran.stderr
        report = json.loads(ran.stdout)
        assert report["results"]
        return report, set(seen.read_text().splitlines())

    return run


@pytest.mark.parametrize(
    "words",
    [(), (*HERE, *TIMES, *TARGETS), ("--only", "clock.*"), ("--only", "dns.*"), ("--only", "network.*")],
    ids=["usual", "named", "clock", "dns", "network"],
)
def test_offline_nothing_leaves_the_host(watched: Any, words: tuple[str, ...]) -> None:
    report, places = watched("--offline", *words)
    assert places == set()
    asked = ONLINE & {row["check"] for row in report["results"]}
    reasons = {row["check"]: row["reason"] for row in report["results"] if row["check"] in ONLINE}
    assert reasons == dict.fromkeys(asked, "--offline was given.")


@pytest.mark.parametrize(
    ("check", "option", "target", "resolved"),
    [
        ("clock.offset", "--ntp-server", "127.0.0.1:{}", False),
        ("network.outbound", "--outbound", "127.0.0.1:{}/tcp", False),
        ("network.smtp-out", "--smtp-target", "127.0.0.1:{}", False),
        ("network.public-address", "--address-service", "http://127.0.0.1:{}/", False),
        ("network.blocklists", "--blocklist", "list.example", True),
        ("dns.mx", "--domain", "example.org", True),
    ],
)
def test_otherwise_it_goes_where_it_is_told_to_and_nowhere_else(
    watched: Any, check: str, option: str, target: str, resolved: bool
) -> None:
    """Whoever names targets has nobody else asked. Connections are tried for all checks: no way out is one cause."""
    with listener(says()) as server, nameserver.serve(nameserver.zone()) as names:
        own = ["--public-ip", "203.0.113.7", "--timeout", "5", "--resolver", f"127.0.0.1:{names.server[1]}"]
        own += ["--outbound", f"127.0.0.1:{server.port}/tcp"] * (option != "--outbound")
        _report, places = watched("--only", check, option, target.format(server.port), *own)
    assert str(("127.0.0.1", names.server[1] if resolved else server.port)) in places
    assert [place for place in places if "127.0.0.1" not in place] == []


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root and unshare")
def test_without_any_network_there_is_one_finding() -> None:
    words = ["unshare", "-n", sys.executable, "-m", "preflight", "--only", "network.outbound", "--format", "json"]
    ran = subprocess.run([*words, "--quiet"], capture_output=True, text=True, timeout=60, check=False)
    if "unshare" in ran.stderr:
        pytest.skip("no network namespace can be made")
    report = json.loads(ran.stdout)
    assert report["seconds"] < 15  # of 30 s, and of less than one where the machine has time
    found = [(row["subject"], row["status"]) for row in report["results"] if row["status"] != "skip"]
    assert found == [(None, "warn")]
    assert len(report["results"]) > 20
