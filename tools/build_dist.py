"""Build what is handed out, below dist/: the wheel, the self-contained file, and the image where an engine answers.

    python3 tools/build_dist.py [wheel] [file] [image] [--out DIRECTORY]      default: all of them

A commit gives the same wheel and file wherever its clone is, byte for byte, with the same interpreter: times are the
commit's (SOURCE_DATE_EPOCH), names are sorted, nobody owns anything. Run me with the interpreter itself, not with a
virtual environment's: it goes into the file. The image is the engine's to make; it gets the same times.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import site
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import image
import sbom
import selfcontained
from system import say

TREE = Path(__file__).resolve().parent.parent
VENV = TREE / ".venv/bin"
NAME = "mailcow-preflight"
KINDS = ("wheel", "file", "image")
SUMS = "SHA256SUMS"


def run(*words: str | Path, **variables: str) -> None:
    """Run a program; what it prints is progress. Raise SystemExit where it fails."""
    environment = {**os.environ, **variables}
    if subprocess.run(words, cwd=TREE, env=environment, stdout=sys.stderr, check=False).returncode:
        sys.exit(f"build_dist: {' '.join(map(str, words[:4]))} ... failed")


def wheel(out: Path, epoch: int) -> Path:
    """Build the wheel."""
    with tempfile.TemporaryDirectory() as folder:
        backend = ("-m", "hatchling", "build", "-t", "wheel", "-d", folder)
        run(VENV / "python", *backend, SOURCE_DATE_EPOCH=str(epoch))
        [built] = Path(folder).glob("*.whl")
        return Path(shutil.move(built, out / built.name))


def dependencies() -> Path:
    """Return the folder with the locked versions of all that the program imports; installed where the lock is new."""
    lock = TREE / "requirements.lock"
    digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = TREE / "build/dist" / f"dependencies-{digest}"
    if not folder.exists():
        say(f"installing {lock.name}")
        partial = folder.with_suffix(f".{os.getpid()}")
        options = ("-qq", "--no-compile", "--require-hashes", "--target", partial, "-r", lock)
        run(VENV / "python", "-m", "pip", "install", *options, PIP_DISABLE_PIP_VERSION_CHECK="1")
        partial.rename(folder)
    return folder


def file(out: Path, built: Path, version: str, epoch: int) -> list[Path]:
    """Build the self-contained file from the wheel, and the list of what is in it."""
    machine = platform.machine()
    made, listed = out / f"{NAME}-{machine}", out / f"{NAME}-{machine}.cdx.json"
    with tempfile.TemporaryDirectory() as folder:
        package, root = Path(folder, "package"), Path(folder, "root")
        with zipfile.ZipFile(built) as archive:
            archive.extractall(package, [name for name in archive.namelist() if ".data/" not in name])
        runtime = [TREE / "tools/collect_runtime.py", root, dependencies(), package]
        run(sys.executable, *runtime, PYTHONHASHSEED="0", SOURCE_DATE_EPOCH=str(epoch))
        packages = Path(site.getsitepackages()[0])
        tree = selfcontained.Runtime(root, Path(sys.executable).resolve(), packages)
        selfcontained.pack(tree, made, machine, version, epoch)
        listed.write_text(sbom.document(root, root / packages.relative_to("/"), made, version, epoch))
    return [made, listed]


def images(epoch: int) -> None:
    """Build the image, or say why it is left out."""
    if why := image.prevented():
        say(f"SKIPPED: the image, as {why}")
        return
    run(sys.executable, TREE / "tools/image.py", SOURCE_DATE_EPOCH=str(epoch))


def sums(out: Path) -> None:
    """Write the checksums of what is there, as `sha256sum -c` reads them."""
    paths = [path for path in sorted(out.iterdir()) if path.is_file() and path.name != SUMS]
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in paths]
    (out / SUMS).write_text("".join(lines))


def main() -> int:
    parser = argparse.ArgumentParser(description="Build what is handed out.")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"{', '.join(KINDS)}; default: all")
    parser.add_argument("--out", type=Path, default=TREE / "dist")
    given = parser.parse_args()
    kinds = given.kinds or KINDS
    if unknown := set(kinds) - set(KINDS):
        parser.error(f"no kind {', '.join(sorted(unknown))}")
    if sys.prefix != sys.base_prefix:
        sys.exit(
            "build_dist: run me with the interpreter itself, not with a virtual environment's: make dist PYTHON=python3"
        )
    given.out.mkdir(parents=True, exist_ok=True)
    epoch, version = image.epoch(), image.stated("pyproject.toml", r'^version = "([^"]+)"')
    began = time.monotonic()
    paths: list[Path] = []
    if {"wheel", "file"} & set(kinds):
        paths.append(wheel(given.out, epoch))
    if "file" in kinds:
        paths += file(given.out, paths[0], version, epoch)
    sums(given.out)
    for path in paths:
        say(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")
    if "image" in kinds:
        images(epoch)
    say(f"built in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
