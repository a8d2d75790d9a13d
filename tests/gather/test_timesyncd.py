"""timesyncd's settings: servers behind another key than NTP=."""

from __future__ import annotations

from pathlib import Path

import pytest

from preflight.facts import OtherKey
from preflight.gather.machine.timesyncd import other_keys, timesyncd
from tests.gather.trees import copy

FILE = "etc/systemd/timesyncd.conf"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[Time]\nServers=0.pool.ntp.org 1.pool.ntp.org\n", [(2, "Servers")]),
        ("[Time]\n Servers = ntp.example\nServer=ntp.example\n", [(2, "Servers"), (3, "Server")]),
        ("[Time]\nNTP=ntp.example\nFallbackNTP=ntp.example\n", []),
        ("[Time]\n#Servers=ntp.example\n;Server=ntp.example\n", []),
        ("[Time]\nServers=\n", []),
        ("Servers=ntp.example\n[Other]\nServers=ntp.example\n", []),
        ("[Other]\n[Time]\nservers=ntp.example\n", []),
        ("", []),
    ],
)
def test_which_lines_name_servers_by_another_key(text: str, found: list[tuple[int, str]]) -> None:
    assert other_keys(text) == found


def test_the_file_and_its_drop_ins_are_read(tmp_path: Path) -> None:
    files = {
        FILE: "[Time]\nServers=a\n", f"{FILE}.d/10-own.conf": "[Time]\nNTP=b\nServer=c\n",
        f"{FILE}.d/old.conf.bak": "[Time]\nServers=d\n",
        "usr/lib/systemd/timesyncd.conf.d/x.conf": "[Time]\nServers=e\n",
    }  # fmt: skip
    assert timesyncd(copy(tmp_path, **files)).get() == (
        OtherKey(f"/{FILE}", 2, "Servers"),
        OtherKey(f"/{FILE}.d/10-own.conf", 3, "Server"),
        OtherKey("/usr/lib/systemd/timesyncd.conf.d/x.conf", 2, "Servers"),
    )


@pytest.mark.parametrize("folder", ["etc", "run", "usr/local/lib", "usr/lib"])
def test_where_drop_ins_are(folder: str, tmp_path: Path) -> None:
    roots = copy(tmp_path, **{f"{folder}/systemd/timesyncd.conf.d/a.conf": "[Time]\nServer=c\n"})
    assert [line.path for line in timesyncd(roots).get()] == [f"/{folder}/systemd/timesyncd.conf.d/a.conf"]


def test_a_file_that_cannot_be_read_is_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir(parents=True)
    missing = timesyncd(copy(tmp_path)).missing
    assert missing is not None
    assert missing.kind == "unknown"


def test_no_file_has_no_such_line(tmp_path: Path) -> None:
    assert timesyncd(copy(tmp_path)).get() == ()
