"""Make the virtual environment .venv from a lock file; do nothing where it is up to date.

    python3 tools/venv.py run     what the program needs       (requirements.lock)
    python3 tools/venv.py test    what its tests need as well  (requirements-test.lock, which repeats the former)

The package itself is installed editable: edits count at once.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from system import install, say

TREE = Path(__file__).resolve().parent.parent
VENV = TREE / ".venv"
STAMP = VENV / "made-from"
LOCKS = {
    "run": ["requirements-build.lock", "requirements.lock"],
    "test": ["requirements-test.lock"],  # has the build backend too
}
SYSTEM_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


def wanted(kind: str) -> str:
    """Describe the environment: this interpreter and the content of all that goes in."""
    digest = hashlib.sha256()
    for name in [*LOCKS[kind], "pyproject.toml"]:
        digest.update((TREE / name).read_bytes())
    return f"{kind} {sys.version_info.major}.{sys.version_info.minor} {digest.hexdigest()}\n"


def make(kind: str) -> None:
    if importlib.util.find_spec("ensurepip") is None:  # Debian keeps it in a package of its own
        install(["python3-venv"])
    say(f"making .venv from {' and '.join(LOCKS[kind])}")
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if SYSTEM_AUTHORITIES.is_file():
        # pip brings a list of its own, which cannot know the authority of a company that re-signs TLS.
        environment.setdefault("PIP_CERT", str(SYSTEM_AUTHORITIES))
    pip = [str(VENV / "bin/pip"), "install", "-qq"]  # warnings about the user's own pip settings are not ours
    for lock in LOCKS[kind]:
        subprocess.run([*pip, "--require-hashes", "-r", lock], cwd=TREE, env=environment, check=True, stdout=sys.stderr)
    editable = ["--no-deps", "--no-build-isolation", "--editable", "."]
    subprocess.run([*pip, *editable], cwd=TREE, env=environment, check=True, stdout=sys.stderr)
    # Where the environment forbids Python to keep compiled files, every start would compile all of it again.
    subprocess.run([str(VENV / "bin/python"), "-m", "compileall", "-q", "preflight"], cwd=TREE, check=True)


def main() -> int:
    if sys.version_info < (3, 11):  # noqa: UP036 - older ones may well start this file
        sys.exit(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}: make PYTHON=python3.13 ...")
    kind = sys.argv[1] if len(sys.argv) > 1 else "run"
    made = STAMP.read_text() if STAMP.exists() else ""
    # An environment for tests serves for running too.
    if made in {wanted("test"), wanted(kind)}:
        return 0
    try:
        make(kind)
    except subprocess.CalledProcessError as error:
        sys.exit(f"could not make .venv: {' '.join(error.cmd[:4])} ... ended with {error.returncode}")
    STAMP.write_text(wanted(kind))
    return 0


if __name__ == "__main__":
    sys.exit(main())
