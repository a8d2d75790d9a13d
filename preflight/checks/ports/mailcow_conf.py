"""What is wrong with mailcow.conf, in findings: each names file and line, and the line to write instead. Pure."""

from __future__ import annotations

from preflight.checks import Look
from preflight.checks.ports import conf_lines, conf_values, env_file
from preflight.facts import ConfFile
from preflight.report.model import Finding


def judge(look: Look, conf: ConfFile) -> dict[str, Finding]:
    """Return the findings by their subjects: lines, the file, variables."""
    return {**env_file.judge(conf), **conf_lines.judge(look, conf), **conf_values.judge(look, conf)}
