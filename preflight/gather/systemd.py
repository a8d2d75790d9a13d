"""Units of the host's systemd, from its own files: no D-Bus, no systemctl, nothing is started."""

from __future__ import annotations

import re
from posixpath import basename, dirname, join, normpath

from preflight.gather.roots import Roots, Unreadable
from preflight.gather.scripts import Unit, started_at_boot
from preflight.gather.socket_units import listen_streams

# In the order of precedence, systemd.unit(5): the first directory that has a file of the name counts.
PATH = (
    "/etc/systemd/system.control", "/run/systemd/system.control", "/run/systemd/transient",
    "/run/systemd/generator.early", "/etc/systemd/system", "/etc/systemd/system.attached", "/run/systemd/system",
    "/run/systemd/system.attached", "/run/systemd/generator", "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system", "/lib/systemd/system", "/run/systemd/generator.late",
)  # fmt: skip
# A link of another name here is an Alias= that an administrator enabled; elsewhere it came with the package.
_CONFIG = ("/etc/systemd/system", "/run/systemd/system")
_WANTS = (".wants", ".requires", ".upholds")
_FROM_SCRIPTS = "/run/systemd/generator.late"
_HOPS = 8
_STATE = "/run/systemd/units"
_CGROUPS = ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified")


class Systemd:
    """The units that there are, and which of them start at boot. Names are with their suffix."""

    def __init__(self, roots: Roots) -> None:
        """Read the directories; raise `Unreadable`."""
        self._roots = roots
        self._files: dict[str, str] = {}
        self._wanted: set[str] = set()
        folders = {roots.locate(folder): folder for folder in reversed(PATH)}  # /lib is a link to usr/lib
        for folder in reversed(folders.values()):
            for name in roots.entries(folder):
                self._files.setdefault(name, folder)
                if name.endswith(_WANTS):
                    self._want(f"{folder}/{name}")
                elif folder in _CONFIG and name.endswith((".service", ".socket")):
                    self._enable(f"{folder}/{name}")
        self._scripts = frozenset(roots.entries("/etc/init.d"))
        self._started = started_at_boot(roots)
        self._running = roots.view.live and roots.exists("/run/systemd/system")
        self._invoked = self._invocations() if self._running else None

    def unit(self, name: str) -> Unit | None:
        """Return the unit that a name stands for (itself, or what it is an alias of); None: there is none."""
        real = self._resolve(name)
        if real is None:
            return None
        return Unit(
            name=real,
            enabled=self._enabled(real),
            active=self._active(real),
            source=self._path(real),
            script=self._generated(real),
            masked=self._masked(real),
            sockets=self._sockets(real) if real.endswith(".service") else {},
            instances=self._instances(real),
        )

    def _want(self, folder: str) -> None:
        for name in self._roots.entries(folder):
            self._wanted.add(name)
            self._enable(f"{folder}/{name}")

    def _enable(self, link: str) -> None:
        """Count a link that leads to a unit of another name for that unit."""
        target = self._roots.link(link)
        if target is not None and basename(target) != basename(link):
            self._wanted.add(basename(target))

    def _invocations(self) -> frozenset[str] | None:
        """Return the units that are active; None: a systemd that is too old (before 232) to say."""
        if not self._roots.exists(_STATE):
            return None
        prefix = "invocation:"
        return frozenset(n.removeprefix(prefix) for n in self._roots.entries(_STATE) if n.startswith(prefix))

    def _resolve(self, name: str) -> str | None:
        for _ in range(_HOPS):
            if name not in self._files:
                return name if self._script(name) else None
            path = f"{self._files[name]}/{name}"
            target = self._roots.link(path)
            if target is None or _nothing(path, target):
                return name
            if basename(target) in ("", name):
                return name if self._roots.exists(path) else None
            name = basename(target)
        return None

    def _script(self, name: str) -> bool:
        return name.endswith(".service") and name.removesuffix(".service") in self._scripts

    def _generated(self, unit: str) -> bool:
        """Say whether systemd makes the unit of a script in /etc/init.d, for want of a file."""
        return self._files.get(unit, _FROM_SCRIPTS) == _FROM_SCRIPTS and self._script(unit)

    def _path(self, unit: str) -> str:
        if self._generated(unit):
            return f"/etc/init.d/{unit.removesuffix('.service')}"
        return f"{self._files[unit]}/{unit}"

    def _masked(self, unit: str) -> bool:
        """Say whether the unit is a link to /dev/null, or an empty file."""
        path = self._path(unit)
        target = self._roots.link(path)
        if target is not None:
            return _nothing(path, target)
        found = self._roots.lstat(path)
        return found is not None and found.st_size == 0

    def _enabled(self, unit: str) -> bool:
        """Say whether the unit starts at boot: a .wants, .requires or alias link names it, or an rc?.d link."""
        if self._masked(unit):
            return False
        return unit in self._wanted or (self._generated(unit) and unit.removesuffix(".service") in self._started)

    def _active(self, unit: str) -> bool | None:
        """Say whether the unit, or an instance of it, is active; None: systemd does not run here."""
        if not self._running:
            return None
        if self._invoked is None:
            return any(self._populated(f"{cgroup}/system.slice/{unit}") for cgroup in _CGROUPS)
        stem, _, suffix = unit.rpartition(".")
        instance = re.compile(re.escape(f"{stem.rstrip('@')}@") + ".*" + re.escape(f".{suffix}"))
        return unit in self._invoked or any(map(instance.fullmatch, self._invoked))

    def _populated(self, cgroup: str) -> bool:
        try:
            return bool(self._roots.read(f"{cgroup}/cgroup.procs", 100).strip())
        except Unreadable:
            return False

    def _instances(self, unit: str) -> tuple[str, ...]:
        """Return the enabled instances of a template with the unit's stem, but for its default one (postfix@-)."""
        stem = unit.removesuffix(".service") + "@"
        default = (f"{stem}.service", f"{stem}-.service")
        return tuple(sorted(name for name in self._wanted if name.startswith(stem) and name not in default))

    def _sockets(self, unit: str) -> dict[str, tuple[int, ...]]:
        socket = self._resolve(unit.removesuffix(".service") + ".socket")
        if socket is None or not self._enabled(socket):
            return {}
        try:
            streams = listen_streams(self._roots.text(self._path(socket)))
        except Unreadable:
            return {socket: ()}
        return {socket: tuple(dict.fromkeys(port for _, port in streams))}


def _nothing(link: str, target: str) -> bool:
    return normpath(join(dirname(link), target)) == "/dev/null"
