"""What every script here needs of the machine: a word on standard error, and Debian packages where it may install."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

POLICY = Path("/usr/sbin/policy-rc.d")


def say(text: str) -> None:
    """Print one line of progress; standard output stays free for the report."""
    print(f"==> {text}", file=sys.stderr, flush=True)


def can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def is_known(package: str) -> bool:
    return subprocess.run(["apt-cache", "show", package], capture_output=True, check=False).returncode == 0


def install(packages: list[str], optional: list[str] | None = None) -> None:
    """Install Debian packages, and of the optional ones those that this release has.

    Nothing of them is started: a script that wants an engine starts its own. Raises SystemExit with the packages'
    names where this is not root on a machine with apt.
    """
    if not can_install():
        sys.exit(f"please install (as root): {' '.join(packages)}")
    say(f"installing {' '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]
    # A third party's package source that does not answer is no reason to stop: the installation itself decides.
    subprocess.run([*apt, "update"], stdout=sys.stderr, env=environment, check=False)
    known = [name for name in optional or [] if is_known(name)]
    ours = not POLICY.exists()
    if ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        done = subprocess.run([*apt, "install", *packages, *known], stdout=sys.stderr, env=environment, check=False)
    finally:
        if ours:
            POLICY.unlink(missing_ok=True)
    if done.returncode:
        sys.exit(f"apt-get could not install {' '.join(packages)} (see above)")
