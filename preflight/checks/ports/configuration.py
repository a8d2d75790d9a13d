"""mailcow.conf: every port, address and network in it is one that mailcow can use."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.ports import conf_addresses, mailcow_conf
from preflight.checks.sources import PREREQUISITES, issue
from preflight.report.model import Finding, Severity, Status
from preflight.text.sentences import say


@check(
    severity=Severity.REQUIRED,
    reads=("mailcow_conf", "links", "binds", "routes", "engine", "compose"),
    remedy="Correct the line of mailcow.conf that is named.",
    docs=(PREREQUISITES,),
    sources=(issue(4285),),
    subject="variable",
)
def configuration(look: Look) -> Iterator[Finding]:
    """Every port, address and network in mailcow.conf is one that mailcow can use

    Docker Compose takes mailcow.conf as it stands, and mailcow's shell scripts source the same file. A port with a
    wrong address, a port given twice or a file that Compose cannot read ends with containers that are not created,
    and with a message that names no line; a value that a shell reads differently, with updates and backups that fail.
    """
    conf = look.host.mailcow_conf.get()
    findings = mailcow_conf.file_findings(look, conf)
    # Where the host's addresses are not known, what else was found comes first.
    foreign = conf_addresses.foreign(look, findings)
    yield from (finding for subject, finding in findings.items() if subject not in foreign)
    complete = not findings
    for variable, address in foreign.items():
        finding = conf_addresses.stranger(look, conf, variable, address)
        if variable in findings and (finding is None or finding.status is Status.PASS):
            finding = findings[variable]
        if finding:
            complete = complete and finding.status is Status.PASS
            yield finding
    if complete:
        message = say("There is no mailcow.conf yet, and mailcow's defaults hold nothing that it could not use.")
        if conf.present:
            message = say("{path} holds nothing that mailcow could not use.", path=conf.path)
        yield Finding(status=Status.PASS, message=message)
