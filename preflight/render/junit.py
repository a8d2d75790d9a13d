"""The report as JUnit XML, as Jenkins (junit-10.xsd) and GitLab read it: a test case for each check and subject.

A failure is a `failure`; what could not be found out, and a check that broke, is an `error`; what was skipped or is
waived is `skipped`, with its reason; a warning passes, and its output tells it.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree

from preflight.render import words
from preflight.render.context import Context
from preflight.render.digest import digest
from preflight.render.escape import command_line, quoted, terminal
from preflight.render.opening import opening
from preflight.report.model import Report, Result, Status

NAME = 4000  # characters of a name: long enough that two subjects never become one by being cut
_OUTCOMES = {
    Status.FAIL: "failure",
    Status.UNKNOWN: "error",
    Status.ERROR: "error",
    Status.SKIP: "skipped",
    Status.IGNORED: "skipped",
}


def junit(report: Report, context: Context) -> str:
    """Return the report as an XML document."""
    headline = opening(report, digest(report), context.coverage).headline
    root = ElementTree.Element("testsuites", {"name": f"{report.tool.name}: {headline}", **_counts(report.results)})
    root.set("time", f"{report.seconds:.3f}")
    for section in dict.fromkeys(result.section for result in report.results):
        root.append(_suite(report, section, context.redacted))
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _suite(report: Report, section: str, redacted: bool) -> ElementTree.Element:
    results = [result for result in report.results if result.section == section]
    suite = ElementTree.Element("testsuite", {"name": terminal(section, NAME), **_counts(results)})
    suite.set("skipped", str(_number(results, "skipped")))
    suite.set("time", f"{sum(result.seconds for result in results):.3f}")
    # The schemas allow no time zone; it is UTC.
    suite.set("timestamp", terminal(report.started.removesuffix("Z")))
    suite.set("hostname", terminal(report.host.name or words.UNKNOWN, 255))
    if redacted:
        properties = ElementTree.SubElement(suite, "properties")
        ElementTree.SubElement(properties, "property", {"name": "redacted", "value": words.REDACTED})
    suite.extend(_case(result) for result in results)
    return suite


def _counts(results: Iterable[Result]) -> dict[str, str]:
    results = tuple(results)
    return {
        "tests": str(len(results)),
        "failures": str(_number(results, "failure")),
        "errors": str(_number(results, "error")),
    }


def _number(results: Iterable[Result], outcome: str) -> int:
    return sum(_OUTCOMES.get(result.status) == outcome for result in results)


def _case(result: Result) -> ElementTree.Element:
    """Return one test case: its class is the check, its name the check with its subject, as pytest writes them."""
    check = terminal(result.check, NAME)
    name = check if result.subject is None else f"{check}[{terminal(result.subject, NAME)}]"
    case = ElementTree.Element("testcase", {"classname": check, "name": name, "time": f"{result.seconds:.3f}"})
    outcome = _OUTCOMES.get(result.status)
    if outcome is not None:
        # Of what is skipped and of what is not known, the reason is what there is to say.
        said = result.message if result.status is Status.FAIL else result.reason or result.message
        told = ElementTree.SubElement(case, outcome, {"message": terminal(said), "type": _kind(result)})
        if result.status is not Status.SKIP:
            told.text = _output(_lines(result))
    elif result.status is Status.WARN:
        ElementTree.SubElement(case, "system-out").text = _output(["WARNING", *_lines(result)])
    elif result.remedy:  # it passes, with a remark
        ElementTree.SubElement(case, "system-out").text = _output(_lines(result))
    return case


def _output(lines: Iterable[str]) -> str:
    """Join lines. Plug-ins of Jenkins, and GitLab, take `[[ATTACHMENT|FILE]]` for an order to keep that file."""
    return "\n".join(lines).replace("[[ATTACHMENT|", "[[ATTACHMENT\\x7c")


def _kind(result: Result) -> str:
    status = result.was if result.status is Status.IGNORED and result.was else result.status
    return f"{result.severity.value}.{status.value}"


def _lines(result: Result) -> Iterable[str]:
    """Tell all of a result in lines."""
    yield terminal(result.message)
    if result.expected or result.found:
        shown = (terminal(value, 300) if value else "–" for value in (result.expected, result.found))
        yield words.EXPECTED_FOUND.format(**dict(zip(("expected", "found"), shown, strict=True)))
    if result.detail:
        yield words.DETAIL
        yield from (f"    {line}" for line in quoted(result.detail))
    if result.reason and result.status in (Status.FAIL, Status.WARN):
        yield f"{words.REMARK} {terminal(result.reason)}"
    if result.remedy:
        yield f"{words.REMEDY} {terminal(result.remedy.text, 2000)}"
        yield from (f"    {command_line(command)}" for command in result.remedy.commands)
    for url in result.docs:
        yield f"{words.READ_MORE} {terminal(url)}"
    yield terminal(words.about(result.check))
