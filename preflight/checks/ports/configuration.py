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
    remedy="Correct the line of mailcow.conf that the finding names.",
    docs=(PREREQUISITES,),
    sources=(issue(4285),),
    subject="variable",
)
def configuration(look: Look) -> Iterator[Finding]:
    """mailcow can use every port, address and network in mailcow.conf

    Docker Compose does not check the values in mailcow.conf, and mailcow's shell scripts source the same file. If a
    port has a wrong address, if two services have the same port, or if Compose cannot read the file, containers are not
    created, and the message names no line. If a shell reads a value differently, updates and backups fail.
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
        message = say("There is no mailcow.conf yet; mailcow can use all of its defaults.")
        if conf.present:
            message = say("mailcow can use all settings in {path}.", path=conf.path)
        yield Finding(status=Status.PASS, message=message)
