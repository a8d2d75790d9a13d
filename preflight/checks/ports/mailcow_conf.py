"""What is wrong with mailcow.conf, in findings: each names file and line, and the line to write instead. Pure."""

from __future__ import annotations

from preflight.checks import Look
from preflight.checks.ports import conf_lines, conf_values, env_file
from preflight.facts import ConfFile
from preflight.report.model import Finding


def file_findings(look: Look, conf: ConfFile) -> dict[str, Finding]:
    """Return the findings by their subjects: lines, the file, variables."""
    return {
        **env_file.env_findings(conf),
        **conf_lines.line_findings(look, conf),
        **conf_values.value_findings(look, conf),
    }
