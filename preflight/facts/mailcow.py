"""mailcow.conf and the files beside it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Struct, field

from preflight.facts.kinds import FilePath, Kind, Secret, Word

Mark = Literal["bom", "crlf"]  # of another system: a byte-order mark at the start, lines that end with CR LF
# Why Compose refuses a line. character, space: in its name; quote: none closes it; nul: its value holds that byte;
# dollar: a ${ that starts no reference; many: more references than it would follow; unset: it requires a variable
# that is not set; '': recorded before that was told.
LineFault = Literal["", "character", "space", "quote", "nul", "dollar", "many", "unset"]


class Override(Struct, frozen=True, kw_only=True):
    """What the administrator adds to mailcow's docker-compose.yml: the one file that Compose merges into it.

    `clear` False: it is written in a way that this program does not read, and the rest means nothing.
    """

    path: FilePath  # where it is, or would be written
    present: bool
    clear: bool = True
    mtu: int | None = None  # of mailcow's network
    networks: bool = False  # it has a part on networks already


class Setting(Struct, frozen=True):
    """A variable of mailcow.conf as Compose reads it: value and line (from 1)."""

    value: Secret  # shown by what its variable means: Kind.SETTINGS
    line: int
    refers: bool = False  # to other variables, which is not followed
    shell: Secret | None = None  # what mailcow's shell scripts read instead; None: the same


class EnvFile(Struct, frozen=True):
    """What stands as `.env` beside mailcow.conf, which is what Compose reads; in mailcow's clone it is a link to it.

    `same`: a link leads to mailcow.conf; a file holds the same. `clone`: the directory is mailcow's clone.
    """

    path: FilePath
    kind: Literal["absent", "link", "file", "other"]
    target: FilePath = ""  # of a link, as written in it
    same: bool = False
    clone: bool = False


class ConfFile(Struct, frozen=True):
    """mailcow.conf, allow-listed variables only. `present` False: there is none, mailcow's defaults hold."""

    path: FilePath
    present: bool
    settings: Annotated[dict[str, Setting], Kind.SETTINGS]
    duplicates: dict[Word, list[int]] = field(default_factory=dict)  # variable: lines, the last wins
    bad_lines: tuple[int, ...] = ()  # lines that Compose would refuse
    refusals: tuple[LineFault, ...] = ()  # why it would, one for each of them
    nameless: tuple[int, ...] = ()  # lines with a value and no name, which only some versions of Compose refuse
    commands: tuple[int, ...] = ()  # lines that a shell would run as commands
    shell_ends: int = 0  # the line at which a shell would give up; 0: none
    zone: bool | None = None  # whether the host's own zones have TZ; None: it has none, or TZ is not set
    spamhaus_key: bool = False  # SPAMHAUS_DQS_KEY has a value; which one is not kept
    marks: tuple[Mark, ...] = ()  # which mailcow's shell scripts choke on
    read_to: int = 0  # the line after which nothing was read, as the file is longer than any; 0: all was read
    env: EnvFile | None = None  # None: not looked at
