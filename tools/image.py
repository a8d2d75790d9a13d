"""Build the image `mailcow-preflight` with the engine at DOCKER_HOST or the default socket.

    python3 tools/image.py

Needs a docker command line; uses BuildKit where one can, else the legacy builder. Where the base image can be neither
found nor pulled, a stand-in of the same name is made from Debian's packages (root, apt).
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from system import can_install, install, say

TREE = Path(__file__).resolve().parent.parent
NAME = "mailcow-preflight"
PULL_SECONDS = 60
STAND_IN = "python3,python3-venv,ca-certificates"
STAND_IN_DAYS = 30  # then the packages are fetched again, for their security updates
SECRET = "RUN --mount=type=secret,id=ca,required=false "
PROXIES = ("http_proxy", "https_proxy", "no_proxy")
FORWARDED = ("PIP_INDEX_URL", "PIP_TRUSTED_HOST", *PROXIES, *map(str.upper, PROXIES))


def clients() -> list[str]:
    """List every docker command line in PATH, first one first; /usr/bin is looked at even where PATH leaves it out."""
    folders = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin"]
    found = [os.path.join(folder, "docker") for folder in folders]
    return [path for path in dict.fromkeys(found) if os.access(path, os.X_OK) and not os.path.isdir(path)]


def has_buildkit(client: str) -> bool:
    """Say whether this client can use BuildKit: with the plugin, or by itself before version 23."""
    if subprocess.run([client, "buildx", "version"], capture_output=True, check=False).returncode == 0:
        return True
    told = subprocess.run([client, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"version (\d+)\.", told)
    return version is not None and int(version[1]) < 23


def authorities() -> Path | None:
    """Find this machine's list of certificate authorities, which may know a company's own."""
    names = [os.environ.get(name) for name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")]
    paths = [Path(name) for name in [*names, "/etc/ssl/certs/ca-certificates.crt"] if name]
    return next((path for path in paths if path.is_file()), None)


def ensure_base(client: str, base: str) -> None:
    """See to it that the engine has the base image: found, pulled or imported."""
    if subprocess.run([client, "image", "inspect", base], capture_output=True, check=False).returncode == 0:
        return
    say(f"pulling {base} (at most {PULL_SECONDS} s)")
    try:
        pull = subprocess.run([client, "pull", "-q", base], stdout=sys.stderr, timeout=PULL_SECONDS, check=False)
        if pull.returncode == 0:
            return
    except subprocess.TimeoutExpired:
        say("no answer")
    if not can_install():
        sys.exit(f"image: {base} can be neither found nor pulled; making a stand-in from packages needs root and apt")
    archive = stand_in()
    say(f"importing the stand-in as {base}: Debian's own Python, not the official image")
    subprocess.run([client, "import", str(archive), base], stdout=sys.stderr, check=True)


def stand_in() -> Path:
    """Make a Debian root with Python as a tar archive, or take the cached one."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / NAME
    archive = cache / f"trixie-python3-{platform.machine()}.tar"
    if archive.is_file() and time.time() - archive.stat().st_mtime < STAND_IN_DAYS * 86400:
        say(f"using {archive}")
        return archive
    if not shutil.which("mmdebstrap"):
        install(["mmdebstrap"], optional=["debian-archive-keyring"])
    cache.mkdir(parents=True, exist_ok=True)
    # Renamed only when complete, so that an interrupted download is never taken for an archive.
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        partial = Path(folder) / "root.tar"
        say("making a stand-in for the base image from Debian's packages (about half a minute)")
        unread = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "locale", "man")]
        subprocess.run(
            ["mmdebstrap", "-q", "--variant=minbase", f"--include={STAND_IN}", *unread, "trixie", str(partial)],
            check=True,
            stdout=sys.stderr,
        )
        partial.replace(archive)
    return archive


def epoch() -> int:
    """Return the time that all built files have: SOURCE_DATE_EPOCH, else the commit's, else (no clone) 1980."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    with contextlib.suppress(FileNotFoundError):
        words = ["git", "-c", "safe.directory=*", "-C", str(TREE), "log", "-1", "--format=%ct"]
        told = subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
        if told.isdecimal():
            return int(told)
    return 315532800


def prevented() -> str:
    """Say why no image can be built here; '' where one can."""
    found = clients()
    if not found:
        return "there is no docker command line here (on Debian and Ubuntu: docker-cli, else docker.io)"
    if subprocess.run([found[0], "version"], capture_output=True, check=False).returncode:
        return f"no engine answers at {os.environ.get('DOCKER_HOST') or 'the default socket'}"
    return ""


def build(client: str, buildkit: bool, tags: list[str]) -> int:
    command = [client, "build", "--network", "host", "--build-arg", f"SOURCE_DATE_EPOCH={epoch()}"]
    command += [word for tag in tags for word in ("-t", tag)]
    command += [word for name in FORWARDED if os.environ.get(name) for word in ("--build-arg", name)]
    certificates = authorities()
    if buildkit:
        secret = ["--secret", f"id=ca,src={certificates}"] if certificates else []
        environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
        return subprocess.run(
            [*command, *secret, str(TREE)], stdout=sys.stderr, env=environment, check=False
        ).returncode
    # The legacy builder knows no secrets: the list goes into the builder stage, which is not part of the image.
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        for name in re.findall(r"^!(\S+)", (TREE / ".dockerignore").read_text(), re.MULTILINE):
            source, target = TREE / name, context / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, target)
        (context / "ca").write_bytes(certificates.read_bytes() if certificates else b"")
        dockerfile = (TREE / "Dockerfile").read_text().replace(SECRET, "COPY ca /run/secrets/ca\nRUN ")
        (context / "Dockerfile").write_text(dockerfile)
        environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
        return subprocess.run([*command, folder], stdout=sys.stderr, env=environment, check=False).returncode


def stated(name: str, pattern: str) -> str:
    """Read one value out of a file of the tree (tomllib is newer than the oldest Python that may run this)."""
    match = re.search(pattern, (TREE / name).read_text(), re.MULTILINE)
    if match is None:
        sys.exit(f"image: {name} does not say {pattern}")
    return match[1]


def main() -> int:
    if why := prevented():
        sys.exit(f"image: {why}")
    found = clients()
    capable = next(filter(has_buildkit, found), None)
    client = capable or found[0]
    say(f"building {NAME} with {client}, {'BuildKit' if capable else 'the legacy builder (no buildx here)'}")
    ensure_base(client, stated("Dockerfile", r"^ARG BASE=(\S+)"))
    version = stated("pyproject.toml", r'^version = "([^"]+)"')
    started = time.monotonic()
    code = build(client, capable is not None, [NAME, f"{NAME}:{version}"])
    if code == 0:
        say(f"{NAME} is built ({time.monotonic() - started:.1f} s)")
    return code


if __name__ == "__main__":
    sys.exit(main())
