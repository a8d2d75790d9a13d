"""Where containerd keeps images, and whether the engine's own store has some: what decides who will keep mailcow's."""

from __future__ import annotations

from preflight.gather.access.roots import Roots, Unreadable

_DRIVERS = ("overlay2", "fuse-overlayfs", "btrfs", "zfs")  # vfs is passed over by the engine as well
PATH = "/etc/containerd/config.toml"


def root_told(roots: Roots) -> str:
    """Return `root` of containerd's own settings; '' where it is not set, or the file cannot be read."""
    text = roots.try_text(PATH, 1 << 16)
    if "root" not in text:
        return ""
    import tomllib

    try:
        told = tomllib.loads(text).get("root")
    except (tomllib.TOMLDecodeError, RecursionError):
        return ""
    return told[:1000] if isinstance(told, str) else ""


def has_driver_images(roots: Roots, data_root: str) -> bool:
    """Say whether a storage driver of the engine's has its folder in a data-root: the engine goes on with that one."""
    for driver in _DRIVERS:
        try:
            if roots.entries(f"{data_root}/{driver}", 10):
                return True
        except Unreadable:
            continue
    return False
