"""What leaves the host: nothing with --offline, and without a network what there is to say, soon and once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest

from tests.gather.partners import listener, says

# Runs the program, and tells each place that it connects or sends to.
WATCHED = """
import socket, sys
LOCAL = (socket.AF_UNIX, socket.AF_NETLINK)
def hear(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg") and arguments[0].family not in LOCAL:
        print("WENT OUT TO", *arguments[1:], file=sys.stderr)
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        print("WENT OUT TO", *arguments, file=sys.stderr)
sys.addaudithook(hear)
from preflight.__main__ import main
own = ["check", "--format", "json", "--quiet", "--hostname", "mail.example.org", "--no-probe"]
sys.argv = ["preflight", *own, *sys.argv[1:]]
main()
"""


def watched(*words: str) -> tuple[dict[str, Any], list[str]]:
    """Return the report, and the places that something went out to."""
    ran = subprocess.run(
        [sys.executable, "-c", WATCHED, *words], capture_output=True, text=True, timeout=120, check=False
    )
    return json.loads(ran.stdout), [line for line in ran.stderr.splitlines() if line.startswith("WENT OUT TO")]


HERE = ["--resolver", "127.0.0.1:9"]
TARGETS = [
    "--outbound 127.0.0.1:9/udp", "--smtp-target 127.0.0.1:9", "--blocklist a.example",
    "--address-service http://127.0.0.1:9/", "--public-ip 203.0.113.7",
]  # fmt: skip
ONLINE = {"network.outbound", "network.smtp-out", "network.blocklists", "network.public-address"}


def test_offline_nothing_goes_out() -> None:
    report, places = watched("--offline", *" ".join(TARGETS).split(), *HERE)
    assert places == []
    reasons = {row["check"]: row["reason"] for row in report["results"] if row["check"] in ONLINE}
    assert reasons == dict.fromkeys(ONLINE, "--offline was given.")


def test_otherwise_it_goes_where_it_is_told_to() -> None:
    with listener(says()) as server:
        goal = f"127.0.0.1:{server.port}/tcp"
        report, places = watched("--only", "network.outbound", "--outbound", goal, *HERE)
    assert places == [f"WENT OUT TO ('127.0.0.1', {server.port})"]
    assert [row["status"] for row in report["results"]] == ["pass"]


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
