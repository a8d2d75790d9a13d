"""What the host's programs are made for: headers and the package manager's own architecture."""

from __future__ import annotations

from pathlib import Path

import pytest

from preflight.facts import Userland
from preflight.gather.access.view import find_roots
from preflight.gather.machine.userland import userland
from tests.gather.processors import elf

ARM, ARM64, X32 = elf(False, True, 40), elf(True, True, 183), elf(False, True, 62)


def read(root: Path, files: dict[str, bytes]) -> Userland:
    for path, content in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return userland(find_roots({}, str(root))).get()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"bin/sh": ARM, "usr/bin/dockerd": ARM, "var/lib/dpkg/arch": b"armhf\narm64\n"},
            Userland(shell="armv7l", engine="armv7l", packages="armv7l"),
        ),
        # i386 beside amd64, as Wine and Steam ask for
        ({"var/lib/dpkg/arch": b"amd64\ni386\n"}, Userland(packages="x86_64")),
        (
            {
                "var/lib/dpkg/status": b"Package: libc6\nArchitecture: i386\n\n"
                b"Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.21\n\n"
            },
            Userland(packages="x86_64"),
        ),
        ({"bin/sh": X32}, Userland(shell="x86_64")),
        ({"bin/sh": b"#!/bin/false\n", "usr/bin/env": ARM64}, Userland(shell="aarch64")),
        ({"etc/apk/arch": b"x86\n"}, Userland(packages="i686")),
        ({"etc/apk/arch": b"\xff\x00 {}\n"}, Userland()),
        ({}, Userland()),
    ],
)
def test_programs_and_packages(tmp_path: Path, files: dict[str, bytes], expected: Userland) -> None:
    assert read(tmp_path, files) == expected
