"""docker.daemon-config: whether the engine starts again with its daemon.json and its flags."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from preflight.facts import Command, Engine, Fact
from preflight.gather.engine.daemon import daemon_config
from preflight.gather.engine.next_start import engine_start
from preflight.report.model import Result, Status
from tests.build import look, run
from tests.gather.dockerd import OVERRIDE, UNIT, USUAL
from tests.gather.trees import copy, write

DPKG = "Package: docker-ce\nStatus: install ok installed\nVersion: 5:{}-1~debian.12\n\n"


def judged(root: Path, text: str, version: str = "28.5.2", unit: str = USUAL) -> Result:
    """Judge a host that has this daemon.json, unit and engine."""
    write(root, "/etc/docker/daemon.json", text)
    write(root, UNIT, unit)
    write(root, "/var/lib/dpkg/status", DPKG.format(version) if version else "")
    config = daemon_config(copy(root)).get()
    start = engine_start(copy(root), None, config).get()
    none: Fact[Engine] = Fact.unknown("x", "no engine")
    made = look(daemon_config=config, engine_start=start, engine=none, commands={"jq": Command("/usr/bin/jq")},
                conf={"ENABLE_IPV6": "false"})  # fmt: skip
    (result,) = run("docker.daemon-config", made)
    return result


@pytest.mark.parametrize(
    ("text", "version", "says"),
    [
        ('{"log-opts": {"max-file": 3}}', "20.10.24", "log-opts → max-file has the wrong type"),
        ('{"hosts": ["fd://"]}', "28.5.2", "hosts is in line 1"),
        ('{"registry-miror": ["https://x.example"]}', "28.5.2", "Did you mean registry-mirrors?"),
        ('{"log_driver": "journald"}', "28.5.2", "Did you mean log-driver?"),
        ('{"Debug": true}', "28.5.2", "Did you mean debug?"),
        ('{"log-opt": {"max-size": "10m"}}', "28.5.2", "Did you mean log-opts?"),
        ('{"zzz": 1}', "28.5.2", "zzz, which Docker does not know"),
        ('{"bip6": "fd00::1/64"}', "26.1.5", "does not support yet"),
        ('{"graph": "/x"}', "26.1.5", "no longer supports"),
        ('{"oom-score-adjust": -500}', "26.1.5", "no longer supports"),
        ('{"iptables": "false"}', "28.5.2", "Needed: true or false"),
        ('{"dns": "1.1.1.1"}', "28.5.2", "Needed: a list"),
        ('{"dns": ["one"]}', "28.5.2", "not an IP address"), ('{"mtu": 1400.5}', "28.5.2", "wrong type"),
        ('{"features": {"x": "true"}}', "28.5.2", "wrong type"),
        ('{"builder": {"gc": {"enabled": 1}}}', "28.5.2", "type"),
        ('{"default-address-pools": [{"base": "10.0.0.0/8", "size": "24"}]}', "28.5.2", "wrong type"),
        ('{"default-ulimits": {"nofile": {"Hard": "64000"}}}', "28.5.2", "wrong type"),
        ('{"default-network-opts": {"bridge": {"com.docker.network.driver.mtu": 1450}}}', "28.5.2", "wrong type"),
        ('{"default-network-opts": {"x": {"com.docker.network.driver.mtu": "1450"}}}', "20.10.24", "not support yet"),
        ('{"ip6tables": true}', "26.1.5", "only if experimental is also true"),
        ('{"log-opts": {"max-sizes": "1m"}}', "28.5", "not an option"),
        ('{"bridge": "br0", "bip": "10.0.0.1/24"}', "28.5.2", "exclude each other"),
        ('{"icc": false, "iptables": false}', "28.5.2", "does not start with icc"),
        ('{"ipv6": true}', "26.1.5", "only if fixed-cidr-v6"),
        ('{"default-runtime": "nvidia"}', "28.5.2", "runtimes"),
        ('{"storage-driver": "devicemapper"}', "28.5.2", "no devicemapper storage driver"),
        ('{"storage-driver": "overlay"}', "26.1.5", "no overlay storage driver"),
        ('{"storage-driver": "x"}', "28.5", "no x storage"),
        ('{"containerd": "/run/c.sock"}', "28.5.2", "containerd is in line 1"),
    ],
)  # fmt: skip
def test_engines_that_will_not_start_again(tmp_path: Path, text: str, version: str, says: str) -> None:
    result = judged(tmp_path, text, version)
    assert (result.status, says in result.message) == (Status.FAIL, True), result.message


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('{"log-opts": {"max-file": "3", "max-size": "10m"}, "log-driver": "json-file"}', "20.10.24"),
        ('{"log-driver": "journald", "log-opts": {"anything": "x"}, "labels": ["a=b"]}', "28.5.2"),
        ('{"graph": "/x"}', "20.10.24"), ('{"bip6": "fd00::1/64"}', "28.5.2"), ('{"ip6tables": true}', "28.5.2"),
        ('{"ip6tables": true, "experimental": true}', "20.10.24"), ('{"debug": null, "dns": null}', "28.5.2"),
        ('{"proxies": {"http-proxy": "http://x"}}', "28.5.2"), ('{"anything": {"debug": true}}', "28.5.2"),
        ('{"deprecated-key-path": "/x", "allow-nondistributable-artifacts": []}', "28.5.2"),
        ('{"runtimes": {"nvidia": {"path": "nvidia-container-runtime", "runtimeArgs": []}}}', "28.5.2"),
        ('{"default-ulimits": {"nofile": {"Name": "nofile", "Hard": 64000, "Soft": 64000}}}', "28.5.2"),
        ('{"builder": {"gc": {"enabled": true, "defaultKeepStorage": "20GB"}}}', "28.5.2"),
        ('{"ipv6": true, "fixed-cidr-v6": "fd00::/64"}', "26.1.5"), ('{"storage-driver": "overlay"}', "20.10.24"),
        ('{"storage-driver": "overlayfs"}', "29.0.1"), ('{"default-runtime": "a", "runtimes": {"a": {}}}', "28.5.2"),
        ("{}", "28.5.2"), ('{"firewall-backend": "iptables"}', "29.0.1"),
    ],
)  # fmt: skip
def test_engines_that_will(tmp_path: Path, text: str, version: str) -> None:
    result = judged(tmp_path, text, version)
    assert result.status is Status.PASS, result.message


def test_without_a_version_only_what_none_of_them_takes_is_refused(tmp_path: Path) -> None:
    assert judged(tmp_path, '{"graph": "/x", "bip6": "fd00::1/64", "ip6tables": true}', "").status is Status.PASS
    assert judged(tmp_path, '{"zzz": 1}', "").status is Status.FAIL


def test_a_drop_in_that_clears_the_command_ends_the_conflict(tmp_path: Path) -> None:
    write(tmp_path, OVERRIDE, "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd\n")
    text = '{"hosts": ["unix:///var/run/docker.sock", "tcp://127.0.0.1:2375"], "containerd": "/x"}'
    assert judged(tmp_path, text).status is Status.PASS
    write(tmp_path, OVERRIDE, "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd -D --host fd://\n")
    again = judged(tmp_path, text)
    assert OVERRIDE in again.message


def test_a_setting_of_no_effect_is_remarked(tmp_path: Path) -> None:
    result = judged(tmp_path, '{"label": ["a=b"], "dns-opt": []}')
    assert (result.status, "labels" in result.message) == (Status.WARN, True)


def test_an_older_engine_looks_into_an_object_for_its_own_settings(tmp_path: Path) -> None:
    text = '{"default-network-opts": {"bridge": {"com.docker.network.driver.mtu": "1450"}}}'
    result = judged(tmp_path, text, "20.10.24")
    assert (result.status, "20.10.24 ignores" in result.message) == (Status.WARN, True)
    assert judged(tmp_path, text, "24.0.9").status is Status.PASS


@pytest.mark.skipif(not shutil.which("jq"), reason="the commands are jq's: install jq")
@pytest.mark.parametrize(
    ("text", "version", "left"),
    [
        ('{"log-opts": {"max-file": 3, "env": true}}', "28.5.2", {"log-opts": {"max-file": "3", "env": "true"}}),
        ('{"hosts": ["fd://"], "mtu": 1400}', "28.5.2", {"mtu": 1400}),
        ('{"registry-miror": ["https://x.example"]}', "28.5.2", {"registry-mirrors": ["https://x.example"]}),
        ('{"zzz": 1, "debug": "true"}', "28.5.2", {"debug": True}), ('{"graph": "/x"}', "28.5.2", {"data-root": "/x"}),
        ('{"dns": "1.1.1.1", "mtu": "1400"}', "28.5.2", {"dns": ["1.1.1.1"], "mtu": 1400}),
        ('{"log-opt": {"max-size": "10m"}}', "28.5.2", {"log-opts": {"max-size": "10m"}}),
        ('{"label": ["a=b"]}', "28.5.2", {"labels": ["a=b"]}),
    ],
)  # fmt: skip
def test_the_commands_end_the_finding(tmp_path: Path, text: str, version: str, left: dict[str, object]) -> None:
    before = judged(tmp_path, text, version)
    assert before.remedy
    file = tmp_path / "etc/docker/daemon.json"
    changes = [command for command in before.remedy.commands if command.startswith(("cp ", "jq "))]
    for command in changes:
        subprocess.run(["sh", "-euc", command.replace("/etc/docker/daemon.json", str(file))], check=True)
    assert json.loads(file.read_text()) == left
    assert judged(tmp_path, file.read_text(), version).status is Status.PASS
    assert before.remedy.commands[len(changes)].startswith("dockerd --validate")
    assert sorted(path.name for path in file.parent.iterdir()) == ["daemon.json", "daemon.json.before"]


def test_the_line_that_is_right_is_shown(tmp_path: Path) -> None:
    remedy = judged(tmp_path, '{"log-opts": {"max-file": 3}}').remedy
    assert remedy
    assert '"max-file": "3"' in remedy.text
