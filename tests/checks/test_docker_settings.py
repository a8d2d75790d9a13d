"""The engine's settings held against mailcow's wishes, and what an earlier mailcow left on the engine."""

from __future__ import annotations

import json
import shlex
from typing import Any, get_args, get_type_hints

import pytest

from preflight.checks.docker.leftovers import PROJECTS
from preflight.checks.docker.settings import FAULTS
from preflight.facts import (
    Address,
    Contact,
    Container,
    DaemonConfig,
    EngineNetwork,
    Fact,
    Ipv6,
    JsonFault,
    Link,
    Route,
    Services,
)
from preflight.report.model import Result, Status
from tests.build import look, measured, run
from tests.checks.engines import PODMAN, commands, engine, judged
from tests.checks.hosts import release

PATH = "/etc/docker/daemon.json"
CIDR = '"fd00:dead:beef:c0::/80"'


def config(
    present: bool = True, fault: JsonFault | None = None, path: str = PATH, arguments: tuple[str, ...] = (), **held: Any
) -> Any:
    settings = {name.replace("_", "-"): value for name, value in held.items()}
    return DaemonConfig(path, present, settings, arguments, fault)


def network(
    ipv6: bool = True, address: str = "2001:db8::7", scope: str = "global", way: str = "eth0"
) -> dict[str, Any]:
    link = Link("eth0", 1500, True, (Address("198.51.100.7", 24, "global"), Address(address, 64, scope)))
    routes = (Route("0.0.0.0/0", "eth0", "198.51.100.1", 0), Route("::/0", way, "fe80::1", 0))
    return {"ipv6": Ipv6(ipv6, False, True), "links": (link,), "routes": routes if way else routes[:1]}


def settings(held: Any, version: str = "28.5.2", conf: dict[str, str] | None = None, **facts: Any) -> Result:
    usual = {"daemon_config": held, "engine": engine(version=version), "os_release": release("debian", "13")}
    (result,) = run("docker.daemon-config", look(conf=conf, **(usual | network() | facts)))
    assert (result.remedy is None) == (result.status in (Status.PASS, Status.SKIP))
    return result


# --- docker.daemon-config ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (config(ipv6=True), f"The settings in {PATH} suit mailcow."),
        (config(False, arguments=("--ipv6=true",), ipv6=True), "The settings in the engine's arguments suit"),
        (config(ipv6=True, iptables=True, ip6tables=True, hosts=["fd://"], firewall_backend="iptables"), "suit"),
    ],
)
def test_settings_that_suit(held: DaemonConfig, words: str) -> None:
    result = settings(held)
    assert (result.status, words in result.message) == (Status.PASS, True), result.message
    assert measured(result) == {"path": PATH, "missing": []}


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (config(iptables=False, ipv6=True), "an open relay"),
        (
            config(fault=JsonFault("empty")),
            f"{PATH} cannot be used: it is empty",
        ),
        (config(fault=JsonFault("syntax", 7, "Expecting value"), path=""), "cannot be used: line 7 is not JSON."),
        (config(mtu=None, iptables=None, ipv6=True), f"because {PATH} has a value of the wrong type for mtu, iptables"),
        (config(False, arguments=("--iptables=false",), iptables=False), "an open relay"),
    ],
)
def test_settings_that_must_not_be(held: DaemonConfig, words: str) -> None:
    unknown: Any = Fact.unknown("test", "Out of reach.")
    for facts in (network(), dict.fromkeys(network(), unknown)):
        result = settings(held, **facts)
        assert (result.status, words in result.message) == (Status.FAIL, True), result.message
        assert commands(result)[-1].endswith("systemctl restart docker")
        assert bool(held.fault) == commands(result)[0].startswith("python3 -m json.tool")


@pytest.mark.parametrize(
    ("version", "held", "words"),
    [
        (
            "20.10.24",
            {"ipv6": True, "fixed_cidr_v6": "fd00::/80", "ip6tables": True},
            "only if experimental is also true",
        ),
        ("24.0.0", {"ipv6": True, "experimental": True}, "only if fixed-cidr-v6 sets a network"),
    ],
)
def test_what_the_engine_that_answers_would_not_start_with_again(
    version: str, held: dict[str, Any], words: str
) -> None:
    result = settings(config(**held), version)
    assert (result.status, words in result.message) == (Status.FAIL, True), result.message


def test_every_fault_of_the_file_has_words_and_the_parser_s_are_a_detail() -> None:
    kinds = get_args(get_type_hints(JsonFault)["kind"])
    assert FAULTS.keys() == set(kinds)
    for kind in kinds:
        result = settings(config(fault=JsonFault(kind, 7, "Expecting value")))
        assert result.detail == "Expecting value"
        assert "Expecting" not in result.message
        assert ("line 7" in result.message) == ("{line}" in FAULTS[kind])
    assert settings(config(fault=JsonFault("empty"))).detail is None


def test_a_directory_in_the_place_of_the_file() -> None:
    result = settings(DaemonConfig(PATH, True, {}, fault=JsonFault("directory")))
    assert (result.status, "cannot be used: it is a directory" in result.message) == (Status.FAIL, True)
    # Asked to validate a file that is no longer there, dockerd would refuse, and not be restarted.
    assert commands(result) == (f"rmdir {PATH}", "systemctl restart docker")


def test_every_fault_is_named() -> None:
    result = settings(config(iptables=False, ip_forward=False, firewall_backend="nftables", arguments=("--mtu=1",)))
    assert (result.status, result.found) == (Status.FAIL, "--mtu=1")
    assert all(word in result.message for word in ("open relay", "With ip-forward: false", "nftables", "lacks ipv6"))


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (config(ipv6=True, firewall_backend="nftables"), "firewall backend is nftables"),
        (config(ipv6=True, ip_masq=False), "With ip-masq: false"),
        (config(ipv6=True, ip_forward=False), "With ip-forward: false"),
        (config(ipv6=True, ip6tables=False), "With ip6tables: false, IPv6"),
    ],
)  # fmt: skip
def test_settings_that_should_not_be(held: DaemonConfig, words: str) -> None:
    result = settings(held)
    assert (result.status, words in result.message) == (Status.WARN, True), result.message


@pytest.mark.parametrize("backend", ["nftables", "nftables+firewalld", "iptables", "iptables+firewalld", ""])
def test_the_engine_itself_names_its_firewall_backend(backend: str) -> None:
    result = settings(config(ipv6=True), engine=engine(firewall_backend=backend))
    assert result.status is (Status.WARN if "nftables" in backend else Status.PASS)


OLD = ["ipv6", "fixed-cidr-v6", "ip6tables", "experimental"]


@pytest.mark.parametrize(
    ("version", "held", "missing"),
    [
        ("26.1.5", {}, OLD), ("24.0.0", {"ipv6": True, "fixed_cidr_v6": "fd00::/80", "experimental": True}, OLD[2:3]),
        ("26.1.5+dfsg1", {"ipv6": True, "fixed_cidr_v6": "fd00::/80", "ip6tables": True, "experimental": True}, []),
        ("26.1.5", {"ipv6": False, "fixed_cidr_v6": "", "ip6tables": False, "experimental": False}, OLD),
        ("27.0.0", {}, OLD[:2]), ("27.5.1", {"ipv6": True}, OLD[1:2]),
        ("27.5.1", {"ipv6": True, "fixed_cidr_v6": "fd00::/80"}, []),
        ("28.0.0", {}, OLD[:1]), ("29.1.0", {"ipv6": False}, OLD[:1]), ("29.1.0", {"ipv6": True}, []),
    ],
)  # fmt: skip
def test_the_ipv6_keys_that_the_installer_will_add(version: str, held: dict[str, Any], missing: list[str]) -> None:
    result = settings(config(**held), version)
    assert (result.status, measured(result)["missing"]) == (Status.WARN if missing else Status.PASS, missing)
    assert not missing or f"lacks {', '.join(missing)}" in result.message
    assert result.remedy is None or all(f'"{key}": ' in result.remedy.text for key in missing)


@pytest.mark.parametrize(
    ("version", "written"),
    [
        ("28.5.2", '{"ipv6": true}'),
        ("27.5.1", f'{{"ipv6": true, "fixed-cidr-v6": {CIDR}}}'),
        ("26.1.5", f'{{"ipv6": true, "fixed-cidr-v6": {CIDR}, "ip6tables": true, "experimental": true}}'),
    ],
)
def test_a_file_that_is_not_there_is_written_by_a_command(version: str, written: str) -> None:
    result = settings(config(False), version)
    assert commands(result) == ("mkdir -p /etc/docker", f"echo '{written}' > {PATH}", "systemctl restart docker")
    assert json.loads(written)
    assert result.remedy is not None
    assert result.remedy.text == "Answer yes when the installer asks, or create the file now."
    assert f"will offer to create {PATH} for IPv6." in result.message
    openrc = settings(config(False), version, services=Services("openrc", ()))
    assert commands(openrc)[-1] == "rc-service docker restart"


def test_settings_of_an_engine_that_is_still_to_be_installed_are_left_to_the_installer() -> None:
    result = settings(config(False), contact=Contact("unix:///run/docker.sock", "absent"))
    assert result.remedy is not None
    assert (result.remedy.text, commands(result)) == ("Answer yes when the installer asks.", ())


@pytest.mark.parametrize(
    "facts",
    [
        network(ipv6=False), network(way=""), network(way="wg0"), network(address="fe80::7", scope="link"),
        network(address="fd00::7"),
        {"ipv6": Ipv6(True, True, False)}, {"conf": {"ENABLE_IPV6": "false"}},
    ],
)  # fmt: skip
def test_without_ipv6_no_key_is_missed(facts: dict[str, Any]) -> None:
    assert settings(config(), **facts).status is Status.PASS
    assert settings(config(False), **facts).message == "The engine has its default settings."


def test_where_ipv6_cannot_be_told_the_missing_keys_cannot_either() -> None:
    unknown: Any = Fact.unknown("net", "Not the host's network.", "Add --network=host.")
    assert settings(config(), links=unknown).reason == "Not the host's network."
    assert settings(config(ipv6=True), links=unknown).status is Status.PASS


@pytest.mark.parametrize("path", ["/srv/x; reboot", "/srv/$(reboot)/d.json", "/srv/it's/d.json", "d.json"])
def test_a_path_of_hostile_shape_stays_one_word_of_a_command(path: str) -> None:
    mkdir, echo = commands(settings(config(False, path=path)))[:2]
    assert shlex.split(mkdir)[2:] == [path.rpartition("/")[0] or "/"]
    assert shlex.split(echo)[3:] == [path]
    assert shlex.split(commands(settings(config(fault=JsonFault("empty"), path=path)))[0])[3:] == [path]


def test_podman_has_no_such_settings() -> None:
    unknown: Any = Fact.unknown(PATH, "Not found.")
    for held in (config(iptables=False), unknown):
        assert settings(held, engine=PODMAN).status is Status.SKIP


def test_settings_that_are_not_known_are_not_the_default_ones() -> None:
    result = settings(Fact.unknown(PATH, "Permission denied.", "Run as root.", f"ls -l {PATH}"))
    assert (result.status, commands(result)) == (Status.UNKNOWN, (f"ls -l {PATH}",))


# --- docker.leftovers ----------------------------------------------------------------------------------------

OWN = "mailcowdockerized"
CORE = ("postfix", "dovecot", "nginx", "mysql", "redis", "unbound")


def container(name: str, project: str = "", state: str = "exited", service: str = "", run: str = "") -> Container:
    return Container(
        id=name.encode().hex()[:64], name=name, image="x", state=state, project=project, service=service, run=run
    )


def mailcow(project: str = OWN, state: str = "running") -> tuple[Container, ...]:
    names = (f"{name}-mailcow" for name in CORE)
    return tuple(container(f"{project}-{name}-1", project, state, name) for name in names)


def net(name: str, project: str = "", interface: str = "", run: str = "") -> EngineNetwork:
    return EngineNetwork(name, "0" * 64, "bridge", (), interface, False, project, run)


BRIDGE = Link("br-mailcow", 1500, True)


def left(conf: dict[str, str] | None = None, links: Any = (), **said: Any) -> dict[str | None, Result]:
    results = run("docker.leftovers", look(conf=conf, engine=engine(**said), links=links))
    for result in results:
        assert (result.remedy is None) == (result.status is Status.PASS)
    return {result.subject: result for result in results}


@pytest.mark.parametrize(
    ("said", "subject", "command"),
    [
        ({"containers": (container("mailcowdockerized_postfix-mailcow_1"),)},
         "container:mailcowdockerized_postfix-mailcow_1", "docker rm mailcowdockerized_postfix-mailcow_1"),
        ({"containers": (container("named by hand", OWN),)}, "container:named by hand",
         "docker rm 'named by hand'"),
        ({"networks": (net("mailcow-dockerized_mailcow-network", interface="br-mailcow"),), "links": (BRIDGE,)},
         "network:mailcow-dockerized_mailcow-network", "docker network rm mailcow-dockerized_mailcow-network"),
        ({"networks": (net("other", OWN),)}, "network:other", "docker network rm other"),
        ({"volumes": ("mailcowdockerized_vmail-vol-1",)}, "volume:mailcowdockerized_vmail-vol-1",
         "docker volume inspect mailcowdockerized_vmail-vol-1"),
        ({"volumes": ("mailcowdockerized_$(reboot)",)}, "volume:mailcowdockerized_$(reboot)",
         "docker volume inspect 'mailcowdockerized_$(reboot)'"),
        ({"links": (BRIDGE,)}, "interface:br-mailcow", "ip link delete br-mailcow"),
        ({"conf": {"COMPOSE_PROJECT_NAME": "post"}, "volumes": ("post_vmail-vol-1", "mailcow_x")},
         "volume:post_vmail-vol-1", "docker volume inspect post_vmail-vol-1"),
    ],
)  # fmt: skip
def test_what_is_left_of_an_earlier_mailcow(said: dict[str, Any], subject: str, command: str) -> None:
    found = left(**said)
    assert {name: result.status for name, result in found.items()} == {subject: Status.WARN}
    assert commands(found[subject]) == (command,)


def test_volumes_are_never_removed_by_a_command() -> None:
    (result,) = left(volumes=("mailcowdockerized_mysql-vol-1",), conf={"HTTP_PORT": "80"}).values()
    assert result.remedy is not None
    assert "/opt/mailcow-dockerized/mailcow.conf" in result.remedy.text
    assert not any("rm" in command for command in result.remedy.commands)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"containers": (container("mailcow"), container("my-mailcowdockerized-1"), container("web", "other"))},
        {"networks": (net("bridge", interface="docker0"), net("mailcowdockerizedx"))},
        {"volumes": ("mailcowdockerized", "xmailcowdockerized_vmail-vol-1", "MAILCOWDOCKERIZED_a")},
        {
            "containers": (container("mailcowdockerized-x", OWN, run="7"),),
            "networks": (net("mailcowdockerized_x", run="7"),),
        },
        {"links": (Link("br-mailcow2", 1500, True), Link("eth0", 1500, True))},
    ],
)
def test_what_is_not(said: dict[str, Any]) -> None:
    assert {name: result.status for name, result in left(**said).items()} == {None: Status.PASS}


@pytest.mark.parametrize("project", [*PROJECTS, "post"])
def test_a_mailcow_that_works_is_not_left(project: str) -> None:
    conf = {"COMPOSE_PROJECT_NAME": "post"} if project == "post" else None
    said = {
        "containers": mailcow(project), "volumes": (f"{project}_vmail-vol-1",), "links": (BRIDGE,),
        "networks": (net(f"{project}_mailcow-network", project, "br-mailcow"),),
    }  # fmt: skip
    (result,) = left(conf, **said).values()
    assert (result.status, f"project {project}" in result.message) == (Status.PASS, True)
    other = next(name for name in PROJECTS if name != project)
    assert list(left(conf, **said | {"volumes": (f"{other}_vmail-vol-1",)})) == [f"volume:{other}_vmail-vol-1"]


def test_one_that_does_not_work_is() -> None:
    stopped = left(containers=mailcow(state="exited"))
    assert {result.status for result in stopped.values()} == {Status.WARN}
    assert len(left(containers=mailcow()[1:])) == len(CORE) - 1


@pytest.mark.parametrize(
    ("state", "running", "alive"),
    [("running", 5, True), ("running", 3, True), ("running", 2, False), ("paused", 3, True),
     ("exited", 6, False), ("restarting", 5, False), ("created", 5, False)],
)  # fmt: skip
def test_where_half_of_a_mailcow_runs_its_mail_may_live_there(state: str, running: int, alive: bool) -> None:
    half = (*mailcow(state=state)[:running], *mailcow(state="exited")[running:])
    results = left(containers=half)
    whens = {result.remedy.when for result in results.values() if result.remedy}
    assert whens == {"last" if alive else "now"}
    looks = all(commands(result)[0].startswith("docker inspect") for result in results.values())
    assert looks is alive


@pytest.mark.parametrize(
    ("state", "stopped"),
    [("running", True), ("paused", True), ("restarting", True), ("exited", False), ("created", False), ("dead", False)],
)
def test_a_container_that_runs_is_stopped_before_it_goes(state: str, stopped: bool) -> None:
    (result,) = left(containers=(container("mailcowdockerized-x-1", OWN, state),)).values()
    stop = ("docker stop mailcowdockerized-x-1",) if stopped else ()
    assert commands(result) == (*stop, "docker rm mailcowdockerized-x-1")


@pytest.mark.parametrize("cut", ["containers", "networks", "volumes"])
def test_a_list_that_was_cut_short_shows_nothing_gone(cut: str) -> None:
    (result,) = left(truncated=True, cut=(cut,)).values()
    assert result.status is Status.UNKNOWN


def test_where_not_everything_was_listed_nothing_passes() -> None:
    (result,) = left(truncated=True, links=(BRIDGE,)).values()
    assert (result.status, commands(result)) == (Status.UNKNOWN, ("docker volume ls", "docker ps -a"))
    assert list(left(truncated=True, volumes=("mailcowdockerized_a",))) == ["volume:mailcowdockerized_a"]


def test_more_than_anyone_can_read_is_cut_off() -> None:
    assert len(left(volumes=tuple(f"mailcowdockerized_{number}" for number in range(2000)))) == 200


def test_without_an_engine_there_is_nothing_to_look_at() -> None:
    assert judged("docker.leftovers", engine=Fact.skipped("x", "No answer."), links=()).status is Status.SKIP
