"""Which .socket unit opens a port."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import View
from preflight.gather.access.roots import Roots
from preflight.gather.services.socket_units import Streams, listen_streams, unit_of
from preflight.gather.services.systemd import Systemd


def roots(path: Path) -> Roots:
    return Roots(str(path), View(container=False, root=str(path), live=False, network=False, privileged=None))


def streams(path: Path) -> Streams:
    return Systemd(roots(path)).streams()


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[Socket]\nListenStream=25\n", (("", 25),)),
        ("[Socket]\nListenStream = 127.0.0.1:25\nListenStream=[::1]:25\n", (("127.0.0.1", 25), ("::1", 25))),
        ("[Socket]\nListenStream=25\nListenStream=\nListenStream=26\n", (("", 26),)),
        ("[Socket]\nListenStream=/run/x\nListenStream=@abstract\nListenDatagram=25\n", ()),
        ("[Unit]\nListenStream=25\n", ()),
        ("[Socket]\n#ListenStream=25\nListenStream=vsock::25\n", ()),
    ],
)
def test_a_unit_file(text: str, expected: tuple[tuple[str, int], ...]) -> None:
    assert listen_streams(text) == expected


@given(st.text(max_size=200))
def test_no_unit_file_breaks_it(text: str) -> None:
    listen_streams("[Socket]\n" + text)


def test_stronger_directories_hide_weaker_ones_and_drop_ins_add(tmp_path: Path) -> None:
    write(tmp_path, {
        "usr/lib/systemd/system/a.socket": "[Socket]\nListenStream=1\n",
        "etc/systemd/system/a.socket": "[Socket]\nListenStream=2\n",
        "usr/lib/systemd/system/b.socket": "[Socket]\nListenStream=3\n",
        "etc/systemd/system/b.socket.d/10.conf": "[Socket]\nListenStream=\nListenStream=127.0.0.1:4\n",
        "etc/systemd/system/b.socket.d/note.txt": "[Socket]\nListenStream=9\n",
        "run/systemd/system/c.socket": "[Socket]\nListenStream=5\n",
        "run/systemd/transient/f.socket": "[Socket]\nListenStream=8\n",
        "usr/lib/systemd/system/d.socket": "[Socket]\nListenStream=6\n",
        "usr/lib/systemd/system/e.service": "[Socket]\nListenStream=7\n",
    })  # fmt: skip
    (tmp_path / "etc/systemd/system/d.socket").symlink_to("/dev/null")  # masked
    (tmp_path / "etc/systemd/system/alias.socket").symlink_to("/usr/lib/systemd/system/b.socket")
    found = streams(tmp_path)
    plain = {"a.socket": (("", 2),), "c.socket": (("", 5),), "f.socket": (("", 8),)}
    assert found == {"b.socket": (("127.0.0.1", 4),), **plain}
    assert unit_of(found, "127.0.0.1", 4) == "b.socket"
    assert unit_of(found, "::", 2) == "a.socket"
    assert unit_of(found, "::", 1) is None


def test_the_unit_that_names_the_address_is_preferred() -> None:
    found = {"a.socket": (("", 25),), "b.socket": (("127.0.0.1", 25),)}
    assert unit_of(found, "127.0.0.1", 25) == "b.socket"


def test_a_host_without_systemd(tmp_path: Path) -> None:
    assert streams(tmp_path) == {}
