"""The dress rehearsal on an engine of every kind: what is made, what is tried, what is told, and that nothing stays."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from preflight.facts import Asked, ContainerRun, Fact, PortRun, Rehearsal
from preflight.gather.engine.client import EngineError
from preflight.mailcow import plan
from preflight.mailcow.layout import CONTAINERS, SHAPE
from preflight.probes.bench import Script
from preflight.probes.box import Box
from preflight.probes.frame import run_probe
from preflight.probes.registry import Probe
from preflight.probes.rehearsal import troupe
from preflight.probes.rehearsal.holding import Held, Up
from preflight.probes.rehearsal.play import rehearse
from tests.build import conf_file
from tests.probes.engine import IMAGE
from tests.probes.stage import Stage

HELD = "driver failed programming external connectivity on endpoint x: Error starting userland proxy: listen tcp4 {}"
IN_USE = HELD.format("0.0.0.0:25: bind: address already in use")
TARGET = ("203.0.113.80", 443)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.close()


def script(conf: dict[str, str] | None = None, **given: Any) -> Script:
    made = plan.make(conf_file(conf or {}), Asked())
    values: dict[str, Any] = {"ipv6": "made", "addresses": ("198.51.100.7", "2001:db8::7"), "targets": (TARGET,)}
    return Script(plan=made, **(values | given))


def fact(
    engine: Stage, given: Script | None = None, *, budget: float = 30.0, stop: threading.Event | None = None
) -> Fact[Rehearsal]:
    """Play it as a run does; nothing of it may stay."""
    bench = replace(engine.bench(60.0, stop), script=given or script())
    made = run_probe(Probe("rehearsal", budget, "", "test", rehearse), bench)
    assert engine.left == set()
    return made


def played(engine: Stage, given: Script | None = None, **words: Any) -> Rehearsal:
    return fact(engine, given, **words).get()


def container(run: Rehearsal, name: str) -> ContainerRun:
    return next(one for one in run.containers if one.name == name)


def port(run: Rehearsal, number: int) -> PortRun:
    return next(one for one in run.ports if one.port == number)


# --- all is well ---------------------------------------------------------------------------------------------


def test_on_a_sound_engine_everything_answers(engine: Stage) -> None:
    run = played(engine)
    assert (run.network.made, run.network.ipv6, run.asked, run.late) == (True, "made", True, False)
    assert {one.name for one in run.containers} == {one.name for one in CONTAINERS}
    assert len(run.ports) == len(SHAPE)
    assert all(one.published and one.answered for one in run.ports)
    assert [one.address for one in port(run, 25).replies] == ["198.51.100.7", "2001:db8::7"]
    assert [one.address for one in port(run, 13306).replies] == ["127.0.0.1"]
    assert [(one.whom, one.way) for one in run.exits] == [
        ("bridge", "reached"), ("host", "reached"), ("target", "reached"),
    ]  # fmt: skip


def test_it_is_mailcows_shape(engine: Stage) -> None:
    played(engine)
    network, *made = engine.created
    assert network["Options"] == {"com.docker.network.bridge.name": "br-mailcow"}
    assert [row["Subnet"] for row in network["IPAM"]["Config"]] == ["172.22.1.0/24", "fd4d:6169:6c63:6f77::/64"]
    by_name = {row["Cmd"][3]: row for row in made}
    for one in CONTAINERS:
        body = by_name[one.name]
        host = body["HostConfig"]
        assert bool(host.get("Privileged")) is one.host
        assert bool(body.get("Healthcheck")) is one.healthcheck
        assert host.get("Sysctls", {}) == dict(one.sysctls)
        assert sorted(row["Name"] for row in host.get("Ulimits") or ()) == sorted(row[0] for row in one.ulimits)
        assert host.get("RestartPolicy", {}).get("Name", "") in ("", "no")
        ends = body.get("NetworkingConfig", {}).get("EndpointsConfig", {})
        assert bool(ends) is not one.host
        fixed = [end.get("IPAMConfig", {}).get("IPv4Address") for end in ends.values()]
        assert not one.address or fixed == [f"172.22.1.{one.address}"]
        assert host.get("Dns") == (["172.22.1.254"] if one.dns else None)


def test_nothing_bears_mailcows_own_names_or_labels(engine: Stage) -> None:
    """A mailcow's Compose, and our own look at what is left of one, must not take them for its own."""
    played(engine)
    assert engine.removed
    assert all(name.startswith("mailcow-preflight-") for name in engine.removed)
    assert not [row for row in engine.created if any("compose" in label for label in row["Labels"])]


def test_paths_that_the_host_does_not_have_are_not_made(engine: Stage) -> None:
    played(engine, script(paths=frozenset({"/lib/modules"})))
    mounts = [row for body in engine.created for row in body.get("HostConfig", {}).get("Mounts") or ()]
    assert [(row["Source"], row["ReadOnly"], row["Type"]) for row in mounts] == [("/lib/modules", True, "bind")]
    assert not [body for body in engine.created if body.get("HostConfig", {}).get("Binds")]


def test_the_order_is_mailcows(engine: Stage) -> None:
    engine.health["unbound-mailcow"] = [*["starting"] * 4, "healthy"]
    played(engine)
    order = [name.split("-", 3)[3] for name in engine.started]
    for one in CONTAINERS:
        for other in (*one.after, *one.after_healthy):
            assert order.index(other) < order.index(one.name)
    # Who waits for nobody's health does not wait.
    assert order.index("nginx-mailcow") < order.index("clamd-mailcow")


def test_mailcow_conf_counts(engine: Stage) -> None:
    conf = {"SMTP_PORT": "198.51.100.9:2525", "HTTP_PORT": "8080", "HTTP_BIND": "127.0.0.1", "ENABLE_IPV6": "false"}
    run = played(engine, script(conf, ipv6="unwanted"))
    assert (port(run, 2525).replies[0].address, port(run, 8080).replies[0].address) == ("198.51.100.9", "127.0.0.1")
    assert engine.created[0].get("EnableIPv6", False) is False
    assert {reply.address for one in run.ports for reply in one.replies if ":" in reply.address} == set()
    nginx = next(row for row in engine.created if "nginx-mailcow" in row.get("Cmd", ()))
    assert "8080/tcp" in nginx["ExposedPorts"]  # inside as outside


# --- the network ---------------------------------------------------------------------------------------------


def test_a_network_that_is_refused_is_the_end_of_it(engine: Stage) -> None:
    engine.overlap = "Pool overlaps with other one on this address space"
    run = played(engine)
    assert (run.network.made, run.network.cause, run.network.error) == (False, "overlap", engine.overlap)
    assert (run.containers, run.ports, run.asked) == ((), (), False)


def test_a_bridge_that_a_failing_engine_leaves_is_removed(engine: Stage) -> None:
    engine.overlap = "iptables failed: No chain/target/match by that name"
    played(engine, script(no_bridge=True))
    (sweeper,) = engine.created
    assert (sweeper["Cmd"][-1], sweeper["HostConfig"]["CapAdd"]) == ("br-mailcow", ["NET_ADMIN"])


@pytest.mark.parametrize("labels", [{"mailcow-preflight.run": "another"}, {}])
def test_a_bridge_that_is_somebodys_is_left_alone(engine: Stage, labels: dict[str, str]) -> None:
    engine.overlap = "networks have same bridge name"
    engine.put("networks", "theirs", labels)
    engine.networks["id-theirs"]["Options"] = {"com.docker.network.bridge.name": "br-mailcow"}
    bench = replace(engine.bench(), script=script(no_bridge=True))
    run = run_probe(Probe("rehearsal", 30.0, "", "test", rehearse), bench).get()
    assert run.network.cause == ("rival" if labels else "bridge")
    assert (engine.created, engine.left) == ([], {"theirs"})


def test_a_network_without_its_ipv6_says_so(engine: Stage) -> None:
    engine.six = False
    assert played(engine).network.ipv6 == "missing"


# --- ports ---------------------------------------------------------------------------------------------------


def test_one_port_that_is_held_costs_the_others_nothing(engine: Stage) -> None:
    engine.taken[25] = IN_USE
    run = played(engine)
    assert (port(run, 25).published, port(run, 25).cause, port(run, 25).named) == (False, "in-use", True)
    assert [one.port for one in run.ports if not one.answered] == [25]
    assert container(run, "postfix-mailcow").error == ""


def test_all_ports_of_a_container_may_be_held(engine: Stage) -> None:
    for number in (25, 465, 587):
        engine.taken[number] = HELD.format(f"0.0.0.0:{number}: bind: address already in use")
    run = played(engine)
    assert [one.port for one in run.ports if not one.published] == [25, 465, 587]


def test_words_that_name_no_port_blame_none(engine: Stage) -> None:
    engine.taken[143] = "iptables failed: No chain/target/match by that name"
    run = played(engine)
    lost = [one for one in run.ports if one.error]
    assert {one.service for one in lost} == {"dovecot-mailcow"}
    assert {(one.named, one.cause) for one in lost} == {(False, "chains")}


def test_a_port_that_two_variables_want_is_refused_once(engine: Stage) -> None:
    engine.taken[25] = ""  # replaced below
    del engine.taken[25]
    run = played(engine, script({"IMAP_PORT": "25"}))
    assert [one.service for one in run.ports if one.port == 25] == ["dovecot-mailcow", "postfix-mailcow"]


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ({"answer": "other", "said": "220 \x1b[31m evil"}, "other"), ({"answer": "mute"}, "mute"),
        ({"answer": "answered", "name": "nginx-mailcow", "inside": "25", "peer": "x"}, "crossed"),
        ({"answer": "answered", "name": "postfix-mailcow", "inside": "26", "peer": "x"}, "crossed"),
        ({"answer": 5, "seconds": "x"}, "silent"), ({}, "silent"), ({"answer": "unsent", "error": "EPERM"}, "unsent"),
    ],
)  # fmt: skip
def test_who_answers_is_told_as_it_is(engine: Stage, said: dict[str, Any], answer: str) -> None:
    engine.answers[25] = said
    replies = port(played(engine), 25).replies
    assert {one.answer for one in replies} == {answer}
    assert all(one.said.isprintable() for one in replies)


@pytest.mark.parametrize("logs", ["no JSON", "[]", "{}", "[5]", ""])
def test_a_container_that_asks_and_says_nonsense_proves_nothing(engine: Stage, logs: str) -> None:
    engine.logs = logs
    run = played(engine)
    assert (run.asked, bool(run.error)) == (False, True)
    assert not any(one.replies for one in run.ports)


# --- conditions ----------------------------------------------------------------------------------------------


def test_a_container_that_is_refused_is_started_plain_so_that_its_ports_are_tried(engine: Stage) -> None:
    engine.refused["dovecot-mailcow"] = "error setting rlimit type 7: operation not permitted"
    run = played(engine)
    dovecot = container(run, "dovecot-mailcow")
    assert (dovecot.cause, dovecot.plain) == ("limits", True)
    assert port(run, 143).answered


def test_a_port_that_our_own_refused_container_still_has_is_not_blamed(engine: Stage) -> None:
    """Podman lets go of the ports of a container that it could not start a moment later."""
    engine.refused["dovecot-mailcow"] = "error setting rlimit type 7: operation not permitted"
    engine.lingers[110] = 2
    run = played(engine)
    assert port(run, 110).answered
    assert container(run, "dovecot-mailcow").cause == "limits"


def test_a_container_that_never_starts_is_told_and_its_ports_with_it(engine: Stage) -> None:
    engine.never["postfix-mailcow"] = "no space left on device"
    run = played(engine)
    assert (container(run, "postfix-mailcow").states, container(run, "postfix-mailcow").error) == (
        (),
        "no space left on device",
    )
    assert (port(run, 25).published, port(run, 25).error, port(run, 143).answered) == (False, "", True)


def test_no_privileges_are_told_with_who_waits_for_them(engine: Stage) -> None:
    engine.never["netfilter-mailcow"] = "unable to apply caps"
    run = played(engine)
    assert container(run, "netfilter-mailcow").cause == "privileges"
    waiting = {one.name: one.unmet for one in run.containers if one.unmet}
    assert waiting["mysql-mailcow"] == ("netfilter-mailcow",)
    assert "acme-mailcow" in waiting  # which waits for who waits
    assert all(one.answered for one in run.ports)


@pytest.mark.parametrize(("states", "last"), [(["starting", "unhealthy"], "unhealthy"), (["starting"], "starting")])
def test_a_health_check_that_fails_or_never_ends(
    engine: Stage, monkeypatch: pytest.MonkeyPatch, states: list[str], last: str
) -> None:
    monkeypatch.setattr(troupe, "PATIENCE", 0.5)
    engine.health["unbound-mailcow"] = states
    run = played(engine)
    assert container(run, "unbound-mailcow").last == last
    unmet = {one.name for one in run.containers if "unbound-mailcow" in one.unmet}
    assert unmet == {one.name for one in CONTAINERS if "unbound-mailcow" in one.after_healthy}
    assert all(one.answered for one in run.ports)


def test_a_container_that_ends_is_told(engine: Stage) -> None:
    engine.ended.add("nginx-mailcow")
    assert container(played(engine), "nginx-mailcow").last == "exited"


# --- holding, and ways out ----------------------------------------------------------------------------------


class Keeper:
    """Keeps the stand-ins up, and notes what it is told."""

    def __init__(self, seconds: float = 0.3) -> None:
        self.seconds = seconds
        self.environment = {"PREFLIGHT_REACH": "x"}
        self.ups: list[Up] = []

    def hold(self, up: Up) -> None:
        self.ups.append(up)
        up.stop.wait(self.seconds)


def test_what_is_held_is_told_before_it_goes(engine: Stage) -> None:
    keeper = Keeper()
    engine.answers[80] = {"answer": "other", "said": "x"}
    engine.taken[25] = IN_USE
    run = played(engine, script(holder=keeper), budget=30.0)
    (up,) = keeper.ups
    assert run.held >= 0.2
    by_port = {place.port: place for place in up.places}
    assert isinstance(by_port[443], Held)
    assert (25 in by_port, by_port[80].answered, by_port[443].answered) == (False, False, True)
    stand_in = next(row for row in engine.created if "nginx-mailcow" in row.get("Cmd", ()))
    assert "PREFLIGHT_REACH=x" in stand_in["Env"]


def test_a_run_that_is_ended_does_not_hold_on_and_keeps_what_it_knows(engine: Stage) -> None:
    stop = threading.Event()
    keeper = Keeper(3000.0)
    threading.Thread(target=lambda: (_until(lambda: bool(keeper.ups)), stop.set()), daemon=True).start()
    run = played(engine, script(holder=keeper), stop=stop)
    assert run.asked
    assert run.held < 100


def _until(true: Any) -> None:
    end = time.monotonic() + 30
    while not true() and time.monotonic() < end:
        time.sleep(0.01)


def test_a_run_that_is_ended_leaves_nothing(engine: Stage) -> None:
    stop = threading.Event()
    engine.health["unbound-mailcow"] = ["starting"]
    threading.Thread(target=lambda: (_until(lambda: len(engine.started) > 3), stop.set()), daemon=True).start()
    missing = fact(engine, stop=stop).missing
    assert missing is not None
    assert "The run was stopped" in missing.reason


def test_what_was_seen_until_the_time_was_over_is_kept(engine: Stage) -> None:
    engine.health["unbound-mailcow"] = ["starting"]
    run = played(engine, budget=1.5)
    assert (run.late, run.asked, run.network.made) == (True, False, True)
    assert run.containers


@pytest.mark.parametrize("moment", ["networks/create", "containers/create", "/start", "/json"])
def test_an_engine_that_dies_is_no_finding_of_mailcows(engine: Stage, moment: str) -> None:
    engine.faults[f"(?:POST|GET) /.*{moment}"] = "die"
    bench = replace(engine.bench(20.0), script=script())
    made = run_probe(Probe("rehearsal", 20.0, "", "test", rehearse), bench)
    assert made.missing is not None
    assert made.missing.kind == "unknown"


# --- what the box lends it -----------------------------------------------------------------------------------


def test_what_a_container_prints_has_a_bound(engine: Stage) -> None:
    engine.logs = "x" * 5000
    with Box(engine.bench()) as box:
        key = box.create("asks", IMAGE, "pass")
        assert len(box.logs(key, 1000)) == 1000


def test_a_container_that_is_gone_is_removed_already(engine: Stage) -> None:
    with Box(engine.bench()) as box:
        key = box.create("test", IMAGE, "pass")
        box.remove(key)
        assert engine.left == set()
        box.remove(key)
        engine.faults["DELETE"] = (500, "device or resource busy")
        with pytest.raises(EngineError, match="busy"):
            box.remove(key)


def test_a_box_lasts_longer_where_it_is_told_to(engine: Stage) -> None:
    with Box(engine.bench(0.5)) as box:
        box.extend(30.0)
        time.sleep(0.6)
        box.pause(0.01)


def test_without_a_script_nothing_is_made(engine: Stage) -> None:
    made = run_probe(Probe("rehearsal", 5.0, "", "test", rehearse), engine.bench())
    assert (made.known, engine.created) == (False, [])
