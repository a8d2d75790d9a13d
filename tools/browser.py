"""Install the browser that the page is tested in; do nothing where it is there. 77: it cannot be had here."""

from __future__ import annotations

import shutil
import sys

from system import can_install, install, say

NAMES = ("chromium", "chromium-browser")  # Debian's, Alpine's and Fedora's


def main() -> int:
    if any(map(shutil.which, NAMES)):
        return 0
    if not can_install():
        say("the page is tested in Chromium: please install it (Debian's package is called chromium)")
        return 77
    try:
        install(["chromium"])
    except SystemExit as error:
        say(str(error))
        return 77
    return 0


if __name__ == "__main__":
    sys.exit(main())
