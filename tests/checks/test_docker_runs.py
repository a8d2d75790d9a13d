"""What the engine stores its layers with, and what became of the containers that were really started on it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from preflight.facts import ExecRun, Fact, HealthRun, Services, StartRun, TimeoutRun
from preflight.facts.base import BEFORE
from preflight.report.model import Result, Status
from tests.build import measured
from tests.checks.engines import commands, engine, judged
from tests.checks.hosts import release

# --- docker.storage ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("driver", "backing", "status", "words"),
    [
        ("overlay2", "extfs", Status.PASS, "overlay2 (extfs)"), ("overlay2", "xfs", Status.PASS, "overlay2 (xfs)"),
        ("overlayfs", "", Status.PASS, "with overlayfs."), ("overlay2", "<unknown>", Status.PASS, "with overlay2."),
        ("vfs", "extfs", Status.FAIL, "full copy of every layer"), ("vfs", "", Status.FAIL, "30 GB"),
        ("devicemapper", "xfs", Status.FAIL, "Docker 25"), ("aufs", "extfs", Status.FAIL, "Docker 24"),
        ("btrfs", "btrfs", Status.WARN, "btrfs is unusual"), ("zfs", "zfs", Status.WARN, "zfs is unusual"),
        ("fuse-overlayfs", "extfs", Status.WARN, "unusual"), ("odd", "extfs", Status.WARN, "odd is unusual"),
        ("overlay2", "btrfs", Status.WARN, "data is on btrfs"), ("overlay2", "zfs", Status.WARN, "data is on zfs"),
        ("overlay2", "nfs", Status.FAIL, "data is on nfs"), ("overlayfs", "CIFS", Status.FAIL, "data is on cifs"),
        ("", "extfs", Status.UNKNOWN, "does not report which storage driver"),
    ],
)  # fmt: skip
def test_storage(driver: str, backing: str, status: Status, words: str) -> None:
    said = engine(driver=driver, driver_status={"Backing Filesystem": backing} if backing else {})
    result = judged("docker.storage", engine=said)
    assert (result.status, words in told(result)) == (status, True), told(result)
    if status in (Status.WARN, Status.FAIL):
        assert commands(result)[0].startswith("docker info")


def test_a_driver_and_the_file_system_of_its_own_are_one_finding() -> None:
    said = engine(driver="btrfs", driver_status={"Backing Filesystem": "btrfs"})
    assert "data is on" not in judged("docker.storage", engine=said).message


def test_every_fault_of_the_storage_is_named() -> None:
    status = {"Backing Filesystem": "nfs", "Supports d_type": "false"}
    result = judged("docker.storage", engine=engine(driver="btrfs", driver_status=status))
    assert result.status is Status.FAIL
    assert all(word in result.message for word in ("is on nfs", "ftype=0", "btrfs is unusual"))


def told(result: Result) -> str:
    """Return the message, and behind a bar what the engine said itself."""
    return " | ".join(filter(None, (result.message, result.detail)))


# --- docker.privileged, docker.healthcheck -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ran", "status", "words"),
    [
        (StartRun(True, 0, granted=True), Status.PASS, "had its privileges"),
        (StartRun(True, 3, granted=False), Status.FAIL, "without the privileges"),
        (StartRun(True, 1, "oops"), Status.UNKNOWN, "exit code 1. | oops"),
        (StartRun(True, None, "killed"), Status.UNKNOWN, "exit code None. | killed"),
        (StartRun(False, None, "privileged mode is incompatible with user namespaces."), Status.FAIL,
         "start a privileged container. | privileged mode is incompatible with user namespaces."),
        (Fact.skipped("probe", "No containers are started (--no-probe)."), Status.SKIP, "--no-probe"),
        (Fact.unknown("probe", "Out of time."), Status.UNKNOWN, "Out of time."),
    ],
)  # fmt: skip
def test_a_privileged_container(ran: Any, status: Status, words: str) -> None:
    result = judged("docker.privileged", privileged=ran)
    assert (result.status, words in told(result)) == (status, True), told(result)


@pytest.mark.parametrize(
    ("ran", "status", "words"),
    [
        (StartRun(True, 0, granted=True), Status.PASS, "got mailcow's limits"),
        (StartRun(True, 3, granted=False), Status.FAIL, "with different limits"),
        (StartRun(True, 139), Status.UNKNOWN, "exit code 139"),
        (
            StartRun(False, None, "error setting rlimit type 7: operation not permitted"),
            Status.FAIL,
            "| error setting rlimit type 7",
        ),
        (StartRun(False, None, "{error} {0}"), Status.FAIL, "| {error} {0}"),
        (Fact.unknown("probe", "Out of time."), Status.UNKNOWN, "Out of time."),
    ],
)
@pytest.mark.parametrize("init", ["systemd", "openrc"])
def test_a_container_with_mailcows_limits(ran: Any, status: Status, words: str, init: str) -> None:
    result = judged("docker.limits", limits=ran, services=Services(init, ()))
    assert (result.status, words in told(result)) == (status, True), told(result)
    if status is Status.FAIL:
        assert bool(commands(result)) == (init == "systemd")


def states(*names: str) -> tuple[tuple[float, str], ...]:
    return tuple((round(0.5 + number, 1), name) for number, name in enumerate(names))


@pytest.mark.parametrize(
    ("ran", "status", "words"),
    [
        (
            HealthRun(states("starting", "unhealthy", "healthy")),
            Status.PASS,
            "in 2.5 s: starting → unhealthy → healthy",
        ),
        (HealthRun(states("unhealthy", "healthy")), Status.PASS, "unhealthy → healthy"),
        (HealthRun(states("starting")), Status.FAIL, "never left the starting state"),
        (HealthRun(states("none")), Status.FAIL, "ignores the HEALTHCHECK"),
        (HealthRun(()), Status.FAIL, "ignores"),
        (
            HealthRun(states("starting", "unhealthy"), output="cannot exec"),
            Status.FAIL,
            "should have passed. | cannot exec",
        ),
        (HealthRun(states("starting", "healthy")), Status.FAIL, "reported healthy although its check failed"),
        (HealthRun(states("starting", "healthy", "unhealthy")), Status.FAIL, "stayed unhealthy"),
        (
            HealthRun(states("starting", "unhealthy", "healthy"), "it vanished."),
            Status.FAIL,
            "not be run. | it vanished.",
        ),
        (
            HealthRun(states("starting"), "OOM", ended=True, exit_code=137),
            Status.FAIL,
            "ended by itself with exit code 137. | OOM",
        ),
        (HealthRun(states("starting"), ended=True), Status.FAIL, "A container with a HEALTHCHECK ended by itself."),
        (HealthRun(states("unhealthy", "healthy"), ended=True, exit_code=0), Status.FAIL, "with exit code 0."),
        (Fact.skipped("probe", "Kernel 3.16 panics."), Status.SKIP, "3.16"),
        (Fact.unknown("probe", "Out of time."), Status.UNKNOWN, "Out of time."),
    ],
)
def test_a_health_check(ran: Any, status: Status, words: str) -> None:
    facts = {"timeout": BEFORE, "executions": BEFORE, "os_release": release("debian", "13")}
    result = judged("docker.healthcheck", healthcheck=ran, **facts)
    assert (result.status, words in told(result)) == (status, True), told(result)
    if isinstance(ran, HealthRun):
        assert measured(result) == {"states": [list(state) for state in ran.states]}
    if status is Status.FAIL:
        assert commands(result)[0] == "systemctl restart docker"


WELL = HealthRun(states("starting", "unhealthy", "healthy"))
HUNG = TimeoutRun(states("starting", "unhealthy"), "", "Health check exceeded timeout (1s)", gone=True)
CODES = tuple(range(1, 21))


@pytest.mark.parametrize(
    ("hung", "executed", "status", "words"),
    [
        (HUNG, ExecRun(CODES), Status.PASS, "in 2.5 s: starting → unhealthy → healthy."),
        (HUNG, ExecRun((1, 2, 3)), Status.PASS, "healthy. Only 3 of 20 commands were run in the time available."),
        (replace(HUNG, gone=None), ExecRun(CODES), Status.PASS, "healthy. Could not determine whether a health check"),
        (replace(HUNG, gone=False), ExecRun(CODES), Status.WARN, "keeps running. Each such check leaves another"),
        (replace(HUNG, gone=None, late=True), ExecRun(CODES), Status.UNKNOWN, "did not begin well before its timeout"),
        (replace(HUNG, gone=None, late=True), ExecRun((2,)), Status.FAIL, "Command 1"),
        (TimeoutRun(states("starting")), ExecRun(CODES), Status.WARN, "never became unhealthy"),
        (TimeoutRun(withheld="24.0.1"), ExecRun(CODES), Status.WARN, "Docker 24.0.1 can crash"),
        (TimeoutRun((), "no shim"), ExecRun(CODES), Status.WARN, "could not be completed. | no shim"),
        (HUNG, ExecRun((1, 2, 0)), Status.FAIL, "ended with exit code 3, but the engine reports 0"),
        (HUNG, ExecRun((1, None)), Status.FAIL, "command 2 in a container never ended"),
        (HUNG, ExecRun((1, 2), "setns"), Status.FAIL, "ran 2 commands in a container, and failed to run the next one"),
        (replace(HUNG, gone=False), ExecRun((2,)), Status.FAIL, "Command 1"),
        (Fact.unknown("probe", "Out of time."), ExecRun(CODES), Status.UNKNOWN, "Out of time."),
        (HUNG, Fact.unknown("probe", "Out of time."), Status.UNKNOWN, "Out of time."),
        (Fact.unknown("probe", "Out of time."), ExecRun((2,)), Status.FAIL, "Command 1"),
    ],
)  # fmt: skip
def test_checks_that_hang_and_commands(hung: Any, executed: Any, status: Status, words: str) -> None:
    facts = {"healthcheck": WELL, "os_release": release("debian", "13")}
    result = judged("docker.healthcheck", timeout=hung, executions=executed, **facts)
    assert (result.status, words in told(result)) == (status, True), told(result)
    if isinstance(hung, TimeoutRun) and isinstance(executed, ExecRun):
        assert measured(result).get("exit_codes") == list(executed.codes)
        assert measured(result).get("timeout_gone") == hung.gone


def test_where_no_health_check_works_nothing_else_is_told() -> None:
    facts = {"healthcheck": HealthRun(states("starting")), "os_release": release("debian", "13")}
    result = judged("docker.healthcheck", timeout=TimeoutRun((), "no"), executions=ExecRun((), "no"), **facts)
    assert "never left the starting state" in told(result)


# --- one cause for all of them ---------------------------------------------------------------------------------

CGROUPS = "cgroups: cannot find cgroup mount destination: unknown"


@pytest.mark.parametrize(
    ("system", "init", "command"),
    [
        (release("gentoo", ""), "openrc", "rc-update add cgroups sysinit"),
        (release("devuan", "5", "debian"), "sysv", "apt-get install -y cgroupfs-mount"),
        (release("void", ""), "other", "mount -t cgroup2"),
    ],
)
def test_control_groups_that_nobody_mounts_are_one_finding(system: Any, init: Any, command: str) -> None:
    facts = {
        "privileged": StartRun(False, None, CGROUPS, "cgroups"), "limits": StartRun(False, None, CGROUPS, "cgroups"),
        "healthcheck": HealthRun((), CGROUPS, cause="cgroups"), "services": Services(init, ()), "os_release": system,
    }  # fmt: skip
    first = judged("docker.privileged", **facts)
    assert (first.status, "cgroups" in first.message) == (Status.FAIL, True)
    assert command in " ".join(commands(first))
    for check in ("docker.limits", "docker.healthcheck"):
        other = judged(check, **facts)
        assert other.status is Status.UNKNOWN
        assert "see docker.privileged" in (other.reason or "")
        assert not commands(other)


@pytest.mark.parametrize(("words", "cause"), [("no caps", "every"), (f"{CGROUPS}, of another container", "cgroups")])
def test_what_every_container_is_refused_for_is_one_finding(words: str, cause: Any) -> None:
    """The cause decides, not the words, which may name the container."""
    first = "cgroups" if cause == "cgroups" else ""
    facts = {"privileged": StartRun(False, None, "no", first), "services": Services("systemd", ())}
    assert judged("docker.limits", limits=StartRun(False, None, words, cause), **facts).status is Status.UNKNOWN
    assert judged("docker.healthcheck", healthcheck=HealthRun((), words, cause=cause), **facts).status is Status.UNKNOWN
    begun = HealthRun(states("starting"), words, cause=cause)
    assert judged("docker.healthcheck", healthcheck=begun, **facts).status is Status.FAIL


def test_containers_refused_for_other_reasons_are_findings_of_their_own() -> None:
    facts = {"privileged": StartRun(False, None, "no caps"), "services": Services("systemd", ())}
    assert judged("docker.limits", limits=StartRun(False, None, "no rlimit"), **facts).status is Status.FAIL
    assert judged("docker.healthcheck", healthcheck=HealthRun((), "no exec"), **facts).status is Status.FAIL
    started = {**facts, "privileged": StartRun(True, 0, granted=True)}
    assert judged("docker.limits", limits=StartRun(False, None, "no caps"), **started).status is Status.FAIL
