"""What the engine's replies mean: as engines give them, old and new, Podman's, and of any other shape."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import Container, Engine, EngineNetwork, PublishedPort, SwarmService
from preflight.facts.engine import is_podman
from preflight.gather.engine import reply
from tests.gather.fakeengine import DOCKER, PODMAN
from tests.gather.replies import BINDINGS, ID, ROW


def container(row: dict[str, Any] | None = None, own: str | None = None, **detail: Any) -> Container:
    (found,) = reply.parse_containers([ROW | (row or {})], {ID: {"HostConfig": detail}}, own)
    return found


# --- the engine itself ---------------------------------------------------------------------------------------


def parsed(replies: dict[str, Any]) -> Engine:
    return reply.parse_engine(replies["/version"], replies["/info"])


def test_a_docker_engine() -> None:
    said = parsed(DOCKER)
    assert (said.version, said.api_version) == ("28.5.2", "1.51")
    assert (said.components, said.platform) == (("Engine", "containerd"), "Docker Engine - Community")
    assert said.build == "docker"
    assert (said.root_dir, said.driver) == ("/var/lib/docker", "overlay2")
    assert said.driver_status == {"Backing Filesystem": "extfs", "Supports d_type": "true"}
    assert said.security_options == ("name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns")
    assert (said.swarm, said.firewall_backend) == ("inactive", "iptables")
    assert (said.warnings, said.address_pools) == ((), ("172.30.0.0/16",))
    assert not is_podman(reply.components(DOCKER["/version"]))


def test_podman_and_an_engine_of_2017() -> None:
    assert is_podman(reply.components(PODMAN["/version"]))
    assert parsed(PODMAN).components[0] == "Podman Engine"
    old = {"Version": "1.13.1", "ApiVersion": "1.26", "MinAPIVersion": "1.12", "GitCommit": "092cba3"}
    said = reply.parse_engine(old, {"Driver": "aufs", "DriverStatus": [["Root Dir", "/var/lib/docker/aufs"]]})
    assert (said.version, said.components, said.driver, said.firewall_backend) == ("1.13.1", (), "aufs", "")
    assert reply.is_version(old)
    assert not is_podman(reply.components(old))


@pytest.mark.parametrize(
    "document",
    [
        None, [], {}, "28.5.2", 28, {"Version": "28.5.2"}, {"ApiVersion": "1.51"},
        {"Version": "", "ApiVersion": "1.51"}, {"Version": 28, "ApiVersion": "1.51"}, {"message": "page not found"},
        *({"Version": "28", "ApiVersion": api} for api in (1.51, "", "1", "1.51\n", "v1.51", "1.9999", "١.٥")),
    ],
)  # fmt: skip
def test_what_is_no_engines_version(document: object) -> None:
    assert not reply.is_version(document)


def test_the_proxies_that_it_pulls_images_through() -> None:
    info = {"HttpProxy": "", "HttpsProxy": "http://xxxxx:xxxxx@proxy.example:3128", "NoProxy": "localhost"}
    assert reply.parse_engine({}, info).proxies == {"HTTPS_PROXY": "http://proxy.example:3128"}


def test_fields_of_the_wrong_type_are_as_good_as_missing() -> None:
    wrong: dict[str, Any] = dict.fromkeys(DOCKER["/info"], 10**30) | {
        "LiveRestoreEnabled": "true",
        "Swarm": [],
        "Driver": None,
    }
    assert reply.parse_engine({}, wrong) == Engine(version="", api_version="")
    odd = {"DriverStatus": [["a", "b"], ["a", 1], ["a"], "ab", ["", "x"]], "SecurityOptions": ["x", 1, "", None]}
    said = reply.parse_engine({}, odd)
    assert (said.driver_status, said.security_options) == ({"a": ""}, ("x",))


def test_long_replies_are_cut_off() -> None:
    said = reply.parse_engine({"Version": "9" * 10_000}, {"Warnings": ["w" * 10_000] * 10_000})
    assert (len(said.version), len(said.warnings), len(said.warnings[0])) == (100, 50, 500)
    assert reply.text("\ud800x") == "?x"


# --- what lives on it ----------------------------------------------------------------------------------------


def test_a_running_container() -> None:
    assert container(RestartPolicy={"Name": "always"}) == Container(
        id=ID, name="mailcowdockerized-postfix-mailcow-1", image="ghcr.io/mailcow/postfix:1.80", state="running",
        restart="always", project="mailcowdockerized", service="postfix-mailcow",
        ports=(PublishedPort("0.0.0.0", 25, 25), PublishedPort("::", 25, 25)),
    )  # fmt: skip


@pytest.mark.parametrize("state", ["exited", "created", "restarting", "dead"])
def test_a_container_that_does_not_run_has_the_ports_that_it_will_publish(state: str) -> None:
    ports = (PublishedPort("", 25, 25), PublishedPort("::1", 2525, 25), PublishedPort("", 53, 53, "udp"))
    assert container({"State": state}, PortBindings=BINDINGS).ports == ports


@pytest.mark.parametrize(
    ("past", "ended"),
    [
        ({"ExitCode": 128, "Error": "address already in use"}, (128, "address already in use")),
        ({"ExitCode": 0, "Error": ""}, (0, "")),
        ({"ExitCode": 10**30, "Error": 5}, (None, "")),
        ({}, (None, "")),
        ("gone", (None, "")),
    ],
)
def test_how_a_container_ended(past: object, ended: tuple[int | None, str]) -> None:
    inspected = {ID: {"State": past, "HostConfig": {}}}
    row = {"Id": ID, "Names": ["/web"], "State": "exited"}
    (found,) = reply.parse_containers([row], inspected)
    assert (found.exit_code, found.error) == ended
    (runs,) = reply.parse_containers([row | {"State": "running"}], inspected)
    assert (runs.exit_code, runs.error) == (None, "")


@pytest.mark.parametrize("state", ["running", "exited"])
def test_in_the_hosts_network_nothing_is_published(state: str) -> None:
    of_the_list = container({"State": state, "HostConfig": {"NetworkMode": "host"}}, PortBindings=BINDINGS)
    inspected = container({"State": state, "HostConfig": None}, NetworkMode="host", PortBindings=BINDINGS)
    for found in (of_the_list, inspected):
        assert found.ports == ()


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (["/web/db", "/db"], "db"), (["/db"], "db"), (["db"], "db"), (["/web/db"], "web/db"),
        ([], ""), (None, ""), ([1], ""),
    ],
)  # fmt: skip
def test_the_name_of_a_container(names: object, name: str) -> None:
    assert container({"Names": names}).name == name


def test_our_own_containers_are_known() -> None:
    assert container({"Labels": {"mailcow-preflight.run": "7"}}).run == "7"
    assert container(own=ID[:12]).run == reply.OWN
    assert [container(own=own).run for own in ("", None, ID[1:13])] == ["", "", ""]
    (nameless,) = reply.parse_containers([{"Names": ["/x"]}], {}, ID[:12])
    assert (nameless.id, nameless.run) == ("", "")


@pytest.mark.parametrize(
    "port",
    [
        {"PublicPort": 0, "PrivatePort": 25}, {"PublicPort": 65536, "PrivatePort": 25}, {"PublicPort": "25"},
        {"PublicPort": 25, "PrivatePort": True}, {"PublicPort": 10**40, "PrivatePort": 25}, [], None, 25,
    ],
)  # fmt: skip
def test_ports_that_are_none(port: object) -> None:
    assert container({"Ports": [port]}).ports == ()


@pytest.mark.parametrize("text", ["", "0", "-1", "65536", "9" * 5000, "25-30", "٢٥", "25/tcp", " 25", "x"])
def test_bindings_that_are_none(text: str) -> None:
    assert container({"State": "exited"}, PortBindings={"25/tcp": [{"HostPort": text}]}).ports == ()
    other = {f"{text or 'x'}": [{"HostPort": "25"}]} if text != "25/tcp" else {}
    assert container({"State": "exited"}, PortBindings=other).ports == ()


@pytest.mark.parametrize("key", ["../../etc", "ABCDEF012345", "0123456789a", "0" * 65, "", None, 12])
def test_ids_that_are_none_never_reach_a_path(key: object) -> None:
    assert reply.identity({"Id": key}) == ""


def test_networks_and_their_bridges() -> None:
    row: dict[str, Any] = {
        "Name": "mailcowdockerized_mailcow-network", "Id": ID, "Driver": "bridge", "EnableIPv6": True,
        "IPAM": {"Config": [{"Subnet": "172.22.1.0/24"}, {"Subnet": "fd4d:6169:6c63:6f77::/64"}, {}, None]},
        "Options": {"com.docker.network.bridge.name": "br-mailcow"},
        "Labels": {"com.docker.compose.project": "mailcowdockerized", "mailcow-preflight.run": "7"},
    }  # fmt: skip
    subnets = ("172.22.1.0/24", "fd4d:6169:6c63:6f77::/64")
    found = EngineNetwork(row["Name"], ID, "bridge", subnets, "br-mailcow", True, "mailcowdockerized", "7")
    assert reply.parse_networks([row]) == (found,)
    plain = row | {"Options": None}
    assert reply.parse_networks([plain])[0].interface == "br-0123456789ab"
    assert reply.parse_networks([plain], podman=True)[0].interface == ""
    assert [reply.parse_networks([plain | {"Driver": kind}])[0].interface for kind in ("overlay", "null", 1)] == [
        ""
    ] * 3


def test_volumes() -> None:
    rows = [{"Name": "b"}, {"Name": "a"}, {"Name": 1}, None]
    assert reply.parse_volumes({"Volumes": rows}) == ("a", "b")
    nothing: tuple[Any, ...] = ({"Volumes": None}, {}, [], None)
    assert [reply.parse_volumes(said) for said in nothing] == [()] * 4


@pytest.mark.parametrize(
    ("listed", "whole"),
    [
        ([], True), ([{}], True), ([{}] * reply.OBJECTS, True), ({"Volumes": []}, True), ({"Volumes": None}, True),
        ([{}] * (reply.OBJECTS + 1), False), ({"Volumes": [{}] * (reply.OBJECTS + 1)}, False), ([{}, 1], False),
        (None, False), ("", False), (0, False), ({}, False), ({"message": "no"}, False), ({"Volumes": 0}, False),
        ({"Volumes": {}}, False), ({"Volumes": ["a"]}, False),
    ],
)  # fmt: skip
def test_a_list_that_is_not_one_is_not_an_empty_one(listed: object, whole: bool) -> None:
    assert reply.is_whole(listed) is whole


# --- any reply -----------------------------------------------------------------------------------------------

KEYS = sorted(
    {
        *DOCKER["/version"],
        *DOCKER["/info"],
        *ROW,
        "Volumes",
        "Name",
        "Options",
        "IPAM",
        "Config",
        "Subnet",
        "HostConfig",
    }
    | {
        "PortBindings",
        "NetworkMode",
        "RestartPolicy",
        "HostPort",
        "HostIp",
        "PublicPort",
        "PrivatePort",
        "25/tcp",
        "IP",
    }
)
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["host", ID, "25", "bridge"])
)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner, max_size=6),
)
ROWS = st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, DOCUMENTS)), max_size=3) | DOCUMENTS


@given(DOCUMENTS, DOCUMENTS, ROWS, DOCUMENTS)
def test_whatever_is_said_becomes_a_fact_that_can_be_written_and_read(
    version: Any, info: Any, listed: Any, detail: Any
) -> None:
    reply.is_whole(listed)
    said = reply.parse_engine(
        version,
        info,
        containers=reply.parse_containers(listed, {ID: detail}, ID),
        networks=reply.parse_networks(listed, podman=is_podman(reply.components(version))),
        volumes=reply.parse_volumes({"Volumes": listed}),
    )
    assert msgspec.json.decode(msgspec.json.encode(said), type=Engine) == said
    assert all(1 <= port.port <= 65535 for found in said.containers for port in found.ports)


# --- the swarm -----------------------------------------------------------------------------------------------


def swarm_service(*ports: Any, **spec: Any) -> dict[str, Any]:
    task = {"ContainerSpec": {"Image": "mx:1@sha256:" + "0" * 64}}
    named = {"Name": "mx", "TaskTemplate": task, "Mode": {"Replicated": {"Replicas": 1}}}
    return {"ID": "x", "Spec": {**named, **spec}, "Endpoint": {"Ports": list(ports)}}


def test_services_with_the_ports_that_they_publish() -> None:
    mesh = {"Protocol": "tcp", "TargetPort": 2525, "PublishedPort": 25, "PublishMode": "ingress"}
    host = {"Protocol": "udp", "TargetPort": 53, "PublishedPort": 53, "PublishMode": "host"}
    assert reply.parse_services([swarm_service(mesh, host), swarm_service()]) == (
        SwarmService(name="mx", image="mx:1", ports=(PublishedPort("", 25, 2525),)),
        SwarmService(name="mx", image="mx:1", ports=(PublishedPort("", 53, 53, "udp"),), mesh=False),
    )
    everywhere = swarm_service(mesh, Mode={"Global": {}})
    assert len(reply.parse_services([everywhere])) == 1
    assert reply.parse_services([swarm_service(mesh, Mode={"Replicated": {"Replicas": 0}})]) == ()


@pytest.mark.parametrize(
    ("said", "manager"),
    [
        ({"LocalNodeState": "active", "ControlAvailable": True}, True),
        ({"LocalNodeState": "active", "ControlAvailable": False}, False),
        ({"LocalNodeState": "locked", "ControlAvailable": True}, False), ({"LocalNodeState": "inactive"}, False),
        (None, False),
    ],
)  # fmt: skip
def test_who_knows_the_services(said: object, manager: bool) -> None:
    assert reply.is_manager({"Swarm": said}) is manager


@given(DOCUMENTS)
def test_whatever_is_said_of_services_becomes_facts(document: Any) -> None:
    for listed in (document, [document], [swarm_service(document)], [{"Spec": document, "Endpoint": {"Ports": [{}]}}]):
        msgspec.json.encode(reply.parse_services(listed))
