"""A box on a real engine: networks, published ports and packages as asked for, and nothing stays."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import docker
import pytest

from preflight.gather.engine.client import EngineError
from preflight.probes.bench import Bench
from preflight.probes.box import Box
from preflight.probes.image import own_image
from preflight.probes.publication import Publication
from tests.engine.runs import LABEL, NATIVE, URL, end, left, start, swept

pytestmark = [pytest.mark.engine, pytest.mark.image]

STAND_IN = "from preflight.probes.stand_in import main; main(['test', '2525'])"
TALK = """
import socket, sys, time
until = time.monotonic() + 10
while time.monotonic() < until:
    try:
        with socket.create_connection(("127.0.0.1", {port}), 2) as connection:
            sys.exit(0 if connection.recv(200).startswith(b"mailcow-preflight ") else 5)
    except OSError:
        time.sleep(0.1)
sys.exit(4)
"""
KILLED = """
import sys, threading, time
from preflight.probes.bench import Bench
from preflight.probes.box import Box
from preflight.probes.image import own_image

box = Box(Bench(sys.argv[1], None, threading.Event(), time.monotonic() + 30))
network = box.network("net")
key = box.create("test", own_image(box, None), "import time; time.sleep(60)", host={"network_mode": network})
box.start(key)
print("made", flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def nothing_stays(engine: docker.DockerClient, image: str) -> Iterator[None]:
    """Hold every test to it; what a failed one leaves must not fail the next."""
    assert left(engine) == set()
    yield
    assert swept(engine) == set()


@pytest.fixture
def box() -> Box:
    return Box(Bench(URL, None, threading.Event(), time.monotonic() + 30))


def image_in(box: Box) -> str:
    found = own_image(box, None)
    assert found is not None
    return found


def ended(box: Box, container: str) -> object:
    """Wait for a container's end; return its exit code."""
    box.start(container)
    while (state := box.state(container)).get("Status") != "exited":
        box.pause()
    return state.get("ExitCode")


def test_a_network_and_the_containers_in_it_are_labelled_and_go(engine: docker.DockerClient, box: Box) -> None:
    with box:
        network = box.network("net", driver="bridge", internal=True)
        for name in ("first", "second"):
            sleep = "import time; time.sleep(60)"
            box.start(box.create(name, image_in(box), sleep, host={"network_mode": network}))
        made = engine.networks.get(network)
        assert made.attrs["Labels"][LABEL] == box.run.run
        assert made.attrs["Internal"] is True
        assert len(made.attrs["Containers"]) == 2
        assert len(left(engine)) == 3
    assert left(engine) == set()


def test_a_published_port_answers_on_the_host(engine: docker.DockerClient, box: Box) -> None:
    with box:
        network = box.network("net")
        served = box.create(
            "served", image_in(box), STAND_IN, packages=True, publish=(Publication(2525, 0, "127.0.0.1"),),
            host={"network_mode": network},
        )  # fmt: skip
        box.start(served)
        (place,) = box.published(served)
        assert (place.container_port, place.address, place.protocol) == (2525, "127.0.0.1", "tcp")
        talk = box.create("talk", image_in(box), TALK.format(port=place.port), host={"network_mode": "host"})
        assert ended(box, talk) == 0
    assert left(engine) == set()


def test_a_port_that_is_taken_is_refused_in_the_engines_words(engine: docker.DockerClient, box: Box) -> None:
    with box:
        first = box.create("first", image_in(box), STAND_IN, packages=True, publish=(Publication(2525),))
        box.start(first)
        (place, *_) = box.published(first)
        wanted = (Publication(2525, place.port),)
        second = box.create("second", image_in(box), STAND_IN, packages=True, publish=wanted)
        with pytest.raises(EngineError, match=str(place.port)):
            box.start(second)
    assert left(engine) == set()


@pytest.mark.parametrize(("packages", "code"), [(True, 0), (False, 1)])
def test_the_images_packages_are_there_where_they_are_asked_for(box: Box, packages: bool, code: int) -> None:
    with box:
        assert ended(box, box.create("test", image_in(box), "import dns.resolver", packages=packages)) == code


def test_what_a_killed_run_left_is_cleaned_up_container_before_network(engine: docker.DockerClient) -> None:
    with subprocess.Popen((sys.executable, "-c", KILLED, URL), stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "made\n"
        assert end(start(*NATIVE, "cleanup")) == (0, "nothing to remove\n")  # it lives
        run.kill()
    assert len(left(engine)) == 2
    code, printed = end(start(*NATIVE, "cleanup"))
    assert (code, [line.split()[:2] for line in printed.splitlines()]) == (
        0, [["removed", "container"], ["removed", "network"]],
    )  # fmt: skip
    assert left(engine) == set()
