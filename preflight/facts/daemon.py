"""The engine's settings, as they are written and as it takes them."""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

from preflight.facts.kinds import Argument, FilePath, Secret, Version, Word

SNAPSHOTTER = "containerd-snapshotter"  # the feature by which containerd keeps the images
_BRIDGE_MTU = re.compile(r"bridge=com\.docker\.network\.driver\.mtu=([0-9]{2,5})")


class JsonFault(Struct, frozen=True):
    """Why a file that is to be JSON cannot be used. `line`: where that is; 0 = in no line of its own.

    encoding: no UTF-8; json: what no engine could read (too deep, too long, NaN); object: JSON, and no object;
    last-comma: nothing follows a comma; comma: one is missing; comment, quotes: which JSON has not; syntax: the rest.
    """

    kind: Literal[
        "directory", "encoding", "empty", "json", "object", "last-comma", "comma", "comment", "quotes", "syntax"
    ]
    line: int = 0
    detail: Secret = ""  # what the parser said


class DaemonConfig(Struct, frozen=True):
    """daemon.json and the daemon's own arguments. `settings` holds the keys that matter, JSON values.

    `fault`: the file is there and not usable (then `settings` comes from the arguments alone).
    """

    path: FilePath
    present: bool
    settings: dict[Word, bool | int | float | Argument | list[Argument] | None]
    arguments: tuple[Argument, ...] = ()  # --name=value of the running daemon that override the file
    fault: JsonFault | None = None

    def feature(self, name: str) -> bool | None:
        """Say whether a feature is switched on or off; None: neither."""
        return next((on for on in (True, False) if f"{name}={str(on).lower()}" in self._listed("features")), None)

    @property
    def directory(self) -> bool:
        """Say whether it is a directory: Docker makes one where a container is given a file that is not there."""
        return self.fault is not None and self.fault.kind == "directory"

    @property
    def bridge_mtu(self) -> int | None:
        """Return the MTU that new bridge networks are given; None: the driver's own."""
        found = (_BRIDGE_MTU.fullmatch(text) for text in self._listed("default-network-opts"))
        return next((int(match[1]) for match in found if match), None)

    def _listed(self, key: str) -> list[str]:
        """Return what the daemon's flag of this name would be given, once for each."""
        held = self.settings.get(key)
        return held if isinstance(held, list) else []


NO_SETTINGS = DaemonConfig("", False, {})  # what is read of settings that are not known

Form = Literal["null", "boolean", "integer", "fraction", "huge", "string", "list", "object"]


class Directive(Struct, frozen=True):
    """A value in daemon.json: the keys that lead to it (of lists the numbers), its line, its kind, never the value.

    Of the numbers, `integer` are those of 64 bits, `huge` those that no floating-point number holds.
    `flaw`: in what way the value is none that its key could have (address, size, level …); '' = none that is known.
    """

    path: tuple[Word, ...]
    line: int
    form: Form
    flaw: Word = ""
    number: int | None = None  # of log options that are no secret: the number that stands where a string has to be


class GivenFlag(Struct, frozen=True):
    """A flag that the engine will be started with: its name in daemon.json, and the file that gives it."""

    name: Word
    source: FilePath


class EngineStart(Struct, frozen=True, kw_only=True):
    """What the engine meets when it is started next: its version, daemon.json as it is written, the unit's flags."""

    version: Version  # of the engine that answers, else of its package; '' = not known
    directives: tuple[Directive, ...] = ()
    flags: tuple[GivenFlag, ...] = ()
    command: FilePath = ""  # the file whose command counts: the unit, a drop-in, a script's settings; '' = none found
    containerd_root: FilePath = ""  # root in containerd's own settings; '' = not set there
    driver_images: bool = False  # a storage driver of the engine's own keeps images below the data-root already
