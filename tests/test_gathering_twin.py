"""What the twin is asked, and what its answer means."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from preflight.facts import (
    NO_SETTINGS,
    Asked,
    Container,
    DaemonConfig,
    Engine,
    EngineNetwork,
    Fact,
    PublishedPort,
    View,
)
from preflight.facts.twin import Twin
from preflight.gather.access.command import Output
from preflight.gather.access.roots import Roots
from preflight.gather.machine import modules
from preflight.gathering import twin, twin_request
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
    return twin_request.request(wanted(**settings), engine, config, NATIVE, None, 5.0)


def configured(**settings: Any) -> DaemonConfig:
    return DaemonConfig("/etc/docker/daemon.json", True, {key.replace("_", "-"): settings[key] for key in settings})


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
    missing = twin_request.prevented(Roots("/r", view, anchor="1"))
    assert missing is not None
    assert missing.missing is not None
    assert missing.missing.kind == kind
    assert missing.missing.cause == cause
    assert missing.missing.help


def test_natively_and_in_a_privileged_container_there_may_be_one() -> None:
    assert twin_request.prevented(NATIVE) is None
    inside = View(container=True, root="/proc/1/root", live=True, network=True, privileged=True)
    assert twin_request.prevented(Roots("/proc/1/root", inside, anchor="1")) is None


def test_what_the_process_says_is_the_fact() -> None:
    told = Twin(derived=True, families=())
    assert twin.answer(Output(0, msgspec.json.encode(told).decode(), "")).get() == told


@pytest.mark.parametrize(
    ("ran", "cause"),
    [
        (Output(77, "", ""), "denied"),
        (Output(None, "", "", "it did not finish in time"), "late"),
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


@pytest.mark.parametrize(
    ("change", "service"),
    [({"project": "other"}, False), ({"ports": ()}, False), ({"service": "x"}, True), ({}, True)],
)
def test_mailcow_is_there_where_a_container_of_its_own_publishes_a_port(change: dict[str, Any], service: bool) -> None:
    running = replace(POSTFIX, **{"ports": (PublishedPort("", 25, 25),), **change})
    asked = request(replace(ENGINE, containers=(running,), networks=(NETWORK,)))
    assert asked.present is service
    elsewhere = replace(NETWORK, interface="br-0123456789ab")
    assert not request(replace(ENGINE, containers=(running,), networks=(elsewhere,))).present


def test_a_container_with_one_family_has_the_other_address_that_it_will_get() -> None:
    four = replace(POSTFIX, addresses=("172.22.1.9",))
    port = next(port for port in request(replace(ENGINE, containers=(four,))).ports if port.port == 25)
    assert (port.container4, port.container6) == ("172.22.1.9", "fd4d:6169:6c63:6f77::fd")
    none = next(port for port in request(replace(ENGINE, containers=(four,)), ENABLE_IPV6="false").ports)
    assert none.container6 == ""


def test_the_engine_s_own_word_for_its_backend_comes_first() -> None:
    told = replace(ENGINE, firewall_backend="iptables")
    assert request(told, configured(firewall_backend="nftables")).backend == "iptables"
    assert request().backend == ""


@pytest.mark.parametrize("version", ["", "unknown", "dev-27"])
def test_an_engine_of_an_unknown_version_is_taken_for_a_new_one(version: str) -> None:
    running = replace(POSTFIX, ports=(PublishedPort("", 25, 25),))
    assert request(Engine(version=version, api_version="1.51", containers=(running,), networks=(NETWORK,))).ip6tables


# --- when it is asked -------------------------------------------------------------------------------------------------


class Rest:
    """Stands for a run: its facts, and what was waited for."""

    def __init__(self, engine: Fact[Any], *, probe: bool = True, left: float = 30.0) -> None:
        self.engine, self.waited = engine, list[str]()
        self.roots, self.wishes, self.crew = NATIVE, self, self
        self.asked, self.probe, self.left, self.seconds = self, probe, left, 30.0
        self.spared: dict[str, float] = {}

    def fact(self, place: str, spare: float = 0.0) -> Fact[Any]:
        self.waited.append(place)
        self.spared[place] = spare
        return self.engine if place == "engine" else Fact.skipped(place, "Not here.")

    def share(self, _shared: object) -> Plan:
        return wanted()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[str, ...], float, int]]:
    """Return what is started, each with its seconds and its limit."""
    found: list[tuple[tuple[str, ...], float, int]] = []

    def run(words: tuple[str, ...], seconds: float, *, limit: int) -> Output:
        found.append((words, seconds, limit))
        return Output(0, msgspec.json.encode(Twin(derived=True, families=())).decode(), "")

    monkeypatch.setattr(twin.command, "run", run)
    monkeypatch.setattr(modules, "there", lambda _roots: frozenset({"nf_tables", "br_netfilter"}))
    return found


@pytest.mark.parametrize(("left", "seconds"), [(30.0, twin.SECONDS), (5.0, 4.7), (0.1, -0.2)])
def test_the_process_has_the_time_that_is_left(started: Any, left: float, seconds: float) -> None:
    given: Any = Rest(Fact.of("docker", ENGINE), left=left)
    assert twin.twin(given).known
    [(words, allowed, limit)] = started
    asked = msgspec.json.decode(words[-1], type=Request)
    assert words[1:4] == ("-I", "-m", "preflight.twin")
    assert asked.seconds == pytest.approx(seconds)
    assert allowed == pytest.approx(max(0.0, seconds + twin.LEFT / 2))
    assert (limit, asked.modules, asked.engine) == (twin.LIMIT, ("br_netfilter", "nf_tables"), "28.5.2")


@pytest.mark.parametrize("probe", [True, False])
def test_the_probe_with_published_ports_alone_is_waited_for(started: Any, probe: bool) -> None:
    given: Any = Rest(Fact.of("docker", ENGINE), probe=probe)
    twin.twin(given)
    assert started
    assert [place for place in given.waited if "probes" in place] == ["probes.publishing"] * probe
    # It never takes all the time there is.
    assert given.spared == {"engine": 0.0, "daemon_config": 0.0} | ({"probes.publishing": 3.0} if probe else {})


def test_without_an_engine_there_is_no_twin(started: Any) -> None:
    absent: Fact[Any] = Fact.unknown("docker", "No engine answers.", cause="absent")
    given: Any = Rest(absent)
    assert twin.twin(given).missing == absent.missing
    podman: Any = Rest(Fact.of("docker", replace(ENGINE, components=("Podman Engine",))))
    missing = twin.twin(podman).missing
    assert missing is not None
    assert (missing.kind, missing.cause) == ("skip", "engine")
    assert started == []


def test_modules_that_cannot_be_listed_are_never_asked_for(started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_roots: Roots) -> None:
        raise PermissionError("/proc/modules")

    monkeypatch.setattr(modules, "there", denied)
    given: Any = Rest(Fact.of("docker", ENGINE))
    missing = twin.twin(given).missing
    assert missing is not None
    assert missing.cause == "denied"
    assert started == []
    monkeypatch.setattr(modules, "there", lambda _roots: None)
    twin.twin(given)
    assert msgspec.json.decode(started[0][0][-1], type=Request).modules is None


def test_where_the_host_is_out_of_reach_nothing_is_started(started: Any) -> None:
    given: Any = Rest(Fact.of("docker", ENGINE))
    given.roots = Roots(None, replace(NATIVE.view, root=None), anchor="self")
    assert twin.twin(given).missing is not None
    assert (started, given.waited) == ([], [])


def test_of_a_long_complaint_the_last_line_is_told() -> None:
    missing = twin.answer(Output(1, "", "Traceback\n" + "x" * 400 + "\n")).missing
    assert missing is not None
    assert missing.detail == "x" * 300
