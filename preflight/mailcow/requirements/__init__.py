"""The documented numbers, as data beside their source and date: `current`, `2017-07`, or a TOML file of one's own."""

from __future__ import annotations

import datetime
import os
import tomllib
from typing import Literal

import msgspec
from msgspec import Struct, field

from preflight.mailcow.requirements.tables import FOLDER, table
from preflight.report.model import Severity
from preflight.text.typed import convert

NAMES = ("current", "2017-07")


class KernelRule(Struct, frozen=True, forbid_unknown_fields=True):
    """A range of kernels that break mailcow: releases that start with `prefix`, or are below `below`.

    `os` and `os_version` narrow it to a distribution. `unsafe`: no container of ours is started on it.
    """

    reason: str
    source: str
    prefix: str = ""
    below: str = ""
    os: str = ""
    os_version: str = ""
    unsafe: bool = False


class SupportedOs(Struct, frozen=True, forbid_unknown_fields=True):
    """A distribution of mailcow's support table: exact `versions`, or all from `at_least` on; neither: every one."""

    id: str
    name: str
    versions: tuple[str, ...] = ()
    at_least: str = ""
    note: str = ""


class EndOfLife(Struct, frozen=True, forbid_unknown_fields=True):
    """The last day a release is maintained for."""

    id: str
    version: str
    date: datetime.date


class MemoryRequirements(Struct, frozen=True, forbid_unknown_fields=True):
    """RAM and swap in bytes. `tolerance`: the share that firmware and kernel keep of a nominal size."""

    bytes: int
    advised_bytes: int
    reduced_bytes: int  # enough with ClamAV and full-text search switched off
    antivirus_bytes: int  # up to here ClamAV should be switched off
    swap_bytes: int
    tolerance: float
    better_bytes: int = 0  # where the page itself says "or better": less is enough, with a warning
    reduced_by: tuple[Literal["SKIP_CLAMD", "SKIP_FTS"], ...] = ("SKIP_CLAMD", "SKIP_FTS")


class DiskRequirements(Struct, frozen=True, forbid_unknown_fields=True):
    """Free space in bytes where the engine keeps its data and where mailcow is cloned; free inodes there.

    `images_bytes`: the part of `bytes` that the images take, where containerd keeps them apart from the volumes; 0: not
    known, so the whole is asked for in both places.
    """

    bytes: int
    clone_bytes: int
    inodes: int
    tolerance: float
    images_bytes: int = 0


class ClockLimit(Struct, frozen=True, forbid_unknown_fields=True):
    """What goes wrong with a clock that is off by more than these seconds. `fails`: mailcow does not work then."""

    seconds: float
    fails: bool
    reason: str
    source: str


class ClockRequirements(Struct, frozen=True, forbid_unknown_fields=True):
    """How exact the clock has to be. `agree_seconds`: by so much servers may differ that tell the same time."""

    agree_seconds: float
    limits: tuple[ClockLimit, ...]


class Requirements(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that mailcow's documents ask of a host, in numbers and lists."""

    name: str
    source: str
    read: datetime.date
    cpu_mhz: int
    cpu_features: dict[str, tuple[str, ...]]  # architecture: flags
    architectures: tuple[str, ...]
    memory: MemoryRequirements
    disk: DiskRequirements
    docker: str  # lowest version, "" = none named
    compose: str
    commands: tuple[str, ...]
    not_busybox: tuple[str, ...]
    kernels: tuple[KernelRule, ...]
    systems: tuple[SupportedOs, ...]
    clock: ClockRequirements
    end_of_life: tuple[EndOfLife, ...] = ()
    mtu: int = 1500
    inotify_instances: int = 0
    engine_open_files: int = 0
    severities: dict[str, Severity] = field(default_factory=dict)


class RequirementsError(Exception):
    """A requirements file that cannot be used; the message names the file and the place."""


def load(name: str) -> Requirements:
    """Return the requirements of that name, or read the TOML file there; raise `RequirementsError`."""
    if name in NAMES:
        with open(os.path.join(FOLDER, f"{name}.toml"), encoding="utf-8") as file:
            return parse(file.read(), name)
    from pathlib import Path

    from preflight.text.inputs import InputError, read_file

    try:
        text = read_file(Path(name)).decode("utf-8")
    except InputError as error:
        raise RequirementsError(str(error)) from None
    except UnicodeDecodeError:
        raise RequirementsError(f"{name}: not UTF-8 text") from None
    return parse(text, name)


def parse(text: str, name: str) -> Requirements:
    """Parse a requirements document in TOML; raise `RequirementsError`."""
    try:
        document = tomllib.loads(text)
        if "clock" not in document:
            document["clock"] = _clock()
        return convert(document, Requirements)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise RequirementsError(f"{name}: {str(error) or 'nested too deep'}") from None


def _clock() -> object:
    """Return what `current` asks of the clock: no document of mailcow's has numbers, so these hold for all of them."""
    return table("current.toml", dict[str, object])["clock"]
