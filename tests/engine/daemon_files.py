"""Many daemon.json files: some right, most wrong in one way; and what a real dockerd says to each of them."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

from preflight.checks import Look
from preflight.checks.docker.directives import ENGINE_KEYS, IDLE
from preflight.checks.docker.next_start import refused
from preflight.facts import DaemonConfig, EngineStart
from preflight.gather.engine import daemon_json
from preflight.gather.engine.daemon_flags import flags
from preflight.gather.engine.settings import parse_daemon_json
from tests.build import look
from tests.lab import kinds

SECONDS = 3.0
VERSIONS = {"debian12": "20.10", "debian13": "26.1", "sid": "28.5"}
# A value for each setting that every engine which knows it takes; `None`: it is not tried with a right value.
RIGHT: dict[str, Any] = {
    "bip": "10.9.0.1/24", "bridge": "none", "cgroup-parent": "", "containerd": "/run/x.sock",
    "containerd-namespace": "x", "default-cgroupns-mode": "host", "default-gateway": "10.9.0.1",
    "default-gateway-v6": "fd00::1", "default-ipc-mode": "private", "default-runtime": "runc",
    "fixed-cidr": "10.9.0.0/25",
    "fixed-cidr-v6": "fd00::/64", "host-gateway-ip": "10.0.0.1", "ip": "127.0.0.1", "log-driver": "journald",
    "log-level": "warn", "log-format": "json", "firewall-backend": "iptables", "default-shm-size": "64M",
    "bip6": "fd00::1/64", "api-cors-header": None, "graph": None, "cluster-store": None, "cluster-advertise": None,
    "userland-proxy-path": None, "min-api-version": None, "bridge-accept-fwmark": "1",
    "dns": ["1.1.1.1"], "dns-opts": ["ndots:1"], "dns-search": ["example.org"],
    "exec-opts": ["native.cgroupdriver=cgroupfs"],
    "hosts": ["unix:///tmp/x.sock"], "labels": ["a=b"], "registry-mirrors": ["https://m.example.org"],
    "node-generic-resources": ["gpu=1"], "host-gateway-ips": ["10.0.0.1"],
    "default-address-pools": [{"base": "10.0.0.0/8", "size": 24}],
    "default-ulimits": {"nofile": {"Name": "nofile", "Hard": 9}},
    "runtimes": {"other": {"path": "/bin/true", "runtimeArgs": []}}, "builder": {"gc": {"enabled": True}},
    "proxies": {"http-proxy": "http://p.example.org"}, "default-network-opts": {"bridge": {"a": "b"}},
    "log-opts": {"max-size": "1m"}, "features": {"buildkit": True}, "cluster-store-opts": None, "nri-opts": None,
    "deprecated-key-path": "/x", "userns-remap": "", "rootless": False, "tls": None, "tlsverify": None,
    "ip6tables": False,
}  # fmt: skip
STRANGERS = (
    "zzz",
    "registry-miror",
    "log_driver",
    "Debug",
    "swarm-raft-election-tick",
    "",
)
WRONG: tuple[Any, ...] = (
    7,
    "7",
    7.5,
    True,
    [],
    [7],
    ["x", None],
    {},
    {"x": 7},
    {"x": "y"},
    {"debug": True},
    None,
    "",
    1 << 70,
    -1,
)
# Whether the engine takes these depends on files of the host, or is asked later in its start.
_HOSTS = ("tls", "tlsverify", "userland-proxy-path", "registry-mirrors")
NAMES = [name for name in (*ENGINE_KEYS, *IDLE, *STRANGERS) if name not in _HOSTS]
BROKEN = (
    '{"debug": true,}', "[]", '{"debug" true}', "{'debug': true}", "// x\n{}", '{"mtu": 01}',
    '{"mtu": NaN}', '{"a": {"debug": true}, "debug": true}', '{"mtu": "x", "mtu": 5}', '{"mtu": 5, "mtu": "x"}',
)  # fmt: skip
VALUES: dict[str, tuple[Any, ...]] = {
    "log-level": ("verbose", "DEBUG", "warning"), "dns": (["one"], ["::1"], ["fe80::1%eth0"]),
    "labels": (["a"], ["com.docker.x=y"], ["a=b", "a=c"]), "hosts": (["127.0.0.1:7"], [""]),
    "dns-search": (["a b"], ["."], ["-x"], ["1"]), "mtu": (-5, 0), "max-concurrent-downloads": (-1, 0),
    "max-download-attempts": (-1,),
    "exec-opts": (["x=y"],),
     "default-ipc-mode": ("x", "host"),
    "default-cgroupns-mode": ("x",),

    "default-shm-size": ("x", "64 MB", "1.5g", None),
    "default-address-pools": ([{"Base": "10.0.0.0/8", "SIZE": "24"}],),
    "ip": ("x", ""), "fixed-cidr-v6": ("x", "10.0.0.0/8", "fd00::1"), "userland-proxy-path": ("docker-proxy",),
    "builder": ({"GC": {"Policy": [{"keepStorage": "1G", "filter": ["a=b"]}]}}, {"gc": {"policy": [{"all": "x"}]}}),
    "default-ulimits": ({"nofile": {"Hard": "9"}}, {"nofile": 9}, {"nofile": None}),
    "runtimes": ({"x": {"path": 7}}, {"x": {"runtimeArgs": "x"}}, {"x": "y"}), "features": ({"x": 1}, {"x": None}),
    "log-opts": ({"max-file": 3}, {"max-file": None}, {"x": {}}), "proxies": ({"http-proxy": 7}, {"x": "y"}),
    "default-network-opts": ({"bridge": {"a": 1}}, {"bridge": "x"}, {"bridge": None}), "log-format": ("xml",),
    "host-gateway-ips": (["x"],), "network-diagnostic-port": (70000, -1), "storage-opts": ({"debug": True},),
}  # fmt: skip
FLAGS = (("-D",), ("--mtu=1400",), ("--label", "x=y"), ("--log-opt", "max-size=1m"), ("--add-runtime", "o=/bin/true"),
         ("--host-gateway-ip", "10.0.0.1"),
         ("--dns=1.1.1.1",), ("--iptables=true",), ("-H", "unix:///tmp/x.sock"))  # fmt: skip


def files(count: int, seed: int = 7) -> list[tuple[str, tuple[str, ...]]]:
    """Make texts of daemon.json with flags beside them: the broken ones first, then by the dice."""
    dice = random.Random(seed)
    made = [(text, ()) for text in BROKEN]
    made += [(json.dumps({key: value}), ()) for key, values in VALUES.items() for value in values]
    made += [(json.dumps({key: value}), ()) for key, value in RIGHT.items() if value is not None]
    made += [(json.dumps({key: 1}), ()) for key in (*IDLE, *STRANGERS)]
    while len(made) < count:
        names = dice.sample(NAMES, dice.choice((1, 1, 2, 3)))
        document = {name: dice.choice(WRONG) for name in names}
        given = dice.choice(FLAGS) if dice.random() < 0.3 else ()
        if given and dice.random() < 0.5:
            name = flags(given, "")[0].name
            document = {name: RIGHT.get(name, True)}
        made.append((json.dumps(document, indent=dice.choice((None, 1))), given))
    dice.shuffle(made)
    return made[:count]


OWN = ("--config-file", "x", "--validate", "--pidfile=x", "--data-root=x", "--exec-root=x")


def ours(text: str, given: tuple[str, ...], version: str) -> str:
    """Return why the engine will not start with a file, as the report says; '' = it will."""
    settings, error = parse_daemon_json(text.encode())
    if error:
        return error
    start = EngineStart(version=version, directives=daemon_json.directives(text), flags=flags((*given, *OWN), ""))
    config = DaemonConfig("/etc/docker/daemon.json", True, settings)
    made: Look = look(engine_start=start, daemon_config=config)
    return " ".join(refused(made))


def root_of(kind: str) -> Path | None:
    """Return the root of a kind of the lab's hosts, made where there is none; None: it cannot be made here."""
    try:
        return kinds.root_of(kinds.KINDS[kind])
    except (OSError, subprocess.CalledProcessError):
        return None


# In the engine's own root, with its own libraries: a mount namespace keeps it as it was.
_ENTER = """
set -e
root=$1 folder=$2
shift 2
mount -t proc proc "$root/proc"
for place in dev sys; do mount --rbind "/$place" "$root/$place"; done
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/run"
mount --bind "$folder" "$root/mnt"
exec chroot "$root" dockerd "$@"
"""


def dockerd(root: Path, folder: Path) -> list[str]:
    """Return the command of a root's dockerd, which sees a folder of ours as /mnt."""
    return ["unshare", "-m", "sh", "-c", _ENTER, "sh", str(root), str(folder)]


def validated(command: list[str], given: tuple[str, ...]) -> str:
    """Return what `dockerd --validate` says to the folder's daemon.json; '' = it takes it."""
    words = [*command, *given, *OWN[2:], "--config-file", "/mnt/daemon.json"]
    told = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
    return "" if told.returncode == 0 else told.stderr.strip().split("\n")[-1] or "refused"


def started(command: list[str], given: tuple[str, ...], until: str = "Starting up") -> str:
    """Return why a daemon does not get past its settings; '' = it said `until`, or ran for some seconds, and was ended.

    As all that is asked are its settings, it is told to make no network.
    """
    own = ["--data-root", "/mnt/data", "--exec-root", "/mnt/exec", "--pidfile", "/mnt/pid"]
    with subprocess.Popen(
        [*command, *own, *given, "--config-file", "/mnt/daemon.json"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as daemon:
        assert daemon.stderr is not None
        alarm = threading.Timer(SECONDS, daemon.kill)
        alarm.start()
        said, late = [""], False
        try:
            for line in daemon.stderr:
                said.append(line.strip())
                if until in line:
                    return ""
            late = daemon.wait() == -signal.SIGKILL
        finally:
            alarm.cancel()
            daemon.kill()
    return "" if late else said[-1] or "refused"
