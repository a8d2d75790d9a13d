"""What mailcow's containers need of a kernel, and whether its options and modules give it. Pure, no check itself."""

from __future__ import annotations

from msgspec import Struct

from preflight.facts import KernelFeatures
from preflight.text.sentences import noted

_IPTABLES_NFT = ("NF_TABLES", "NFT_COMPAT")


class Need(Struct, frozen=True):
    """Something needed, and the sets of options that give it, any one of them. `lesser`: mailcow runs without."""

    title: str
    ways: tuple[tuple[str, ...], ...]
    lesser: bool = False


NEEDS = (
    Need(noted("namespaces"), (("NAMESPACES", "NET_NS", "PID_NS", "IPC_NS", "UTS_NS"),)),
    Need(noted("control groups"), (("CGROUPS",),)),
    Need(noted("device control"), (("CGROUP_DEVICE",), ("CGROUP_BPF",))),
    Need(noted("POSIX message queues"), (("POSIX_MQUEUE",),)),
    Need(noted("virtual network interfaces (veth)"), (("VETH",),)),
    Need(noted("bridges"), (("BRIDGE",),)),
    Need(noted("connection tracking and NAT"), (("NF_CONNTRACK", "NF_NAT"),)),
    Need(
        noted("iptables with filter and nat tables, or nftables"),
        (("IP_NF_FILTER", "IP_NF_NAT"), _IPTABLES_NFT),
    ),
    Need(noted("masquerading"), (("NETFILTER_XT_TARGET_MASQUERADE",), ("IP_NF_TARGET_MASQUERADE",))),
    Need(noted("the addrtype match of iptables"), (("NETFILTER_XT_MATCH_ADDRTYPE",),)),
    Need(noted("the conntrack match of iptables"), (("NETFILTER_XT_MATCH_CONNTRACK",),)),
    Need(noted("filtering on bridges (br_netfilter)"), (("BRIDGE_NETFILTER",),), lesser=True),
    Need(noted("the overlay file system"), (("OVERLAY_FS",),), lesser=True),
    Need(noted("memory limits"), (("MEMCG",),), lesser=True),
    Need(noted("limits on the number of processes"), (("CGROUP_PIDS",),), lesser=True),
    Need(
        noted("the raw table of iptables, which Docker 28 and later use"),
        (("IP_NF_RAW",), _IPTABLES_NFT), lesser=True,
    ),
    Need(noted("ip6tables"), (("IP6_NF_FILTER",), _IPTABLES_NFT), lesser=True),
)  # fmt: skip


def is_met(need: Need, features: KernelFeatures) -> bool | None:
    """Say whether the kernel gives what is needed; None: cannot be told."""
    ways = [_all(way, features) for way in need.ways]
    if True in ways:
        return True
    return None if None in ways else False


def _all(options: tuple[str, ...], features: KernelFeatures) -> bool | None:
    states = [_usable(option, features) for option in options]
    if False in states:
        return False
    return None if None in states else True


def _usable(option: str, features: KernelFeatures) -> bool | None:
    state = features.options.get(option)
    if state is None:
        return None
    return state == "y" or (state == "m" and option not in features.absent)


class Sorted(Struct, frozen=True):
    """The needs that are not met, by weight, and those of which it cannot be told.

    `gone`: the running kernel's modules are no longer installed, and some were needed or may be.
    """

    grave: tuple[str, ...]
    lesser: tuple[str, ...]
    unknown: tuple[str, ...]
    gone: bool


def sort(features: KernelFeatures) -> Sorted:
    """Sort what is needed by whether the kernel gives it."""
    states = [(need, is_met(need, features)) for need in NEEDS]
    modular = features.options.get("MODULES") == "y" and (
        "m" in features.options.values() or any(state is None for _, state in states)
    )
    return Sorted(
        grave=tuple(need.title for need, state in states if state is False and not need.lesser),
        lesser=tuple(need.title for need, state in states if state is False and need.lesser),
        unknown=tuple(need.title for need, state in states if state is None),
        gone=features.modules_directory is False and modular,
    )
