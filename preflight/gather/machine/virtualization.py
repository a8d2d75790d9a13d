"""What the host itself runs in: a container, a virtual machine, a storage box. Our own container is never meant."""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct

from preflight.facts import Fact, Virtualization
from preflight.gather.access.advice import Advice, more_rights
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.machine.mounts import parse_mountinfo
from preflight.text.sentences import phrase, say

_NAS = {
    "/etc/synoinfo.conf": "synology",
    "/etc.defaults/synoinfo.conf": "synology",
    "/etc/config/qpkg.conf": "qnap",
    "/etc/unraid-version": "unraid",
    "/etc/asustor_release": "asustor",
    "/etc/terramaster.conf": "terramaster",
}
# Built on Debian, which their os-release names: a release of the kernel or a program of their own tells them.
_KERNELS = {"truenas": "truenas", "-unraid": "unraid"}
_PROGRAMS = {"/usr/bin/midclt": "truenas"}
_SYSTEMS = {"zimaos": "zimaos", "haos": "haos", "hassos": "haos"}  # ID in os-release(5)
_TRUENAS = ("/etc/version", "/etc/os-release")  # other systems have an /etc/version of their own

# Files that container engines leave behind.
_LEFT = {"/.dockerenv": "docker", "/run/.containerenv": "podman", "/dev/lxd/sock": "lxc", "/dev/.lxc": "lxc"}

# What PID 1's control group says where the host is a container with the outer group's name in sight.
_CGROUP = re.compile(r"/(docker|lxc(?:\.payload)?|libpod|machine\.slice/libpod|kubepods)(?:[-./]|$)", re.MULTILINE)
_CGROUP_NAMES = {"docker": "docker", "lxc": "lxc", "lxc.payload": "lxc", "kubepods": "kubernetes"}

# Firmware tables: the first field that starts so names the machine. A vendor that also sells real machines needs
# the product's name.
_DMI = (
    ("KVM", "kvm"), ("OpenStack", "kvm"), ("KubeVirt", "kvm"), ("VMware", "vmware"), ("VMW", "vmware"),
    ("innotek GmbH", "oracle"), ("VirtualBox", "oracle"), ("Xen", "xen"), ("HVM domU", "xen"), ("Bochs", "bochs"),
    ("Parallels", "parallels"), ("BHYVE", "bhyve"), ("Apple Virtualization", "apple"), ("Virtual Machine", "microsoft"),
    ("Hyper-V", "microsoft"), ("Amazon EC2", "amazon"), ("Google Compute Engine", "google"), ("DigitalOcean", "kvm"),
    ("Droplet", "kvm"), ("vServer", "kvm"), ("QEMU", "qemu"), ("Standard PC", "qemu"),
)  # fmt: skip
_KTHREADD = "kthreadd"  # process 2 of the machine itself; OpenVZ has kthreadd/NUMBER
_DMI_FILES = ("product_name", "sys_vendor", "board_vendor", "bios_vendor")
_CLOCKS = (("kvm-clock", "kvm"), ("hyperv", "microsoft"), ("xen", "xen"))


class Signs(Struct, frozen=True):
    """What was read, before it is weighed. None: not there or not readable."""

    environ: str | None = None  # PID 1's `container=`, '' where its environment has none
    manager: str = ""  # /run/systemd/container
    systemd: bool = False  # /run/systemd/system: what PID 1 would have written there is trusted to be there
    kthreadd: str = ""  # the name of process 2
    vz: bool = False
    bc: bool = False
    beancounters: bool = False
    mounts: str = ""
    cgroup: str = ""
    files: tuple[str, ...] = ()  # of those that container engines leave behind
    osrelease: str = ""
    dmi: tuple[str, ...] = ()
    cpuinfo: str = ""
    clocks: str = ""
    hypervisor: str = ""  # /sys/hypervisor/type, the device tree's hypervisor, /proc/sysinfo
    nas: tuple[str, str] | None = None  # the file, the kind


def virtualization(roots: Roots) -> Fact[Virtualization]:
    """Return what the host runs in; unknown where nothing proves or refutes a container."""
    source = "/proc/1/environ"
    if roots.root is None:
        return roots.unknown(source, Unreadable(source, phrase("out of reach")))
    signs = fetch(roots)
    found = weigh(signs)
    if found is None:
        help = Advice(say("Copy /proc/1/environ and /proc/2/comm too."))
        if roots.view.live:
            help = more_rights(roots.view)
        reason = say("Could not determine whether the host is a container.")
        return Fact.unknown(source, reason, help.text, place=help.place)
    return Fact.of(source, found)


def fetch(roots: Roots) -> Signs:
    """Read all signs; what cannot be read is left out."""

    def text(path: str, limit: int = 1 << 16) -> str:
        try:
            return roots.text(path, limit).strip("\0\n ")
        except Unreadable:
            return ""

    def there(path: str) -> bool:
        try:
            return roots.exists(path)
        except Unreadable:
            return False

    environ = text("/proc/1/environ")
    hypervisor = text("/sys/hypervisor/type", 64) or text("/proc/device-tree/hypervisor/compatible", 64)
    return Signs(
        environ=_container_variable(environ) if environ else None,
        manager=text("/run/systemd/container", 64) or text("/run/host/container-manager", 64),
        systemd=there("/run/systemd/system"),
        kthreadd=text("/proc/2/comm", 64),
        vz=there("/proc/vz"),
        bc=there("/proc/bc"),
        beancounters=there("/proc/user_beancounters"),
        mounts=text("/proc/1/mountinfo", 1 << 20),
        cgroup=text("/proc/1/cgroup"),
        files=tuple(path for path in _LEFT if there(path)),
        osrelease=text("/proc/sys/kernel/osrelease", 256),
        dmi=tuple(text(f"/sys/class/dmi/id/{name}", 128) for name in _DMI_FILES),
        cpuinfo=text("/proc/cpuinfo", 1 << 14),
        clocks=text("/sys/devices/system/clocksource/clocksource0/available_clocksource", 256),
        hypervisor=hypervisor or _control_program(text("/proc/sysinfo")),
        nas=_nas(there, text),
    )


def _container_variable(environ: str) -> str:
    values = [entry.partition("=")[2] for entry in environ.split("\0") if entry.startswith("container=")]
    return values[0] if values else ""


def _control_program(sysinfo: str) -> str:
    """Read the hypervisor in s390's /proc/sysinfo."""
    match = re.search(r"^VM[0-9]{2} Control Program: *([^\n]{1,40})", sysinfo, re.MULTILINE)
    return match[1].strip() if match else ""


def _nas(there: Callable[[str], bool], text: Callable[[str], str]) -> tuple[str, str] | None:
    for path, kind in (_NAS | _PROGRAMS).items():
        if there(path):
            return path, kind
    release = text("/proc/sys/kernel/osrelease").lower()
    if kernel := next((kind for word, kind in _KERNELS.items() if word in release), None):
        return "/proc/sys/kernel/osrelease", kernel
    own = re.search(r'^ID="?([a-z0-9._-]{1,40})"?$', text("/etc/os-release"), re.MULTILINE)
    if own and own[1] in _SYSTEMS:
        return "/etc/os-release", _SYSTEMS[own[1]]
    for path in _TRUENAS:
        if "truenas" in text(path).lower():
            return path, "truenas"
    return None


def weigh(signs: Signs) -> Virtualization | None:
    """Weigh the signs; None: they neither prove nor refute that the host is a container. Never raises."""
    container, why = _container(signs)
    vm, how = _vm(signs)
    hints = [hint for hint in (why, how) if hint]
    if signs.nas:
        hints.append(f"{signs.nas[0]}: found")
    if container is None and signs.nas is None and not _refuted(signs):
        return None
    return Virtualization(container, vm, signs.nas[1] if signs.nas else None, tuple(hints))


def _refuted(signs: Signs) -> bool:
    """Say whether it is proven that there is no container: PID 1 says so, or kernel threads are in sight."""
    return signs.environ == "" or signs.kthreadd == _KTHREADD or (signs.systemd and not signs.manager)


def _container(signs: Signs) -> tuple[str | None, str]:
    """Name the container and what told it. Certain signs first; those that also lie on real machines last."""
    if (signs.vz or signs.beancounters) and not signs.bc:
        return "openvz", "/proc/vz: found, but no /proc/bc" if signs.vz else "/proc/user_beancounters: found"
    if name := _clean(signs.environ or ""):
        return name, f"/proc/1/environ: container={name}"
    if re.search(r"microsoft|wsl", signs.osrelease, re.IGNORECASE):
        return "wsl", f"/proc/sys/kernel/osrelease: {signs.osrelease}"
    if name := _clean(signs.manager):
        return name, f"/run/systemd/container: {name}"
    return _traces(signs)


def _traces(signs: Signs) -> tuple[str | None, str]:
    """Name the container by what its engine leaves in sight, where PID 1 and the kernel say nothing."""
    if "lxcfs" in signs.mounts:
        for mount in parse_mountinfo(signs.mounts):
            if mount.filesystem == "fuse.lxcfs" and mount.point.startswith(("/proc/", "/sys/")):
                return "lxc", f"/proc/1/mountinfo: lxcfs on {mount.point}"
    if match := _CGROUP.search(signs.cgroup):
        return _CGROUP_NAMES.get(match[1], "podman"), f"/proc/1/cgroup: {match[0]}"
    # Disks are made from images of containers, and virtual machines of LXD have its socket too: kernel threads decide.
    if signs.files and signs.kthreadd != _KTHREADD:
        return _LEFT[signs.files[0]], f"{signs.files[0]}: found"
    return None, ""


def _clean(name: str) -> str:
    """Return a container's name where it looks like one."""
    return name.lower() if re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]{0,31}", name) else "other" if name else ""


def _vm(signs: Signs) -> tuple[str | None, str]:
    """Name the virtual machine and what told it; (None, '') where none is seen."""
    shown = re.search(r"^flags\s*:.*\bhypervisor\b", signs.cpuinfo, re.MULTILINE) is not None
    if signs.dmi and signs.dmi[0].endswith(".metal"):
        return None, ""
    for value in signs.dmi:
        for start, name in _DMI:
            if value.startswith(start):
                better = "kvm" if name == "qemu" and "kvm-clock" in signs.clocks else name
                return better, f"/sys/class/dmi/id: {value}"
    if signs.hypervisor:
        kind = signs.hypervisor.lower()
        names = (("kvm", "kvm"), ("xen", "xen"), ("z/vm", "zvm"), ("vmware", "vmware"))
        found = next((name for word, name in names if word in kind), "vm-other")
        return found, f"hypervisor: {signs.hypervisor}"
    if "User Mode Linux" in signs.cpuinfo:
        return "uml", "/proc/cpuinfo: User Mode Linux"
    if not shown:
        return None, ""
    name = next((name for clock, name in _CLOCKS if clock in signs.clocks), "vm-other")
    return name, "/proc/cpuinfo: hypervisor"
