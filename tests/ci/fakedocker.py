#!/usr/bin/env python3
"""A `docker` of which the tests' CI jobs see no difference: containers are directories, the check reads recorded facts.

FAKE_DOCKER is its directory: `facts.json` is judged, `log` gets a line for each call. Files in a container's root are
files of its directory.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HOME = Path(os.environ["FAKE_DOCKER"])
FLAGS = ("--privileged", "--pid=host", "--network=host")


def create(words: list[str]) -> int:
    root = HOME / "c0ffee"
    root.mkdir()
    environ, flags = {}, []
    while words[0].startswith("-"):
        flag = words.pop(0)
        if flag == "-e":
            name = words.pop(0)
            environ[name] = os.environ[name]
        else:
            flags.append(flag)
    assert tuple(flags) == FLAGS, flags
    image, *arguments = words
    (root / ".config").write_text(json.dumps({"image": image, "arguments": arguments, "environ": environ}))
    print("c0ffee")
    return 0


def build(words: list[str]) -> int:
    *flags, context = words
    assert flags == ["--quiet", "--tag", "mailcow-preflight"], flags
    if not (Path(context) / "Dockerfile").is_file():
        print("ERROR: failed to read dockerfile", file=sys.stderr)
        return 1
    print("sha256:c0ffee")
    return 0


def start(words: list[str]) -> int:
    attach, name = words
    assert attach == "--attach"
    root = HOME / name
    if os.environ.get("FAKE_DOCKER_BROKEN"):
        print("Error response from daemon: failed to create task", file=sys.stderr)
        return 1
    config = json.loads((root / ".config").read_text())
    arguments = [str(root / word[1:]) if word.startswith("/") else word for word in config["arguments"]]
    command = [sys.executable, "-m", "preflight", "--facts", str(HOME / "facts.json"), "--only", "resources.*"]
    if os.environ.get("FAKE_DOCKER_SLOW"):  # until `docker kill`
        (HOME / "waits").touch()
        while not (HOME / "killed").exists():
            time.sleep(0.05)
    run = subprocess.run([*command, *arguments], env={"PATH": os.environ["PATH"], **config["environ"]}, check=False)
    if (HOME / "long").exists():
        (root / "preflight.md").write_text("x" * (3 << 20))
    return 143 if os.environ.get("FAKE_DOCKER_SLOW") else run.returncode


def kill(words: list[str]) -> int:
    assert words == ["--signal", "TERM", "c0ffee"]
    (HOME / "killed").touch()
    return 0


def cp(words: list[str]) -> int:
    source, target = (HOME / word.replace(":/", "/") if ":/" in word else Path(word) for word in words)
    if not source.is_file():
        print(f"Error response from daemon: Could not find the file {source}", file=sys.stderr)
        return 1
    shutil.copy(source, target)
    return 0


def rm(words: list[str]) -> int:
    force, name = words
    assert force == "--force"
    shutil.rmtree(HOME / name)
    print(name)
    return 0


with (HOME / "log").open("a") as log:
    log.write(" ".join(sys.argv[1:]) + "\n")
sys.exit(
    {"build": build, "create": create, "start": start, "cp": cp, "kill": kill, "rm": rm}[sys.argv[1]](sys.argv[2:])
)
