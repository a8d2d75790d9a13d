"""A scenario: one fault, how it is made, what really happens then, and what the report has to say beforehand.

A file of `scenarios/` is one; its name is the scenario's. All keys but `title` and `host` may be left out:

    title       one line: the fault
    host        a kind of kinds.py
    network     `ipv4` (default) or `dual`
    conf        lines of mailcow.conf, after its host name and ENABLE_IPV6
    installed   false: there is no mailcow.conf when the check runs
    running     true: the stack runs already
    nofile      the host's own limit of open files
    client      the engine's address for `docker run` alone, where the usual place is the fault
    fault       shell on the host that makes the fault
    upstream    shell at the other end of the host's cable
    options     of the check, after `--format json`
    run         the `docker run` flags, where not the README's
    then        shell on the host between the check and the stack; `reboot` starts the host again
    unknowable  why the outcome cannot be told from the host beforehand
    rehearse    true: a dress rehearsal is played, too, and held against the outcome; `prevented`: it must not begin;
                false: never. Where it says nothing, LAB_REHEARSE=all (make lab REHEARSE=all) has it played.
    near        the scenario that it is much like: played after all others, and, where there is a limit of time
                (LAB_UNTIL, in seconds since 1970), left out once that is over
    hold        true: `preflight reach` tries the rehearsal's ports from the other end, and is held against the outcome
    script      true: the script of `--format sh` is run in place of the commands in the report
    unhealed    why the commands that the report gives do not make its finding go away here

    [[expect]]  check, subject, status; holder: its process, unit or container; says: a pattern in the message;
                advises: one in the remedy, its commands included
    [truth]     error: a pattern in what Compose says; failing: services; none of both: the stack comes up, and each
                public port answers the other end of the cable, unless unreachable = true
    [[observe]] run: shell on the host after the stack; where = `upstream`: at the other end; exit; output: a pattern
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "scenarios"


@dataclass(frozen=True)
class Expect:
    """A result that the report must have."""

    check: str
    status: str
    subject: str | None = None
    holder: str | None = None
    says: str | None = None
    advises: str | None = None

    @property
    def fault(self) -> bool:
        return self.status not in ("pass", "skip")

    def __str__(self) -> str:
        return f"{self.check}{f' {self.subject}' if self.subject else ''}: {self.status}"


@dataclass(frozen=True)
class Observe:
    """Something to be seen once the stack was brought up."""

    run: str
    exit: int = 0
    output: str = ""
    where: str = "host"


@dataclass(frozen=True)
class Truth:
    """What comes of the stack."""

    error: str = ""
    failing: tuple[str, ...] = ()
    unreachable: bool = False  # its ports, though the stack comes up

    @property
    def up(self) -> bool:
        return not self.error and not self.failing


@dataclass(frozen=True)
class Scenario:
    """One scenario, as its file says."""

    name: str
    title: str
    host: str
    network: str = "ipv4"
    conf: str = ""
    installed: bool = True
    running: bool = False
    nofile: int = 0
    client: str = ""
    fault: str = ""
    upstream: str = ""
    options: tuple[str, ...] = ()
    run: tuple[str, ...] = ("--privileged", "--pid=host", "--network=host")
    then: str = ""
    unknowable: str = ""
    unhealed: str = ""
    rehearse: bool | str = field(default_factory=lambda: os.environ.get("LAB_REHEARSE") == "all")
    near: str = ""
    hold: bool = False
    script: bool = False
    expect: tuple[Expect, ...] = ()
    truth: Truth = field(default_factory=Truth)
    observe: tuple[Observe, ...] = ()

    @property
    def plain_conf(self) -> str:
        """Write the mailcow.conf that mailcow's installer would have left, and the scenario's own lines."""
        ipv6 = "true" if self.network == "dual" else "false"
        usual = f"MAILCOW_HOSTNAME=mail.example.org\nCOMPOSE_PROJECT_NAME=mailcowdockerized\nENABLE_IPV6={ipv6}\n"
        return f"{usual}SKIP_FTS=n\n{self.conf}\n"


def load(path: Path) -> Scenario:
    """Read a scenario; raises TypeError where it holds a key that none has."""
    said: dict[str, Any] = tomllib.loads(path.read_text())
    for name, make in (("expect", Expect), ("observe", Observe)):
        said[name] = tuple(make(**row) for row in said.get(name, ()))
    truth = {key: tuple(value) if isinstance(value, list) else value for key, value in said.pop("truth", {}).items()}
    for name in ("options", "run"):
        if name in said:
            said[name] = tuple(said[name])
    return Scenario(name=path.stem, truth=Truth(**truth), **said)


def scenarios(names: tuple[str, ...] = ()) -> list[Scenario]:
    """Read all scenarios, or those named."""
    paths = sorted(FOLDER.glob("*.toml"))
    if unknown := set(names) - {path.stem for path in paths}:
        raise ValueError(f"no such scenario: {', '.join(sorted(unknown))}")
    return [load(path) for path in paths if not names or path.stem in names]
