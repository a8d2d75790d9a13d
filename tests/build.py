"""Make hosts and looks for tests: everything that a test does not name is unknown."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from preflight.assess.running import run as run_check
from preflight.checks import Check, Look, catalogue
from preflight.facts import SCHEMA, Asked, ConfFile, Fact, Host, Setting, View
from preflight.facts.parts import GROUPS, PARTS, fields
from preflight.mailcow import plan as plan_module
from preflight.mailcow import requirements as requirements_module
from preflight.report.evidence.names import RecordsEvidence
from preflight.report.evidence.shapes import SHAPES
from preflight.report.model import Evidence, Result, SourceEvidence
from tests import advice, sentences, told

VIEW = View(container=False, root="/", live=True, network=True, privileged=None)
ALWAYS = {"name", "os_release", "kernel", "machine", "mailcow_conf"}  # parts that every run makes
STARTED = "2026-11-23T01:23:45Z"


class Spy:
    """A host that notes which of its parts are read."""

    def __init__(self, watched: object, read: set[str], group: str = "") -> None:
        self.watched, self.read, self.group = watched, read, group

    def __getattr__(self, name: str) -> object:
        place = f"{self.group}{name}"
        if place in PARTS:
            self.read.add(place)
        found = getattr(self.watched, name)
        return Spy(found, self.read, f"{place}.") if place in GROUPS else found


def host(
    *,
    view: View = VIEW,
    asked: Asked | None = None,
    started: str = STARTED,
    conf: dict[str, str] | None = None,
    **facts: Any,
) -> Host:
    """Make a host. A part is given by its name (a probe without its group), as its value or as a `Fact`.

    `conf` is a mailcow.conf, a value a line.
    """
    if conf is not None:
        facts["mailcow_conf"] = conf_file(conf)
    names = {place: place.rpartition(".")[2] for place in PARTS}
    unknown = set(facts) - set(names.values())
    assert not unknown, f"no such part of a host: {unknown}"
    parts = fields({
        place: facts[name] if isinstance(facts.get(name), Fact)
        else Fact.of("test", facts[name]) if name in facts
        else Fact.unknown("test", f"The test gives no {name}.", "Give it.")
        for place, name in names.items()
    })  # fmt: skip
    return Host(schema=SCHEMA, version="0", started=started, seconds=0.5, view=view, asked=asked or Asked(), **parts)


def conf_file(values: dict[str, str], path: str = plan_module.DEFAULT_CONF) -> ConfFile:
    """Make a mailcow.conf that holds these values, one a line, from line 1."""
    settings = {name: Setting(value, line) for line, (name, value) in enumerate(values.items(), 1)}
    return ConfFile(path, True, settings)


def look(
    given: Host | None = None,
    *,
    conf: dict[str, str] | None = None,
    requirements: str | requirements_module.Requirements = "current",
    asked: Asked | None = None,
    **facts: Any,
) -> Look:
    """Make what a check is given; `facts` make the host where none is given."""
    made = given or host(asked=asked, **facts)
    if asked is not None:
        made = msgspec.structs.replace(made, asked=asked)
    if conf is not None:
        made = msgspec.structs.replace(made, mailcow_conf=Fact.of("test", conf_file(conf)))
    numbers = requirements_module.load(requirements) if isinstance(requirements, str) else requirements
    return Look(made, plan_module.make(made.mailcow_conf.value, made.asked), numbers)


def check(identity: str) -> Check:
    """Return a check of the catalogue by its id."""
    return next(entry for entry in catalogue() if entry.id == identity)


def run(identity: str, given: Look) -> list[Result]:
    """Run one check as the report would, and return its results: in whole sentences, with advice that harms nobody."""
    entry = check(identity)
    _hold(entry, given)
    results = list(run_check(entry, given))
    shapes = {*SHAPES.get(identity, ()), SourceEvidence, Evidence}
    assert {type(result.evidence) for result in results} <= shapes
    for result in results:
        assert result.message.endswith((".", "?")), result.message
        if isinstance(result.evidence, RecordsEvidence):
            records = result.remedy.records if result.remedy else ()
            assert result.evidence.zone == tuple(f"{r.name}. {r.ttl} IN {r.type} {r.value}" for r in records)
    harm = [fault for result in results for fault in advice.faults_of(result.remedy, given.host)]
    assert not harm, harm
    told.hold(entry, given)
    return results


def measured(result: Result) -> dict[str, Any]:
    """Return a result's evidence as the JSON report has it."""
    made: dict[str, Any] = json.loads(msgspec.json.encode(result.evidence))
    return made


def _hold(entry: Check, given: Look) -> None:
    """Hold a check to what it names and says: it reads nothing else, and people read whole sentences of it."""
    read: set[str] = set()
    with sentences.marked():
        marked = sentences.mark_facts(given.host)
        plan = plan_module.make(marked.mailcow_conf.value, marked.asked)
        results = list(run_check(entry, Look(Spy(marked, read), plan, given.requirements)))  # type: ignore[arg-type]
    assert read <= {*entry.reads, *ALWAYS}, f"{entry.id} does not name all that it reads"
    faults = [fault for result in results for fault in sentences.faults_of(result)]
    assert not faults, faults
