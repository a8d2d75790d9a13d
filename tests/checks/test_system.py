"""The system's checks: distribution, machine, kernel, commands, security modules, limits."""

from __future__ import annotations

from typing import Any

import pytest

from preflight.facts import (
    Command,
    Engine,
    EngineLimits,
    Fact,
    KernelFeatures,
    OsRelease,
    SecurityModules,
    Userland,
    Virtualization,
)
from preflight.report.model import Result, Status
from tests.build import look, measured, run
from tests.checks.hosts import release

DEBIAN = release()


def one(check: str, requirements: str = "current", **facts: Any) -> Result:
    (result,) = run(check, look(requirements=requirements, **facts))
    return result


# --- distribution --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "status", "word"),
    [
        (release("debian", "12"), Status.PASS, "supports"),
        (release("debian", "13"), Status.PASS, "supports"),
        (release("debian", "11"), Status.WARN, "ended on 2026-08-31"),
        (release("debian", "10"), Status.WARN, "Debian 11/12/13"),
        (release("debian", "130"), Status.WARN, "not Debian"),
        (release("debian", ""), Status.WARN, "has no release number"),
        (release("ubuntu", "24.04"), Status.PASS, "supports"),
        (release("ubuntu", "25.10"), Status.PASS, "supports"),
        (release("ubuntu", "20.04"), Status.WARN, "Ubuntu ≥ 22.04"),
        (release("ubuntu", "rolling"), Status.WARN, "Ubuntu ≥ 22.04"),
        (release("almalinux", "9.4"), Status.PASS, "supports"),
        (release("almalinux", "10.0"), Status.WARN, "not AlmaLinux 10.0"),
        (release("alpine", "3.20.1"), Status.WARN, "manual adjustments"),
        (release("fedora", "42"), Status.WARN, "does not list"),
        (release("debian", "23", "MX 23.1 Libretto"), Status.WARN, "is based on Debian"),
        (release("debian", "12", "Debian GNU/Linux 12", name="Parrot"), Status.WARN, "Parrot is based on Debian"),
    ],
)
def test_distributions(system: OsRelease, status: Status, word: str) -> None:
    result = one("system.os", os_release=system)
    assert (result.status, word in result.message) == (status, True), result.message
    assert measured(result) == {"id": system.id, "version_id": system.version_id}


def test_a_release_is_judged_by_the_day_of_the_run() -> None:
    from tests.build import host

    before = host(started="2026-08-31T10:00:00Z", os_release=release("debian", "11"))
    assert [result.status for result in run("system.os", look(before))] == [Status.PASS]


def test_proxmox_keeps_debians_names() -> None:
    facts = {"os_release": DEBIAN, "kernel": "6.8.12-4-pve"}
    on_metal, in_container = Virtualization(None, None, None), Virtualization("lxc", None, None)
    assert "Proxmox VE is based on" in one("system.os", virtualization=on_metal, **facts).message
    assert one("system.os", virtualization=in_container, **facts).status is Status.PASS


def test_the_old_page_takes_any_debian_from_8() -> None:
    assert one("system.os", "2017-07", os_release=release("debian", "8")).status is Status.PASS
    assert one("system.os", "2017-07", os_release=release("debian", "7")).status is Status.WARN


# --- machine -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("requirements", "machine", "status"),
    [
        ("current", "x86_64", Status.PASS), ("current", "aarch64", Status.PASS), ("current", "arm64", Status.PASS),
        ("current", "armv7l", Status.FAIL), ("current", "i686", Status.FAIL), ("current", "riscv64", Status.FAIL),
        ("2017-07", "x86_64", Status.PASS), ("2017-07", "aarch64", Status.FAIL),
    ],
)  # fmt: skip
def test_architectures(requirements: str, machine: str, status: Status) -> None:
    assert one("system.architecture", requirements, machine=machine).status is status


ARMHF = Userland(shell="armv7l", engine="armv7l", packages="armv7l")


@pytest.mark.parametrize(
    ("found", "built", "status", "said"),
    [
        (ARMHF, "", Status.FAIL, "the system is 32-bit (armv7l)"),
        (Userland(packages="armv7l"), "", Status.FAIL, "the system is 32-bit (armv7l)"),
        (Userland(shell="i686"), "", Status.FAIL, "the system is 32-bit (i686)"),
        # A static engine of 64 bits finds its images.
        (ARMHF, "aarch64", Status.WARN, "Nobody has tested"),
        (Userland(shell="x86_64", packages="x86_64"), "i686", Status.FAIL, "the engine is a 32-bit program (i686)"),
        (Userland(shell="x86_64", engine="i686"), "", Status.FAIL, "the engine is a 32-bit program (i686)"),
        # What contradicts itself, or is not known, is no alarm.
        (Userland(shell="x86_64", packages="i686"), "", Status.PASS, "mailcow has images"),
        (Userland(), "", Status.PASS, "mailcow has images"),
    ],
)
def test_a_64_bit_kernel_does_not_make_a_64_bit_system(found: Userland, built: str, status: Status, said: str) -> None:
    engine = Engine(version="28.5.2", api_version="1.51", built_for=built)
    result = one("system.architecture", machine="aarch64", userland=found, engine=engine)
    assert (result.status, said in result.message) == (status, True), result.message
    if status is not Status.PASS:
        assert result.remedy is not None
        assert "64-bit" in result.remedy.text


@pytest.mark.parametrize(
    ("found", "status", "word"),
    [
        (Virtualization(None, None, None), Status.PASS, "No virtual machine"),
        (Virtualization(None, "kvm", None), Status.PASS, "on KVM"),
        (Virtualization(None, "strange", None), Status.PASS, "on strange"),
        (Virtualization("lxc", "kvm", None), Status.FAIL, "LXC"),
        (Virtualization("openvz", None, None), Status.FAIL, "OpenVZ or Virtuozzo"),
        (Virtualization("wsl", "microsoft", None), Status.FAIL, "Windows Subsystem"),
        (Virtualization(None, None, "synology"), Status.FAIL, "NAS (synology)"),
        (Virtualization("docker", "kvm", None), Status.WARN, "itself a container (docker)"),
    ],
)
def test_virtualization(found: Virtualization, status: Status, word: str) -> None:
    result = one("system.virtualization", virtualization=found)
    assert (result.status, word in result.message) == (status, True), result.message
    assert (result.evidence.container, result.evidence.vm) == (found.container, found.vm)


# --- kernel --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kernel", "system", "status"),
    [
        ("6.1.0-18-amd64", DEBIAN, Status.PASS),
        ("3.16.0-4-amd64", release("debian", "8"), Status.FAIL),
        ("3.16.0-4-amd64", None, Status.FAIL),
        ("3.160.0", DEBIAN, Status.PASS),
        ("4.8.0-2-amd64", release("debian", "8"), Status.FAIL),
        ("4.9.0-0.bpo.1-amd64", release("debian", "8"), Status.PASS),
        ("4.8.0-2-amd64", None, Status.UNKNOWN),
        ("4.15.0-60-generic", release("ubuntu", "18.04"), Status.FAIL),
        ("4.15.0-60-generic", DEBIAN, Status.PASS),
        ("4.15.0-600-generic", release("ubuntu", "18.04"), Status.PASS),
        ("4.4.0-210-generic", release("ubuntu", "16.04"), Status.FAIL),
        ("4.4.0-210-generic", None, Status.UNKNOWN),
        ("4.40.1", release("ubuntu", "16.04"), Status.PASS),
        ("6.1.0", None, Status.PASS),
        ("2.6.32-042stab145.3", release("centos", "6"), Status.FAIL),
        ("3.9.11", None, Status.FAIL),
        ("3.10.0-1160.el7.x86_64", release("centos", "7"), Status.PASS),
        ("latest31", DEBIAN, Status.UNKNOWN),
    ],
)
def test_kernels(kernel: str, system: OsRelease | None, status: Status) -> None:
    facts = {"os_release": system} if system else {}
    result = one("system.kernel", kernel=kernel, **facts)
    assert (result.status, measured(result)) == (status, {"release": kernel}), result.message


def test_the_page_s_own_remedy_for_debian_8() -> None:
    result = one("system.kernel", "2017-07", kernel="3.16.0-4-amd64", os_release=release("debian", "8"))
    assert result.remedy
    assert "jessie-backports" in result.remedy.commands[0]


FIXED = (
    "MODULES", "NAMESPACES", "NET_NS", "PID_NS", "IPC_NS", "UTS_NS", "CGROUPS", "CGROUP_DEVICE", "CGROUP_PIDS", "MEMCG",
    "POSIX_MQUEUE",
)  # fmt: skip
MODULES = (
    "VETH", "BRIDGE", "BRIDGE_NETFILTER", "OVERLAY_FS", "NF_CONNTRACK", "NF_NAT", "NF_TABLES", "NFT_COMPAT",
    "NETFILTER_XT_TARGET_MASQUERADE", "NETFILTER_XT_MATCH_ADDRTYPE", "NETFILTER_XT_MATCH_CONNTRACK",
    "IP_NF_FILTER", "IP_NF_NAT", "IP_NF_RAW", "IP6_NF_FILTER",
)  # fmt: skip
OPTIONS = dict.fromkeys(FIXED, "y") | dict.fromkeys(MODULES, "m")


def features(directory: bool | None = True, absent: tuple[str, ...] = (), **options: str) -> KernelFeatures:
    return KernelFeatures(OPTIONS | options, "/boot/config", directory, absent=absent)


@pytest.mark.parametrize(
    ("found", "status", "word"),
    [
        (features(), Status.PASS, "has everything"),
        (features(VETH="n"), Status.FAIL, "veth"),
        (features(OVERLAY_FS="n"), Status.WARN, "overlay"),
        (features(IP_NF_FILTER="n", IP_NF_NAT="n", IP_NF_RAW="n", IP6_NF_FILTER="n"), Status.PASS, "has everything"),
        (features(IP_NF_FILTER="n", NFT_COMPAT="n"), Status.FAIL, "iptables"),
        (features(IP_NF_RAW="n", NF_TABLES="n"), Status.WARN, "raw table"),
        (features(CGROUP_DEVICE="n", CGROUP_BPF="y"), Status.PASS, "has everything"),
        (features(absent=("NETFILTER_XT_MATCH_ADDRTYPE",)), Status.FAIL, "addrtype"),
        (features(False, absent=("VETH",)), Status.FAIL, "not rebooted. Not loaded"),
        (features(False), Status.WARN, "not rebooted"),
        (
            KernelFeatures(dict.fromkeys(OPTIONS, "y") | {"MODULES": "n"}, "/proc/config.gz", False),
            Status.PASS,
            "has everything",
        ),
        (
            KernelFeatures(dict.fromkeys(OPTIONS, "y"), "/proc/config.gz", False),
            Status.PASS,
            "has everything",
        ),  # all built in
        (KernelFeatures({}, None, None), Status.UNKNOWN, "Neither"),
        (KernelFeatures({"MODULES": "y"}, None, False), Status.FAIL, "not rebooted"),
        (KernelFeatures({"MODULES": "y", "VETH": "n"}, "/lib/modules/x/modules.dep", True), Status.FAIL, "veth"),
    ],
)
def test_kernel_features(found: KernelFeatures, status: Status, word: str) -> None:
    result = one("system.kernel-features", kernel_features=found, kernel="6.1.0", os_release=DEBIAN)
    assert (result.status, word in result.message) == (status, True), result.message


@pytest.mark.parametrize(
    ("system", "lines"),
    [
        (OsRelease("ubuntu", "24.04", ("debian",), "", ""),
         ("apt-get update && apt-get install -y linux-modules-extra-$(uname -r)",)),
        (OsRelease("rocky", "9.4", ("rhel",), "", ""), ("dnf install -y kernel-modules-extra", "reboot")),
        (OsRelease("centos", "7", ("rhel",), "", ""), ()),  # its kernel has all modules in one package
        (DEBIAN, ()),
    ],
)  # fmt: skip
def test_modules_that_small_images_leave_out_are_installed(system: OsRelease, lines: tuple[str, ...]) -> None:
    missing = features(absent=("NETFILTER_XT_MATCH_ADDRTYPE",))
    result = one("system.kernel-features", kernel_features=missing, kernel="6.1.0", os_release=system)
    assert result.remedy is not None
    assert result.remedy.commands == lines


# --- commands ------------------------------------------------------------------------------------------------

ALL = {
    name: Command(f"/usr/bin/{name}", False)
    for name in ("openssl", "curl", "docker", "git", "awk", "sha1sum", "grep", "cut", "jq", "cp", "sed")
}


def commands(requirements: str = "current", **changes: Command) -> dict[str | None, Result]:
    made = look(requirements=requirements, commands={**ALL, **changes}, os_release=DEBIAN)
    return {result.subject: result for result in run("system.commands", made)}


def test_every_command_is_a_subject() -> None:
    found = commands()
    assert list(found) == list(ALL)
    assert {result.status for result in found.values()} == {Status.PASS}
    assert list(commands("2017-07")) == ["git", "curl", "docker"]


@pytest.mark.parametrize(
    ("name", "command", "status", "fix"),
    [
        ("jq", Command(None), Status.FAIL, "install -y jq"),
        ("awk", Command(None), Status.FAIL, "gawk"),
        ("sha1sum", Command(None), Status.FAIL, "coreutils"),
        ("docker", Command(None), Status.FAIL, "get.docker.com"),
        ("grep", Command("/bin/grep", True), Status.FAIL, "install -y grep"),
        ("cp", Command("/bin/cp", True), Status.FAIL, "coreutils"),
        ("awk", Command("/usr/bin/awk", True), Status.PASS, ""),
        ("sed", Command("/bin/sed", None), Status.UNKNOWN, "sed --version"),
        ("git", Command("/usr/bin/git", None), Status.PASS, ""),
    ],
)
def test_commands(name: str, command: Command, status: Status, fix: str) -> None:
    result = commands(**{name: command})[name]
    assert result.status is status
    assert fix in " ".join(result.remedy.commands if result.remedy else ())


def test_without_the_fact_every_command_is_unknown() -> None:
    results = run("system.commands", look(commands=Fact.unknown("PATH", "Out of reach.")))
    assert {(result.status, result.reason) for result in results} == {(Status.UNKNOWN, "Out of reach.")}
    assert len(results) == len(ALL)


# --- security modules and limits -----------------------------------------------------------------------------


def security(
    selinux: str = "disabled", apparmor: bool = False, parser: bool = False, policy: bool = True
) -> SecurityModules:
    return SecurityModules(selinux, apparmor, parser, policy)


AWARE = Engine(version="28", api_version="1.50", security_options=("name=seccomp,profile=builtin", "name=selinux"))
UNAWARE = Engine(version="28", api_version="1.50", security_options=("name=apparmor",))


@pytest.mark.parametrize(
    ("found", "engine", "status"),
    [
        (security(), None, Status.PASS),
        (security("permissive"), None, Status.PASS),
        (security("enforcing"), AWARE, Status.PASS),
        (security("enforcing"), UNAWARE, Status.WARN),
        (security("enforcing"), None, Status.UNKNOWN),
        (security("enforcing", policy=False), AWARE, Status.WARN),
        (security(apparmor=True, parser=True), None, Status.PASS),
        (security(apparmor=True), None, Status.WARN),
    ],
)
def test_security_modules(found: SecurityModules, engine: Engine | None, status: Status) -> None:
    facts = {"engine": engine} if engine else {}
    assert one("system.security-modules", security=found, os_release=DEBIAN, **facts).status is status


def test_limits_pass_with_a_remark() -> None:
    low = {"fs.inotify.max_user_instances": 128, "vm.overcommit_memory": 0}
    results = run("system.limits", look(sysctls=low, engine_limits=EngineLimits(1024)))
    assert [result.subject for result in results] == [*low, "engine.nofile"]
    assert [result.status for result in results] == [Status.PASS] * 3
    assert "exceed" in results[0].message
    assert all(result.remedy for result in results)


def test_limits_that_are_high_enough_need_no_remark() -> None:
    high = {"fs.inotify.max_user_instances": 1024, "vm.overcommit_memory": 1}
    results = run("system.limits", look(sysctls=high, engine_limits=EngineLimits(1 << 62)))
    assert not any(result.remedy for result in results)


def test_a_limit_that_was_not_read_is_skipped() -> None:
    results = run("system.limits", look(sysctls={"vm.overcommit_memory": 2}, engine_limits=EngineLimits(None)))
    assert [result.status for result in results] == [Status.SKIP, Status.PASS, Status.SKIP]
