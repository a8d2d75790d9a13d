"""What a firewall manager's own files say of it: its switch, and its files of rules."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.facts import RuleFile, Service
from preflight.text.sentences import phrase, say


def switched_off(service: Service) -> bool:
    """Say whether the manager's own settings make its unit do nothing; what runs all the same is not off."""
    return service.switch is not None and service.switch.on is False and service.process is None


def without_rules(service: Service) -> bool:
    """Say whether the files that a manager loads were read and hold no rules."""
    return bool(service.rule_files) and all(file.rules == 0 for file in service.rule_files)


def sentences(service: Service) -> Iterator[str]:
    """Yield what a reader should know of a manager's settings, in a sentence each."""
    if service.switch is not None and service.switch.variable:
        yield say("Its configuration has {setting}.", setting=_setting(service))
    read = [file for file in service.rule_files if file.rules is not None]
    if read:
        yield say("Rules in its files: {files}.", files=", ".join(map(_counted, read)))
    for file in service.rule_files:
        if file.rules is None:
            yield say("Cannot read {path}: {reason}.", path=file.path, reason=file.why)


def phrases(service: Service) -> Iterator[str]:
    """Yield the same in short, for the evidence."""
    if service.switch is not None:
        yield _setting(service) if service.switch.variable else phrase("disabled")
    for file in service.rule_files:
        yield _counted(file) if file.rules is not None else f"{file.path}: {file.why}"
        if file.flushes:
            yield phrase("it removes all rules first")


def _setting(service: Service) -> str:
    return f"{service.switch.variable}={service.switch.value}" if service.switch else ""


def _counted(file: RuleFile) -> str:
    return f"{file.path} ({file.rules})"
