"""What the commands of a remedy do, as a script has to know: change something, only look, or ask and take away.

Commands come from checks, which quote what the host calls things. Here they are read as a shell reads them, so that
nothing that no shell would read whole ever gets among other commands.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from preflight.render.escape import COMMAND, command_line
from preflight.report.model import Remedy, Status

# What a line is to a script: `run` it; `look`: it shows something to a person; `ask`: a person decides on it first;
# `broken`: no shell reads it as it is shown.
Kind = Literal["run", "look", "ask", "broken"]

# Programs that only show something, and the words of others that do (None: any). What is in neither list changes it.
_LOOKS = frozenset((
    "awk", "cat", "chronyc", "crictl", "df", "dig", "dmesg", "du", "findmnt", "grep", "head", "host",
    "ip6tables-legacy-save", "ip6tables-save", "iptables-legacy-save", "iptables-save", "journalctl", "ls", "lsblk",
    "lscpu", "lxc-ls", "machinectl", "monit", "ntpctl", "ntpq", "pm2", "ps", "pstree", "readlink", "resolvectl",
    "sort", "ss", "stat", "supervisorctl", "tail", "uname", "wc",
))  # fmt: skip
_LOOKING = {
    "csf": "-l", "cscli": "decisions", "docker": "info|ps|version|inspect|images|logs|port|ls|df|config",
    "dockerd": "--validate", "docker-compose": "version", "fail2ban-client": "banned|status",
    "firewall-cmd": "--list-.*|--state", "gitlab-ctl": "status",
    "ip": "address|addr|link|route|rule|-brief|-4|-6|show|table|all", "ip6tables": "-S|-L|-nvL",
    "ip6tables-legacy": "-S|-L", "iptables": "-S|-L|-nvL", "iptables-legacy": "-S|-L", "nft": "list",
    "podman": "ps", "python3": "json.tool", "sed": "--version|-n", "shorewall": "show", "sshd": "-t|-T",
    "su": "podman ps", "systemctl": "status|cat|show|is-.*|list-.*", "timedatectl": "status|show|timesync-.*",
    "ufw": "status", "update-alternatives": "--display",
}  # fmt: skip
# Words with which those of `_LOOKING` change something after all.
_CHANGING = frozenset((
    "add", "create", "del", "delete", "disable", "down", "enable", "flush", "kill", "makestep", "prune", "remove",
    "reset", "replace", "restart", "rm", "set", "stop", "up", "update", "upgrade",
))  # fmt: skip
# Package managers with what a word of them means: to take packages away, or to upgrade the system with a question.
_MANAGERS = frozenset(("apk", "apt", "apt-get", "dnf", "dpkg", "pacman", "rpm", "snap", "xbps-remove", "yum", "zypper"))
_QUESTIONS = ("apt", "apt-get", "dnf", "yum", "zypper")  # ask before they install, unless they are told not to
_REMOVING = frozenset((
    "autopurge", "autoremove", "del", "dist-upgrade", "erase", "full-upgrade", "purge", "remove", "rm", "-e", "-P",
    "-r", "-R", "-Rs", "-Rns", "xbps-remove", "--erase", "--purge", "--remove",
))  # fmt: skip
_UNASKED = frozenset(("-y", "-n", "--yes", "--noconfirm", "--assume-yes", "--non-interactive", "-Sy"))
_ASKING = frozenset(("install", "upgrade", "update", "reinstall"))
_ENDS = frozenset(("disable", "stop", "kill", "mask", "rm", "down", "delete", "del", "--publish-rm", "--restart=no"))
_SERVICES = frozenset(
    ("chkconfig", "docker", "rc-service", "rc-update", "service", "snap", "sv", "systemctl", "update-rc.d")
)
_SEPARATORS = frozenset("();<>|&\n")


class Line(Struct, frozen=True):
    """A command, and what it is to a script."""

    command: str
    kind: Kind


def lines(remedy: Remedy, status: Status) -> tuple[Line, ...]:
    """Return the commands of a remedy for a finding of this status, each with what a script does with it.

    Where one that a person decides on stands before one that would be run, the latter counts on it: none is run then.
    The same goes for a list with a line that no shell would read whole.
    """
    made = [Line(command, _kind(command, status)) for command in remedy.commands]
    kinds = [line.kind for line in made]
    last = max((number for number, kind in enumerate(kinds) if kind == "run"), default=-1)
    spread = any("<<" in line.command for line in made)  # a here-document, whose text would be read as commands
    asked = remedy.choice is True or status not in (Status.FAIL, Status.WARN) or "broken" in kinds or spread
    if asked or "ask" in kinds[: last + 1]:
        return tuple(Line(line.command, "ask" if line.kind == "run" else line.kind) for line in made)
    return tuple(made)


def _kind(command: str, status: Status) -> Kind:
    if len(command) > COMMAND or command_line(command) != command:
        return "broken"
    try:
        parts = list(simple(command))
    except ValueError:
        return "broken"
    if not parts:
        return "look"
    if any(_asks(words, status) for words in parts):
        return "ask"
    return "look" if all(map(_looks, parts)) else "run"


def simple(command: str) -> Iterator[tuple[str, ...]]:
    """Yield the simple commands of a line as their words; raise ValueError for quotes that nothing closes."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars="();<>|&\n")
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    for token in [*lexer, ";"]:
        if token and set(token) <= _SEPARATORS and not set(token) & set("<>"):
            if words:
                yield tuple(words)
            words = []
        else:
            words.append(token)


def appended(command: str) -> tuple[str, str] | None:
    """Return the line that a command adds to a file, and the file; None where it is another sort of command."""
    try:
        words = [word for part in simple(command) for word in part]
    except ValueError:
        return None
    if len(words) == 4 and words[0] == "echo" and words[2] == ">>" and not re.search(r"[\\$`\n]", words[1]):
        return (words[1], words[3]) if not words[1].startswith("-") else None
    return None


def _looks(words: tuple[str, ...]) -> bool:
    program, *rest = words
    name = program.rpartition("/")[2]
    told = [word for word in rest if not word.startswith("/dev/")]
    if any(set(word) <= set("<>&|") and ">" in word for word in told) and "/dev/null" not in rest:
        return False
    if _CHANGING & set(told) or (name == "sed" and any(word.startswith(("-i", "--in-place")) for word in told)):
        return False
    form = _LOOKING.get(name)
    return name in _LOOKS or (form is not None and any(re.fullmatch(form, word) for word in told))


def _asks(words: tuple[str, ...], status: Status) -> bool:
    """Say whether a command asks a question, takes away what others may want, or ends the session."""
    program, *rest = words
    name, told = program.rpartition("/")[2], set(rest)
    if name in ("reboot", "shutdown", "poweroff", "halt", "rm", "rmdir", "mv", "kill"):
        return name not in ("rm", "mv", "rmdir") or not _own(rest)
    if name in _MANAGERS or name == "xbps-remove":
        asked = name in _QUESTIONS and bool(told & _ASKING) and not told & _UNASKED and told != {"update"}
        return asked or name == "xbps-remove" or bool(told & _REMOVING)
    if name == "docker" and told & {"rm", "prune", "down"}:
        return True
    if name == "ip" and told & {"delete", "del"}:
        return True
    # What a failure needs out of the way is ended; for a warning somebody weighs it first.
    return status is not Status.FAIL and name in _SERVICES and bool(told & _ENDS)


def _own(words: list[str]) -> bool:
    """Say whether only files go that a remedy made itself, or an old copy of a setting."""
    return all(word.endswith((".new", "/timezone")) or word.startswith("-") for word in words)
