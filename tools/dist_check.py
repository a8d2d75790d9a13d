"""Build wheel and file twice, in two places at once, and hold the builds against each other byte for byte.

    python3 tools/dist_check.py

Then the file is run as somebody would who has nothing else: no Python in its PATH, and an empty environment.
"""

from __future__ import annotations

import filecmp
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import build_dist
from system import say

USUAL = "/usr/sbin:/usr/bin:/sbin:/bin"
CODES = {0, 1, 3}  # those of a verdict


def differing(first: Path, second: Path) -> list[str]:
    """Name what is not the same in two directories."""
    names = sorted({path.name for folder in (first, second) for path in folder.iterdir()})
    return [name for name in names if not same(first / name, second / name)]


def same(first: Path, second: Path) -> bool:
    return first.exists() and second.exists() and filecmp.cmp(first, second, shallow=False)


def tried(file: Path, folder: Path) -> str:
    """Run the file; return what is wrong with that, '' where nothing is."""
    environment = {"PATH": USUAL, "TMPDIR": str(folder)}
    words = [str(file), "--only", "resources.*", "--offline", "--no-probe", "--format", "json", "--progress", "never"]
    ran = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, check=False)
    if ran.returncode not in CODES or '"verdict"' not in ran.stdout:
        return f"{file.name} ended with {ran.returncode}: {ran.stderr.strip()[-500:]}"
    if left := [path.name for path in folder.iterdir()]:
        return f"{file.name} left {', '.join(left)}"
    return ""


def main() -> int:
    build_dist.dependencies()  # once, so that the builds do not both
    with tempfile.TemporaryDirectory() as made:
        folders = [Path(made, name) for name in ("first", "second", "unpacked")]
        for folder in folders:
            folder.mkdir()
        words = [sys.executable, Path(__file__).with_name("build_dist.py"), "wheel", "file", "--out"]
        builds = [subprocess.Popen([*words, folder]) for folder in folders[:2]]
        codes = [build.wait() for build in builds]
        if any(codes):
            sys.exit("dist_check: a build failed")
        if names := differing(*folders[:2]):
            sys.exit(f"dist_check: two builds of the same sources differ in {', '.join(names)}")
        say("both builds are the same, byte for byte")
        if why := tried(folders[0] / f"{build_dist.NAME}-{platform.machine()}", folders[2]):
            sys.exit(f"dist_check: {why}")
        say("the file runs by itself and leaves nothing behind")
    return 0


if __name__ == "__main__":
    sys.exit(main())
