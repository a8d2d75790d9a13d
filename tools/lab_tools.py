"""Install what the lab needs of this machine; do nothing where it is there."""

from __future__ import annotations

import os
import shutil
import sys

from system import can_install, install, say

NEEDED = {"mmdebstrap": "mmdebstrap", "ip": "iproute2", "nsenter": "util-linux", "setpriv": "util-linux"}

if __name__ == "__main__":
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    missing = sorted({package for command, package in NEEDED.items() if not shutil.which(command)})
    if missing and not can_install():
        say(f"the lab needs {', '.join(missing)}")
        sys.exit(1)
    if missing:
        install(missing, optional=["debian-archive-keyring"])
