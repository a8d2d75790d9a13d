"""Docker is installed once, from one source, in the way of the host's own distribution."""

from __future__ import annotations

from typing import Any

import pytest

from preflight.assess import assess
from preflight.checks import catalogue
from preflight.facts import Command, Compose, Contact, Engine, Fact, OsRelease, Services
from preflight.report.model import Report, Result, Status, Verdict
from tests.build import look, run

GET = "curl -fsSL https://get.docker.com/ | CHANNEL=stable sh"
URL = "unix:///run/docker.sock"
NO_COMPOSE = Compose(None, None, "")
NAMES = ("openssl", "curl", "docker", "git", "awk", "sha1sum", "grep", "cut", "jq", "cp", "sed", "dockerd")
SILENT: Fact[Engine] = Fact.skipped(URL, "The Docker engine does not answer (see docker.engine).")
DOWNLOAD = "chmod +x /usr/local/lib/docker/cli-plugins/docker-compose"
PACKAGES = "docker-ce docker-ce-cli containerd.io docker-buildx-plugin docker-compose-plugin"


def release(id: str, version: str = "", *like: str, codename: str = "", **more: str) -> OsRelease:
    return OsRelease(id, version, like, f"{id} {version}", codename, id, **more)


def programs(*missing: str, **known: Command) -> dict[str, Command]:
    return {name: Command(None if name in missing else f"/usr/bin/{name}", False) for name in NAMES} | known


def fresh(system: OsRelease, *missing: str, state: Any = "absent", **facts: Any) -> dict[str, Any]:
    usual = {
        "contact": Contact(URL, state, ""), "engine": SILENT, "compose": NO_COMPOSE, "os_release": system,
        "commands": programs("docker", "dockerd", *missing),
    }  # fmt: skip
    return usual | facts


def result(check: str, subject: str | None = None, **facts: Any) -> Result:
    return next(one for one in run(check, look(**facts)) if one.subject == subject)


def fixes(found: Result) -> tuple[str, ...]:
    return found.remedy.commands if found.remedy else ()


def report(*patterns: str, **facts: Any) -> Report:
    made = look(**facts)
    chosen = tuple(one for one in catalogue() if one.id in patterns)
    return assess(made.host, made.plan, made.requirements, chosen)


DEBIAN = release("debian", "13", codename="trixie")


@pytest.mark.parametrize("system", [DEBIAN, release("ubuntu", "24.04", "debian"), release("almalinux", "9.4", "rhel")])
@pytest.mark.parametrize("state", ["absent", "refused"])
def test_without_docker_there_is_one_finding_with_one_remedy(system: OsRelease, state: str) -> None:
    made = report("system.commands", "docker.engine", "docker.compose", **fresh(system, state=state))
    assert {(one.check, one.subject): one.status for one in made.results if one.status is not Status.PASS} == {
        ("system.commands", "docker"): Status.SKIP, ("docker.engine", None): Status.FAIL,
        ("docker.compose", None): Status.SKIP,
    }  # fmt: skip
    assert made.verdict is Verdict.NOT_READY
    for one in made.results:
        if one.status is Status.SKIP:
            assert one.reason is not None
            assert "comes with Docker (see docker.engine)." in one.reason
            assert one.remedy is None
        if one.check == "docker.engine":
            assert one.remedy is not None
            assert "Docker and Docker Compose" in one.remedy.text


@pytest.mark.parametrize("check", ["system.commands", "docker.compose"])
def test_where_the_engine_is_not_judged_what_is_missing_fails_by_itself(check: str) -> None:
    made = report(check, **fresh(DEBIAN))
    assert made.verdict is Verdict.NOT_READY
    (one,) = [one for one in made.results if one.status is Status.FAIL]
    assert fixes(one) == (GET, "systemctl enable --now docker")


def test_what_is_missing_is_one_command_line_without_docker() -> None:
    facts = fresh(DEBIAN, "git", "jq", "awk")
    lines = {fixes(one) for one in run("system.commands", look(**facts)) if one.status is Status.FAIL}
    assert lines == {("apt-get update && apt-get install -y git gawk jq",)}
    busy = fresh(release("alpine", "3.22"), "jq", commands=programs("jq", grep=Command("/bin/grep", True)))
    lines = {fixes(one) for one in run("system.commands", look(**busy)) if one.status is Status.FAIL}
    assert lines == {("apk add grep jq",)}


def test_curl_is_there_before_it_is_called() -> None:
    found = fixes(result("docker.engine", **fresh(DEBIAN, "curl")))
    assert found[:2] == ("apt-get update && apt-get install -y ca-certificates curl", GET)
    assert fixes(result("docker.engine", **fresh(DEBIAN)))[0] == GET


MINT = release("linuxmint", "22", "ubuntu", "debian", codename="wilma", base="noble")


@pytest.mark.parametrize(
    ("system", "lines", "never"),
    [
        (release("amzn", "2023", "fedora"), ("dnf install -y docker", DOWNLOAD, "systemctl enable --now docker"), GET),
        (release("amzn", "2", "centos", "rhel", "fedora"), ("amazon-linux-extras install -y docker", DOWNLOAD), "dnf"),
        (release("centos", "7", "rhel", "fedora"),
         ("yum install -y yum-utils", "yum-config-manager --add-repo https://download.docker.com/linux/centos/docker-ce"
          ".repo", f"yum install -y {PACKAGES}"), "dnf"),
        (release("rhel", "7.9", "fedora"), (f"yum install -y {PACKAGES}",), "dnf"),
        (release("rhel", "9.4", "fedora"), (GET,), "centos"),
        (release("fedora", "43"), (GET,), "centos"),
        (release("centos", "9", "rhel", "fedora"), (f"dnf install -y {PACKAGES}",), GET),
        (release("ol", "9.4", "fedora"), (f"dnf install -y {PACKAGES}",), GET),
        (release("fedora", "43", variant="coreos"), ("rpm-ostree install moby-engine docker-compose", "reboot"), "dnf"),
        (release("kali", "2025.3", "debian", codename="kali-rolling"),
         ("apt-get update && apt-get install -y docker.io docker-cli docker-compose",), GET),
        (release("debian", "", codename="forky"),
         ("apt-get update && apt-get install -y docker.io docker-cli docker-compose",), GET),
        (release("raspbian", "12", "debian"), (GET,), "docker.io"),
        (MINT, ("apt-get update && apt-get install -y ca-certificates curl",
                f"apt-get update && apt-get install -y {PACKAGES}"), GET),
        (release("mx", "23", "debian", codename="bookworm"),
         (f"apt-get update && apt-get install -y {PACKAGES}",), GET),
        (release("devuan", "5", "debian", codename="daedalus"),
         (f"apt-get update && apt-get install -y {PACKAGES}",), "daedalus"),
        (release("alpine", "3.22.0"), ("apk add docker docker-cli-compose", "rc-update add docker"), "systemctl"),
        (release("manjaro", "", "arch"), ("pacman -S --noconfirm docker docker-compose",), GET),
        (release("cachyos", "", "arch"), ("pacman -S --noconfirm docker docker-compose",), GET),
        (release("opensuse-tumbleweed", "20251120", "opensuse", "suse"),
         ("zypper install -y docker docker-compose",), GET),
        (release("opensuse-microos", "20251120", "suse", "opensuse", "opensuse-tumbleweed"),
         ("transactional-update -n --continue pkg install docker docker-compose", "reboot"), "zypper"),
        (release("sl-micro", "6.1", "suse"),
         ("transactional-update -n --continue pkg install docker", DOWNLOAD, "reboot"), "docker-compose-plugin"),
        (release("sles", "15.7", "suse"), ("zypper install -y docker", DOWNLOAD), GET),
        (release("void"),
         ("xbps-install -Sy docker docker-compose", "ln -sf /etc/sv/docker /var/service/"), "systemctl"),
    ],
)  # fmt: skip
def test_docker_comes_as_the_distribution_has_it(system: OsRelease, lines: tuple[str, ...], never: str) -> None:
    found = fixes(result("docker.engine", **fresh(system)))
    assert set(lines) <= set(found), found
    assert [line for line in found if line in lines] == list(lines), "in another order"
    assert never not in "\n".join(found)


def test_a_derivative_gets_the_source_of_what_it_is_made_of() -> None:
    source = (
        "deb [arch=$(dpkg --print-architecture) signed-by=/etc/apt/keyrings/docker.asc] https://download.docker.com"
    )
    for system, tail in (
        (MINT, "/linux/ubuntu noble stable"),
        (release("linuxmint", "6", "debian", codename="faye", base="bookworm"), "/linux/debian bookworm stable"),
        (release("devuan", "6", "debian", codename="excalibur"), "/linux/debian trixie stable"),
    ):
        found = fixes(result("docker.engine", **fresh(system)))
        assert f'echo "{source}{tail}" > /etc/apt/sources.list.d/docker.list' in found


@pytest.mark.parametrize("system", [release("nixos", "25.05"), release("gentoo"), release("parrot", "6", "debian")])
def test_where_no_command_is_known_the_page_is_named(system: OsRelease) -> None:
    found = result("docker.engine", **fresh(system))
    assert fixes(found) == ()
    assert found.remedy is not None
    assert "docs.docker.com/engine/install/" in found.remedy.text


def test_scripts_of_sysv_start_it_where_there_is_no_systemd() -> None:
    devuan = fresh(release("devuan", "5", "debian", codename="daedalus"), services=Services("sysv", ()))
    assert fixes(result("docker.engine", **devuan))[-2:] == ("update-rc.d docker enable", "service docker start")


# --- an engine is there --------------------------------------------------------------------------------------


def there(system: OsRelease, package: str | None, path: str = "/usr/bin/dockerd", **facts: Any) -> dict[str, Any]:
    known = programs(dockerd=Command(path, False, package), docker=Command("/usr/bin/docker", False, package))
    return fresh(system, state="ok", commands=known, engine=Engine(version="28.5.2", api_version="1.51")) | facts


@pytest.mark.parametrize(
    ("system", "package", "line"),
    [
        (DEBIAN, "docker-ce", "apt-get update && apt-get install -y docker-compose-plugin"),
        (DEBIAN, "docker.io", "apt-get update && apt-get install -y docker-compose"),
        (release("debian", "12"), "docker.io", DOWNLOAD),
        (release("ubuntu", "24.04"), "docker-ce", "apt-get update && apt-get install -y docker-compose-plugin"),
        (release("ubuntu", "24.04"), "docker.io", "apt-get update && apt-get install -y docker-compose-v2"),
        (release("ubuntu", "20.04"), "docker.io", DOWNLOAD),
        (release("fedora", "43"), "moby-engine", "dnf install -y docker-compose"),
        (release("fedora", "43"), "docker-ce", "dnf install -y docker-compose-plugin"),
        (release("centos", "7"), "docker-ce", "yum install -y docker-compose-plugin"),
        (release("amzn", "2023"), "docker", DOWNLOAD),
    ],
)
def test_compose_comes_from_where_the_engine_came(system: OsRelease, package: str, line: str) -> None:
    found = result("docker.compose", **there(system, package))
    assert (found.status, fixes(found)[-1]) == (Status.FAIL, line)
    assert "get.docker.com" not in "".join(fixes(found))


def test_the_engines_own_word_counts_where_the_packages_cannot_be_read() -> None:
    said = Engine(version="28.5.2", api_version="1.51", build="docker")
    found = result("docker.compose", **there(release("almalinux", "8.10"), None, engine=said))
    assert fixes(found) == ("dnf install -y docker-compose-plugin",)
    by_hand = result("docker.compose", **there(DEBIAN, None, "/usr/local/bin/dockerd", engine=said))
    assert fixes(by_hand)[-1] == DOWNLOAD


def test_dockers_script_is_not_run_over_dockers_own_packages() -> None:
    old = Engine(version="20.10.24", api_version="1.41", build="docker")
    found = result("docker.engine", **there(DEBIAN, "docker-ce", engine=old))
    assert (found.status, GET in fixes(found)) == (Status.FAIL, False)
    assert fixes(found)[0] == f"apt-get update && apt-get install -y {PACKAGES}"


def test_a_distributions_engine_is_upgraded_where_that_is_enough() -> None:
    old = Engine(version="20.10.21", api_version="1.41")
    ubuntu = result("docker.engine", **there(release("ubuntu", "22.04"), "docker.io", engine=old))
    assert fixes(ubuntu)[0] == "apt-get update && apt-get install -y docker.io docker-compose-v2"
    assert fixes(result("docker.engine", **there(release("debian", "12"), "docker.io", engine=old)))[0] == GET


def test_the_engine_comes_from_where_its_command_came() -> None:
    """docker-cli and docker-ce-cli both have /usr/bin/docker, and dpkg stops at the second."""
    known = programs("dockerd", docker=Command("/usr/bin/docker", False, "docker-cli"))
    found = fixes(result("docker.engine", **fresh(DEBIAN, commands=known)))
    assert found[0] == "apt-get update && apt-get install -y docker.io docker-cli docker-compose"
    podman = programs("dockerd", docker=Command("/usr/bin/docker", False, "podman-docker"))
    found = fixes(result("docker.engine", **fresh(DEBIAN, commands=podman)))
    assert found[:2] == ("apt-get purge podman-docker", GET)


@pytest.mark.parametrize(("package", "line"), [("docker-ce", "docker-ce-cli"), ("docker.io", "docker-cli")])
def test_the_command_comes_from_where_the_engine_came(package: str, line: str) -> None:
    known = programs("docker", dockerd=Command("/usr/sbin/dockerd", False, package))
    found = result("system.commands", "docker", **there(DEBIAN, package, commands=known))
    assert (found.status, fixes(found)) == (Status.FAIL, (f"apt-get update && apt-get install -y {line}",))


def test_a_copy_tells_docker_by_its_missing_command() -> None:
    """Of a copy no engine can be asked: then the command is what is known to be missing."""
    gone = Fact.unknown(URL, "The root is a copy.", "Run it on the host.")
    facts = fresh(release("amzn", "2023"), contact=gone, engine=gone)
    found = result("system.commands", "docker", **facts)
    assert (found.status, fixes(found)[0]) == (Status.FAIL, "dnf install -y docker")
    assert fixes(result("docker.compose", **facts)) == fixes(found)
