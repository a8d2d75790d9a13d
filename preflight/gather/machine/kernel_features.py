"""What the running kernel can do: its configuration, its modules, the tables of legacy iptables."""

from __future__ import annotations

import re
from collections.abc import Callable

from preflight.facts import Fact, KernelFeatures
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.machine import kernel_config
from preflight.gather.machine.kernel import kernel
from preflight.text.sentences import phrase, say

_MODULES = ("/lib/modules", "/usr/lib/modules", "/run/booted-system/kernel-modules/lib/modules")
_CONFIG_LIMIT = 4 << 20


def kernel_features(roots: Roots) -> Fact[KernelFeatures]:
    """Return the options that containers, bridges, NAT and mailcow's netfilter need, and what modules there are."""
    running = kernel(roots)
    release = running.value if running.known and "/" not in (running.value or "/") else None
    if roots.root is None:
        return roots.unknown("/proc/config.gz", Unreadable("/proc/config.gz", phrase("out of reach")))
    if release is None and not roots.view.live:
        reason = say("The copy does not show which kernel was running.")
        return Fact.unknown("/proc/config.gz", reason, say("Copy /proc/sys/kernel/osrelease too."), cause="copy")
    config, source = _config(roots, release)
    folder = _modules_folder(roots, release)
    loaded = _names(roots, "/proc/modules", kernel_config.parse_modules)
    installed = builtin = None
    if folder:
        installed = _names(roots, f"{folder}/modules.dep", kernel_config.parse_files) or None
        builtin = _names(roots, f"{folder}/modules.builtin", kernel_config.parse_files)
        if config is None and installed:
            source = f"{folder}/modules.dep"
    found = kernel_config.features(
        config, source, directory=None if folder is None else bool(folder),
        loaded=loaded, builtin=builtin, installed=installed, tables=_tables(roots),
    )  # fmt: skip
    return Fact.of(source or "/proc/modules", found)


def _config(roots: Roots, release: str | None) -> tuple[dict[str, str] | None, str | None]:
    paths = ["/proc/config.gz"]
    if release:
        paths += [f"/boot/config-{release}", f"/lib/modules/{release}/config", f"/usr/lib/kernel/config-{release}"]
    for path in paths:
        try:
            data = roots.read(path, _CONFIG_LIMIT)
        except Unreadable:
            continue
        config = kernel_config.parse_config(_inflate(data).decode("utf-8", "replace"))
        if config:
            return config, path
    return None, None


def _inflate(data: bytes) -> bytes:
    """Undo gzip where it is that; b'' where it is damaged; never more than the limit."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    import zlib

    try:
        return zlib.decompressobj(31).decompress(data, _CONFIG_LIMIT)
    except zlib.error:
        return b""


def _modules_folder(roots: Roots, release: str | None) -> str | None:
    """Return where the running kernel's modules are installed; '' nowhere; None: cannot be told."""
    if release is None:
        return None
    try:
        tops = [top for top in _MODULES if roots.exists(top)]
        if not tops and not roots.view.live:
            return None  # the copy leaves modules out
        return next((f"{top}/{release}" for top in tops if roots.exists(f"{top}/{release}")), "")
    except Unreadable:
        return None


def _names(roots: Roots, path: str, parse: Callable[[str], frozenset[str]]) -> frozenset[str] | None:
    """Read a list of modules; None: it is not there, not readable, or longer than is read."""
    try:
        text = roots.text(path, _CONFIG_LIMIT)
    except Unreadable:
        return None
    return parse(text) if len(text) < _CONFIG_LIMIT else None


def _tables(roots: Roots) -> tuple[str, ...]:
    """Return the tables of legacy iptables that are in use, without loading any (`iptables -L` would)."""
    found = []
    for family in ("ip", "ip6"):
        text = roots.try_text(roots.process_file(f"net/{family}_tables_names"), 4096)
        found += [f"{family}:{table}" for table in text.split() if re.fullmatch(r"[a-z0-9_-]{1,32}", table)]
    return tuple(found)
