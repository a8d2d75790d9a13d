"""Run the check on this host: as a container where an engine answers, in the virtual environment where none does.

    python3 tools/run.py OPTIONS...

The exit code is the program's own; its meaning is printed as well, because make turns every failure into 2.
PREFLIGHT_* variables reach the program either way.
"""

from __future__ import annotations

import os
import subprocess
import sys

import engine
import image
from system import say

NOT_STARTED = {125, 126, 127}  # docker's own codes: the container could not be started
MEANING = {
    0: "ready (perhaps with warnings)",
    1: "not ready",
    2: "usage or input error",
    3: "undetermined",
    130: "interrupted",
    143: "terminated",
}


def in_container(options: list[str]) -> int | None:
    """Run the image; return None where it cannot be built or started, so that the native way is left."""
    clients = image.clients()
    if not clients or not engine.found():
        say("no engine answers: running natively" if clients else "no docker command line: running natively")
        return None
    if subprocess.run([sys.executable, image.__file__], check=False).returncode:
        say("the image cannot be built: running natively")
        return None
    variables = [word for name in os.environ if name.startswith("PREFLIGHT_") for word in ("-e", name)]
    if os.environ.get("DOCKER_HOST"):  # the engine that answered here is the one to be judged
        variables += ["-e", "DOCKER_HOST"]
    terminal = ["-t"] if sys.stdout.isatty() and sys.stderr.isatty() else []
    flags = ["--rm", "--privileged", "--pid=host", "--network=host", *terminal, *variables]
    code = subprocess.run([clients[0], "run", *flags, image.NAME, *options], check=False).returncode
    if code in NOT_STARTED:
        say("the engine cannot start the container (see above): running natively")
        return None
    return code


def natively(options: list[str]) -> int:
    here = os.path.dirname(os.path.abspath(__file__))
    if subprocess.run([sys.executable, os.path.join(here, "venv.py"), "run"], check=False).returncode:
        sys.exit("the virtual environment cannot be made")
    return subprocess.run([image.TREE / ".venv/bin/preflight", *options], check=False).returncode


def main() -> int:
    options = sys.argv[1:]
    try:
        code = in_container(options)
        if code is None:
            code = natively(options)
    except KeyboardInterrupt:
        code = 130
    if code < 0:
        code = 128 - code
    say(f"preflight ended with exit code {code}: {MEANING.get(code, 'unknown')}")
    return code


if __name__ == "__main__":
    sys.exit(main())
