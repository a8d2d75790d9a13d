"""The steps as text, Markdown and page number them: the same ones, in the same order, nothing lost on the way."""

from __future__ import annotations

import re
from typing import Any

import pytest
from msgspec.structs import replace

from preflight.render import Context, render
from preflight.render.plan import FLAGS
from preflight.render.steps import Steps, steps
from preflight.report.model import DnsRecord, Remedy, Report, Result, Severity, Status
from tests.render import reports

INSTALL = Remedy("Install Docker.", ("curl -fsSL https://get.docker.com/ | sh",))
_HEADS = {
    "text": r"^ ?(\d+) [✗!?] (.*)$",
    "markdown": r"^### (\d+)\. (?:\W* )?(.*)$",
    "html": r'<h4[^>]*><span class="number">(\d+)</span><span>(.*?)<',
}


def row(check: str, status: str, text: str, **more: Any) -> Result:
    remedy = {name: more.pop(name) for name in ("place", "when", "records") if name in more}
    return reports.result(check, status, f"{check} is {status}.", remedy=Remedy(text, **remedy), **more)


def of(*rows: Result, **context: Any) -> Steps:
    return steps(reports.report(*rows), Context(**context))


def numbers(made: Steps) -> dict[str, list[tuple[int, tuple[str, ...]]]]:
    """Return the steps by place: each one's number and checks."""
    return {place.name: [(step.number, step.checks) for step in place.steps] for place in made.places}


def heads(form: str, shown: str) -> list[tuple[str, str]]:
    """Return the numbers of a report's steps, each with the words beside it."""
    return re.findall(_HEADS[form], shown, re.MULTILINE | (re.DOTALL if form == "html" else 0))


def every_kind() -> Report:
    """Return a report with steps of every place, unknown ones among them, and flags that are missing."""
    return reports.report(
        row("dns.mx", "warn", "Replace it.", place="dns", when="last"),
        row("clock.zone", "unknown", "Run it there.", severity=Severity.INFO),
        row("ports.free", "fail", "Stop it."),
        row("docker.engine", "fail", "Start Docker."),
        row("docker.storage", "unknown", "Start Docker.", reason="Docker does not answer."),
        row("dns.address", "unknown", "Query another server.", place="dns"),
        row("resources.swap", "warn", "Add a swap file."),
        row("firewall.forwarding", "unknown", "Add --privileged to docker run.", place="docker-run"),
        replace(reports.result("a.odd", "fail", "a.odd is fail."), remedy=None),
        replace(reports.result("a.dark", "unknown"), remedy=None),
    )


# --- one numbering ---------------------------------------------------------------------------------------------


def test_what_is_wrong_comes_by_its_place_then_what_is_unknown() -> None:
    made = steps(every_kind(), Context())
    assert made.flags
    assert (made.flags.number, made.flags.title) == (
        1, "1 result is unknown because docker run flags are missing: --privileged",
    )  # fmt: skip
    assert numbers(made) == {
        "docker-run": [],
        "host": [(2, ("ports.free",)), (3, ("docker.engine", "docker.storage")), (4, ("resources.swap",))],
        "last": [(5, ("dns.mx",))],
        "no-fix": [(6, ("a.odd",))],
        "unknown": [(7, ("dns.address",)), (8, ("clock.zone",)), (9, ("a.dark",))],
    }
    assert made.later == (5,)
    assert (made.having(Status.FAIL), made.having(Status.WARN)) == (3, 2)


@pytest.mark.parametrize("form", _HEADS)
def test_every_format_has_the_same_numbers(form: str) -> None:
    shown = render(every_kind(), form)
    told = dict(heads(form, shown))
    assert list(told) == [str(number) for number in range(1, 10)]
    for number, head in (("1", "1 result is unknown"), ("2", "ports.free is fail"), ("4", "resources.swap is warn")):
        assert head in told[number]
    for part in ("Docker does not answer", "docker.storage", "--rm", "No remedy is known."):
        assert part in shown


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_the_samples_have_one_numbering(name: str) -> None:
    report = reports.SAMPLES[name]()
    told = {form: [number for number, _ in heads(form, render(report, form))] for form in _HEADS}
    made = steps(report, Context())
    wanted = [str(number) for number in range(1, len(made.all) + 1 + (made.flags is not None))]
    assert told == dict.fromkeys(_HEADS, wanted)


# --- what is in a step -----------------------------------------------------------------------------------------


def test_what_is_unknown_for_the_same_cause_is_in_its_step_with_the_reason() -> None:
    made = of(
        reports.result("docker.compose", "unknown", remedy=INSTALL, reason="No engine.", detail="It said so."),
        reports.result("docker.engine", "fail", remedy=INSTALL),
    )
    (step,) = made.all
    assert (step.known, step.status, step.details) == (True, Status.FAIL, ("It said so.",))
    assert [result.check for result in step.entry.results] == ["docker.engine"]
    assert [(reason.text, [check.check for check in reason.checks]) for reason in step.reasons] == [
        ("No engine.", ["docker.compose"])
    ]


def test_a_failure_and_a_warning_in_one_step_have_marks_of_their_own() -> None:
    shown = render(reports.report(row("a.b", "fail", "Do it."), row("a.c", "warn", "Do it.")), "text")
    assert " 1 ✗ a.b is fail. [a.b]\n   ! a.c is warn. [a.c]\n   → Do it.\n" in shown
    assert "1 problem." in shown


def test_of_each_check_in_a_step_one_finding_can_be_waived() -> None:
    rows = [row("a.b", "fail", "Do it.", subject=str(number)) for number in range(9)]
    more = [row(f"a.{name}", "warn", "Do it.") for name in "cdef"]
    shown = " ".join(render(reports.report(*rows, *more), "text").split())
    for check in ("a.b:0", "a.c", "a.d", "a.e", "a.f"):
        assert re.search(rf"\[[^]]*\b{re.escape(check)}[],]", shown)


def test_a_failure_that_flags_would_mend_is_no_unknown_result() -> None:
    made = of(row("a.b", "fail", f"Add {FLAGS[0]} to docker run.", place="docker-run"))
    assert made.flags is None
    assert numbers(made) == {"docker-run": [(1, ("a.b",))]}


def test_records_are_tables_of_their_place_and_lines_only_with_real_names() -> None:
    def entry(check: str, record: DnsRecord, status: str = "fail", **more: Any) -> Result:
        return row(check, status, "Enter it.", records=(record,), **more)

    rows = (
        entry("dns.address", DnsRecord("mail.example.org", "A", "192.0.2.7", 3600), place="dns"),
        entry("dns.reverse", DnsRecord("7.2.0.192.in-addr.arpa", "PTR", "mail.example.org.", 300), place="provider"),
        entry("dns.mx", DnsRecord("example.org", "MX", "10 mail.example.org.", 300), place="dns", when="last"),
    )
    found = {place.name: [row.type for table in place.tables for row in table.records] for place in of(*rows).places}
    assert found == {"provider": ["PTR"], "dns": ["A"], "last": ["MX"]}
    hidden = of(*rows, redacted=True)
    assert [table.lines for place in hidden.places for table in place.tables] == [(), (), ()]


def test_records_that_nothing_asks_for_have_their_table_too() -> None:
    record = DnsRecord("_imap._tcp.example.org", "SRV", "0 1 143 mail.example.org.", 300)
    made = of(row("dns.srv", "pass", "Enter it.", records=(record,), place="dns", severity=Severity.INFO))
    assert [(place.name, len(place.steps), len(place.tables)) for place in made.places] == [("dns", 0, 1)]
    shown = render(reports.report(row("dns.srv", "pass", "Enter it.", place="dns")), "text")
    assert "At your DNS provider" not in shown
