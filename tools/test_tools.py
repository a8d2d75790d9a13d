"""Install what the tests hold our shell code and our reports against; do nothing where it is there.

Debian packages for the programs, and the schema of Jenkins' xUnit plugin, which pytest's source distribution carries.
Where that cannot be had, the tests that need it are skipped, and say so; with CI=true this fails instead.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from system import can_install, install, say

TREE = Path(__file__).resolve().parent.parent
SCHEMA = TREE / "build/schemas/junit-10.xsd"
NEEDED = {
    "busybox": "busybox",
    "dash": "dash",
    "fish": "fish",
    "ip": "iproute2",
    "iptables-nft": "iptables",
    "jq": "jq",
    "nft": "nftables",
    "shellcheck": "shellcheck",
    "ss": "iproute2",
    "systemd-analyze": "systemd",
    "zsh": "zsh",
}
# Unpacked below build/ and not installed: packages of servers, which would begin to serve or put away the machine's own
# time service. The file that tells that a package is there.
UNPACKED = {
    "chrony": "usr/sbin/chronyd",
    "ldnsutils": "usr/bin/ldns-signzone",
    "nsd": "usr/sbin/nsd",
    "unbound": "usr/sbin/unbound",
}


def programs() -> None:
    missing = sorted({package for command, package in NEEDED.items() if not shutil.which(command)})
    if missing and can_install():
        install(missing)
    elif missing:
        raise OSError(f"please install (as root): {' '.join(missing)}")


def unpacked() -> None:
    """Unpack the servers and clients that tests play with, and install their libraries alone."""
    for name, file in UNPACKED.items():
        if not (TREE / "build" / name / file).exists():
            unpack(name)


def unpack(name: str) -> None:
    """Unpack a package of this machine's release below build/; raise where it or one of its libraries is not had."""
    say(f"fetching {name}, which tests ask beside ours")
    place = TREE / "build" / name
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # apt fetches as a user of its own
        run = functools.partial(subprocess.run, check=True, stdout=subprocess.PIPE, text=True)
        run(["apt-get", "-q", "download", name], cwd=folder)
        (package,) = Path(folder).glob(f"{name}_*.deb")
        depends = run(["dpkg-deb", "--field", package, "Depends"]).stdout
        run(["dpkg-deb", "--extract", package, Path(folder, "unpacked")])
        libraries = re.findall(r"(?:^|, )(lib[a-z0-9.+-]+)", depends)
        absent = [one for one in libraries if subprocess.run(["dpkg", "-s", one], capture_output=True).returncode]
        if absent:
            install(absent)
        part = place.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)  # what an interrupted run left
        shutil.copytree(Path(folder, "unpacked"), part, symlinks=True)
        shutil.rmtree(place, ignore_errors=True)
        part.replace(place)


def schema() -> None:
    """Fetch the source distribution of the very pytest that is locked, by its hash, and take the schema out of it."""
    if SCHEMA.exists():
        return
    say("fetching the schema of Jenkins' xUnit plugin with pytest's source distribution")
    locked = re.search(
        r"^pytest==.*\\\n(?: +--hash=\S+(?: \\)?\n)+", (TREE / "requirements-test.lock").read_text(), re.MULTILINE
    )
    if locked is None:
        raise OSError("requirements-test.lock does not name pytest")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pytest.txt").write_text(locked[0])
        words = ["-qq", "--no-deps", "--no-binary=pytest", "--no-build-isolation", "--require-hashes"]
        subprocess.run(
            [TREE / ".venv/bin/pip", "download", *words, "-r", folder / "pytest.txt", "-d", folder], check=True
        )
        (archive,) = folder.glob("pytest-*.tar.gz")
        with tarfile.open(archive) as tar:
            member = next(name for name in tar.getnames() if name.endswith("/junit-10.xsd"))
            file = tar.extractfile(member)
            assert file is not None
            data = file.read()
    SCHEMA.parent.mkdir(parents=True, exist_ok=True)
    SCHEMA.with_suffix(".part").write_bytes(data)
    SCHEMA.with_suffix(".part").replace(SCHEMA)


def main() -> int:
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # where Debian keeps iptables
    failed = 0
    for step in (programs, unpacked, schema):
        try:
            step()
        except (OSError, subprocess.CalledProcessError, StopIteration, SystemExit) as error:
            say(f"some tests will be skipped: {error or type(error).__name__}")
            failed = 1
    return failed if os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main())
