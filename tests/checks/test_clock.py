"""The clock's checks: kept in step, by one service that starts at boot, zone and hardware clock."""

from __future__ import annotations

from typing import Any

import pytest

from preflight.facts import Clock, Fact, OsRelease, OtherKey, Service, Services, Timezone, Virtualization
from preflight.report.model import Result, Status
from tests.build import look, measured, run

SYNCED, LOST = Clock(12_345, False), Clock(16_000_000, True)
BARE, LXC = Virtualization(None, "kvm", None), Virtualization("lxc", None, None)


def system(identity: str, *like: str) -> OsRelease:
    return OsRelease(identity, "12", like, identity.title(), "", identity.title())


DEBIAN, UBUNTU, ALMA = system("debian"), system("ubuntu", "debian"), system("almalinux", "rhel", "centos", "fedora")
ALPINE, SUSE, ARCH, NIXOS = system("alpine"), system("opensuse-leap", "suse"), system("arch"), system("nixos")


def keeper(
    name: str = "chrony", *, enabled: bool | None = True, active: bool | None = True, unit: str | None = "", **more: Any
) -> Service:
    unit = f"{name}.service" if unit == "" else unit
    return Service(name=name, kind="time", unit=unit, enabled=enabled, active=active, **more)


def services(*found: Service, init: str = "systemd") -> Services:
    other = Service(name="exim4", kind="mta", unit="exim4.service", enabled=True, active=True)
    return Services(init, (other, *found))


def one(check: str, **facts: Any) -> Result:
    given = {"os_release": DEBIAN, "virtualization": BARE, "services": services(keeper()), "clock": SYNCED, **facts}
    (result,) = run(check, look(**{name: value for name, value in given.items() if value is not None}))
    return result


def commands(result: Result) -> tuple[str, ...]:
    assert result.remedy is not None
    return result.remedy.commands


# --- clock.synchronized --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clock", "status", "found"),
    [
        (Clock(0, False), Status.PASS, "yes"),
        (Clock(15_999_999, False), Status.PASS, "yes"),
        (Clock(16_000_000, False), Status.WARN, "no"),
        (Clock(16_000_000, True), Status.WARN, "no"),
        (Clock(1 << 62, True), Status.WARN, "no"),
        # As timedatectl takes it: the flag may only keep the kernel from writing to the hardware clock.
        (Clock(500_000, True), Status.PASS, "yes"),
    ],
)
def test_synchronized(clock: Clock, status: Status, found: str) -> None:
    result = one("clock.synchronized", clock=clock)
    assert (result.status, result.found) == (status, found)
    assert result.message.startswith(f"NTP synchronized: {found}. ")
    assert measured(result) == {"maxerror_us": clock.maxerror_us, "unsynchronized": clock.unsynchronized}


@pytest.mark.parametrize("check", ["clock.synchronized", "clock.service", "clock.timezone"])
@pytest.mark.parametrize(
    ("missing", "status"),
    [
        (Fact[Any].unknown("adjtimex(2)", "The root is a copy.", "Run it there."), Status.UNKNOWN),
        (Fact[Any].skipped("adjtimex(2)", "The root is a copy."), Status.SKIP),
    ],
)
def test_what_is_not_known_never_passes(check: str, missing: Fact[Any], status: Status) -> None:
    result = one(check, clock=missing, services=missing, timezone=missing)
    assert (result.status, result.reason) == (status, "The root is a copy.")
    assert (result.remedy is not None and result.remedy.text == "Run it there.") is (status is Status.UNKNOWN)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ((keeper("chrony"),), ("systemctl restart chrony.service", "chronyc sources")),
        (
            (keeper("systemd-timesyncd"),),
            ("systemctl restart systemd-timesyncd.service", "timedatectl timesync-status"),
        ),
        ((keeper("openntpd"),), ("systemctl restart openntpd.service", "ntpctl -s all")),
        ((keeper("ntpsec"),), ("systemctl restart ntpsec.service", "ntpq -p")),
        ((keeper("ntp", unit=None, enabled=None),), ("ntpq -p",)),
    ],
)
def test_how_to_get_in_step(found: tuple[Service, ...], expected: tuple[str, ...]) -> None:
    assert commands(one("clock.synchronized", clock=LOST, services=services(*found))) == expected


def test_in_a_container_the_clock_is_that_of_the_machine_below() -> None:
    result = one("clock.synchronized", clock=LOST, virtualization=LXC)
    assert result.status is Status.WARN
    assert result.remedy is not None
    assert "lxc container uses the clock of its host" in result.remedy.text
    assert result.remedy.commands == ()


def test_a_remedy_without_knowing_the_services() -> None:
    result = one("clock.synchronized", clock=LOST, services=None, virtualization=None)
    assert result.status is Status.WARN
    assert commands(result) == ("apt-get update && apt-get install -y chrony",)


# --- clock.service -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["systemd-timesyncd", "chrony", "openntpd", "ntpsec", "ntp"])
def test_one_service_enabled_and_running(name: str) -> None:
    result = one("clock.service", services=services(keeper(name)))
    assert (result.status, result.found) == (Status.PASS, name)
    assert result.message == f"NTP enabled: yes. {name} is enabled and running."
    assert measured(result) == {"service": name, "enabled": True, "active": True}


@pytest.mark.parametrize(
    ("enabled", "active", "status", "said", "expected"),
    [
        (True, None, Status.PASS, "NTP enabled: yes. chrony is enabled.", ()),  # a copy: nothing runs there
        (
            True,
            False,
            Status.WARN,
            "NTP enabled: yes. However, chrony is not running.",
            ("systemctl restart chrony.service",),
        ),
        (False, True, Status.WARN, "NTP enabled: no. chrony is running", ("systemctl enable --now chrony.service",)),
        (False, False, Status.WARN, "NTP enabled: no. The clock is", ("systemctl enable --now chrony.service",)),
        (False, None, Status.WARN, "NTP enabled: no. The clock is", ("systemctl enable --now chrony.service",)),
        (None, True, Status.UNKNOWN, "chrony runs without a unit", ()),
    ],
)
def test_enabled_and_active(
    enabled: bool | None, active: bool | None, status: Status, said: str, expected: tuple[str, ...]
) -> None:
    result = one("clock.service", services=services(keeper(enabled=enabled, active=active)))
    assert (result.status, result.message[: len(said)]) == (status, said)
    assert (result.remedy.commands if result.remedy else ()) == expected
    assert (result.reason is not None) is (status is Status.UNKNOWN)
    assert result.evidence.service == ("chrony" if enabled is not False or active else None)


def test_nobody_keeps_a_clock_that_is_lost() -> None:
    result = one("clock.service", services=services(), clock=LOST)
    assert (result.status, result.found) == (Status.WARN, "none")
    assert result.message == "NTP enabled: no. No time service is enabled or running."
    assert measured(result) == {"service": None, "enabled": False, "active": False}


def test_without_the_kernels_word_nobody_is_still_a_warning() -> None:
    assert one("clock.service", services=services(), clock=None).status is Status.WARN


@pytest.mark.parametrize(
    ("found", "kept", "disabled"),
    [
        (
            (keeper("chrony"), keeper("systemd-timesyncd")), "chrony",
            ("systemctl disable --now systemd-timesyncd.service",),
        ),
        ((keeper("ntpsec"), keeper("chrony")), "chrony", ("systemctl disable --now ntpsec.service",)),
        ((keeper("ntpsec"), keeper("openntpd")), "ntpsec", ("systemctl disable --now openntpd.service",)),
        (
            (keeper("chrony", active=False), keeper("ntp", active=False)), "chrony",
            ("systemctl disable --now ntp.service",),
        ),
        ((keeper("chrony"), keeper("ntp", unit=None, enabled=None)), "chrony", ()),
    ],
)  # fmt: skip
def test_two_services_fight_over_the_clock(found: tuple[Service, ...], kept: str, disabled: tuple[str, ...]) -> None:
    result = one("clock.service", services=services(*found))
    assert (result.status, result.found) == (Status.WARN, kept)
    assert commands(result) == disabled


def test_of_two_enabled_the_one_that_runs_counts() -> None:
    """Units that exclude each other: both enabled, and systemd starts one."""
    found = (keeper("systemd-timesyncd", active=False), keeper("chrony"))
    result = one("clock.service", services=services(*found))
    assert (result.status, result.found) == (Status.PASS, "chrony")


TIMESYNCD = keeper(
    "systemd-timesyncd", active=False, unmet="ConditionFileIsExecutable=!/usr/sbin/VBoxService", package="systemd"
)
GUEST = Virtualization(None, "oracle", None)


def guest_tools(**more: Any) -> Service:
    return keeper("VBoxService", unit="virtualbox-guest-utils.service", **more)


def test_a_service_that_stands_back_is_not_told_to_start() -> None:
    """Debian's timesyncd beside VirtualBox's guest tools: enabled, and it never starts."""
    result = one("clock.service", services=services(TIMESYNCD, guest_tools()), virtualization=GUEST)
    assert (result.status, result.found) == (Status.WARN, "VBoxService")
    assert "systemd-timesyncd is enabled, but never starts alongside VBoxService" in result.message
    assert commands(result) == ("systemctl disable --now systemd-timesyncd.service",)
    after = one("clock.service", services=services(guest_tools()), virtualization=GUEST)
    assert (after.status, after.found) == (Status.PASS, "VBoxService")
    lost = one("clock.synchronized", services=services(guest_tools()), virtualization=GUEST, clock=LOST)
    assert lost.status is Status.SKIP


def test_guest_tools_of_another_hypervisor_set_no_clock() -> None:
    idle = guest_tools(active=False)
    result = one("clock.service", services=services(TIMESYNCD, idle))
    assert (result.status, "prevents it from starting" in result.message) == (Status.WARN, True)
    assert commands(result) == ("apt-get update && apt-get install -y chrony",)


def test_a_service_that_stands_back_for_an_idle_one_gives_way_to_it() -> None:
    idle = keeper("ntpsec", enabled=False, active=False)
    result = one("clock.service", services=services(TIMESYNCD, idle), clock=LOST)
    assert commands(result) == ("systemctl enable --now ntpsec.service",)
    # A service of its own is at work: the other one stands back as it was built to.
    assert one("clock.service", services=services(TIMESYNCD, keeper("ntpsec"))).status is Status.PASS


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        # The one that stays starts at boot before the other goes.
        (
            (keeper("chrony", enabled=False), keeper("openntpd", enabled=False)),
            ("systemctl enable --now chrony.service", "systemctl disable --now openntpd.service"),
        ),
        # After the next boot timesyncd would not start, although it runs now.
        (
            (keeper("systemd-timesyncd", unmet="ConditionFileIsExecutable=!/usr/sbin/ntpd"), keeper("ntpsec")),
            ("systemctl disable --now systemd-timesyncd.service",),
        ),
        ((keeper("chrony", unit=None, enabled=None), keeper("ntp", unit=None, enabled=None)), ()),
        # Guest tools do more than set the clock: they stay.
        ((keeper("chrony"), guest_tools()), ()),
    ],
)
def test_of_rivals_one_stays_at_every_moment(found: tuple[Service, ...], expected: tuple[str, ...]) -> None:
    result = one("clock.service", services=services(*found), virtualization=GUEST)
    assert (result.status, commands(result)) == (Status.WARN, expected)


def test_what_is_installed_is_named_where_nothing_is_enabled() -> None:
    idle = guest_tools(enabled=False, active=False)
    result = one("clock.service", services=services(idle), virtualization=GUEST, clock=LOST)
    assert result.message.endswith("Installed: VBoxService.")


def test_one_that_runs_by_hand_beside_one_that_starts_at_boot() -> None:
    found = (keeper("chrony", enabled=False), keeper("systemd-timesyncd", active=False))
    result = one("clock.service", services=services(*found))
    assert (result.status, result.found) == (Status.WARN, "chrony")


@pytest.mark.parametrize(
    ("found", "status"), [((), Status.SKIP), ((keeper(active=False),), Status.PASS), ((keeper(),), Status.PASS)]
)
def test_in_a_container_nobody_need_keep_it(found: tuple[Service, ...], status: Status) -> None:
    result = one("clock.service", services=services(*found), virtualization=LXC)
    assert result.status is status
    if not found or not found[0].active:
        assert "lxc container uses the clock of its host" in result.message


@pytest.mark.parametrize(
    ("release", "init", "found", "expected"),
    [
        (DEBIAN, "systemd", (), ("apt-get update && apt-get install -y chrony",)),
        (UBUNTU, "systemd", (), ("apt-get update && apt-get install -y chrony",)),
        (ALMA, "systemd", (), ("dnf install -y chrony", "systemctl enable --now chronyd.service")),
        (SUSE, "systemd", (), ("zypper install -y chrony", "systemctl enable --now chronyd.service")),
        (ARCH, "systemd", (), ("pacman -S --noconfirm chrony", "systemctl enable --now chronyd.service")),
        (ALPINE, "openrc", (), ("apk add chrony", "rc-update add chronyd", "rc-service chronyd start")),
        (NIXOS, "other", (), ()),
        (None, "systemd", (), ()),
        (
            DEBIAN, "systemd", (keeper("systemd-timesyncd", enabled=False, active=False),),
            ("timedatectl set-ntp true",),
        ),
        (
            DEBIAN, "systemd", (keeper("systemd-timesyncd", enabled=False, active=False, masked=True),),
            ("apt-get update && apt-get install -y chrony",),
        ),
        (
            ALMA, "systemd", (keeper("chrony", enabled=False, active=False, unit="chronyd.service"),),
            ("systemctl enable --now chronyd.service",),
        ),
        (
            ALPINE, "openrc", (keeper("ntp", enabled=False, active=False, unit="ntpd"),),
            ("rc-update add ntpd", "rc-service ntpd start"),
        ),
        (
            DEBIAN, "sysv", (keeper("ntp", enabled=False, active=False, unit="ntp"),),
            ("update-rc.d ntp enable", "service ntp start"),
        ),
    ],
)  # fmt: skip
def test_the_remedy_fits_the_distribution(
    release: OsRelease | None, init: str, found: tuple[Service, ...], expected: tuple[str, ...]
) -> None:
    facts = {"services": services(*found, init=init), "os_release": release, "clock": LOST}
    assert commands(one("clock.service", **facts)) == expected
    lost = one("clock.synchronized", **facts)
    assert (lost.status, lost.reason) == (Status.SKIP, "No time service is running (see clock.service).")


@pytest.mark.parametrize(
    ("name", "keys", "said"),
    [
        ("systemd-timesyncd", ("Servers",), "/etc/systemd/timesyncd.conf, line 2: timesyncd reads Servers= as NTP="),
        ("systemd-timesyncd", ("Servers", "Server"), "line 3: timesyncd ignores Server="),
        ("systemd-timesyncd", (), None),
        ("chrony", ("Servers", "Server"), None),
    ],
)
def test_servers_of_timesyncd_behind_another_key(name: str, keys: tuple[Any, ...], said: str | None) -> None:
    """timesyncd 252: "Added new system server" for Servers=, "Unknown key" for Server=: nothing is out of order."""
    lines = tuple(OtherKey("/etc/systemd/timesyncd.conf", number, key) for number, key in enumerate(keys, 2))
    result = one("clock.service", services=services(keeper(name)), timesyncd=lines)
    assert (result.status, "line" in result.message) == (Status.PASS, said is not None)
    assert said is None or said in result.message


# --- clock.timezone ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "status", "said"),
    [
        (
            Timezone("Europe/Berlin", False), Status.PASS,
            "The time zone is Europe/Berlin. The hardware clock runs in UTC.",
        ),
        (
            Timezone(None, False), Status.PASS,
            "No time zone is set, so the host uses UTC. The hardware clock runs in UTC.",
        ),
        (
            Timezone("Europe/Berlin", True), Status.PASS,  # with a remark, as the check is of severity info
            "The time zone is Europe/Berlin. The hardware clock runs in local time (RTC in local TZ: yes).",
        ),
        (
            Timezone("Etc/UTC", None), Status.UNKNOWN,
            "The time zone is Etc/UTC. Could not determine the time zone of the hardware clock.",
        ),
    ],
)  # fmt: skip
def test_timezone(zone: Timezone, status: Status, said: str) -> None:
    result = one("clock.timezone", timezone=zone)
    assert (result.status, result.message, result.found) == (status, said, zone.zone or "UTC")
    assert measured(result) == {"zone": zone.zone, "rtc_local": zone.rtc_local}


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        (
            Timezone("Europe/Berlin", False, "Etc/UTC"),
            "/etc/timezone says Etc/UTC, but /etc/localtime says Europe/Berlin. mailcow's installer uses Etc/UTC.",
        ),
        (Timezone(None, False, "Europe/Berlin"), "/etc/localtime says UTC. mailcow's installer uses Europe/Berlin."),
        (Timezone("Europe/Berlin", False, ""), "/etc/timezone does not name a time zone"),
        (Timezone("Europe/Berlin", False, "Europe/Berlin"), None),
        (Timezone("UTC", False, "Etc/UTC"), None),
        (Timezone(None, False, "Etc/UTC"), None),
        (Timezone("Europe/Berlin", False, "posix/Europe/Berlin"), None),
    ],
)
def test_the_zone_that_mailcow_takes(zone: Timezone, said: str | None) -> None:
    result = one("clock.timezone", timezone=zone)
    assert ("/etc/timezone" in result.message, result.status) == (said is not None, Status.PASS)
    if said:
        assert said in result.message
        assert commands(result) == ("rm /etc/timezone",)
        assert f"MAILCOW_TZ={zone.zone or 'UTC'} " in (result.remedy.text if result.remedy else "")


def test_where_mailcow_has_its_zone_the_files_no_longer_matter() -> None:
    there = look(conf={"TZ": "Europe/Berlin"}, timezone=Timezone("Europe/Berlin", False, "Etc/UTC"))
    assert "/etc/timezone" not in run("clock.timezone", there)[0].message


@pytest.mark.parametrize(
    ("init", "command"),
    [
        ("systemd", "timedatectl set-local-rtc 0"),
        ("openrc", "hwclock --systohc --utc"),
        ("sysv", "hwclock --systohc --utc"),
    ],
)
def test_how_to_let_the_hardware_clock_run_in_utc(init: str, command: str) -> None:
    result = one("clock.timezone", timezone=Timezone("Europe/Berlin", True), services=services(init=init))
    assert commands(result) == (command,)
