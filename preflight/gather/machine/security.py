"""Security modules of the running kernel, and its limits."""

from __future__ import annotations

import re

from preflight.facts import Fact, SecurityModules
from preflight.gather.access.roots import Roots, Unreadable
from preflight.text.sentences import phrase

_APPARMOR_PARSER = ("/sbin/apparmor_parser", "/usr/sbin/apparmor_parser", "/usr/bin/apparmor_parser")
_CONTAINER_SELINUX = (
    "/usr/share/selinux/packages/container.pp.bz2",
    "/var/lib/selinux/targeted/active/modules/200/container",
    "/etc/selinux/targeted/active/modules/200/container",
    "/usr/share/containers/selinux/contexts",
)
_SYSCTLS = {
    "fs.inotify.max_user_instances": "/proc/sys/fs/inotify/max_user_instances",
    "vm.overcommit_memory": "/proc/sys/vm/overcommit_memory",
}


def security(roots: Roots) -> Fact[SecurityModules]:
    """Return what SELinux and AppArmor are set to in the running kernel, and what of them the host has installed."""
    source = "/sys/fs/selinux/enforce"
    try:
        if not roots.exists("/sys/fs/selinux/enforce") and not roots.exists("/sys/kernel"):
            raise Unreadable("/sys", phrase("not found"))
        enforce = roots.text(source, 16).strip() if roots.exists(source) else None
        enabled = "/sys/module/apparmor/parameters/enabled"
        apparmor = roots.exists(enabled) and roots.text(enabled, 16).strip() == "Y"
        parser = any(roots.exists(path) for path in _APPARMOR_PARSER)
        policy = any(roots.exists(path) for path in _CONTAINER_SELINUX)
    except Unreadable as error:
        return roots.unknown(source, error)
    if enforce not in (None, "0", "1"):
        return roots.unknown(source, Unreadable(source, phrase("it contains neither 0 nor 1")))
    selinux = "disabled" if enforce is None else "enforcing" if enforce == "1" else "permissive"
    return Fact.of(source, SecurityModules(selinux, apparmor, parser, policy))


def sysctls(roots: Roots) -> Fact[dict[str, int]]:
    """Return those of the kernel's settings that limit a busy mailcow, as far as they can be read."""
    found: dict[str, int] = {}
    error: Unreadable | None = None
    for key, path in _SYSCTLS.items():
        try:
            value = roots.text(path, 64).strip()
        except Unreadable as caught:
            error = error or caught
            continue
        if re.fullmatch(r"[0-9]{1,18}", value):
            found[key] = int(value)
    if not found and error:
        return roots.unknown("/proc/sys", error)
    return Fact.of("/proc/sys", found)
