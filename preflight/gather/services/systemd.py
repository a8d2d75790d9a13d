"""Units of the host's systemd, from its own files: no D-Bus, no systemctl, nothing is started."""

from __future__ import annotations

import re
import stat
from posixpath import basename, dirname, join, normpath

from preflight.facts import SocketUnit
from preflight.gather.access.roots import CGROUPS, Roots, Unreadable
from preflight.gather.services.conditions import unmet
from preflight.gather.services.init_scripts import Unit, started_at_boot
from preflight.gather.services.socket_units import SIZE, UNITS, Streams, listen_streams

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


class Systemd:
    """The units that there are, and which of them start at boot. Names are with their suffix."""

    def __init__(self, roots: Roots) -> None:
        """Read the directories; raise `Unreadable`."""
        self._roots = roots
        self._files: dict[str, list[str]] = {}  # name: the directories that have it, the strongest first
        self._plain: set[str] = set()  # paths of those that are no links, most of all
        self._wanted: set[str] = set()
        folders = {roots.locate(folder): folder for folder in reversed(PATH)}  # /lib is a link to usr/lib
        self._folders = frozenset(folders)
        for folder in reversed(folders.values()):
            for name, linked in sorted(roots.listing(folder).items()):
                if not linked:
                    self._plain.add(f"{folder}/{name}")
                self._files.setdefault(name, []).append(folder)
                if name.endswith(_WANTS) and folder != _FROM_SCRIPTS:  # those are made anew at each boot
                    self._want(f"{folder}/{name}")
                elif folder in _CONFIG and name.endswith((".service", ".socket")):
                    self._alias(f"{folder}/{name}")
        self._scripts = frozenset(roots.entries("/etc/init.d"))
        self._started = started_at_boot(roots)
        self._templated = tuple(name for name in self._wanted if "@" in name)
        self._starts = {self._resolve(name) for name in self._wanted}
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
            sockets=self._sockets(real) if real.endswith(".service") else (),
            unmet="" if self._generated(real) else unmet(self._roots, self._text(real)),
        )

    def instances(self, name: str) -> tuple[str, ...]:
        """Return the enabled instances of a template with the unit's stem, but for its default one (postfix@-)."""
        stem = name.removesuffix(".service") + "@"
        default = (f"{stem}.service", f"{stem}-.service")
        return tuple(sorted(name for name in self._templated if name.startswith(stem) and name not in default))

    def sockets(self) -> Streams:
        """Return the .socket units that start at boot, with the address ('' = every one) and port of each stream."""
        names = sorted(name for name in self._starts if name and name.endswith(".socket") and self._enabled(name))
        found = {name: self._streams(name) for name in names[:UNITS]}
        return {name: streams for name, streams in found.items() if streams}

    def streams(self) -> Streams:
        """Return what every .socket unit listens on, whether it starts at boot or not, but for masked ones."""
        names = {self._resolve(name) for name in self._files if name.endswith(".socket")}
        units = [name for name in sorted(filter(None, names)) if not self._masked(name)]
        found = {name: self._streams(name) for name in units[:UNITS]}
        return {name: streams for name, streams in found.items() if streams}

    def active(self, name: str) -> bool | None:
        """Say whether a unit is active; None: systemd does not run here."""
        return self._active(name)

    def _want(self, folder: str) -> None:
        """Count the names of the links; other files there are ignored."""
        if not self._loops(folder):
            self._wanted.update(name for name, linked in self._roots.listing(folder).items() if linked)

    def _link(self, path: str) -> str | None:
        return None if path in self._plain else self._roots.link(path)

    def _alias(self, link: str) -> None:
        """Count a link that leads to a unit of another name for that unit."""
        target = self._link(link)
        if target is not None and basename(target) != basename(link) and self._among_units(link, target):
            self._wanted.add(basename(target))

    def _invocations(self) -> frozenset[str] | None:
        """Return the units that are active; None: a systemd that is too old (before 232) to say."""
        if not self._roots.exists(_STATE):
            return None
        prefix = "invocation:"
        return frozenset(n.removeprefix(prefix) for n in self._roots.entries(_STATE) if n.startswith(prefix))

    def _file(self, name: str) -> str | None:
        """Return the file that counts for a name after the next boot; of an instance its template's."""
        for folder in self._files.get(name, ()):
            path = f"{folder}/{name}"
            target = self._link(path)
            if target is not None and _nothing(path, target) and folder.startswith("/run/"):
                continue  # masked until the next boot
            if target is not None and basename(target) == name and self._among_units(path, target):
                continue  # a link to its own name: systemd passes it over
            return path
        stem, at, rest = name.partition("@")
        template = f"{stem}@.{rest.rpartition('.')[2]}"
        return self._file(template) if at and template != name else None

    def _resolve(self, name: str) -> str | None:
        for _ in range(_HOPS):
            path = self._file(name)
            if path is None:
                return name if self._script(name) else None
            target = self._link(path)
            if target is None or _nothing(path, target):
                return name
            if not self._among_units(path, target):  # linked from elsewhere, under whatever name
                return name if not self._loops(path) and self._roots.exists(path) else None
            if basename(target).rpartition(".")[2] != name.rpartition(".")[2]:
                return None
            name = basename(target)
        return None

    def _among_units(self, link: str, target: str) -> bool:
        """Say whether a link leads into the directories of units: such a link makes an alias."""
        folder = dirname(join(dirname(link), target))
        return not self._loops(folder) and self._roots.locate(folder) in self._folders

    def _loops(self, path: str) -> bool:
        """Say whether links lead in a circle: systemd passes those over, they are no reason to know nothing."""
        try:
            self._roots.locate(path)
        except Unreadable as error:
            if error.cause != "loop":
                raise
            return True
        return False

    def _script(self, name: str) -> bool:
        """Say whether there is a script that systemd makes the unit of: one that may be executed."""
        stem = name.removesuffix(".service")
        if not name.endswith(".service") or stem not in self._scripts:
            return False
        found = self._roots.lstat(f"/etc/init.d/{stem}")
        return found is not None and stat.S_ISREG(found.st_mode) and bool(found.st_mode & stat.S_IXUSR)

    def _generated(self, unit: str) -> bool:
        """Say whether systemd makes the unit of a script in /etc/init.d, for want of a file."""
        return (self._file(unit) or _FROM_SCRIPTS).startswith(_FROM_SCRIPTS) and self._script(unit)

    def _path(self, unit: str) -> str:
        return f"/etc/init.d/{unit.removesuffix('.service')}" if self._generated(unit) else self._file(unit) or ""

    def _masked(self, unit: str) -> bool:
        """Say whether the unit is a link to /dev/null, or an empty file."""
        if self._generated(unit):
            return False
        path = self._path(unit)
        target = self._link(path)
        if target is not None:
            return _nothing(path, target)
        found = self._roots.lstat(path)
        return found is not None and stat.S_ISREG(found.st_mode) and found.st_size == 0

    def _enabled(self, unit: str) -> bool:
        """Say whether the unit starts at boot: a .wants, .requires or alias link names it, or an rc?.d link.

        `systemctl is-enabled` differs in three ways: a link that came with the package (`static`, `disabled`) starts
        the unit all the same, so does one that names an alias, and a mask in /run is gone after the boot.
        """
        if self._masked(unit):
            return False
        return unit in self._starts or (self._generated(unit) and unit.removesuffix(".service") in self._started)

    def _active(self, unit: str) -> bool | None:
        """Say whether the unit, or an instance of it, is active; None: systemd does not run here."""
        if not self._running:
            return None
        if self._invoked is None:
            return any(self._populated(f"{cgroup}/system.slice/{unit}") for cgroup in CGROUPS)
        stem, _, suffix = unit.rpartition(".")
        instance = re.compile(re.escape(f"{stem.rstrip('@')}@") + ".*" + re.escape(f".{suffix}"))
        return unit in self._invoked or any(map(instance.fullmatch, self._invoked))

    def _populated(self, cgroup: str) -> bool:
        try:
            return bool(self._roots.read(f"{cgroup}/cgroup.procs", 100).strip())
        except Unreadable:
            return False

    def _sockets(self, unit: str) -> tuple[SocketUnit, ...]:
        socket = self._resolve(unit.removesuffix(".service") + ".socket")
        if socket is None or not self._enabled(socket):
            return ()
        return (SocketUnit(socket, self._streams(socket), self._active(socket)),)

    def _streams(self, socket: str) -> tuple[tuple[str, int], ...]:
        """Read what a .socket unit listens on, from its file and all that is put beside it; () where none can be."""
        text = self._text(socket)
        instance = socket.partition("@")[2].removesuffix(".socket")
        return listen_streams(text.replace("%i", instance) if instance else text)

    def _text(self, unit: str) -> str:
        """Return a unit's file and what is put beside it, one after another, as far as that can be read."""
        beside: dict[str, str] = {}
        stem, at, _ = unit.partition("@")
        template = f"{stem}@.{unit.rpartition('.')[2]}"
        for name in (template, unit) if at else (unit,):
            for folder in reversed(self._files.get(f"{name}.d", ())):
                place = f"{folder}/{name}.d"
                beside |= {entry: f"{place}/{entry}" for entry in self._entries(place) if entry.endswith(".conf")}
        places = [self._path(unit), *(beside[entry] for entry in sorted(beside)[:UNITS])]
        return "\n".join(self._roots.try_text(place, SIZE) for place in places)

    def _entries(self, folder: str) -> list[str]:
        try:
            return self._roots.entries(folder)
        except Unreadable:
            return []


def _nothing(link: str, target: str) -> bool:
    return normpath(join(dirname(link), target)) == "/dev/null"
