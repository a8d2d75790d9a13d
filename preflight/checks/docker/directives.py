"""What each version of the engine takes in daemon.json: keys, kinds of values, and in which versions.

From the sources of the engine, the tags v20.10.24 to docker-v29.7.2, read 2026-11-28: the names of the flags, as
configValuesSet and findConfigurationConflicts compare them with the file, and the fields that the file is decoded into
(https://github.com/moby/moby/blob/docker-v29.7.2/daemon/config/config.go). Tried with the engines 20.10, 26.1 and 28.5.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

# A kind is one of the forms, a list of a kind, a dictionary of a kind, or a structure: field in lower case: kind.
_WHOLE, _SWITCH, _TEXT, _ANY = "integer", "boolean", "string", "any"
_TEXTS = [_TEXT]
_RULE = {
    "all": _SWITCH, "filter": _ANY, "keepstorage": _TEXT, "reservedspace": _TEXT, "maxusedspace": _TEXT,
    "minfreespace": _TEXT,
}  # fmt: skip
_BUILDER = {
    "gc": {
        "enabled": _SWITCH, "policy": [_RULE], "defaultkeepstorage": _TEXT, "defaultreservedspace": _TEXT,
        "defaultmaxusedspace": _TEXT, "defaultminfreespace": _TEXT,
    },
    "entitlements": {"network-host": _SWITCH, "security-insecure": _SWITCH, "device": _SWITCH},
}  # fmt: skip
_ULIMITS = {"*": {"name": _TEXT, "hard": _WHOLE, "soft": _WHOLE}}
_RUNTIMES = {"*": {"path": _TEXT, "runtimeargs": _TEXTS, "runtimetype": _TEXT, "options": {"*": _ANY}}}
_POOLS = [{"base": _TEXT, "size": _WHOLE}]

_NAMES: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (_SWITCH, (
        "cri-containerd", "debug", "experimental", "icc", "init", "ip-forward", "ip-masq", "ip6tables", "iptables",
        "ipv6", "live-restore", "no-new-privileges", "raw-logs", "rootless", "selinux-enabled", "tls", "tlsverify",
        "userland-proxy", "ip-forward-no-drop:28", "allow-direct-routing:28",
    )),
    (_WHOLE, (
        "cpu-rt-period", "cpu-rt-runtime", "max-concurrent-downloads", "max-concurrent-uploads",
        "max-download-attempts", "mtu", "network-control-plane-mtu", "network-diagnostic-port", "shutdown-timeout",
        "oom-score-adjust:0:26", "default-stop-timeout:29",
    )),
    (_TEXT, (
        "api-cors-header:0:29", "bip", "bridge", "cgroup-parent", "containerd", "containerd-namespace", "data-root",
        "default-cgroupns-mode", "default-gateway", "default-gateway-v6", "default-ipc-mode", "default-runtime",
        "exec-root", "fixed-cidr", "fixed-cidr-v6", "group", "host-gateway-ip", "init-path", "ip", "log-driver",
        "log-level", "metrics-addr", "pidfile", "seccomp-profile", "storage-driver", "swarm-default-advertise-addr",
        "tlscacert", "tlscert", "tlskey", "userland-proxy-path", "userns-remap", "default-shm-size",
        "deprecated-key-path", "cluster-advertise:0:24", "cluster-store:0:24", "graph:0:24", "log-format:25",
        "bip6:28", "firewall-backend:29", "bridge-accept-fwmark:29", "min-api-version:29",
    )),
    (_TEXTS, (
        "authorization-plugins", "dns", "dns-opts", "dns-search", "exec-opts", "hosts", "insecure-registries",
        "labels", "node-generic-resources", "registry-mirrors", "storage-opts", "allow-nondistributable-artifacts",
        "cdi-spec-dirs:25", "host-gateway-ips:28",
    )),
    ({"*": _TEXT}, ("log-opts", "cluster-store-opts:0:24")),
    ({"*": _SWITCH}, ("features",)),
    ({"*": {"*": _TEXT}}, ("default-network-opts:24",)),
    (_ULIMITS, ("default-ulimits",)),
    (_RUNTIMES, ("runtimes",)),
    (_POOLS, ("default-address-pools",)),
    (_BUILDER, ("builder",)),
    ({"http-proxy": _TEXT, "https-proxy": _TEXT, "no-proxy": _TEXT}, ("proxies:23",)),
    (_ANY, ("nri-opts:29",)),
)  # fmt: skip
# Names of flags that the engine accepts in the file and then takes no notice of: the setting has another name.
IDLE = {
    "host": "hosts", "label": "labels", "dns-opt": "dns-opts", "log-opt": "log-opts", "exec-opt": "exec-opts",
    "storage-opt": "storage-opts", "registry-mirror": "registry-mirrors", "insecure-registry": "insecure-registries",
    "default-ulimit": "default-ulimits", "add-runtime": "runtimes", "authorization-plugin": "authorization-plugins",
    "default-address-pool": "default-address-pools", "node-generic-resource": "node-generic-resources",
    "containerd-plugins-namespace": "", "http-proxy": "", "https-proxy": "",
    "no-proxy": "", "config-file": "", "restart": "", "help": "", "version": "", "validate": "",
    "cluster-store-opt": "cluster-store-opts", "default-network-opt": "default-network-opts", "feature": "features",
    "cdi-spec-dir": "cdi-spec-dirs",
}  # fmt: skip
# The setting's own name, or none, is older than these.
_IDLE_SINCE = {"feature": 27, "validate": 23, "http-proxy": 23, "https-proxy": 23, "no-proxy": 23}
# The first version that accepts the key and no longer looks at its value.
LOOSE = {"deprecated-key-path": 24, "allow-nondistributable-artifacts": 28}
# Objects that are one setting; of all others the engine takes the keys inside as if they stood outside.
FLAT = (
    "cluster-store-opts", "default-network-opts", "log-opts", "runtimes", "default-ulimits", "features", "builder",
    "nri-opts",
)  # fmt: skip
NEWEST = 29


class EngineKey(Struct, frozen=True):
    """A setting: what kind of value it takes, the first version that knows it (0 = all), the first that does not."""

    kind: Any
    since: int = 0
    until: int = 0

    def taken_by(self, major: int | None) -> bool:
        """Say whether a version takes it; None: whether one of them does."""
        return major is None or (self.since <= major and not 0 < self.until <= major)


def _table() -> dict[str, EngineKey]:
    rows = ((word.split(":"), kind) for kind, names in _NAMES for word in names)
    return {row[0]: EngineKey(kind, *map(int, row[1:])) for row, kind in rows}


ENGINE_KEYS = _table()


def misfit(kind: Any, path: tuple[str, ...], form: str) -> str:
    """Return the form that the engine wants at a path inside of a value of a kind; '' = this one is right.

    Where the kind does not go as deep as the path, an outer value is wrong already.
    """
    for step in path:
        if isinstance(kind, list):
            kind = kind[0]
        elif isinstance(kind, dict):
            kind = kind.get("*", kind.get(step.lower(), _ANY))
        else:
            return ""
    wanted = "list" if isinstance(kind, list) else "object" if isinstance(kind, dict) else kind
    if wanted == _ANY:
        return "number" if form == "huge" else ""
    return "" if form in (wanted, "null") else wanted


def is_idle(name: str, major: int | None) -> bool:
    """Say whether a version takes a key and then no notice of it."""
    if name not in IDLE:
        return False
    since, meant = _IDLE_SINCE.get(name, 0), ENGINE_KEYS.get(IDLE[name])
    return major is None or (since <= major and (meant is None or meant.taken_by(major)))


def is_flat(name: str, major: int | None) -> bool:
    """Say whether an object is one setting to a version, which does not look for others in it."""
    return name in FLAT and (major is None or ENGINE_KEYS[name].since <= major)


# The engine's own storage drivers, and the first version that no longer has them.
DRIVERS = {
    "overlay2": 0, "vfs": 0, "btrfs": 0, "zfs": 0, "fuse-overlayfs": 0, "overlay": 24, "aufs": 24, "devicemapper": 25,
}  # fmt: skip


def has_driver(name: str, major: int) -> bool:
    """Say whether a version has a storage driver; from 29 on containerd's own names count as well."""
    if name not in DRIVERS:
        return major >= 29 or ":" in name or "/" in name  # a plugin's
    return not 0 < DRIVERS[name] <= major
