"""How the variables of mailcow.conf are written: more than once, or so that a shell reads something else."""

from __future__ import annotations

import re
from collections.abc import Iterator

from preflight.facts import ConfFile, Setting
from preflight.mailcow.conf.problems import Problem, ProblemKind


def problems(conf: ConfFile) -> Iterator[Problem]:
    """Yield what is wrong with the lines of variables, whatever their values mean."""
    for variable, numbers in conf.duplicates.items():
        setting = conf.settings.get(variable, Setting("", numbers[-1]))
        where = ", ".join(map(str, numbers))
        yield Problem(variable, "set-twice", setting.line, setting.value, "", fatal=False, details={"lines": where})
    for variable, setting in conf.settings.items():
        if setting.shell is not None:
            kind: ProblemKind = "shell-differs" if setting.shell else "shell-reads-nothing"
            better, details = _for_both(variable, setting), {"other": setting.shell}
            yield Problem(variable, kind, setting.line, setting.value, better, fatal=False, details=details)


def _for_both(variable: str, setting: Setting) -> str:
    """Return the line that a shell reads as Compose does; '' where that cannot be told."""
    value = setting.value
    if setting.refers or "'" in value or "…" in value or not value.isprintable():
        return ""
    simple = re.fullmatch(r"[\w./:\[\]-]*", value, re.ASCII) is not None
    return f"{variable}={value}" if simple else f"{variable}='{value}'"
