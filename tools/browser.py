"""Install the browser that the page is tested in, and what drives it; do nothing where it is there. 77: not here."""

from __future__ import annotations

import ctypes
import shutil
import sys

from system import can_install, install, say

NAMES = ("chromium", "chromium-browser")  # Debian's, Alpine's and Fedora's
# Playwright's driver is a Node of its own. It wants this library, which nothing else on a small machine does.
LIBRARY, PACKAGE = "libatomic.so.1", "libatomic1"


def loads(library: str) -> bool:
    """Say whether the loader finds a library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def main() -> int:
    missing = [] if any(map(shutil.which, NAMES)) else ["chromium"]
    if not loads(LIBRARY):
        missing.append(PACKAGE)
    if not missing:
        return 0
    if not can_install():
        say(f"the page is tested in Chromium: please install {' and '.join(missing)} (the names are Debian's)")
        return 77
    try:
        install(missing)
    except SystemExit as error:
        say(str(error))
        return 77
    return 0


if __name__ == "__main__":
    sys.exit(main())
