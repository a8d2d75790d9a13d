"""What a kernel can do: its configuration, or the modules that are built in, loaded or installed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from preflight.facts import KernelFeatures

# What cannot be a module.
PLAIN = (
    "MODULES", "NAMESPACES", "NET_NS", "PID_NS", "IPC_NS", "UTS_NS", "CGROUPS", "CGROUP_DEVICE", "CGROUP_BPF",
    "CGROUP_PIDS", "MEMCG", "POSIX_MQUEUE",
)  # fmt: skip

# What can be one, and the module's name (kernels since 5.2 have the second option's code in the first one's module).
MODULES = {
    "VETH": ("veth",),
    "BRIDGE": ("bridge",),
    "BRIDGE_NETFILTER": ("br_netfilter",),
    "OVERLAY_FS": ("overlay",),
    "NF_CONNTRACK": ("nf_conntrack",),
    "NF_NAT": ("nf_nat",),
    "NETFILTER_XT_TARGET_MASQUERADE": ("xt_MASQUERADE",),
    "IP_NF_TARGET_MASQUERADE": ("xt_MASQUERADE", "ipt_MASQUERADE"),
    "NETFILTER_XT_MATCH_ADDRTYPE": ("xt_addrtype",),
    "NETFILTER_XT_MATCH_CONNTRACK": ("xt_conntrack",),
    "IP_NF_FILTER": ("iptable_filter",),
    "IP_NF_NAT": ("iptable_nat",),
    "IP_NF_RAW": ("iptable_raw",),
    "IP6_NF_FILTER": ("ip6table_filter",),
    "NF_TABLES": ("nf_tables",),
    "NFT_COMPAT": ("nft_compat",),
}

_OPTION = re.compile(r"^CONFIG_([A-Z0-9_]+)=([ym])$", re.MULTILINE)
_FILE = re.compile(r"([A-Za-z0-9_-]+)\.ko(?:\.(?:gz|xz|zst))?(?=:|$)", re.MULTILINE)


def parse_config(text: str) -> dict[str, str] | None:
    """Read the options that matter: y, m, or n where they are not set; None: this is no kernel configuration."""
    found = dict(_OPTION.findall(text))
    if not found:
        return None
    return {name: found.get(name, "n") for name in (*PLAIN, *MODULES)}


def parse_modules(text: str) -> frozenset[str]:
    """Read the names in /proc/modules."""
    return frozenset(line.split(" ", 1)[0] for line in text.split("\n") if line.strip())


def parse_files(text: str) -> frozenset[str]:
    """Read the names of the modules that modules.dep or modules.builtin list (before a colon, or alone)."""
    return frozenset(name.replace("-", "_") for name in _FILE.findall(text))


def features(
    config: dict[str, str] | None,
    source: str | None,
    *,
    directory: bool | None,
    loaded: frozenset[str] | None,
    builtin: frozenset[str] | None,
    installed: frozenset[str] | None,
    tables: tuple[str, ...] = (),
) -> KernelFeatures:
    """Put together what was read; None: that file could not be read."""
    here = (loaded or frozenset()) | (builtin or frozenset())
    if config is None:
        options = dict(_by_modules(loaded, builtin, installed))
        if loaded is not None:
            options["MODULES"] = "y"
    else:
        options = config
    absent = tuple(
        name
        for name, modules in MODULES.items()
        if options.get(name) == "m" and not here.intersection(modules)
        and (directory is False or (installed is not None and not installed.intersection(modules)))
    )  # fmt: skip
    return KernelFeatures(
        options=options,
        options_source=source,
        modules_directory=directory,
        loaded=tuple(sorted({module for modules in MODULES.values() for module in modules if module in here})),
        tables=tables,
        absent=absent,
    )


def _by_modules(
    loaded: frozenset[str] | None, builtin: frozenset[str] | None, installed: frozenset[str] | None
) -> Iterable[tuple[str, str]]:
    """Yield the options that modules alone prove, for want of a configuration."""
    for name, modules in MODULES.items():
        if builtin and builtin.intersection(modules):
            yield name, "y"
        elif any(known and known.intersection(modules) for known in (loaded, installed)):
            yield name, "m"
        elif builtin and installed:
            yield name, "n"
