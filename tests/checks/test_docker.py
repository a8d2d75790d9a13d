"""The engine and Compose: there, new enough, the right ones; and how they are installed where they are not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from preflight.facts import Command, Compose, Contact, Engine, Fact, Host, OsRelease, Services
from preflight.mailcow import requirements
from preflight.report.model import Result, Status
from tests.build import host, look, measured, run
from tests.checks.engines import PODMAN, commands, engine, judged
from tests.checks.hosts import release

URL = "unix:///var/run/docker.sock"
GET = "curl -fsSL https://get.docker.com/ | CHANNEL=stable sh"


def test_an_engine_of_another_machine_is_none_of_this_hosts() -> None:
    here = judged("docker.packaging", engine=engine(kernel="6.12.0"), kernel="6.12.0")
    there = judged("docker.packaging", engine=engine(kernel="5.4.0"), kernel="6.12.0")
    assert (here.status, there.status) == (Status.PASS, Status.UNKNOWN)
    assert "its kernel is 5.4.0, this host's is 6.12.0" in (there.reason or "")
    desktop = engine(kernel="5.4.0", operating_system="Docker Desktop")
    assert judged("docker.packaging", engine=desktop, kernel="6.12.0").status is Status.FAIL


# --- docker.engine -------------------------------------------------------------------------------------------


def asked(said: Engine | None = None, state: Any = "ok", detail: str = "", **facts: Any) -> dict[str, Any]:
    silent: Fact[Engine] = Fact.skipped(URL, "The Docker engine does not answer (see docker.engine).")
    usual = {"contact": Contact(URL, state, detail), "engine": said or silent, "os_release": release("debian", "13")}
    return usual | facts


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("28.5.2", Status.PASS), ("24.0.0", Status.PASS), ("24.0", Status.PASS), ("26.1.5+dfsg1", Status.PASS),
        ("100.0.1", Status.PASS), ("23.0.6", Status.FAIL), ("20.10.24+dfsg1", Status.FAIL), ("1.13.1", Status.FAIL),
        ("17.03.0-ce", Status.FAIL), ("dev", Status.UNKNOWN), ("library-import", Status.UNKNOWN),
    ],
)  # fmt: skip
def test_engines_old_and_new(version: str, status: Status) -> None:
    result = judged("docker.engine", **asked(engine(version=version)))
    assert (result.status, version in result.message, result.expected in ("≥ 24.0.0", None)) == (status, True, True)
    assert measured(result) == {"version": version, "api_version": "1.51"}
    if status is Status.FAIL:
        assert GET in commands(result)
    if status is Status.UNKNOWN:  # it may be newer than any release: nothing is replaced
        assert commands(result) == ("docker version",)


def test_in_2017_any_engine_would_do() -> None:
    result = judged("docker.engine", "2017-07", **asked(engine(version="1.13.1")))
    assert (result.status, result.expected) == (Status.PASS, "any")


def test_podmans_version_is_not_taken_for_dockers() -> None:
    result = judged("docker.engine", **asked(PODMAN))
    assert (result.status, "docker.packaging" in (result.reason or "")) == (Status.SKIP, True)


@pytest.mark.parametrize(
    ("state", "detail", "status", "words"),
    [
        ("absent", "No such file or directory", Status.FAIL, "No Docker engine was found"),
        ("refused", "Connection refused", Status.FAIL, "Nothing answers"),
        ("timeout", "no reply to /info in time", Status.FAIL, "hangs: it does not reply in time."),
        ("denied", "Permission denied", Status.UNKNOWN, "is not allowed to use"),
        ("invalid", "the reply is not HTTP", Status.FAIL, "is not a working Docker engine."),
    ],
)
def test_engines_that_do_not_answer(state: str, detail: str, status: Status, words: str) -> None:
    result = judged("docker.engine", **asked(None, state, detail))
    assert (result.status, words in result.message) == (status, True), result.message
    assert (result.detail or "") == (detail if state in ("denied", "invalid") else "")
    assert measured(result) == {"version": None, "api_version": None, "state": state}


def test_what_answers_elsewhere_may_be_a_proxy() -> None:
    facts = asked(None, "invalid", "certificate verify failed")
    facts["contact"] = msgspec.structs.replace(facts["contact"], url="tcp://198.51.100.7:2376")
    result = judged("docker.engine", **facts)
    assert (result.status, result.reason is not None) == (Status.UNKNOWN, True)
    assert result.detail == "certificate verify failed"


def test_what_to_do_about_it_fits_the_host() -> None:
    assert commands(judged("docker.engine", **asked(None, "absent")))[0] == GET
    client = {"docker": Command("/usr/bin/docker")}
    alone = judged("docker.engine", **asked(None, "absent", commands=client))
    assert "/usr/bin/docker is only the client" in alone.message
    assert commands(alone)[0] == GET
    there = judged(
        "docker.engine", **asked(None, "absent", commands=client | {"dockerd": Command("/usr/sbin/dockerd")})
    )
    assert "but /usr/sbin/dockerd is installed" in there.message
    assert (commands(there)[0], GET in commands(there)) == ("systemctl restart docker", False)
    none = judged("docker.engine", **asked(None, "absent", commands={"docker": Command(None)}))
    assert "installed" not in none.message
    hangs = asked(None, "timeout", services=Services("openrc", ()))
    assert commands(judged("docker.engine", **hangs)) == ("rc-service docker restart",)
    assert "journalctl" in commands(judged("docker.engine", **asked(None, "refused")))[1]


@pytest.mark.parametrize(
    ("system", "command"),
    [
        (release("alpine", "3.22"), "apk add docker docker-cli-compose"),
        (release("almalinux", "9.4"), "dnf install -y docker-ce"),
        (release("rocky", "9.4"), "https://download.docker.com/linux/centos/docker-ce.repo"),
        (release("arch", ""), "pacman -S --noconfirm docker docker-compose"),
        (release("opensuse-leap", "15.6"), "zypper install -y docker docker-compose"),
        (release("ubuntu", "24.04"), GET), (release("void", ""), "xbps-install -Sy docker docker-compose"),
    ],
)  # fmt: skip
def test_how_the_engine_is_installed(system: OsRelease, command: str) -> None:
    found = commands(judged("docker.engine", **asked(None, "absent", os_release=system)))
    assert any(command in line for line in found), found


def test_nothing_is_claimed_of_an_engine_that_was_not_asked() -> None:
    result = judged("docker.engine", engine=engine())
    assert (result.status, result.reason) == (Status.UNKNOWN, "The test gives no contact.")


# --- docker.compose ------------------------------------------------------------------------------------------

PLUGIN = "/usr/libexec/docker/cli-plugins/docker-compose"


@pytest.mark.parametrize(
    ("found", "status", "words"),
    [
        (Compose("plugin", PLUGIN, "2.40.3"), Status.PASS, f"2.40.3 is installed: the plugin {PLUGIN}."),
        (Compose("plugin", PLUGIN, "5.0.1"), Status.PASS, "5.0.1"),
        (Compose("plugin", PLUGIN, "v2.39.1-desktop.1"), Status.PASS, "v2.39.1-desktop.1"),
        (Compose("plugin", PLUGIN, "10.0"), Status.PASS, "10.0"),
        (Compose("standalone", "/usr/bin/docker-compose", "2.0.0"), Status.PASS, "the program /usr/bin/docker-compose"),
        (Compose("standalone", "/usr/bin/docker-compose", "1.29.2"), Status.FAIL, "mailcow needs 2.0.0 or newer"),
        (Compose(None, None, ""), Status.FAIL, "neither the plugin nor docker-compose"),
        (Compose(None, None, "", of_user="/home/a/x"), Status.FAIL, "not installed for root"),
        (Compose("plugin", PLUGIN, "", "dev"), Status.UNKNOWN, "did not report a usable version"),
        (Compose("plugin", PLUGIN, "", ""), Status.UNKNOWN, "did not report a usable version"),
        (Compose("plugin", PLUGIN, "latest"), Status.UNKNOWN, "did not report a usable version"),
        (Fact.unknown("docker compose", "/root: Permission denied.", "Run as root."), Status.UNKNOWN, "Permission"),
    ],
)
def test_compose(found: Any, status: Status, words: str) -> None:
    result = judged("docker.compose", compose=found, os_release=release("debian", "13"))
    assert (result.status, words in result.message) == (status, True), result.message
    if isinstance(found, Compose):
        assert measured(result) == {"version": found.version or None, "kind": found.kind, "path": found.path}


def test_in_2017_the_old_compose_would_do() -> None:
    old = Compose("standalone", "/usr/bin/docker-compose", "1.29.2")
    assert judged("docker.compose", "2017-07", compose=old).status is Status.PASS


_DEBIAN = "apt-get update && apt-get install -y {}"
_EITHER = (
    "if dpkg -s docker-ce >/dev/null 2>&1; then apt-get install -y docker-compose-plugin;"
    " else apt-get install -y {}; fi"
)
# An engine is there, though not the one that would be asked whose it is.
_THERE = {"docker": Command("/usr/bin/docker"), "dockerd": Command("/usr/bin/dockerd")}


@pytest.mark.parametrize(
    ("system", "command", "words"),
    [
        (release("debian", "13"), _EITHER.format("docker-compose"), "otherwise docker-compose"),
        (release("debian", ""), _EITHER.format("docker-compose"), "otherwise docker-compose"),
        (release("debian", "12"), _DEBIAN.format("docker-compose-plugin"), "docs.docker.com/engine/install/debian/"),
        (release("debian", "11"), _DEBIAN.format("docker-compose-plugin"), "from Docker's package source"),
        (release("ubuntu", "22.04"), _EITHER.format("docker-compose-v2"), "if the engine is Docker's own"),
        (release("ubuntu", "24.04"), _EITHER.format("docker-compose-v2"), "otherwise docker-compose-v2"),
        (release("ubuntu", "20.04"), _DEBIAN.format("docker-compose-plugin"), "docs.docker.com/engine/install/ubuntu/"),
        (release("raspbian", "12"), _DEBIAN.format("docker-compose-plugin"), "/engine/install/raspberry-pi-os/"),
        (OsRelease("linuxmint", "22", ("ubuntu", "debian"), "Linux Mint 22", ""),
         _DEBIAN.format("docker-compose-plugin"), "docs.docker.com/engine/install/ first"),
        (release("almalinux", "9.4"), "dnf install -y docker-compose-plugin", "docs.docker.com/engine/install/centos/"),
        (release("rocky", "9.4"), "dnf install -y docker-compose-plugin", "Docker's package source"),
        (release("fedora", "42"), "if rpm -q docker-ce >/dev/null 2>&1; then dnf install -y docker-compose-plugin;"
         " else dnf install -y docker-compose; fi", "otherwise docker-compose"),
        (release("alpine", "3.22"), "apk add docker-cli-compose", "Install docker-cli-compose from the package source"),
        (release("opensuse-leap", "15.6"), "zypper install -y docker-compose", "docker-compose from"),
        (release("arch", ""), "pacman -S --noconfirm docker-compose", "Install docker-compose from"),
        (OsRelease("amzn", "2023", ("fedora",), "Amazon Linux 2023", ""),
         "chmod +x /usr/local/lib/docker/cli-plugins/docker-compose", "download the plugin"),
        (release("void", ""), "xbps-install -Sy docker-compose", "Install docker-compose from"),
        (release("nixos", "25.05"), None, "docs.docker.com/compose/install"),
        (Fact.unknown("/etc/os-release", "Not there."), None, "docs.docker.com/compose/install"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("found", [Compose(None, None, ""), Compose("plugin", PLUGIN, "1.29.2")])
def test_how_compose_is_installed(system: Any, command: str | None, words: str, found: Compose) -> None:
    result = judged("docker.compose", compose=found, os_release=system, commands=_THERE)
    assert commands(result)[-1:] == ((command,) if command else ())
    assert words in (result.remedy.text if result.remedy else ""), result.remedy


def test_dockers_source_is_set_up_where_a_command_can() -> None:
    alma: dict[str, Any] = {"os_release": release("almalinux", "9.4"), "commands": _THERE}
    found = commands(judged("docker.compose", compose=Compose(None, None, ""), **alma))
    assert found[1] == "dnf config-manager --add-repo https://download.docker.com/linux/centos/docker-ce.repo"
    assert len(found) == 3


def test_a_compose_that_says_nothing_is_asked_by_hand_first() -> None:
    mute: dict[str, Any] = {"os_release": release("debian", "12"), "commands": _THERE}
    result = judged("docker.compose", compose=Compose("plugin", PLUGIN, "", "dev"), **mute)
    assert commands(result) == ("docker compose version", _DEBIAN.format("docker-compose-plugin"))
    result = judged("docker.compose", compose=Compose("standalone", "/usr/bin/docker-compose", ""), **mute)
    assert commands(result)[0] == "docker-compose version"


# --- docker.packaging ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (PODMAN, "Podman behind Docker's socket"),
        (engine(root_dir="/var/snap/docker/common/var-lib-docker"), "a snap package"),
        (engine(security_options=("name=seccomp,profile=builtin", "name=rootless")), "a rootless engine"),
        (engine(security_options=("name=userns",)), "an engine with userns-remap"),
        (engine(operating_system="Docker Desktop"), "Docker Desktop"),
        (engine(operating_system="Docker Desktop", security_options=("name=rootless",)),
         "a rootless engine, Docker Desktop"),
    ],
)  # fmt: skip
def test_engines_with_which_mailcow_does_not_work(said: Engine, found: str) -> None:
    result = judged("docker.packaging", engine=said, os_release=release("debian", "13"))
    assert (result.status, result.found) == (Status.FAIL, found)
    first = {
        "a snap package": "snap stop --disable docker",
        "Podman behind Docker's socket": "apt-get purge podman-docker",
    }
    if found in first:
        assert commands(result)[:2] == (first[found], GET)
    elif "userns" in found:
        assert commands(result) == ("grep -n userns-remap /etc/docker/daemon.json",)
    else:
        assert commands(result)[0] == GET


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (engine(), Status.PASS), (engine(root_dir="/srv/docker", operating_system=""), Status.PASS),
        (engine(root_dir="", operating_system="", security_options=("name=userns-like",)), Status.UNKNOWN),
        (Fact.skipped(URL, "The engine does not answer."), Status.SKIP),
        (Fact.unknown(URL, "Out of reach."), Status.UNKNOWN),
    ],
)  # fmt: skip
def test_dockers_own_engine(said: Any, status: Status) -> None:
    assert judged("docker.packaging", engine=said).status is status


# --- all of them ---------------------------------------------------------------------------------------------


def checks_of(given: Host) -> dict[str, Status]:
    names = ("engine", "compose", "packaging", "storage", "daemon-config", "privileged", "healthcheck", "leftovers")
    return {name: judged_host(f"docker.{name}", given).status for name in names}


def judged_host(check: str, given: Host) -> Result:
    (result,) = run(check, look(given))
    return result


def test_where_nothing_is_known_nothing_passes() -> None:
    assert set(checks_of(host()).values()) == {Status.UNKNOWN}


def test_an_engine_that_does_not_answer_is_one_failure() -> None:
    silent = asked(None, "timeout")
    ran = {"privileged": silent["engine"], "healthcheck": silent["engine"]}
    found = checks_of(host(**silent, **ran))
    assert [name for name, status in found.items() if status is Status.FAIL] == ["engine"]
    assert [name for name, status in found.items() if status is Status.PASS] == []


def test_the_numbers_are_the_documented_ones() -> None:
    numbers = requirements.load("current")
    assert (numbers.docker, numbers.compose) == ("24.0.0", "2.0.0")
