"""A host on which all is well, with one thing missing: nothing passes for want of what would say otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from preflight.checks import Check
from preflight.facts import (
    Answers,
    Compose,
    ConfFile,
    Contact,
    CpuFeatures,
    CpuSpeed,
    DaemonConfig,
    Engine,
    EngineLimits,
    Fact,
    HealthRun,
    JsonFault,
    KernelFeatures,
    Link,
    OsRelease,
    Sockets,
    StartRun,
    Timezone,
)
from preflight.facts.base import BEFORE
from preflight.mailcow.plan import DEFAULT_CONF
from preflight.report.model import Status
from tests.build import look, run
from tests.checks.engines import engine
from tests.checks.wellhost import CHECKS, space, well

# The parts without which a check decides nothing. The others that it reads tell causes, remedies and exceptions.
DECIDES: dict[str, tuple[str, ...]] = {
    "system.os": ("os_release",),
    "system.architecture": ("machine",),
    "system.virtualization": ("virtualization",),
    "system.kernel": ("kernel",),
    "system.kernel-features": ("kernel_features",),
    "system.commands": ("commands",),
    "system.security-modules": ("security",),
    "system.limits": ("sysctls", "engine_limits"),
    "resources.cpu-frequency": ("cpu_speed",),
    "resources.cpu-features": ("cpu_features", "machine"),
    "resources.memory": ("memory",),
    "resources.swap": ("memory",),
    "resources.antivirus": ("memory",),
    "resources.disk": ("spaces",),
    "resources.inodes": ("spaces",),
    "docker.engine": ("contact", "engine"),
    "docker.compose": ("compose",),
    "docker.packaging": ("engine",),
    "docker.storage": ("engine",),
    "docker.daemon-config": ("daemon_config",),
    "docker.privileged": ("probes.privileged",),
    "docker.limits": ("probes.limits",),
    "docker.healthcheck": ("probes.healthcheck", "probes.timeout", "probes.executions"),
    "docker.leftovers": ("engine",),
    "ports.configuration": ("mailcow_conf",),
    "ports.free": ("binds",),
    "services.mail": ("services",),
    "clock.synchronized": ("clock",),
    "clock.service": ("services",),
    "clock.offset": ("times",),
    "clock.timezone": ("timezone",),
    "dns.hostname": ("answers", "hosts_file"),
    "dns.address": ("answers", "links"),
    "dns.reverse": ("answers", "links"),
    "dns.mx": ("answers",),
    "dns.autodiscover": ("answers",),
    "dns.autoconfig": ("answers",),
    "dns.spf": ("answers", "links"),
    "dns.dkim": ("answers",),
    "dns.dmarc": ("answers",),
    "dns.srv": ("answers",),
    "dns.tlsa": ("answers",),
    "dns.caa": ("answers",),
    "network.subnet": ("links", "routes", "engine"),
    "network.mtu": ("links",),
    "network.ipv6": ("ipv6", "links"),
    "network.public-address": ("sightings", "links"),
    "network.outbound": ("outgoing",),
    "network.smtp-out": ("smtp",),
    "network.recursion": ("probes.recursion",),
    "network.ping": ("probes.recursion",),
    "network.blocklists": ("blocklists",),
    "rehearsal.network": ("rehearsal",),
    "rehearsal.publish": ("rehearsal",),
    "rehearsal.health": ("rehearsal",),
    "rehearsal.egress": ("rehearsal",),
}
# Parts that say the same: one of them is enough, and without both nothing is decided.
EITHER: dict[str, tuple[tuple[str, ...], ...]] = {
    "network.mtu": (("ways", "routes"),),
    "network.ipv6": (("ways", "routes"),),
}
# Parts that decide some of a check's subjects: the others pass without them.
OWN: dict[tuple[str, str], tuple[str, ...]] = {
    ("system.limits", "sysctls"): ("fs.inotify.max_user_instances", "vm.overcommit_memory"),
    ("system.limits", "engine_limits"): ("engine.nofile",),
}
# Parts that came to a check later: facts that were recorded before are judged as they were then.
CAME_LATER = {("docker.healthcheck", "probes.timeout"), ("docker.healthcheck", "probes.executions")}
MISSING: dict[str, Fact[Any]] = {
    "denied": Fact.unknown("src", "Permission denied.", "Run it as root.", cause="denied"),
    "late": Fact.unknown("src", "It did not answer in time.", "Run it again.", cause="late"),
    "a copy": Fact.unknown("src", "The root is a copy.", "Run it there.", cause="copy"),
    "malformed": Fact.unknown("src", "What it says makes no sense.", "Look at it.", detail="\x00\xff"),
    "of older facts": BEFORE,
    "not asked for": Fact.skipped("src", "It was not asked for."),
}


def bare(part: str) -> str:
    return part.rpartition(".")[2]


def ids(check: Check) -> str:
    return check.id


def rows(decides: bool) -> Iterator[tuple[Check, str]]:
    for check in CHECKS:
        for part in check.reads:
            if (part in DECIDES[check.id]) is decides:
                yield check, part


def named(value: object) -> str:
    return value.id if isinstance(value, Check) else str(value)


def test_every_check_says_what_decides_it() -> None:
    assert set(DECIDES) == {check.id for check in CHECKS}
    for check in CHECKS:
        assert set(DECIDES[check.id]) <= set(check.reads), check.id


@pytest.mark.parametrize("check", CHECKS, ids=ids)
def test_on_a_host_that_is_well_everything_passes(check: Check) -> None:
    results = run(check.id, look(well()))
    assert [result.message for result in results if result.status is not Status.PASS] == []
    assert results


@pytest.mark.parametrize("kind", MISSING)
@pytest.mark.parametrize(("check", "part"), list(rows(decides=True)), ids=named)
def test_without_what_decides_nothing_passes(check: Check, part: str, kind: str) -> None:
    fact = MISSING[kind]
    assert fact.missing
    results = run(check.id, look(well(**{bare(part): fact})))
    own = OWN.get((check.id, part), tuple(result.subject for result in results))
    if fact is BEFORE and (check.id, part) in CAME_LATER:
        own = ()
    assert {result.status for result in results if result.subject not in own} <= {Status.PASS}
    for result in (result for result in results if result.subject in own):
        assert (result.status.value, result.reason) == (fact.missing.kind, fact.missing.reason), result
        assert bool(result.remedy) is (result.status is Status.UNKNOWN)


@pytest.mark.parametrize(("check", "part"), list(rows(decides=False)), ids=named)
def test_what_tells_only_more_costs_nothing(check: Check, part: str) -> None:
    results = run(check.id, look(well(**{bare(part): MISSING["denied"]})))
    assert {result.status for result in results} == {Status.PASS}


@pytest.mark.parametrize(
    ("identity", "parts"), [(name, parts) for name, many in EITHER.items() for parts in many], ids=str
)
def test_without_any_that_says_it_nothing_passes(identity: str, parts: tuple[str, ...]) -> None:
    given = look(well(**dict.fromkeys(parts, MISSING["denied"])))
    assert {result.status for result in run(identity, given)} == {Status.UNKNOWN}


# --- what is there and says nothing --------------------------------------------------------------------------

NOWHERE = OsRelease("", "", (), "", "")
EMPTY: dict[str, tuple[str, dict[str, Any], Status]] = {
    "a distribution without a name": ("system.os", {"os_release": NOWHERE}, Status.WARN),
    "a kernel without a version": ("system.kernel", {"kernel": "custom"}, Status.UNKNOWN),
    "an architecture without a name": ("system.architecture", {"machine": ""}, Status.FAIL),
    "a kernel without options": (
        "system.kernel-features", {"kernel_features": KernelFeatures({}, None, None)}, Status.UNKNOWN,
    ),
    "no limits": ("system.limits", {"sysctls": {}, "engine_limits": EngineLimits(None)}, Status.SKIP),
    "a moment's rate": ("resources.cpu-frequency", {"cpu_speed": CpuSpeed(800.0, "cpuinfo", False)}, Status.UNKNOWN),
    "no flags": ("resources.cpu-features", {"cpu_features": CpuFeatures("", (), 0)}, Status.UNKNOWN),
    "no file systems": ("resources.disk", {"spaces": {}}, Status.UNKNOWN),
    "no inodes": ("resources.inodes", {"spaces": {}}, Status.UNKNOWN),
    "an engine without a version": ("docker.engine", {"engine": engine(version="")}, Status.UNKNOWN),
    "Compose without a version": ("docker.compose", {"compose": Compose("plugin", "/x", "")}, Status.UNKNOWN),
    "an engine without a driver": ("docker.storage", {"engine": engine(driver="")}, Status.UNKNOWN),
    "no word of the container": ("docker.privileged", {"privileged": StartRun(True, None)}, Status.UNKNOWN),
    "no word of its limits": ("docker.limits", {"limits": StartRun(True, None)}, Status.UNKNOWN),
    "no answers": ("dns.mx", {"answers": Answers({})}, Status.UNKNOWN),
    "no bind attempts": ("ports.free", {"binds": ()}, Status.UNKNOWN),
    "no zone of the hardware clock": ("clock.timezone", {"timezone": Timezone("UTC", None)}, Status.UNKNOWN),
    "no networks in full": ("network.subnet", {"engine": engine(cut=("networks",), truncated=True)}, Status.UNKNOWN),
    "a link without an MTU": ("network.mtu", {"links": (Link("eth0", None, True),)}, Status.UNKNOWN),
    "another link": ("network.mtu", {"links": (Link("eth1", 9000, True),)}, Status.UNKNOWN),
}  # fmt: skip


@pytest.mark.parametrize("kind", EMPTY)
def test_what_says_nothing_is_no_good_sign(kind: str) -> None:
    identity, changed, status = EMPTY[kind]
    results = run(identity, look(well(**changed)))
    assert {result.status for result in results} == {status}, results


@pytest.mark.parametrize(
    ("cut", "status"),
    [("containers", Status.UNKNOWN), ("networks", Status.UNKNOWN), ("volumes", Status.UNKNOWN),
     ("stopped", Status.PASS), ("services", Status.PASS)],  # of those the ports alone are not known
)  # fmt: skip
def test_of_lists_that_are_cut_nothing_is_said_to_be_gone(cut: str, status: Status) -> None:
    (result,) = run("docker.leftovers", look(well(engine=engine(cut=(cut,), truncated=True))))
    assert result.status is status


def test_no_health_is_no_pass() -> None:
    (result,) = run("docker.healthcheck", look(well(healthcheck=HealthRun(()))))
    assert result.status in (Status.FAIL, Status.UNKNOWN)


@pytest.mark.parametrize("state", ["absent", "refused", "timeout", "denied", "invalid"])
def test_an_engine_that_is_not_reached_passes_nothing(state: Any) -> None:
    gone: Fact[Engine] = Fact.unknown("docker", "It was not reached.", cause="engine")
    given = look(well(contact=Contact("unix:///run/docker.sock", state), engine=gone))
    for identity in ("docker.engine", "docker.packaging", "docker.storage", "docker.leftovers"):
        assert {result.status for result in run(identity, given)} <= {Status.FAIL, Status.UNKNOWN, Status.SKIP}


def test_one_file_system_that_is_not_known_costs_its_own_path_only() -> None:
    dead = Fact[Any].unknown("statvfs", "It did not answer in time.", cause="late")
    given = look(well(spaces={"/var/lib/docker": dead, "/opt/mailcow-dockerized": space("/opt/mailcow-dockerized")}))
    found = {result.subject: result.status for result in run("resources.disk", given)}
    assert found == {"/var/lib/docker": Status.UNKNOWN, "/opt/mailcow-dockerized": Status.PASS}


@pytest.mark.parametrize("outcome", ["EACCES", "EPERM", "EMFILE", "EIO", "timeout", ""])
def test_a_bind_that_says_nothing_of_others_is_no_pass(outcome: str) -> None:
    known = well()
    binds = tuple(replace(one, outcome=outcome) for one in known.binds.get())
    found = run("ports.free", look(replace(known, binds=Fact.of("bind", binds))))
    assert Status.PASS not in {result.status for result in found}


@pytest.mark.parametrize("place", ["0.0.0.0", "::"])
def test_an_address_that_was_not_tried_is_no_pass(place: str) -> None:
    known = well()
    binds = tuple(one for one in known.binds.get() if one.address != place)
    found = {
        result.subject: result.status for result in run("ports.free", look(replace(known, binds=Fact.of("x", binds))))
    }
    assert found["25/tcp"] is Status.UNKNOWN
    assert found["127.0.0.1:13306/tcp"] is Status.PASS


def test_without_binds_free_sockets_prove_nothing() -> None:
    given = well(binds=MISSING["denied"], sockets=Sockets((), True, bound=True))
    assert {result.status for result in run("ports.free", look(given))} == {Status.UNKNOWN}


def test_settings_that_cannot_be_read_are_a_failure_of_theirs() -> None:
    broken = DaemonConfig("/etc/docker/daemon.json", True, {}, fault=JsonFault("syntax", 1, "invalid character 'x'"))
    (result,) = run("docker.daemon-config", look(well(daemon_config=broken)))
    assert result.status is Status.FAIL


def test_a_mailcow_conf_that_compose_refuses_is_a_failure_of_its_own() -> None:
    conf = ConfFile(DEFAULT_CONF, True, {}, bad_lines=(3,), refusals=("character",))
    found = run("ports.configuration", look(well(mailcow_conf=conf)))
    assert Status.FAIL in {result.status for result in found}
