"""What the twin is asked, and what its answer means."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from preflight.facts import NO_SETTINGS, Asked, Container, DaemonConfig, Engine, EngineNetwork, PublishedPort, View
from preflight.facts.twin import Twin
from preflight.gather.access.command import Output
from preflight.gather.access.roots import Roots
from preflight.gathering import twin
from preflight.mailcow import plan
from preflight.mailcow.plan import Plan
from preflight.twin.request import Request
from tests.build import conf_file

NATIVE = Roots("/", View(container=False, root="/", live=True, network=True, privileged=None), anchor="self")
ENGINE = Engine(version="28.5.2", api_version="1.51")
NETWORK = EngineNetwork("mailcowdockerized_mailcow-network", "1", "bridge", ("172.22.1.0/24",), "br-mailcow", False)
POSTFIX = Container(
    id="1", name="postfix", image="x", state="running", project="mailcowdockerized", service="postfix-mailcow",
    addresses=("172.22.1.8", "fd4d:6169:6c63:6f77::8"),
)  # fmt: skip


def wanted(**settings: str) -> Plan:
    return plan.make(conf_file(settings) if settings else None, Asked())


def request(engine: Engine = ENGINE, config: DaemonConfig = NO_SETTINGS, **settings: str) -> Request:
    return twin.request(wanted(**settings), engine, config, NATIVE, None, 5.0)


def configured(**settings: Any) -> DaemonConfig:
    return DaemonConfig("/etc/docker/daemon.json", True, "", {key.replace("_", "-"): settings[key] for key in settings})


def test_where_mailcow_runs_its_containers_have_the_addresses_that_they_have() -> None:
    running = replace(POSTFIX, ports=(PublishedPort("", 25, 25),))
    asked = request(replace(ENGINE, containers=(running,), networks=(NETWORK,)))
    assert asked.present
    (port,) = (port for port in asked.ports if port.port == 25)
    assert (port.container4, port.container6) == ("172.22.1.8", "fd4d:6169:6c63:6f77::8")
    stopped = replace(running, state="exited")
    assert not request(replace(ENGINE, containers=(stopped,), networks=(NETWORK,))).present
    assert not request(replace(ENGINE, containers=(running,))).present


def test_ports_go_to_the_addresses_that_mailcow_gives_its_containers() -> None:
    asked = request()
    assert asked.present is False
    assert (asked.subnet4, asked.subnet6) == ("172.22.1.0/24", "fd4d:6169:6c63:6f77::/64")
    places = {port.port: (port.service, port.inside, port.container4) for port in asked.ports}
    assert places[25] == ("postfix-mailcow", 25, "172.22.1.253")
    assert places[993] == ("dovecot-mailcow", 993, "172.22.1.250")
    assert places[13306][1] == 3306
    addresses = {port.service: port.container4 for port in asked.ports}
    assert len(set(addresses.values())) == len(addresses)
    assert {port.container6 for port in asked.ports if port.port == 25} == {"fd4d:6169:6c63:6f77::fd"}


def test_moved_ports_bind_addresses_and_networks_are_those_of_mailcow_conf() -> None:
    asked = request(SMTP_PORT="2525", HTTP_BIND="198.51.100.7", IPV4_NETWORK="10.9.8", ENABLE_IPV6="false")
    assert asked.subnet6 == ""
    moved = next(port for port in asked.ports if port.service == "postfix-mailcow" and port.inside == 25)
    assert (moved.port, moved.container4, moved.container6) == (2525, "10.9.8.253", "")
    assert next(port.address for port in asked.ports if port.inside == 80) == "198.51.100.7"


@pytest.mark.parametrize(
    ("version", "told", "present", "filters"),
    [
        ("26.1.5", None, True, False),
        ("26.1.5", None, False, True),  # mailcow's installer has it do so
        ("27.0.1", None, True, True),
        ("28.5.2", False, False, False),
        ("20.10.24", True, True, True),
    ],
)
def test_whether_the_engine_filters_ipv6(version: str, told: bool | None, present: bool, filters: bool) -> None:
    config = configured() if told is None else configured(ip6tables=told)
    running = replace(POSTFIX, ports=(PublishedPort("", 25, 25),))
    engine = Engine(version=version, api_version="1.41", containers=(running,), networks=(NETWORK,) * present)
    asked = request(engine, config)
    assert asked.ip6tables is filters
    assert asked.starts_ip6tables is (version == "26.1.5" and not present)


def test_the_engines_switches_are_those_of_its_settings() -> None:
    plain = request()
    assert (plain.iptables, plain.userland_proxy, plain.ip_forward, plain.ip_masq) == (True, True, True, True)
    config = configured(iptables=False, userland_proxy=False, ip_forward=False, ip_masq=False)
    switched = request(config=config)
    assert (switched.iptables, switched.userland_proxy) == (False, False)
    assert (switched.ip_forward, switched.ip_masq) == (False, False)
    assert request(config=configured(firewall_backend="nftables")).backend == "nftables"


VIEWS = {
    "a copy": (View(container=False, root="/mnt", live=False, network=False, privileged=None), "unknown", "copy"),
    "another network": (
        View(container=True, root="/r", live=True, network=False, privileged=True),
        "unknown",
        "network",
    ),
    "no privilege": (
        View(container=True, root="/r", live=True, network=True, privileged=False),
        "unknown",
        "container",
    ),
}


@pytest.mark.parametrize("name", VIEWS)
def test_where_there_can_be_no_twin(name: str) -> None:
    view, kind, cause = VIEWS[name]
    missing = twin.prevented(Roots("/r", view, anchor="1"))
    assert missing is not None
    assert missing.missing is not None
    assert missing.missing.kind == kind
    assert missing.missing.cause == cause
    assert missing.missing.help


def test_natively_and_in_a_privileged_container_there_may_be_one() -> None:
    assert twin.prevented(NATIVE) is None
    inside = View(container=True, root="/proc/1/root", live=True, network=True, privileged=True)
    assert twin.prevented(Roots("/proc/1/root", inside, anchor="1")) is None


def test_what_the_process_says_is_the_fact() -> None:
    told = Twin(derived=True, families=())
    assert twin.answer(Output(0, msgspec.json.encode(told).decode(), "")).get() == told


@pytest.mark.parametrize(
    ("ran", "cause"),
    [
        (Output(77, "", ""), "denied"),
        (Output(None, "", "", "it did not end in time"), "late"),
        (Output(1, "", "Traceback\nMemoryError"), ""),
        (Output(-9, "", ""), ""),
        (Output(0, "{}", ""), ""),
        (Output(0, "", ""), ""),
    ],
)
def test_why_there_is_no_fact(ran: Output, cause: str) -> None:
    missing = twin.answer(ran).missing
    assert missing is not None
    assert (missing.kind, missing.cause) == ("unknown", cause)
    assert "Traceback" not in missing.reason + missing.detail
