"""Every documented number, at the last value that is too little, and at the first that is enough."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from preflight.facts import (
    Clock,
    Compose,
    Contact,
    CpuSpeed,
    Engine,
    EngineLimits,
    Fact,
    Memory,
    OsRelease,
    Service,
    Services,
    Space,
    Virtualization,
)
from preflight.mailcow import requirements as documents
from preflight.report.model import Result, Status
from tests.build import host, look, measured, run
from tests.checks.hosts import release

PASS, WARN, FAIL, SKIP, UNKNOWN = Status.PASS, Status.WARN, Status.FAIL, Status.SKIP, Status.UNKNOWN
DOCKER, CLONE, STORE = "/var/lib/docker", "/opt/mailcow-dockerized", "/var/lib/containerd"
GIB = 1 << 30


def one(check: str, requirements: str = "current", conf: dict[str, str] | None = None, **facts: Any) -> Result:
    (result,) = run(check, look(requirements=requirements, conf=conf, **facts))
    return result


# --- processor -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mhz", "maximum", "status", "found"),
    [
        (999.4, True, WARN, "999 MHz"),
        (999.6, True, PASS, "1000 MHz"),
        (1000.0, False, PASS, "1000 MHz or more"),
        (999.4, False, UNKNOWN, "999 MHz or more"),
        (0.0, True, WARN, "0 MHz"),
        (0.0, False, UNKNOWN, "0 MHz or more"),
    ],
)
def test_megahertz(mhz: float, maximum: bool, status: Status, found: str) -> None:
    result = one("resources.cpu-frequency", cpu_speed=CpuSpeed(mhz, "cpuinfo", maximum))
    assert (result.status, result.expected, result.found) == (status, "1000 MHz", found)


# --- memory and swap, in bytes -------------------------------------------------------------------------------

SMALL = {"SKIP_CLAMD": "y", "SKIP_FTS": "y"}


def of(total: int, swap: int = GIB, limit: int | None = None) -> Memory:
    return Memory(total, total // 2, swap, swap, limit)


@pytest.mark.parametrize(
    ("requirements", "conf", "total", "status", "word"),
    [
        ("current", None, 5_894_842_613, FAIL, "; mailcow needs 6.0 GiB."),
        ("current", None, 5_894_842_614, PASS, "8.0 GiB is recommended for five or more users."),
        ("current", None, 7_859_790_151, PASS, "8.0 GiB is recommended for five or more users."),
        ("current", None, 7_859_790_152, PASS, "and mailcow needs 6.0 GiB."),
        ("current", SMALL, 1_964_947_537, FAIL, "That is too little even with SKIP_CLAMD=y, SKIP_FTS=y."),
        ("current", SMALL, 1_964_947_538, WARN, "With SKIP_CLAMD=y, SKIP_FTS=y, less can be enough."),
        ("current", SMALL, 5_894_842_613, WARN, "With SKIP_CLAMD=y, SKIP_FTS=y, less can be enough."),
        ("current", SMALL, 5_894_842_614, PASS, "8.0 GiB is recommended for five or more users."),
        ("current", None, 1_964_947_537, FAIL, "That is too little even with"),
        ("current", None, 1_964_947_538, FAIL, "; mailcow needs 6.0 GiB."),
        ("2017-07", None, 982_473_768, FAIL, "; mailcow needs 1.0 GiB."),
        ("2017-07", None, 982_473_769, WARN, "That is enough, but 1.5 GiB is better."),
        ("2017-07", None, 1_473_710_653, WARN, "That is enough, but 1.5 GiB is better."),
        ("2017-07", None, 1_473_710_654, PASS, "and mailcow needs 1.0 GiB."),
        ("2017-07", {"SKIP_CLAMD": "y"}, 736_855_326, FAIL, "That is too little even with SKIP_CLAMD=y."),
        ("2017-07", {"SKIP_CLAMD": "y"}, 736_855_327, WARN, "With SKIP_CLAMD=y, less can be enough."),
        ("current", None, 0, FAIL, "That is too little even with"),
    ],
)
def test_memory(requirements: str, conf: dict[str, str] | None, total: int, status: Status, word: str) -> None:
    result = one("resources.memory", requirements, conf, memory=of(total))
    assert (result.status, word in result.message) == (status, True), result.message
    assert measured(result)["bytes"] == total


@pytest.mark.parametrize(
    ("total", "limit", "counted", "told"),
    [
        (8 * GIB, 8 * GIB - 1, 8 * GIB - 1, True),
        (8 * GIB, 8 * GIB, 8 * GIB, False),
        (8 * GIB, 8 * GIB + 1, 8 * GIB, False),
        (8 * GIB, 0, 0, True),
        (8 * GIB, None, 8 * GIB, False),
    ],
)
def test_a_limit_counts_where_it_is_lower(total: int, limit: int | None, counted: int, told: bool) -> None:
    result = one("resources.memory", memory=of(total, limit=limit))
    assert measured(result)["bytes"] == counted
    assert ("The memory of this host is limited. The machine has 8.0 GiB." in result.message) is told


@pytest.mark.parametrize(
    ("total", "conf", "status"),
    [
        (2_684_354_560, None, WARN),
        (2_684_354_561, None, SKIP),
        (5_894_842_613, None, SKIP),
        (5_894_842_614, None, PASS),
        (2_684_354_560, {"SKIP_CLAMD": "y"}, PASS),
        (2_684_354_560, {"SKIP_CLAMD": "Y"}, PASS),
        (2_684_354_560, {"SKIP_CLAMD": ""}, WARN),
    ],
)
def test_memory_for_clamav(total: int, conf: dict[str, str] | None, status: Status) -> None:
    assert one("resources.antivirus", "current", conf, memory=of(total)).status is status


@pytest.mark.parametrize(
    ("requirements", "swap", "status", "found"),
    [
        ("current", 982_473_768, WARN, "0.91 GiB"),
        ("current", 982_473_769, PASS, "0.92 GiB"),
        ("current", 0, WARN, "none"),
        ("current", 1, WARN, "0.00 GiB"),
        ("2017-07", 0, WARN, "none"),
        ("2017-07", 1, PASS, "0.00 GiB"),
    ],
)
def test_swap(requirements: str, swap: int, status: Status, found: str) -> None:
    result = one("resources.swap", requirements, memory=of(8 * GIB, swap))
    assert (result.status, result.found) == (status, found)
    assert result.expected == ("any" if requirements == "2017-07" else "1.0 GiB")


# --- disk and inodes -----------------------------------------------------------------------------------------


def space(path: str, free: int = 100 * GIB, mount: str = "/", **more: Any) -> Space:
    values = {
        "path": path, "existing": path, "mount": mount, "filesystem": "ext4", "options": (),
        "total_bytes": 200 * GIB, "available_bytes": free, "inodes_total": 10_000_000,
        "inodes_available": 9_000_000, "read_only": False,
    }  # fmt: skip
    return Space(**(values | more))


def on(check: str, *spaces: Space, requirements: str = "current", **facts: Any) -> dict[str | None, Result]:
    known = {entry.path: Fact.of("test", entry) for entry in spaces}
    return {result.subject: result for result in run(check, look(requirements=requirements, spaces=known, **facts))}


@pytest.mark.parametrize(
    ("requirements", "free", "status"),
    [
        ("current", 21_045_339_750, FAIL), ("current", 21_045_339_751, PASS),
        ("2017-07", 5_261_334_937, FAIL), ("2017-07", 5_261_334_938, PASS),
    ],
)  # fmt: skip
def test_space_of_the_engine(requirements: str, free: int, status: Status) -> None:
    found = on("resources.disk", space(DOCKER, free), space(CLONE, mount="/opt"), requirements=requirements)
    assert found[DOCKER].status is status


@pytest.mark.parametrize(
    ("requirements", "free", "status"),
    [
        ("current", 263_066_746, FAIL), ("current", 263_066_747, PASS),
        ("2017-07", 131_533_373, FAIL), ("2017-07", 131_533_374, PASS),
    ],
)  # fmt: skip
def test_space_of_the_clone(requirements: str, free: int, status: Status) -> None:
    found = on("resources.disk", space(DOCKER), space(CLONE, free, "/opt"), requirements=requirements)
    assert (found[DOCKER].status, found[CLONE].status) == (PASS, status)


@pytest.mark.parametrize(("free", "status"), [(10_522_669_875, FAIL), (10_522_669_876, PASS)])
@pytest.mark.parametrize("where", [DOCKER, STORE])
def test_space_where_images_and_volumes_lie_apart(where: str, free: int, status: Status) -> None:
    engine = Engine(version="29", api_version="1.52", driver_status={"driver-type": "io.containerd.snapshotter.v1"})
    sizes = {DOCKER: 100 * GIB, STORE: 100 * GIB, where: free}
    spaces = [space(DOCKER, sizes[DOCKER], "/d"), space(STORE, sizes[STORE], "/c"), space(CLONE)]
    found = on("resources.disk", *spaces, engine=engine)
    other = STORE if where == DOCKER else DOCKER
    assert (found[where].status, found[other].status) == (status, PASS)
    assert {measured(found[path])["needed_bytes"] for path in (DOCKER, STORE)} == {10 * GIB}


@pytest.mark.parametrize(("images", "needs"), [(7, [13, 7]), (0, [20, 20])])
def test_the_images_share_is_of_containerds_place(images: int, needs: list[int]) -> None:
    current = documents.load("current")
    numbers = msgspec.structs.replace(current, disk=msgspec.structs.replace(current.disk, images_bytes=images * GIB))
    engine = Engine(version="29", api_version="1.52", driver_status={"driver-type": "io.containerd.snapshotter.v1"})
    spaces = [space(DOCKER, mount="/d"), space(STORE, mount="/c"), space(CLONE)]
    known = {entry.path: Fact.of("test", entry) for entry in spaces}
    results = run("resources.disk", look(requirements=numbers, spaces=known, engine=engine))
    assert [measured(result)["needed_bytes"] // GIB for result in results[:2]] == needs


def test_an_old_document_does_not_divide_the_space_that_it_asks_for() -> None:
    engine = Engine(version="29", api_version="1.52", driver_status={"driver-type": "io.containerd.snapshotter.v1"})
    spaces = [space(DOCKER, mount="/d"), space(STORE, mount="/c"), space(CLONE)]
    found = on("resources.disk", *spaces, requirements="2017-07", engine=engine)
    assert [measured(found[path])["needed_bytes"] for path in (DOCKER, STORE)] == [5 * GIB, 5 * GIB]


@pytest.mark.parametrize(
    ("requirements", "free", "status"),
    [
        ("current", 499_999, WARN), ("current", 500_000, PASS), ("current", 0, WARN),
        ("2017-07", 249_999, WARN), ("2017-07", 250_000, PASS),
    ],
)  # fmt: skip
def test_free_inodes(requirements: str, free: int, status: Status) -> None:
    found = on("resources.inodes", space(DOCKER, inodes_available=free), requirements=requirements)
    assert found[DOCKER].status is status


def test_what_is_full_and_read_only_is_read_only_first() -> None:
    (result, _) = on("resources.disk", space(DOCKER, 0, read_only=True), space(CLONE)).values()
    assert (result.status, result.found) == (FAIL, "read-only")
    assert result.remedy
    assert result.remedy.commands == ("dmesg | tail -50", "mount -o remount,rw /")


def test_a_file_system_without_a_mount_point_is_still_named() -> None:
    result = on("resources.disk", space(DOCKER, read_only=True, mount=""), space(CLONE))[DOCKER]
    assert "(on ?)" in result.message
    assert result.remedy
    assert result.remedy.commands[-1] == f"mount -o remount,rw {DOCKER}"


# --- clock ---------------------------------------------------------------------------------------------------

CHRONY = Service(name="chrony", kind="time", unit="chrony.service", enabled=True, active=True)


@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize(
    ("error", "status"), [(0, PASS), (15_999_999, PASS), (16_000_000, WARN), (16_000_001, WARN), (1 << 40, WARN)]
)
def test_the_kernels_largest_error(error: int, status: Status, flag: bool) -> None:
    result = one(
        "clock.synchronized",
        clock=Clock(error, flag),
        services=Services("systemd", (CHRONY,)),
        os_release=release(),
        virtualization=Virtualization(None, "kvm", None),
    )
    assert result.status is status


# --- limits --------------------------------------------------------------------------------------------------

INOTIFY, OVERCOMMIT, FILES = "fs.inotify.max_user_instances", "vm.overcommit_memory", "engine.nofile"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        (INOTIFY, 255, True), (INOTIFY, 256, False), (INOTIFY, 257, False), (INOTIFY, 0, True),
        (OVERCOMMIT, 0, True), (OVERCOMMIT, 1, False), (OVERCOMMIT, 2, True),
        (FILES, 39_999, True), (FILES, 40_000, False), (FILES, 1 << 30, False),
    ],
)  # fmt: skip
def test_limits(name: str, value: int, told: bool) -> None:
    facts = {"sysctls": {name: value}, "engine_limits": EngineLimits(value if name == FILES else None)}
    results = {result.subject: result for result in run("system.limits", look(**facts))}
    assert (results[name].status, results[name].remedy is not None) == (PASS, told)
    assert measured(results[name])["value"] == value
    assert {result.status for subject, result in results.items() if subject != name} == {SKIP}


# --- versions ------------------------------------------------------------------------------------------------


def engine(version: str, requirements: str = "current") -> Result:
    contact = Contact("unix:///run/docker.sock", "ok")
    return one("docker.engine", requirements, engine=Engine(version=version, api_version="1.43"), contact=contact)


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("23.0.6", FAIL), ("23.99.99", FAIL), ("24.0.0", PASS), ("24", PASS), ("24.0", PASS), ("24.0.1", PASS),
        ("100.0", PASS), ("20.10.24+dfsg1", FAIL), ("26.1.5+dfsg1", PASS), ("9.0", FAIL), ("v24.0.0", PASS),
        ("dev", UNKNOWN), ("", UNKNOWN), ("nightly-24", UNKNOWN),
    ],
)  # fmt: skip
def test_the_engines_version(version: str, status: Status) -> None:
    assert engine(version).status is status


@pytest.mark.parametrize("version", ["1.0", "17.03.0-ce"])
def test_the_page_of_2017_names_no_engine(version: str) -> None:
    assert engine(version, "2017-07").status is PASS


@pytest.mark.parametrize(
    ("requirements", "version", "status"),
    [
        ("current", "1.29.2", FAIL), ("current", "1.999", FAIL), ("current", "2.0.0", PASS), ("current", "2", PASS),
        ("current", "v2.0.0", PASS), ("current", "5.0.0", PASS), ("current", "2.0.0-rc.3", PASS),
        ("current", "", UNKNOWN), ("current", "dev", UNKNOWN), ("2017-07", "1.8.9", FAIL), ("2017-07", "1.9.0", PASS),
        ("2017-07", "1.10.0", PASS),
    ],
)  # fmt: skip
def test_the_version_of_compose(requirements: str, version: str, status: Status) -> None:
    compose = Compose(kind="plugin", path="/usr/libexec/docker/cli-plugins/docker-compose", version=version)
    assert one("docker.compose", requirements, compose=compose).status is status


@pytest.mark.parametrize(
    ("system", "kernel", "status"),
    [
        (release(), "3.9.99", FAIL), (release(), "3.10.0", PASS), (release(), "3.10", PASS), (release(), "3.15", PASS),
        (release(), "3.16.0-4-amd64", FAIL), (release(), "3.16", FAIL), (release(), "3.17", PASS),
        (release(), "3.160.1", PASS), (release("debian", "8"), "4.8.17", FAIL), (release("debian", "8"), "4.9.0", PASS),
        (release("debian", "9"), "4.8.17", PASS), (release("ubuntu", "18.04"), "4.15.0-60-generic", FAIL),
        (release("ubuntu", "18.04"), "4.15.0-59-generic", PASS), (release("ubuntu", "18.04"), "4.15.0-600", PASS),
        (release("ubuntu", "16.04"), "4.4.0-210-generic", FAIL), (release("ubuntu", "16.04"), "4.40.1", PASS),
        (release("debian", "9"), "4.4.0", PASS), (release(), "6.12", PASS), (release(), "six", UNKNOWN),
        (release(), "", UNKNOWN),
    ],
)  # fmt: skip
def test_kernels_that_break_mailcow(system: OsRelease, kernel: str, status: Status) -> None:
    assert one("system.kernel", kernel=kernel, os_release=system).status is status


@pytest.mark.parametrize("kernel", ["4.4.0-210-generic", "4.15.0-60-generic", "4.8.0"])
def test_a_kernel_of_one_distribution_is_unknown_without_its_name(kernel: str) -> None:
    assert one("system.kernel", kernel=kernel).status is UNKNOWN


@pytest.mark.parametrize(
    ("identity", "version", "day", "status"),
    [
        ("debian", "12", "2028-06-30", PASS), ("debian", "12", "2028-07-01", WARN),
        ("ubuntu", "22.04", "2027-04-30", PASS), ("ubuntu", "22.04", "2027-05-01", WARN),
        ("almalinux", "8.10", "2029-05-31", PASS), ("almalinux", "8.10", "2029-06-01", WARN),
        ("rocky", "9.0", "2032-05-31", PASS), ("rocky", "9.0", "2032-06-01", WARN),
        ("ubuntu", "24.10", "2040-01-01", PASS),  # no date is known of it
    ],
)  # fmt: skip
def test_the_last_day_of_support(identity: str, version: str, day: str, status: Status) -> None:
    names = {"ubuntu": "Ubuntu", "debian": "Debian", "almalinux": "AlmaLinux", "rocky": "Rocky Linux"}
    system = OsRelease(identity, version, (), f"{names[identity]} {version}", "", names[identity])
    (result,) = run("system.os", look(host(started=f"{day}T23:59:59Z", os_release=system)))
    assert result.status is status, result.message


@pytest.mark.parametrize(
    ("identity", "name", "version", "status"),
    [
        ("ubuntu", "Ubuntu", "22.03", WARN), ("ubuntu", "Ubuntu", "22.04", PASS), ("ubuntu", "Ubuntu", "22.4", PASS),
        ("debian", "Debian", "11.9", WARN), ("debian", "Debian", "12.0", PASS), ("debian", "Debian", "14", WARN),
        ("almalinux", "AlmaLinux", "7.9", WARN), ("almalinux", "AlmaLinux", "9.99", PASS),
        ("rocky", "Rocky Linux", "8.10", WARN), ("rocky", "Rocky Linux", "10.0", WARN),
    ],
)  # fmt: skip
def test_supported_releases(identity: str, name: str, version: str, status: Status) -> None:
    system = OsRelease(identity, version, (), f"{name} {version}", "", name)
    (result,) = run("system.os", look(host(started="2026-11-28T00:00:00Z", os_release=system)))
    assert result.status is status, result.message
