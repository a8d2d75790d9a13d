"""What no remedy may do, whatever check gives it: held in every test that runs a check, and over every lab report.

A remedy's commands are pasted by somebody who is tired. None may cut the way in, take packages or protection away
that others rely on, touch data or live mail, or be one that this very host does not have.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache

from msgspec import Struct

from preflight.facts import Host
from preflight.report.model import Remedy

# The ways in, and what carries them: as units, scripts and processes are called.
WAY_IN = re.compile(
    r"(sshd?|dropbear|tailscaled|sslh|openvpn|teleport|zerotier-one|cockpit|systemd-networkd|networking|networkmanager"
    r"|network|dhcpcd|wicked|connman|netplan)([.@-].*)?|wg-quick.*",
    re.IGNORECASE,
)
PROTECTION = re.compile(
    r"(ufw|firewalld|nftables|ip6?tables|netfilter-persistent|csf|lfd|shorewall6?|fail2ban)([.@].*)?"
)
TIME = re.compile(r"(systemd-timesyncd|chronyd?|ntpd?|ntpd-rs|ntpsec|openntpd)([.@].*)?")
ENDS = {"stop", "disable", "mask", "kill", "del", "delete", "down", "remove"}
REMOVALS = {
    "apt-get": {"remove", "purge", "autoremove", "autopurge"}, "apt": {"remove", "purge", "autoremove"},
    "dpkg": {"-r", "-P", "--remove", "--purge"}, "dnf": {"remove", "erase", "autoremove"},
    "yum": {"remove", "erase", "autoremove"}, "rpm": {"-e", "--erase"}, "zypper": {"remove", "rm"}, "apk": {"del"},
    "pacman": {"-R", "-Rs", "-Rns", "-Rdd"}, "snap": {"remove"}, "xbps-remove": {""}, "emerge": {"-C", "--unmerge"},
}  # fmt: skip
UNASKED = {"-y", "--yes", "--assume-yes", "--noconfirm", "--force-yes", "-f", "--force", "--allow-remove-essential"}
# Of these the host stops being one that can be reached or started, or the engine loses what lives on it.
KEPT = re.compile(r"(openssh|dropbear|systemd|proxmox|pve|linux-image|kernel|network-manager|ifupdown|netplan|sudo).*")
# Files of a fixed text that are no file of the remedy: whether they are written is found out by the same line.
CONDITIONAL = {"/etc/ssh/sshd_config.d/50-second-port.conf": "only where sshd_config includes that directory"}
SPARE = {"/etc/timezone"}  # systemd keeps the zone elsewhere: what this says is an old copy
DESTROYS = {
    "mkfs",
    "wipefs",
    "fdisk",
    "sfdisk",
    "parted",
    "shred",
    "truncate",
    "unlink",
}  # rmdir takes empty directories alone
MANAGERS = {
    "apt-get": "debian", "apt": "debian", "dpkg": "debian", "dnf": "rhel", "yum": "rhel", "rpm-ostree": "rhel",
    "zypper": "suse", "transactional-update": "suse", "apk": "alpine", "pacman": "arch",
}  # fmt: skip
FAMILIES = {
    "debian": ("debian", "ubuntu", "raspbian", "linuxmint", "devuan", "kali", "pop"),
    "rhel": ("rhel", "centos", "fedora", "almalinux", "rocky", "ol", "amzn"),
    "suse": ("suse", "opensuse", "sles"), "alpine": ("alpine",), "arch": ("arch", "manjaro"),
}  # fmt: skip
INITS = {
    "systemctl": "systemd", "timedatectl": "systemd", "journalctl": "systemd", "rc-service": "openrc",
    "rc-update": "openrc", "update-rc.d": "sysv", "chkconfig": "sysv",
}  # fmt: skip
LOOKS = {
    "ip", "ss", "df", "du", "cat", "ls", "lsblk", "dmesg", "grep", "uname", "journalctl", "tail", "sort", "head",
    "stat", "ntpq", "chronyc", "ntpctl", "resolvectl", "dig", "host", "ps", "pstree", "tr", "echo", "awk", "readlink",
    "findmnt", "iptables-save", "ip6tables-save", "iptables-legacy-save", "ip6tables-legacy-save",
}  # fmt: skip
LOOKING = {
    "docker": {"info", "ps", "version", "inspect", "images", "compose", "network", "container", "system"},
    "systemctl": {"status", "cat", "list-units", "list-sockets", "is-enabled", "is-active", "show"},
    "timedatectl": {"status", "timesync-status", "show"}, "sed": {"-n"}, "python3": {"-m"}, "sshd": {"-t", "-T"},
    "dockerd": {"--validate"}, "iptables": {"-S", "-L", "-nvL"}, "nft": {"list"}, "rpm": {"-qf", "-q"},
    "dpkg": {"-S", "-l"}, "ufw": {"status"}, "firewall-cmd": {"--list-all-zones"}, "csf": {"-l"}, "shorewall": {"show"},
    "update-alternatives": {"--display"},
}  # fmt: skip
# Words of these programs that change something after all.
CHANGES = {
    "rm", "down", "stop", "up", "create", "update", "kill", "prune", "add", "append", "change", "replace", "set", "del",
    "delete", "flush",
}  # fmt: skip
RUNNERS = ("sudo", "env", "exec", "then", "else", "do")  # say who or when, not what
# Commands of firewalls that take rules away, or open more than what mailcow needs; of the words after the program.
OPENS = {
    "iptables": r".*(^| )(-[FXDZ]|--(flush|delete|delete-chain|zero)|-P \S+ ACCEPT|--policy \S+ ACCEPT)( |$).*",
    "nft": r"(flush|delete|destroy|reset) .*|.*policy accept.*|(add|insert) rule( \S+){3}( position \d+)? accept",
    "ufw": r"(disable|reset|(--force )?delete .*|default (allow|accept).*|(route )?(prepend )?allow( in| out)?)",
    "firewall-cmd": r".*--(panic-on|set-default-zone|remove-\S+|complete-reload)\b.*|.*--zone=.*--set-target.*",
    "fail2ban-client": r"stop.*|unban --all|set \S+ unbanip.*", "cscli": r"decisions delete.*",
    "csf": r"(-[xf]|--(disable|stop)|-df).*", "shorewall": r"(clear|stop).*", "ipset": r"(flush|destroy|del).*",
    "update-alternatives": r"--(set|remove|auto).*", "systemctl": r"(restart|reload) (ufw|firewalld|nftables).*",
}  # fmt: skip
ANYTHING = re.compile(r"-[IA] \S+( \d+)?( -p (tcp|udp))? -j (ACCEPT|RETURN)")  # of iptables: for all packets there are
PLACEHOLDER = re.compile(r"<[a-z][\w -]*>|…|\bYOUR[_-]|\bXXX\b")


class Simple(Struct, frozen=True):
    """A simple command of a line: its words, and the files that its output goes to: all that they hold, or the end."""

    words: tuple[str, ...]
    writes: tuple[str, ...] = ()
    appends: tuple[str, ...] = ()

    @property
    def program(self) -> str:
        return self.words[0].rpartition("/")[2] if self.words else ""


def simple(line: str) -> Iterator[Simple]:
    """Take a line apart, as a shell would; raises ValueError for quotes that nothing closes."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="();<>|&\n")
    lexer.whitespace_split = True
    words: list[str] = []
    files: dict[str, list[str]] = {">": [], ">>": []}
    redirects = ""
    for token in [*lexer, ";"]:
        if set(token) <= set("();|&\n") and token:
            if words:
                yield Simple(_bare(words), tuple(files[">"]), tuple(files[">>"]))
            words, files, redirects = [], {">": [], ">>": []}, ""
        elif token.startswith((">", "<")) and set(token) <= set("<>&|"):
            redirects = token[:2] if token[:2] in files else token[0] if token[0] in files else ""
            if not redirects:
                words.append(token)
        elif redirects:
            files[redirects].append(token)
            redirects = ""
        else:
            words.append(token)


def _bare(words: Sequence[str]) -> tuple[str, ...]:
    """Leave out variables before a command, and what only runs another one."""
    rest = list(words)
    while rest and (
        re.match(r"[A-Z_][A-Z0-9_]*=", rest[0]) or rest[0] in ("sudo", "env", "exec", "then", "else", "do")
    ):
        rest.pop(0)
    return tuple(rest)


def only_looks(remedy: Remedy) -> bool:
    """Say whether the commands of a remedy change nothing: then its words alone say what to do."""
    return all(_looks(command) for line in remedy.commands for command in simple(_without_documents(line)))


def _looks(command: Simple) -> bool:
    verbs = LOOKING.get(command.program, set())
    verb = bool(verbs & set(command.words[1:3]))
    return (
        not command.writes
        and not command.appends
        and not CHANGES & set(command.words)
        and (command.program in LOOKS or verb)
    )


def faults_of(remedy: Remedy | None, host: Host | None) -> list[str]:
    """Return what is wrong with a remedy on a host (None: whatever host it is), [] where nothing is."""
    if remedy is None:
        return []
    lines = [_without_documents(line) for line in remedy.commands]
    try:
        commands = [entry for line in lines for entry in simple(line)]
    except ValueError as error:
        return [f"no shell reads {remedy.commands}: {error}"]
    found = [*_of_lines(remedy, lines), *_of_order(commands), *_of_files(remedy, commands)]
    for command in commands:
        found += [f"{why}: {' '.join(command.words)}" for why in (*_of_command(command), *_of_host(command, host))]
    return found


def _without_documents(line: str) -> str:
    """Leave out the text of here-documents: it is no command."""
    return re.sub(r"<<-?\s*(['\"]?)(\w+)\1[^\n]*\n.*?^\s*\2$", "", line, flags=re.DOTALL | re.MULTILINE)


def _of_lines(remedy: Remedy, lines: Sequence[str]) -> Iterator[str]:
    if not remedy.text.strip():
        yield "it says nothing"
    if remedy.place in ("dns", "provider") and remedy.commands:
        yield f"nothing is to be run on the host for it: {remedy.commands}"
    for line in lines:
        if not line.strip():
            yield "a command is empty"
        if PLACEHOLDER.search(re.sub(r"'[^']*'", "", line)):
            yield f"something is left to fill in: {line}"


def _of_order(commands: Sequence[Simple]) -> Iterator[str]:
    """Stopping comes before removing, of files only what was just written; a restart of the host comes last."""
    written: set[str] = set()
    for number, command in enumerate(commands):
        written.update(command.writes, command.appends)
        gone = [word for word in command.words[1:] if not word.startswith("-")]
        if command.program == "rm" and not (gone and set(gone) <= written | SPARE):
            yield f"files are gone for good: {' '.join(command.words)}"
        if command.program == "reboot" and number != len(commands) - 1:
            yield "the host restarts before the last command"
        if removed(command):
            before = [word for earlier in commands[:number] for word in earlier.words]
            engine = any("docker" in word for word in removed(command))
            if not engine and not {"stop", "disable", "--now"} & set(before):
                yield f"it is removed before it is stopped: {' '.join(command.words)}"


def _of_files(remedy: Remedy, commands: Sequence[Simple]) -> Iterator[str]:
    """What the commands write whole is told as data too, and nothing is that they do not write."""
    written = dict(_written(commands))
    told = {file.path: file.text for file in remedy.files}
    for path in written.keys() - told.keys() - CONDITIONAL.keys():
        yield f"the file is not among those of the remedy: {path}"
    for path, text in told.items():
        if written.get(path) != text:
            yield f"this is not what the commands write into {path}: {text!r}"


def _written(commands: Sequence[Simple]) -> Iterator[tuple[str, str]]:
    """Yield the files that are made of a fixed text, with it: not what a program makes of the host's own."""
    text: str | None = None
    for command in commands:
        if command.program != "tee":
            fixed = command.program in ("echo", "printf") and not any("$(" in word for word in command.words)
            text = _printed(command.words) if fixed else None
        also = command.words[1:] if command.program == "tee" else ()
        for path in (*command.writes, *also):
            if text is not None and not path.startswith("/dev/"):
                yield path, text


@cache
def _printed(words: tuple[str, ...]) -> str:
    """Return what echo or printf print: they are asked, as a shell's own would print it."""
    return subprocess.run(words, stdout=subprocess.PIPE, check=True, encoding="utf-8").stdout


def removed(command: Simple) -> tuple[str, ...]:
    """Return the packages that a command removes."""
    verbs = REMOVALS.get(command.program)
    if verbs is None or not ("" in verbs or verbs & set(command.words)):
        return ()
    return tuple(word for word in command.words[1:] if word not in verbs and not word.startswith("-"))


def ended(command: Simple) -> tuple[str, ...]:
    """Return what a command stops, or keeps from starting at boot."""
    if command.program in ("systemctl", "service", "rc-service", "rc-update", "update-rc.d", "chkconfig", "sv"):
        words = set(command.words[1:])
        if words & (ENDS | {"off"}):
            return tuple(word for word in command.words[1:] if word not in ENDS and not word.startswith("-"))
    return ()


def _of_command(command: Simple) -> Iterator[str]:
    program, words = command.program, set(command.words[1:])
    if program in ("kill", "pkill", "killall", "skill"):
        yield "a process is killed that something starts again, or that may be another one by then"
    for unit in ended(command):
        if WAY_IN.fullmatch(unit):
            yield "the way in is cut"
        if PROTECTION.fullmatch(unit):
            yield "what protects the host is switched off"
    yield from _of_firewall(command)
    gone = removed(command)
    if gone and words & UNASKED:
        yield "packages are removed without being asked"
    if any(KEPT.fullmatch(name) for name in gone):
        yield "the host lives on this package"
    yield from _of_data(command)


def _of_firewall(command: Simple) -> Iterator[str]:
    """Hold a command of a firewall to mailcow's packets: it takes no rule away, and lets nobody else's through."""
    family = "iptables" if re.fullmatch(r"ip6?tables(-legacy|-nft)?", command.program) else command.program
    told = " ".join(command.words[1:])
    if family in OPENS and re.fullmatch(OPENS[family], told):
        yield "what protects the host is switched off"
    if family == "iptables" and ANYTHING.search(told):
        yield "all packets are let through"
    if command.program.endswith("tables-restore") or re.search(r"rp_filter ?= ?0|accept_source_route ?= ?1", told):
        yield "what protects the host is switched off"


def _of_data(command: Simple) -> Iterator[str]:
    program, words = command.program, set(command.words[1:])
    if program in DESTROYS or program.startswith("mkfs."):
        yield "files are gone for good"
    if program == "dd" and any(word.startswith("of=/dev/") for word in words):
        yield "a disk is overwritten"
    if program == "docker":
        if "prune" in words or "--volumes" in words or ({"down"} <= words and "-v" in words):
            yield "what others have on the engine is gone"
        if {"volume", "rm"} <= words:
            yield "a volume with somebody's data is gone"


def _of_host(command: Simple, host: Host | None) -> Iterator[str]:
    """Hold a command against the package manager and the init system that the host has."""
    if host is None:
        return
    family = MANAGERS.get(command.program)
    if family and host.os_release.known:
        release = host.os_release.get()
        names = {name.split("-")[0] for name in (release.id, *release.id_like)}
        fits = [kind for kind, known in FAMILIES.items() if names & set(known)]
        if family not in fits:
            yield f"this host ({release.id}) has no such package manager"
    init = INITS.get(command.program)
    if init and host.services.known and host.services.get().init != init:
        yield f"this host has {host.services.get().init}"
