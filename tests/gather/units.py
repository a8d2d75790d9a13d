"""Units of systemd as files of a tree."""

from __future__ import annotations

from pathlib import Path

from preflight.gather.access.roots import Roots
from preflight.gather.access.view import find_roots
from preflight.gather.services.init_scripts import Unit
from preflight.gather.services.systemd import Systemd
from tests.gather.trees import write

ETC, RUN, LIB = "/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system"

WANTS = "multi-user.target.wants"

SERVICE = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"


def link(root: Path, path: str, target: str) -> None:
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


def tree(root: Path, files: dict[str, str]) -> Roots:
    """Make a host of files and links (`-> target`), whose /lib is a link to /usr/lib as everywhere."""
    (root / "usr/lib").mkdir(parents=True, exist_ok=True)
    link(root, "/lib", "usr/lib")
    for path, content in files.items():
        if content.startswith("-> "):
            link(root, path, content.removeprefix("-> "))
        else:
            write(root, path, content)
            if path.startswith("/etc/init.d/"):
                (root / path.lstrip("/")).chmod(0o755)
    return find_roots({}, str(root))


def unit(root: Path, name: str, files: dict[str, str]) -> Unit:
    found = Systemd(tree(root, files)).unit(name)
    assert found is not None
    return found


def to(unit: str) -> str:
    return f"-> /lib/systemd/system/{unit}"


SYSTEMD = {"/usr/lib/systemd/systemd": "\x7fELF"}


def enabled(*units: str) -> dict[str, str]:
    return {f"{LIB}/{u}": SERVICE for u in units} | {f"{ETC}/{WANTS}/{u}": to(u) for u in units}


STANZA = "Package: {}\nStatus: {}\nVersion: 4.96-15\nDescription: x\n y\n .\n z\n"
