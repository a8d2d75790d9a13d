"""The checks of processor, memory, swap, disk and inodes."""

from __future__ import annotations

from typing import Any

import pytest

from preflight.facts import Container, CpuFeatures, CpuSpeed, DaemonConfig, Engine, EngineStart, Fact, Memory, Space
from preflight.mailcow import requirements
from preflight.mailcow.plan import data_paths
from preflight.report.model import Result, Status
from tests.build import look, measured, run

GIB = 1 << 30


def one(check: str, requirements: str = "current", conf: dict[str, str] | None = None, **facts: Any) -> Result:
    (result,) = run(check, look(requirements=requirements, conf=conf, **facts))
    return result


# --- processor -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mhz", "maximum", "status"),
    [
        (3600.0, True, Status.PASS), (1000.0, True, Status.PASS), (999.6, True, Status.PASS),
        (800.0, True, Status.WARN),
        (1996.2, False, Status.PASS), (550.0, False, Status.UNKNOWN),
    ],
)  # fmt: skip
def test_the_maximum_counts_not_the_moment(mhz: float, maximum: bool, status: Status) -> None:
    result = one("resources.cpu-frequency", cpu_speed=CpuSpeed(mhz, "cpufreq", maximum))
    assert (result.status, measured(result)) == (status, {"mhz": mhz, "source": "cpufreq"})


@pytest.mark.parametrize(
    ("requirements", "machine", "flags", "status", "missing"),
    [
        ("current", "x86_64", ("lm", "ssse3", "sse4_2"), Status.PASS, []),
        ("current", "x86_64", ("lm", "ssse3"), Status.WARN, ["sse4_2"]),
        ("2017-07", "x86_64", ("lm", "ssse3"), Status.PASS, []),
        ("current", "x86_64", ("lm", "pni"), Status.WARN, ["ssse3", "sse4_2"]),
        ("current", "aarch64", ("fp", "asimd"), Status.PASS, []),
        ("current", "aarch64", (), Status.UNKNOWN, ["asimd"]),
        ("current", "riscv64", ("rv64imafdc",), Status.SKIP, []),
    ],
)
def test_features(requirements: str, machine: str, flags: tuple[str, ...], status: Status, missing: list[str]) -> None:
    features = CpuFeatures("Common KVM processor", flags, 1)
    result = one("resources.cpu-features", requirements, machine=machine, cpu_features=features)
    assert (result.status, measured(result)["missing"]) == (status, missing)


# --- memory --------------------------------------------------------------------------------------------------


def memory(gib: float, swap: float = 1, limit: float | None = None) -> Memory:
    return Memory(int(gib * GIB), None, int(swap * GIB), 0, None if limit is None else int(limit * GIB))


SMALL = {"SKIP_CLAMD": "y", "SKIP_FTS": "y"}


@pytest.mark.parametrize(
    ("requirements", "gib", "conf", "status"),
    [
        ("current", 15.6, None, Status.PASS),
        ("current", 5.79, None, Status.PASS),  # what a "6 GiB" machine shows
        ("current", 5.5, None, Status.PASS),
        ("current", 5.4, None, Status.FAIL),
        ("current", 3.8, None, Status.FAIL),
        ("current", 3.8, {"SKIP_CLAMD": "y", "SKIP_FTS": "n"}, Status.FAIL),
        ("current", 3.8, SMALL, Status.WARN),
        ("current", 1.9, SMALL, Status.WARN),
        ("current", 1.5, SMALL, Status.FAIL),
        ("2017-07", 0.95, None, Status.WARN),  # 1 GiB "or better 1,5"
        ("2017-07", 1.2, None, Status.WARN),
        ("2017-07", 1.45, None, Status.PASS),
        ("2017-07", 0.8, None, Status.FAIL),
        ("2017-07", 0.8, {"SKIP_CLAMD": "y"}, Status.WARN),
        ("2017-07", 0.5, {"SKIP_CLAMD": "y"}, Status.FAIL),
    ],
)
def test_memory_with_tolerance(requirements: str, gib: float, conf: dict[str, str] | None, status: Status) -> None:
    result = one("resources.memory", requirements, conf, memory=memory(gib))
    assert result.status is status, result.message
    assert result.evidence.bytes == int(gib * GIB)


def test_a_limit_around_the_host_counts() -> None:
    result = one("resources.memory", memory=memory(64, limit=2))
    assert (result.status, result.evidence.bytes) == (Status.FAIL, 2 * GIB)
    assert "is limited. The machine has 64.0 GiB" in result.message
    assert one("resources.memory", memory=memory(8, limit=16)).evidence.bytes == 8 * GIB


def test_the_switches_are_named_where_they_help() -> None:
    result = one("resources.memory", memory=memory(4))
    assert result.remedy
    assert "SKIP_CLAMD=y, SKIP_FTS=y" in result.remedy.text


@pytest.mark.parametrize(
    ("requirements", "swap", "status"),
    [
        ("current", 4, Status.PASS), ("current", 1048572 / 1048576, Status.PASS), ("current", 0.5, Status.WARN),
        ("current", 0, Status.WARN), ("2017-07", 0, Status.WARN), ("2017-07", 0.1, Status.PASS),
    ],
)  # fmt: skip
def test_swap(requirements: str, swap: float, status: Status) -> None:
    result = one("resources.swap", requirements, memory=memory(8, swap))
    assert (result.status, measured(result)) == (
        status, {"bytes": int(swap * GIB), "needed_bytes": GIB if requirements == "current" else None},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("filesystem", "command"),
    [("ext4", "dd if=/dev/zero"), ("xfs", "dd if=/dev/zero"), ("btrfs", "mkswapfile"), ("zfs", "lsblk")],
)
def test_a_swap_file_fits_the_file_system(filesystem: str, command: str) -> None:
    spaces = {"/opt": Fact.of("test", space("/opt", mount="/", filesystem=filesystem))}
    result = one("resources.swap", memory=memory(8, 0), spaces=spaces)
    assert result.remedy
    assert command in " ".join(result.remedy.commands)


@pytest.mark.parametrize(
    ("requirements", "gib", "conf", "status"),
    [
        ("current", 6, None, Status.PASS), ("current", 2.5, None, Status.WARN), ("current", 2.6, None, Status.SKIP),
        ("current", 3.8, None, Status.SKIP), ("current", 3.8, {"SKIP_CLAMD": "y"}, Status.PASS),
        ("current", 2, {"SKIP_CLAMD": "y"}, Status.PASS), ("2017-07", 1, None, Status.WARN),
        ("2017-07", 2, None, Status.PASS),
    ],
)  # fmt: skip
def test_antivirus(requirements: str, gib: float, conf: dict[str, str] | None, status: Status) -> None:
    assert one("resources.antivirus", requirements, conf, memory=memory(gib, 0)).status is status


@pytest.mark.parametrize("conf", [None, {"SKIP_CLAMD": "n", "SKIP_FTS": "n"}, {"SKIP_CLAMD": "y"}, SMALL])
@pytest.mark.parametrize("requirements", ["current", "2017-07"])
def test_what_is_said_of_memory_agrees_with_itself(requirements: str, conf: dict[str, str] | None) -> None:
    for tenths in range(1, 120):
        facts = {"memory": memory(tenths / 10, 2)}
        whole = one("resources.memory", requirements, conf, **facts)
        clamav = one("resources.antivirus", requirements, conf, **facts)
        if clamav.status is Status.PASS and (conf or {}).get("SKIP_CLAMD") != "y":
            assert whole.status in (Status.PASS, Status.WARN), f"{tenths / 10} GiB: {whole.message} {clamav.message}"
        if whole.status is Status.PASS:
            assert clamav.status in (Status.PASS, Status.WARN), f"{tenths / 10} GiB: {whole.message} {clamav.message}"
        if whole.status is Status.WARN and clamav.status is not Status.PASS:
            assert clamav.status is Status.WARN


def test_what_a_small_machine_does_without_is_set_where_it_can_be() -> None:
    before = one("resources.memory", memory=memory(3.8)).remedy
    assert before
    assert (before.place, before.when, before.commands) == ("provider", "now", ())
    assert [line.variable for line in before.lines] == ["SKIP_CLAMD", "SKIP_FTS"]  # the other way
    there = one("resources.memory", "current", {"SKIP_FTS": "n"}, memory=memory(3.8)).remedy
    assert there
    edits = "-e 's/^SKIP_CLAMD=.*/SKIP_CLAMD=y/' -e 's/^SKIP_FTS=.*/SKIP_FTS=y/'"
    assert (there.when, there.commands) == ("now", (f"sed -i {edits} /opt/mailcow-dockerized/mailcow.conf",))
    assert one("resources.memory", "current", SMALL, memory=memory(3.8)).status is Status.WARN


def test_antivirus_is_switched_off_in_the_file_or_when_it_is_made() -> None:
    there = one("resources.antivirus", conf={"SKIP_CLAMD": "n"}, memory=memory(2))
    assert there.remedy
    assert there.remedy.commands[0].endswith("/opt/mailcow-dockerized/mailcow.conf")
    later = one("resources.antivirus", memory=memory(2))
    assert later.remedy
    assert "SKIP_CLAMD=y ./generate_config.sh" in later.remedy.commands[0]


# --- disk ----------------------------------------------------------------------------------------------------


def space(path: str, free: float = 100, *, mount: str = "/", filesystem: str = "ext4", **more: Any) -> Space:
    values = {
        "path": path, "existing": path, "mount": mount, "filesystem": filesystem, "options": (),
        "total_bytes": 200 * GIB, "available_bytes": int(free * GIB), "inodes_total": 10_000_000,
        "inodes_available": 9_000_000, "read_only": False,
    }  # fmt: skip
    return Space(**(values | more))


def disks(check: str, *spaces: Space, requirements: str = "current", **facts: Any) -> dict[str | None, Result]:
    known = {entry.path: Fact.of("test", entry) for entry in spaces}
    return {result.subject: result for result in run(check, look(requirements=requirements, spaces=known, **facts))}


DOCKER, CLONE = "/var/lib/docker", "/opt/mailcow-dockerized"


@pytest.mark.parametrize(
    ("requirements", "free", "status"),
    [
        ("current", 20, Status.PASS), ("current", 19.7, Status.PASS), ("current", 19.5, Status.FAIL),
        ("2017-07", 5, Status.PASS), ("2017-07", 4.8, Status.FAIL),
    ],
)  # fmt: skip
def test_space_for_the_engines_data(requirements: str, free: float, status: Status) -> None:
    result = disks("resources.disk", space(DOCKER, free), space(CLONE), requirements=requirements)[DOCKER]
    assert result.status is status
    assert measured(result) == {
        "path": DOCKER, "mount": "/", "filesystem": "ext4",
        "available_bytes": int(free * GIB), "total_bytes": 200 * GIB,
        "needed_bytes": (20 if requirements == "current" else 5) * GIB,
    }  # fmt: skip


def test_the_clone_needs_less() -> None:
    need = requirements.load("current").disk.clone_bytes / GIB
    results = disks("resources.disk", space(DOCKER, mount="/var"), space(CLONE, need))
    assert [result.status for result in results.values()] == [Status.PASS, Status.PASS]
    assert disks("resources.disk", space(DOCKER), space(CLONE, need * 0.9))[CLONE].status is Status.FAIL


def test_the_clone_lies_where_mailcow_conf_does() -> None:
    from preflight.facts import Asked

    asked = Asked(mailcow_conf="/srv/mailcow/mailcow.conf")
    assert "/srv/mailcow" in disks("resources.disk", space(DOCKER), asked=asked)


def test_the_engine_says_where_its_data_lies() -> None:
    engine = Engine(version="28", api_version="1.50", root_dir="/data/docker/")
    assert list(disks("resources.disk", engine=engine)) == ["/data/docker", CLONE]
    told = DaemonConfig("/etc/docker/daemon.json", True, {"data-root": "/big"})
    assert list(disks("resources.disk", daemon_config=told)) == ["/big", CLONE]
    assert list(disks("resources.disk", daemon_config=told, engine=engine)) == ["/data/docker", CLONE]
    damaged = DaemonConfig("/etc/docker/daemon.json", True, {"data-root": ["/big"]})
    assert list(disks("resources.disk", daemon_config=damaged)) == [DOCKER, CLONE]


STORE = Engine(version="29", api_version="1.52", driver_status={"driver-type": "io.containerd.snapshotter.v1"})


def test_the_image_store_of_containerd() -> None:
    store = "/var/lib/containerd"
    same = disks("resources.disk", space(DOCKER, 10), space(store, 10), space(CLONE), engine=STORE)
    assert [result.status for result in same.values()] == [
        Status.FAIL,
        Status.SKIP,
        Status.PASS,
    ]  # one cause, one finding
    apart = disks("resources.disk", space(DOCKER, 10), space(store, 10, mount="/srv"), space(CLONE), engine=STORE)
    assert [result.status for result in apart.values()] == [Status.PASS] * 3  # images here, volumes there
    small = disks("resources.disk", space(DOCKER, mount="/mnt/big"), space(store, 6), space(CLONE, 6), engine=STORE)
    remedy = small[store].remedy
    assert (small[store].status, small[store].expected, small[DOCKER].status) == (
        Status.FAIL, "10.0 GiB free", Status.PASS,
    )  # fmt: skip
    assert remedy
    assert "/etc/containerd/config.toml" in remedy.text
    assert '"features": {"containerd-snapshotter": false}' in remedy.text
    few = space(store, inodes_available=1)
    assert [r.status for r in disks("resources.inodes", space(DOCKER), few, engine=STORE).values()] == [
        Status.PASS, Status.SKIP,
    ]  # fmt: skip


def test_before_there_is_an_engine_containerds_place_is_judged_where_it_was_measured() -> None:
    store = "/var/lib/containerd"
    none: Fact[Engine] = Fact.unknown("x", "no engine")
    both = disks("resources.disk", space(DOCKER, mount="/big"), space(store, 6), space(CLONE), engine=none)
    assert [(s, r.status) for s, r in both.items()] == [
        (DOCKER, Status.PASS), (store, Status.FAIL), (CLONE, Status.PASS),
    ]  # fmt: skip
    assert list(disks("resources.disk", space(DOCKER), space(CLONE), engine=none)) == [DOCKER, CLONE]  # older facts


@pytest.mark.parametrize(
    ("settings", "more", "paths"),
    [
        ({}, {}, [DOCKER, "/var/lib/containerd"]), ({"data-root": "/big/"}, {}, ["/big", "/var/lib/containerd"]),
        ({}, {"containerd_root": "/big/c/"}, [DOCKER, "/big/c"]), ({}, {"driver_images": True}, [DOCKER]),
        ({"features": ["containerd-snapshotter=false"]}, {}, [DOCKER]), ({"userns-remap": "default"}, {}, [DOCKER]),
        ({"storage-driver": "overlay2"}, {}, [DOCKER]),
        ({"storage-driver": "overlayfs"}, {}, [DOCKER, "/var/lib/containerd"]),
        ({"features": ["containerd-snapshotter=true"]}, {"driver_images": True}, [DOCKER, "/var/lib/containerd"]),
    ],
)  # fmt: skip
def test_where_an_engine_that_does_not_answer_will_keep_images(
    settings: dict[str, Any], more: dict[str, Any], paths: list[str]
) -> None:
    assert list(data_paths(None, DaemonConfig("/x", True, settings), EngineStart(version="", **more))) == paths


def test_the_snaps_engine_has_a_containerd_of_its_own() -> None:
    root = "/var/snap/docker/common/var-lib-docker"
    snap = Engine(version="29", api_version="1.52", root_dir=root, driver_status=STORE.driver_status)
    assert data_paths(snap, None) == (root, f"{root}/containerd/daemon")


def test_an_installed_mailcow_has_taken_its_space() -> None:
    container = Container(id="1", name="a", image="b", state="running", project="mailcowdockerized")
    engine = Engine(version="28", api_version="1.50", containers=(container,))
    assert disks("resources.disk", space(DOCKER, 10), engine=engine)[DOCKER].status is Status.WARN


def test_a_read_only_file_system_fails() -> None:
    result = disks("resources.disk", space(DOCKER, read_only=True))[DOCKER]
    assert (result.status, result.found) == (Status.FAIL, "read-only")


def test_a_dead_mount_costs_its_own_path_only() -> None:
    spaces = {DOCKER: Fact.unknown("statvfs", "It did not answer."), CLONE: Fact.of("test", space(CLONE))}
    results = run("resources.disk", look(spaces=spaces))
    assert [(result.subject, result.status) for result in results] == [(DOCKER, Status.UNKNOWN), (CLONE, Status.PASS)]


def test_a_path_that_was_not_measured_is_unknown() -> None:
    assert disks("resources.disk", space(CLONE))[DOCKER].status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("total", "free", "status"),
    [(10_000_000, 500_000, Status.PASS), (1_000_000, 499_999, Status.WARN), (0, 0, Status.PASS)],
)
def test_inodes(total: int, free: int, status: Status) -> None:
    results = disks("resources.inodes", space(DOCKER, inodes_total=total, inodes_available=free))
    assert list(results) == [DOCKER]
    assert results[DOCKER].status is status
    assert measured(results[DOCKER]) == {"path": DOCKER, "available": free, "total": total, "needed": 500_000}
