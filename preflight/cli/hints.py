"""What a word that is no command, and no argument, probably meant: asked in one line, with what to type instead."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from preflight.checks import SECTIONS, catalogue
from preflight.net import hostnames
from preflight.net.addresses import parse_address, unbracketed
from preflight.render import FORMATS

SHOWN = 80  # characters of a word that are repeated
LOOK = 64 << 10  # bytes of a file that are looked at, to see what it is
NEAR = 0.75  # how alike a word and a check's id are at least: a host name is not taken for one
# Words of other programs, and the command that does it here.
COMMANDS = {
    "list": "checks", "ls": "checks", "catalogue": "checks", "catalog": "checks",
    "run": "check", "test": "check", "scan": "check", "doctor": "check", "diagnose": "check", "verify": "check",
    "diff": "compare", "record": "facts", "gather": "facts", "export": "facts",
    "clean": "cleanup", "prune": "cleanup", "docs": "help", "man": "help", "usage": "help",
    "why": "explain ID", "describe": "explain ID", "show": "explain ID",
}  # fmt: skip
# And those that nothing does here.
NONE = {
    **dict.fromkeys(
        ("update", "upgrade", "self-update"),
        "preflight does not update itself. Install the new version in the same way as this one.",
    ),
    **dict.fromkeys(
        ("install", "setup", "fix", "repair"),
        "preflight does not change this host. The report says what to do. `preflight --format sh` prints the commands.",
    ),
}


def no_command(word: str, commands: Sequence[str], options: Iterable[str]) -> str:
    """Say that there is no such command, and what was probably meant. `options`: those of a check."""
    what = "command and no file" if _to_write(word) else "command"
    return f"There is no {what} {_quoted(word)}. {_instead(word, commands, options)}"


def no_argument(word: str, command: str, options: Iterable[str]) -> str:
    """Say that a command takes no such word, and what was probably meant."""
    if command not in ("check", "facts"):
        return f"Unexpected argument {_quoted(word)}. To see its arguments: `preflight {command} --help`"
    return f"Unexpected argument {_quoted(word)}. {_instead(word, (), options)}"


def no_option(name: str, command: str, own: Iterable[str], of_check: Iterable[str]) -> str:
    """Say that a command has no such option, and what was probably meant."""
    start = f"`preflight {command}` has no option {name[:SHOWN]}."
    if command == "facts" and name == "--format":
        return f"{start} Facts are always JSON."
    if name in of_check:
        return f"{start} It is an option of `preflight check`."
    near = get_close_matches(name[:SHOWN].lower().replace("_", "-"), list(own), 3)
    return f"{start} {_ask(near) or f'To see its options: `preflight {command} --help`'}"


def _instead(word: str, commands: Sequence[str], options: Iterable[str]) -> str:
    """Return the question, or where to read on."""
    if said := NONE.get(word.lower()):
        return said
    found = (
        _checks(word)
        or _file(word)
        or _own_words(word, commands, options)
        or _host(word)
        or [f"preflight {name}" for name in get_close_matches(word[:SHOWN].lower(), commands, 3)]
    )
    return _ask(found) or "To see the commands and options: `preflight --help`"


def _ask(found: Sequence[str]) -> str:
    return f"Did you mean {' or '.join(f'`{one}`' for one in found)}?" if found else ""


def _quoted(word: str) -> str:
    return repr(word if len(word) <= SHOWN else f"{word[:SHOWN]}…")


def _checks(word: str) -> list[str]:
    """Take it for a check, a section, or a pattern of checks."""
    small = word[:SHOWN].lower().replace("_", "-")
    ids = [entry.id for entry in catalogue()]
    section = small.removesuffix(".*").rstrip(".")
    if section in SECTIONS:
        return [f"preflight --only '{section}.*'"]
    near = [small] if small in ids else get_close_matches(small, ids, 1, NEAR) if small.count(".") == 1 else []
    return [f"preflight explain {near[0]}", f"preflight --only {near[0]}"] if near else []


def _file(word: str) -> list[str]:
    """Take it for a file: one that is there, by what is in it, or one to be written, by its suffix."""
    name = shlex.quote(word)
    if len(word) > SHOWN:
        return []
    if word.endswith("mailcow.conf"):
        return [f"preflight --mailcow-conf {name}"]
    if _to_write(word):
        return [f"preflight facts --output {name}" if "facts" in word else f"preflight --output {name}"]
    if os.path.isdir(word):
        return [f"preflight --root {name}"] if "/" in word else []
    return {
        "facts": [f"preflight --facts {name}"],
        "report": [f"preflight --baseline {name}", f"preflight compare {name} NEW.json"],
        "conf": [f"preflight --mailcow-conf {name}"],
        "toml": [f"preflight --waivers {name}", f"preflight --requirements {name}"],
    }.get(_kind(word) if os.path.isfile(word) else "", [])


def _to_write(word: str) -> bool:
    """Say whether it is the name of a report that is not there."""
    suffix = os.path.splitext(word)[1].lower()
    return bool(suffix) and suffix in FORMATS.values() and not os.path.lexists(word)


def _kind(path: str) -> str:
    """Return what a file holds: 'facts', 'report', 'conf', 'toml', or '' for anything else."""
    suffix = os.path.splitext(path)[1].lower()
    try:
        with open(path, "rb") as file:
            start = file.read(LOOK)
    except OSError:
        start = b""
    if start.lstrip()[:1] == b"{":
        return "report" if re.search(rb'"(?:verdict|requirements)"\s*:', start) else "facts"
    if suffix == ".conf" or b"MAILCOW_HOSTNAME=" in start:
        return "conf"
    return {".json": "facts", ".toml": "toml"}.get(suffix, "")


def _own_words(word: str, commands: Sequence[str], options: Iterable[str]) -> list[str]:
    """Take it for a command of another name, an option without its dashes, or a format."""
    small = word[:SHOWN].lower()
    if small in commands:
        return [f"preflight {small}"]
    if small in COMMANDS:
        return [f"preflight {COMMANDS[small]}"]
    if f"--{small}" in options or small == "version":
        return [f"preflight --{small}"]
    return [f"preflight --format {small}"] if small in FORMATS else []


def _host(word: str) -> list[str]:
    """Take it for an address, or for a host name: as it is, in an URL, or behind an @."""
    small = word[:300].strip()
    if parse_address(unbracketed(small)) is not None:
        return [f"preflight --public-ip {shlex.quote(small)}"]
    address = re.fullmatch(r"(?:https?://)?(?:[^@/\s]*@)?([^@/:\s]+)(?::[0-9]+)?/?", small)
    name = address[1].rstrip(".") if address else ""
    return (
        [f"preflight --hostname {name}"]
        if "." in name and not os.path.exists(word) and not hostnames.domain_fault(name)
        else []
    )
