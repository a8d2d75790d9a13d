"""The flags of the engine's next start: units, drop-ins, variables, scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from preflight.facts import GivenFlag
from preflight.gather.engine.daemon_flags import flags, given
from tests.gather.dockerd import OVERRIDE, UNIT, USUAL
from tests.gather.trees import copy, write


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("-H", "fd://", "--containerd=/run/c.sock"), ["hosts", "containerd"]), (("-Hfd://", "-D"), ["hosts", "debug"]),
        (("--debug", "--mtu", "1400", "--label", "a=b", "--label=c=d"), ["debug", "mtu", "labels"]),
        (("-g", "/x", "--add-runtime", "a=b", "x", "--", "--mtu=1"), ["data-root", "runtimes"]), ((), []),
        (("-", "--iptables=false", "--log-opt"), ["iptables", "log-opts"]),
    ],
)  # fmt: skip
def test_names(words: tuple[str, ...], names: list[str]) -> None:
    assert [flag.name for flag in flags(words, "/x")] == names
    assert flags(("-H", "fd://"), "/x") == (GivenFlag("hosts", "/x"),)


@pytest.mark.parametrize(
    ("texts", "words", "source"),
    [
        ({UNIT: USUAL}, ("-H", "fd://", "--containerd=/run/c.sock"), UNIT),
        ({UNIT: USUAL, OVERRIDE: "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd\n"}, (), OVERRIDE),
        ({UNIT: USUAL, OVERRIDE: "[Service]\nEnvironment=A=b\n"}, ("-H", "fd://", "--containerd=/run/c.sock"), UNIT),
        ({UNIT: USUAL, f"/etc/systemd/system/{'docker.service'}": "[Service]\nExecStart=-/usr/bin/dockerd -D\n"},
         ("-D",), "/etc/systemd/system/docker.service"),
        ({UNIT: "[Service]\nEnvironmentFile=-/etc/sysconfig/docker\nExecStart=/usr/bin/dockerd $OPTIONS \\\n"
          " -D ${ONE}\n",
          "/etc/sysconfig/docker": "# x\nOPTIONS=\"-H fd:// --mtu 1400\"\nONE='a b'\n"},
         ("-H", "fd://", "--mtu", "1400", "-D", "a b"), UNIT),
        ({UNIT: "[Service]\nEnvironment=\"OPTS=-H fd://\" B=c\nExecStart=/bin/sh -c 'exec dockerd $OPTS'\n"},
         ("-H", "fd://"), UNIT),
        ({UNIT: USUAL, "/run/systemd/system/docker.service.d/override.conf": "[Service]\nExecStart=\n",
          OVERRIDE: "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd --mtu=9\n"}, ("--mtu=9",), OVERRIDE),
        ({UNIT: "[Service]\nExecStart=/usr/bin/podman\n"}, (), ""), ({}, (), ""),
        ({"/etc/init.d/docker": "", "/etc/conf.d/docker": '# DOCKER_OPTS="-D"\nDOCKER_OPTS="-H tcp://x --mtu=9"\n'},
         ("-H", "tcp://x", "--mtu=9"), "/etc/conf.d/docker"),
        ({"/etc/init.d/docker": "", "/etc/default/docker": "export DOCKER_OPTS='--dns 8.8.8.8'\n"},
         ("--dns", "8.8.8.8"), "/etc/default/docker"),
    ],
)  # fmt: skip
def test_what_gives_the_arguments(tmp_path: Path, texts: dict[str, str], words: tuple[str, ...], source: str) -> None:
    for path, text in texts.items():
        write(tmp_path, path, text)
    assert given(copy(tmp_path)) == (words, source)


def test_a_masked_unit_gives_none(tmp_path: Path) -> None:
    write(tmp_path, UNIT, USUAL)
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (tmp_path / "etc/systemd/system/docker.service").symlink_to("/dev/null")
    assert given(copy(tmp_path)) == ((), "")
