"""Free inodes where the engine keeps its data."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.findings import Measured, skipped
from preflight.checks.resources import spaces
from preflight.checks.sources import issue
from preflight.facts import Space
from preflight.report.evidence.host import InodesEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import phrase, say


@check(
    severity=Severity.RECOMMENDED,
    reads=("spaces", "engine", "daemon_config", "engine_start"),
    remedy="Remove small files from the file system, or recreate it with more inodes.",
    sources=(issue(3348),),
    subject="path",
    subjects=spaces.data,
    of_host=True,
)
def inodes(look: Look, path: str) -> Iterator[Finding]:
    """There are enough free inodes for the engine's data

    mailcow's images contain several hundred thousand files, and each mail is a file. A file system without free inodes
    is full even if df shows free space.
    """
    space, least = spaces.at(look, path), look.requirements.disk.inodes
    evidence = InodesEvidence(path=path, available=space.inodes_available, total=space.inodes_total, needed=least)
    free, needed = f"{space.inodes_available:,}", f"{least:,}"
    measured = Measured(expected=needed, found=free, evidence=evidence)
    if twin := spaces.twin(look, path):
        reason = say("{path} is on the same file system as {data} and is checked there.", path=path, data=twin)
        yield skipped(reason, evidence=evidence)
    elif not space.inodes_total:
        text = say("The file system of {path} has no fixed number of inodes.", path=path)
        yield Finding(status=Status.PASS, message=text, found=phrase("no fixed number"), evidence=evidence)
    elif space.inodes_available >= least:
        text = say("Free inodes at {path}: {count}.", count=free, path=path)
        yield measured.judged(Status.PASS, text)
    else:
        text = say(
            "There are too few free inodes at {path}: {count}. mailcow's images alone need {least}.",
            count=free,
            path=path,
            least=needed,
        )
        yield measured.judged(Status.WARN, text, _fewer_files(space))


def _fewer_files(space: Space) -> Remedy:
    return Remedy(
        say("Find out where many small files are and remove them, or use a file system with more inodes."),
        (f"df -i {space.existing}", f"du --inodes -xS {space.mount or space.existing} | sort -n | tail"),
    )
