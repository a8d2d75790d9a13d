"""mailcow.conf as Compose reads it: never executed, nothing expanded, and no secret kept."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from preflight.facts import ConfFile, Fact, LineFault, Mark, Setting
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.conf.env_file import env_file
from preflight.mailcow.plan import DEFAULT_CONF, SHAPE
from preflight.text.inputs import FILE_BYTES, InputError
from preflight.text.sentences import say

if TYPE_CHECKING:  # the grammars are imported where there is a file: most hosts have none yet
    from preflight.gather.conf.dotenv import Statement
    from preflight.gather.conf.shell_reading import Sourced

# Everything else in the file (passwords, keys) is forgotten as soon as it is read.
ALLOWED = frozenset(
    {published.variable for published in SHAPE}
    | {published.bind for published in SHAPE if published.bind}
    | {
        "MAILCOW_HOSTNAME", "IPV4_NETWORK", "IPV6_NETWORK", "ENABLE_IPV6", "COMPOSE_PROJECT_NAME",
        "DOCKER_COMPOSE_VERSION", "SNAT_TO_SOURCE", "SNAT6_TO_SOURCE", "TZ", "ACME_DNS_CHALLENGE", "ACME_DNS_PROVIDER",
        "DISABLE_NETFILTER_ISOLATION_RULE", "HTTP_REDIRECT", "FTS_HEAP", "FTS_PROCS",
        "SKIP_CLAMD", "SKIP_FTS", "SKIP_SOGO", "SKIP_OLEFY", "SKIP_UNBOUND_HEALTHCHECK",
        "SKIP_LETS_ENCRYPT", "SKIP_IP_CHECK", "SKIP_HTTP_VERIFICATION", "AUTODISCOVER_SAN", "ONLY_MAILCOW_HOSTNAME",
        "ENABLE_SSL_SNI", "DIRECTORY_URL", "LE_STAGING",
    }
)  # fmt: skip
SPAMHAUS_KEY = "SPAMHAUS_DQS_KEY"
LONGEST = 512  # characters of a value
STATEMENTS = 100_000  # read; mailcow's own file has some 100
TOLD = 20  # bad lines and repetitions told
ZONES = "/usr/share/zoneinfo"


def mailcow_conf(roots: Roots, path: str | None, read: ConfFile | None = None) -> Fact[ConfFile]:
    """Read mailcow.conf: the one named, else the default one where it exists. Unknown where it cannot be read.

    `read`: the one named, as `given` returned it.
    """
    try:
        if path is not None:
            return Fact.of(path, _completed(roots, read or given(roots, path)))
        if roots.root is None:
            return roots.unknown(DEFAULT_CONF)
        return Fact.of(DEFAULT_CONF, _completed(roots, parse(roots.read(DEFAULT_CONF, FILE_BYTES), DEFAULT_CONF)))
    except Unreadable as error:
        if error.absent:
            return Fact.of(DEFAULT_CONF, _completed(roots, ConfFile(DEFAULT_CONF, False, {})))
        return roots.unknown(DEFAULT_CONF, error)
    except InputError as error:
        help = say("Give a readable mailcow.conf with --mailcow-conf.")
        return Fact.unknown(path or DEFAULT_CONF, _refused(error), help, place="docker-run")


def _refused(error: InputError) -> str:
    return say("The given mailcow.conf cannot be used: {error}.", error=str(error).rstrip("."))


def given(roots: Roots, path: str) -> ConfFile:
    """Read a mailcow.conf that the user named, a path on the host; raise `InputError` where it is not one."""
    if "\0" in path or not path:
        raise InputError(f"{path!r}: not a path")
    # Only where the host's root is our own does a relative path mean something else than one below the root.
    place = os.path.abspath(path) if roots.root == "/" else os.path.normpath("/" + path.lstrip("/"))
    try:
        data = roots.read(place, FILE_BYTES + 1)
    except Unreadable as error:
        kind = _kind(roots, place) or error.reason
        help_ = f" {roots.why.help}" if roots.root is None and roots.why else ""
        raise InputError(f"{path}: {kind}{help_}") from None
    if len(data) > FILE_BYTES:
        raise InputError(f"{path}: larger than {FILE_BYTES >> 20} MiB")
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise InputError(f"{path}: line {line}: a binary file, not a mailcow.conf")
    return parse(data, place)


def _completed(roots: Roots, conf: ConfFile) -> ConfFile:
    """Add what stands around the file: `.env` beside it, and the host's time zones."""
    return _with_zone(roots, replace(conf, env=env_file(roots, conf.path)))


def _with_zone(roots: Roots, conf: ConfFile) -> ConfFile:
    """Add whether the host has a file for TZ; some hosts have none for any zone."""
    name = conf.settings.get("TZ", Setting("", 0)).value
    if roots.root is None or not re.fullmatch(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,2}", name):
        return conf
    if not any(roots.exists(f"{ZONES}/{some}") for some in ("Etc/UTC", "Europe/London")):
        return conf
    return replace(conf, zone=roots.exists(f"{ZONES}/{name}"))


def _kind(roots: Roots, path: str) -> str:
    try:
        return "a directory" if os.path.isdir(roots.locate(path)) else ""
    except Unreadable:
        return ""


def parse(text: bytes | str, path: str) -> ConfFile:
    """Read the allowed variables of an env file; never raises. A line that Compose refuses is told by its number."""
    from preflight.gather.conf.dotenv import statements
    from preflight.gather.conf.shell_reading import sourced

    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    marks: list[Mark] = ["bom"] if text.startswith("\ufeff") else []
    text = text.removeprefix("\ufeff")
    if "\r\n" in text:
        marks.append("crlf")
    # What the marks of another system do to a shell is said once, not for every variable.
    shell = sourced(text.replace("\r\n", "\n"))
    settings: dict[str, Setting] = {}
    lines: dict[str, list[int]] = {}
    bad: dict[int, LineFault] = {}
    nameless: list[int] = []
    key = False
    read_to = 0
    for number, said in enumerate(statements(text)):
        if number == STATEMENTS:
            read_to = said.line
            break
        if said.refused:
            bad.setdefault(said.line, said.refused)
        elif said.alone:
            continue
        elif not said.name:
            nameless.append(said.line)
        elif said.name in ALLOWED:
            settings[said.name] = _setting(said, shell, len(text))
            lines.setdefault(said.name, []).append(said.line)
        elif said.name == SPAMHAUS_KEY:
            key = bool(said.value)
    duplicates = {name: numbers[-TOLD:] for name, numbers in lines.items() if len(numbers) > 1}
    unlike = {setting.line for setting in settings.values() if setting.shell is not None}
    return ConfFile(
        path=path,
        present=True,
        settings=settings,
        duplicates=duplicates,
        spamhaus_key=key,
        marks=tuple(marks),
        read_to=read_to,
        bad_lines=tuple(bad)[:TOLD],
        refusals=tuple(bad.values())[:TOLD],
        nameless=tuple(nameless[:TOLD]),
        commands=tuple(line for line in shell.commands if line not in unlike),
        shell_ends=shell.broken,
    )


def _setting(said: Statement, shell: Sourced, length: int) -> Setting:
    """Make what is kept of a value, beside what a shell reads instead where that is something else."""
    from preflight.gather.conf.shell_reading import CHARACTERS, Word

    word = shell.words.get(said.name) or Word("")
    same = (word.value, word.refers) == (said.value, said.refers) and (word.plain or word.refers)
    # The last of several counts for Compose and for the shell; of those before, nothing is kept.
    known = length <= CHARACTERS and not shell.broken
    return Setting(kept(said.value), said.line, said.refers, None if same or not known else kept(word.value))


# A quote that is missing, or a line's end, makes the lines below part of a value, and secrets may stand there.
_SWALLOWED = re.compile(r"\n|[A-Z][A-Z0-9_]{2,}=")


def kept(value: str) -> str:
    """Cut a value where it is longer than any that mailcow takes, or holds more than its own line."""
    found = _SWALLOWED.search(value)
    return value[:LONGEST] if found is None else f"{value[: min(found.start(), LONGEST)]}…"
