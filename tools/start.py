"""Start the program in the self-contained file, out of the directory that its launcher unpacked it into.

The launcher is gone by now: this process took its place. So the directory goes here, once all is said.
"""

import os
import posix
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
ALIVE = 9  # the launcher's pipe: as long as it is open, nobody else removes the directory
# Where distributions keep their certificate authorities; a host that has none of these lists gets the one in here.
AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem", FOLDER + "/etc/ssl/certs/ca-certificates.crt",
)  # fmt: skip
REMOVE = 'trap "" HUP INT TERM; rm -rf "$1"; exit "$2"'
_exit = posix._exit


def leave(code: int) -> None:
    """End the process as `os._exit` does, with all its threads; then remove the directory.

    A shell takes the process's place for that: no thread is left that would look for a module meanwhile.
    """
    try:
        os.set_inheritable(ALIVE, True)
        os.execve("/bin/sh", ["sh", "-c", REMOVE, "sh", FOLDER, str(code)], {"PATH": "/usr/bin:/bin"})
    except OSError:
        _exit(code)


def main() -> None:
    os.set_inheritable(ALIVE, False)
    os._exit = posix._exit = leave  # type: ignore[assignment]  # it does not return, either
    if not os.environ.get("SSL_CERT_FILE"):
        os.environ["SSL_CERT_FILE"] = next(filter(os.path.exists, AUTHORITIES), "")
    sys.path.append(os.path.join(FOLDER, "@PACKAGES@"))
    sys.argv[0] = "preflight"
    from preflight.__main__ import main as run

    run()


if __name__ == "__main__":
    main()
