"""The host's sysctls that decide about packets, and those of a namespace made the same.

Those of single interfaces are read and, of IPv4, written by rtnetlink: thousands of files take long, and where
/proc/sys is read-only, this works. A new namespace inherits from the machine's first, not from the host's: each is
compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from preflight.twin import links
from preflight.twin.links import Link
from preflight.twin.wire import Refused, Wire

ROOT = "/proc/sys/net/"
# By the numbers that the kernel gives them: IPV4_DEVCONF_…, DEVCONF_… (linux/ip.h, linux/ipv6.h).
DEVICE4 = {
    "forwarding": 1, "proxy_arp": 3, "accept_redirects": 4, "secure_redirects": 5, "shared_media": 7, "rp_filter": 8,
    "accept_source_route": 9, "arp_filter": 13, "medium_id": 14, "disable_xfrm": 15, "disable_policy": 16,
    "arp_announce": 18, "arp_ignore": 19, "accept_local": 23, "src_valid_mark": 24, "proxy_arp_pvlan": 25,
    "route_localnet": 26, "ignore_routes_with_linkdown": 29, "drop_unicast_in_l2_multicast": 30, "bc_forwarding": 32,
}  # fmt: skip
DEVICE6 = {
    "forwarding": 0, "hop_limit": 1, "proxy_ndp": 22, "accept_source_route": 24, "disable_ipv6": 26,
    "ignore_routes_with_linkdown": 39, "drop_unicast_in_l2_multicast": 40,
}  # fmt: skip
# Setting ip_forward gives many of the others back their defaults: it is first.
FLAT = {
    4: (
        "ipv4/ip_forward", "ipv4/ip_nonlocal_bind", "ipv4/fwmark_reflect", "ipv4/tcp_fwmark_accept",
        "ipv4/tcp_l3mdev_accept", "ipv4/udp_l3mdev_accept", "ipv4/fib_multipath_hash_policy",
        "ipv4/fib_multipath_use_neigh", "ipv4/nexthop_compat_mode", "ipv4/ip_default_ttl",
    ),
    6: (
        "ipv6/ip_nonlocal_bind", "ipv6/bindv6only", "ipv6/fwmark_reflect", "ipv6/fib_multipath_hash_policy",
        "ipv6/conf/all/seg6_enabled",
    ),
    0: (
        "bridge/bridge-nf-call-iptables", "bridge/bridge-nf-call-ip6tables", "bridge/bridge-nf-call-arptables",
        "bridge/bridge-nf-filter-vlan-tagged", "bridge/bridge-nf-filter-pppoe-tagged",
        "bridge/bridge-nf-pass-vlan-input-dev", "netfilter/nf_conntrack_tcp_be_liberal",
        "netfilter/nf_conntrack_tcp_loose", "netfilter/nf_conntrack_tcp_ignore_invalid_rst",
        "netfilter/nf_conntrack_checksum", "netfilter/nf_conntrack_helper", "netfilter/nf_conntrack_acct",
    ),
}  # fmt: skip
GROUPS = ("all", "default")
# Nothing of the twin goes to the kernel's log, and nothing asks the network for anything.
QUIET = {
    "ipv4/conf/all/log_martians": "0",
    "ipv4/conf/default/log_martians": "0",
    **{
        f"ipv6/conf/{group}/{name}": value
        for group in GROUPS
        for name, value in {
            "accept_dad": "0", "dad_transmits": "0", "accept_ra": "0", "autoconf": "0", "router_solicitations": "0",
            "addr_gen_mode": "1",
        }.items()
    },
}  # fmt: skip
ASLEEP = "ipv6/conf/all/disable_ipv6"


class Sysctls(Struct, frozen=True):
    """What is no single interface's: values by path below /proc/sys/net, of those that the kernel has."""

    values: dict[str, str]

    def default(self, version: int, name: str) -> int | None:
        """Return what new interfaces get."""
        value = self.values.get(f"ipv{version}/conf/default/{name}", "")
        return int(value) if value.lstrip("-").isdigit() else None


def paths() -> Iterable[str]:
    """Yield all paths, in the order in which they can be written: some set others."""
    yield from FLAT[4]
    for version, names in ((4, DEVICE4), (6, DEVICE6)):
        for group in GROUPS:
            yield from (f"ipv{version}/conf/{group}/{name}" for name in names)
    yield from (*FLAT[6], *FLAT[0])


def read() -> Sysctls:
    """Read those of the namespace that is entered."""
    return Sysctls({path: value for path in paths() if (value := get(path)) is not None})


def get(path: str) -> str | None:
    """Return a value; None: the kernel has none such."""
    try:
        with open(ROOT + path, "rb", buffering=0) as file:
            return file.read(100).decode("ascii", "replace").strip()
    except OSError:
        return None


def put(path: str, value: str) -> bool:
    """Write a value where another one stands; say whether it stands there then. One that is not there is no failure."""
    if get(path) in (value, None):
        return True
    try:
        with open(ROOT + path, "wb", buffering=0) as file:
            file.write(value.encode("ascii") + b"\n")
    except OSError:
        return False
    return get(path) == value


def hush() -> None:
    """Let the namespace that is entered be silent, before it has interfaces: also without IPv6, until `wake`."""
    put(ASLEEP, "1")
    for path, value in QUIET.items():
        put(path, value)


def wake() -> None:
    """Switch IPv6 on in the namespace that is entered, once its interfaces are up."""
    put(ASLEEP, "0")


def relax(*more: str) -> None:
    """Let the namespace that is entered take every packet that is for it, and pass none on. `more`: switched on too."""
    put("ipv4/ip_forward", "0")
    for group in GROUPS:
        for name in ("rp_filter", "arp_ignore", "arp_announce", "arp_filter"):
            put(f"ipv4/conf/{group}/{name}", "0")
    for path in more:
        put(path, "1")


def write(wanted: Sysctls, *, awake: bool) -> None:
    """Write what is no single interface's into the namespace that is entered. `awake`: also whether IPv6 is off."""
    for path, value in wanted.values.items():
        if awake or not path.endswith("/disable_ipv6"):
            put(path, value)


def write_devices(wire: Wire, wanted: Mapping[int, Link]) -> None:
    """Let each of these interfaces have the values of one of the host's, where they differ (`wanted` by its index)."""
    for link in links.read(wire):
        host = wanted.get(link.index)
        if host is None:
            continue
        if differing := _differing(DEVICE4, host.conf4, link.conf4, 1):
            try:
                links.configure(wire, link.index, {DEVICE4[name]: value for name, value in differing.items()})
            except Refused:
                for name, value in differing.items():
                    put(f"ipv4/conf/{link.name}/{name}", str(value))
        for name, value in _differing(DEVICE6, host.conf6, link.conf6, 0).items():
            put(f"ipv6/conf/{link.name}/{name}", str(value))


def _differing(names: Mapping[str, int], wanted: tuple[int, ...], there: tuple[int, ...], first: int) -> dict[str, int]:
    # Older kernels count fewer.
    most = min(len(wanted), len(there))
    return {
        name: wanted[number - first]
        for name, number in names.items()
        if number - first < most and wanted[number - first] != there[number - first]
    }


def fresh(wanted: Sysctls, lo: Link | None) -> dict[int, tuple[int, ...]]:
    """Return what an interface has that is new on the host, by version: of `lo` how many the kernel counts."""
    found = {}
    for version, names, first in ((4, DEVICE4, 1), (6, DEVICE6, 0)):
        values = list((lo.conf4 if version == 4 else lo.conf6) if lo else ())
        for name, number in names.items():
            value = wanted.default(version, name)
            if value is not None and number - first < len(values):
                values[number - first] = value
        found[version] = tuple(values)
    return found


def awake(conf6: tuple[int, ...]) -> tuple[int, ...]:
    """Return sysctls of IPv6 of an interface, with IPv6 on."""
    place = DEVICE6["disable_ipv6"]
    return (*conf6[:place], 0, *conf6[place + 1 :]) if len(conf6) > place else conf6


def unwritten(wire: Wire, wanted: Sysctls, devices: Mapping[int, Link]) -> dict[int, list[str]]:
    """Return what differs in the namespace that is entered, by version; 0: whatever the version. Paths, as sysctl's."""
    told: dict[int, list[str]] = {4: [], 6: [], 0: []}
    expected = wanted.values | {path: value for path, value in QUIET.items() if path.startswith("ipv4/")}
    for path, value in expected.items():
        if get(path) not in (value, None):
            told[_version(path)].append("net." + path.replace("/", "."))
    for link in links.read(wire):
        if (host := devices.get(link.index)) is None:
            continue
        for version, names, one, other in ((4, DEVICE4, host.conf4, link.conf4), (6, DEVICE6, host.conf6, link.conf6)):
            found = _differing(names, one, other, int(version == 4))
            told[version] += [f"net.ipv{version}.conf.{link.title}.{name}" for name in found]
    return told


def _version(path: str) -> int:
    return 4 if path.startswith("ipv4/") else 6 if path.startswith("ipv6/") else 0
