"""The built image: small, complete, without leftovers of its making, and it runs."""

from __future__ import annotations

import io
import re
import ssl
import subprocess
import tarfile
import tomllib
from pathlib import Path

import docker
import pytest

pytestmark = [pytest.mark.engine, pytest.mark.image]

LIMIT = 60_000_000
PYTHON = "/usr/bin/python3"


@pytest.fixture(scope="module")
def files(engine: docker.DockerClient, image: str) -> dict[str, bytes]:
    """Export the image's file system: regular files by path, with their content."""
    container = engine.containers.create(image)
    try:
        archive = io.BytesIO(b"".join(container.export()))
    finally:
        container.remove(force=True)
    found = {}
    with tarfile.open(fileobj=archive) as tar:
        for member in tar:
            if member.isfile() and (content := tar.extractfile(member)):
                found[member.name] = content.read()
    return found


@pytest.fixture(scope="module")
def version(tree: Path) -> str:
    return str(tomllib.loads((tree / "pyproject.toml").read_text())["project"]["version"])


def run(engine: docker.DockerClient, image: str, *command: str, entrypoint: str | None = None) -> str:
    """Run the image once and return what it printed; raises ContainerError where it failed."""
    return str(engine.containers.run(image, list(command), entrypoint=entrypoint, remove=True).decode())


def test_size(engine: docker.DockerClient, image: str, files: dict[str, bytes]) -> None:
    assert engine.images.get(image).attrs["Size"] <= LIMIT
    assert sum(map(len, files.values())) <= LIMIT


def test_labels_and_marker(engine: docker.DockerClient, image: str, version: str) -> None:
    config = engine.images.get(image).attrs["Config"]
    prefix = "org.opencontainers.image."
    labels = {name.removeprefix(prefix): value for name, value in config["Labels"].items() if name.startswith(prefix)}
    assert labels.keys() >= {"title", "description", "licenses", "source", "version"}
    assert (labels["title"], labels["licenses"], labels["version"]) == ("mailcow-preflight", "MIT", version)
    assert "MAILCOW_PREFLIGHT_IMAGE=1" in config["Env"]
    assert not config.get("User")


def test_every_module_is_compiled(files: dict[str, bytes]) -> None:
    sources = [name for name in files if name.endswith(".py") and "/preflight/" in name]
    assert sources
    missing = [name for name in files if name.endswith(".py") and not compiled(name, files)]
    assert missing == []


def compiled(name: str, files: dict[str, bytes]) -> bool:
    path = Path(name)
    return any(
        str(cached) in files
        for cached in (path.parent / "__pycache__" / f"{path.stem}.cpython-3{minor}.pyc" for minor in range(11, 20))
    )


def test_package_data_is_complete(tree: Path, files: dict[str, bytes]) -> None:
    wanted = {str(path.relative_to(tree)) for path in (tree / "preflight").rglob("*") if path.is_file()}
    wanted = {name for name in wanted if "__pycache__" not in name}
    packed = {match[1] for name in files if (match := re.search(r"-packages/(preflight/.*)", name))}
    assert wanted - packed == {
        "preflight/script"
    }  # installed as the command `preflight`, which the image does not need


def test_nothing_of_the_building_is_left(files: dict[str, bytes]) -> None:
    leftovers = re.compile(r"(^|/)(pip|setuptools|hatchling|ensurepip|\.cache|secrets|src|build)/|/pip[\d.]*$")
    assert [name for name in files if leftovers.search(name)] == []


def test_no_certificate_of_this_machine_is_in_it(files: dict[str, bytes]) -> None:
    own = [path.read_text() for path in Path("/usr/local/share/ca-certificates").rglob("*.crt")]
    own_certificates = [ssl.PEM_cert_to_DER_cert(text) for text in own if text.strip()]
    bundles = [content.decode() for name, content in files.items() if name.endswith((".crt", ".pem"))]
    pattern = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
    packed = {ssl.PEM_cert_to_DER_cert(block) for text in bundles for block in pattern.findall(text)}
    assert len(packed) > 50
    assert packed.isdisjoint(own_certificates)


def test_entry_point(engine: docker.DockerClient, image: str, version: str) -> None:
    assert version in run(engine, image, "--version")


def test_probes_find_the_interpreter(engine: docker.DockerClient, image: str) -> None:
    command = [PYTHON, "-I", "-S", "-c", "import sys, json, socket; print(json.dumps(sys.flags.no_site))"]
    assert run(engine, image, *command[1:], entrypoint=PYTHON).strip() == "1"


def test_interpreter_is_complete(engine: docker.DockerClient, image: str) -> None:
    """Names resolve, threads end, libraries load and text is UTF-8, in an image without a distribution."""
    program = (
        "import ctypes, socket, sqlite3, ssl, sys, threading\n"
        "thread = threading.Thread(target=print, args=('thread',)); thread.start(); thread.join()\n"
        "ctypes.CDLL(None).pthread_exit\n"
        "assert sqlite3.connect(':memory:').serialize() is not None\n"
        "assert socket.getaddrinfo('localhost', 80)\n"
        "assert ssl.create_default_context().get_ca_certs()\n"
        "print('Grüße', sys.getfilesystemencoding())\n"
    )
    assert run(engine, image, "-I", "-c", program, entrypoint=PYTHON).split() == ["thread", "Grüße", "utf-8"]


def test_command_line_as_documented(engine: docker.DockerClient, image: str, version: str) -> None:
    """The flags of the README start it, and no container stays."""
    before = {container.id for container in engine.containers.list(all=True)}
    flags = {"privileged": True, "pid_mode": "host", "network_mode": "host", "remove": True}
    assert version in engine.containers.run(image, ["--version"], **flags).decode()
    assert {container.id for container in engine.containers.list(all=True)} == before


def test_second_build_changes_nothing(engine: docker.DockerClient, image: str, tree: Path) -> None:
    before = engine.images.get(image).id
    subprocess.run(["python3", "tools/image.py"], cwd=tree, check=True, capture_output=True, timeout=120)
    assert engine.images.get(image).id == before
