"""Which modules of the kernel are there now: a question to one that is not would load it."""

from __future__ import annotations

from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.machine import kernel_config
from preflight.gather.machine.kernel import kernel

LIST_BYTES = 4 << 20  # of a list of modules, or of the kernel's configuration
FOLDERS = ("/lib/modules", "/usr/lib/modules", "/run/booted-system/kernel-modules/lib/modules")


def there(roots: Roots) -> frozenset[str] | None:
    """Return the names of those that are loaded or built in; None: the kernel has no modules, all that it can is there.

    Raise `PermissionError` where the list cannot be read.
    """
    try:
        loaded = kernel_config.parse_modules(roots.text("/proc/modules", LIST_BYTES))
    except Unreadable as error:
        if error.absent:
            return None
        raise PermissionError("/proc/modules") from None
    return loaded | _builtin(roots)


def _builtin(roots: Roots) -> frozenset[str]:
    release = kernel(roots).value or ""
    for folder in FOLDERS:
        text = roots.try_text(f"{folder}/{release}/modules.builtin", LIST_BYTES)
        if text:
            return kernel_config.parse_files(text)
    config = kernel_config.parse_config(roots.try_text(f"/boot/config-{release}", LIST_BYTES)) or {}
    return frozenset(
        module for name, modules in kernel_config.MODULES.items() if config.get(name) == "y" for module in modules
    )
