"""Networks and published ports of probes: labelled, and gone with their box, whatever happens."""

from __future__ import annotations

import threading
import time

import pytest

from preflight.facts.engine import RUN
from preflight.gather.access.errand import Stopped
from preflight.gather.engine.client import EngineError
from preflight.probes import made as removal
from preflight.probes.box import Box
from preflight.probes.cleanup import cleanup
from preflight.probes.identity import PROCESS
from preflight.probes.image import TITLE
from preflight.probes.publication import Publication, published
from tests.probes.engine import IMAGE, FakeEngine


def inhabited(inside: Box) -> tuple[str, str]:
    """Make a network and a container in it."""
    network = inside.network("net", driver="bridge")
    return network, inside.create("test", IMAGE, "pass", host={"network_mode": network})


def names(inside: Box, *last: str) -> list[str]:
    return [f"{TITLE}-{inside.run.run}-{name}" for name in last]


def test_a_network_carries_the_runs_labels(engine: FakeEngine) -> None:
    with Box(engine.bench()) as inside:
        network = inside.network("net", driver="bridge", enable_ipv6=True, options={"com.docker.network.mtu": "1400"})
        assert engine.networks[network]["Name"] == names(inside, "net")[0]
    (made,) = engine.created
    assert made["Labels"] == inside.run.labels()
    assert (made["Driver"], made["EnableIPv6"], made["Options"]) == ("bridge", True, {"com.docker.network.mtu": "1400"})
    assert engine.left == set()


def test_what_was_made_last_goes_first_and_containers_before_networks(engine: FakeEngine) -> None:
    with Box(engine.bench()) as inside:
        inside.network("a")
        inside.create("b", IMAGE, "pass")
        inside.network("c")
        inside.create("d", IMAGE, "pass")
    assert engine.removed == names(inside, "d", "b", "c", "a")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, Stopped, TimeoutError, EngineError])
def test_they_are_gone_however_the_box_is_left(engine: FakeEngine, error: type[BaseException]) -> None:
    with pytest.raises(error), Box(engine.bench()) as inside:  # noqa: PT012 - the block is what is tested
        inhabited(inside)
        assert len(engine.left) == 2
        raise error("x")
    assert engine.left == set()


@pytest.mark.parametrize("how", ["late", "lost"])
@pytest.mark.parametrize("what", ["networks", "containers"])
def test_what_is_interrupted_while_it_is_made_is_removed(engine: FakeEngine, what: str, how: str) -> None:
    """The run is ended, or the connection is lost, while the engine makes a network, or a container in one."""
    engine.faults[f"POST /{what}/create"] = how
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    threading.Timer(0.6, engine.release.set).start()
    with pytest.raises((Stopped, EngineError)), Box(engine.bench(stop=stop)) as inside:
        inhabited(inside)
    assert len(engine.created) == (1 if what == "networks" else 2)
    assert engine.left == set()


@pytest.mark.parametrize("what", ["networks", "containers"])
def test_what_an_engine_that_hung_made_after_all_is_removed_then(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(removal, "LATE", 1)
    engine.faults[f"POST /{what}/create"] = "slow"
    with pytest.raises(TimeoutError), Box(engine.bench(0.3)) as inside:
        inhabited(inside)
    assert engine.left == set()  # it has not been made yet, and nobody waits any longer
    asked = len(engine.asked)
    engine.release.set()
    until = time.monotonic() + 10
    while len(engine.removed) < (1 if what == "networks" else 2) and time.monotonic() < until:
        time.sleep(0.02)
    assert any(line.startswith("DELETE") for line in engine.asked[asked:])
    assert engine.left == set()


def test_a_network_waits_for_a_container_that_the_engine_is_slow_to_remove(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "LATE", 1)
    with Box(engine.bench()) as inside:
        inhabited(inside)
        engine.faults["DELETE /containers"] = "slow"
        threading.Timer(1.5, engine.faults.clear).start()
    assert engine.left == set()
    kinds = [line.split("/")[1] for line in engine.asked if line.startswith("DELETE")]
    assert kinds[:2] == ["containers", "containers"]
    assert kinds.index("networks") == len(kinds) - 1


def test_a_network_that_is_used_for_a_moment_longer_is_removed_again(engine: FakeEngine) -> None:
    """An engine lets go of a container's end of a network a moment after the container has gone."""
    with Box(engine.bench()) as inside:
        inside.network("net")
        engine.faults["DELETE /networks"] = (403, "network has active endpoints")
        threading.Timer(0.5, engine.faults.clear).start()
    assert engine.left == set()


def test_a_network_of_somebody_elses_container_is_given_up_in_time(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "LATE", 1)
    began = time.monotonic()
    with Box(engine.bench()) as inside:
        network = inside.network("net")
        engine.put("containers", "users-own", {})
        engine.containers["id-users-own"]["Body"] = {"HostConfig": {"NetworkMode": network}}
    assert engine.left == {"users-own", *names(inside, "net")}
    assert time.monotonic() - began < 5


def test_what_a_dead_run_left_goes_in_the_order_that_the_engine_lets_it(engine: FakeEngine) -> None:
    box = Box(engine.bench())
    inhabited(box)
    dead = {**box.run.labels(), PROCESS: "".join((*box.run.process.rpartition(":")[:2], "1"))}
    for row in (*engine.containers.values(), *engine.networks.values()):
        row["Labels"] = dead
    container, network = names(box, "test", "net")
    assert cleanup(engine.url, force=False) == [f"container {container}", f"network {network}"]
    assert engine.left == set()


def test_what_a_living_run_has_is_kept(engine: FakeEngine) -> None:
    with Box(engine.bench()) as inside:
        inhabited(inside)
        assert cleanup(engine.url) == []
        assert len(engine.left) == 2
    assert {made["Labels"][RUN] for made in engine.created} == {inside.run.run}


# --- published ports -----------------------------------------------------------------------------------------


def test_ports_are_published_where_they_are_wanted(engine: FakeEngine) -> None:
    wanted = (
        Publication(25, 25), Publication(25, 2525, "127.0.0.1"), Publication(53, 5353, "::1", "udp"), Publication(80),
    )  # fmt: skip
    with Box(engine.bench()) as inside:
        key = inside.create("test", IMAGE, "pass", publish=wanted, host={"network_mode": "bridge"})
        shown = inside.published(key)
    (made,) = engine.created
    assert set(made["ExposedPorts"]) == {"25/tcp", "53/udp", "80/tcp"}
    assert made["HostConfig"]["NetworkMode"] == "bridge"
    assert made["HostConfig"]["PortBindings"] == {
        "25/tcp": [{"HostIp": "", "HostPort": "25"}, {"HostIp": "127.0.0.1", "HostPort": "2525"}],
        "53/udp": [{"HostIp": "::1", "HostPort": "5353"}],
        "80/tcp": [{"HostIp": "", "HostPort": ""}],
    }
    assert shown == (
        Publication(25, 25, "0.0.0.0"), Publication(25, 2525, "127.0.0.1"), Publication(53, 5353, "::1", "udp"),
        Publication(80, 32768, "0.0.0.0"),
    )  # fmt: skip


@pytest.mark.parametrize(
    "ports",
    [
        None, 5, [], {"25/tcp": None}, {"25/tcp": 5}, {"25/tcp": [5, {}]}, {"25": [{"HostPort": "25"}]},
        {"25/sctp": [{"HostPort": "25"}]}, {"x/tcp": [{"HostPort": "25"}]}, {"25/tcp": [{"HostPort": "٢٥"}]},
        {"25/tcp": [{"HostPort": 25}]}, {"25/tcp": [{"HostPort": "99999"}]}, {"25/tcp": [{"HostPort": "0"}]},
    ],
)  # fmt: skip
def test_a_lying_engine_publishes_nothing(ports: object) -> None:
    assert published({"NetworkSettings": {"Ports": ports}}) == ()
    assert published({"NetworkSettings": ports}) == ()


# --- programs ------------------------------------------------------------------------------------------------


def test_a_program_may_use_the_images_packages(engine: FakeEngine) -> None:
    with Box(engine.bench()) as inside:
        inside.create("test", IMAGE, "import dns", packages=True)
    (made,) = engine.created
    assert made["Cmd"] == ["-I", "-c", "import dns"]
