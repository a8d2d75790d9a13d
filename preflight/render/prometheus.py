"""The report in Prometheus' text exposition format 0.0.4, for the textfile collector of node_exporter.

Verdicts and statuses are sets of states as OpenMetrics describes them: one gauge with a series for each state, 1 for
the one that applies and 0 for the others, so that a series never vanishes when the state changes. The collector drops
a whole file for one duplicate, so each result has labels of its own whatever its subject looks like.
Format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from enum import Enum

from preflight.render import monitor_words, words
from preflight.render.context import Context
from preflight.render.digest import digest
from preflight.render.escape import terminal
from preflight.render.opening import opening
from preflight.report.model import Report, Result, Status, Verdict

PREFIX = "mailcow_preflight"
GAUGE = "gauge"
LABEL = 1000  # characters of a label's value
Sample = tuple[dict[str, str], str]  # labels, and the value as it is written


def prometheus(report: Report, context: Context) -> str:
    """Return the report as metrics; comments before them say the verdict in words."""
    comments = [f"# {opening(report, digest(report), context.coverage).headline}"]
    comments += [f"# {words.REDACTED}"] if context.redacted else []
    return "\n".join([*comments, *_metrics(report)]) + "\n"


def _metrics(report: Report) -> Iterator[str]:
    yield from _gauge("build_info", monitor_words.BUILD, [(_build(report), "1")])
    verdict = _states({}, "verdict", Verdict, report.verdict)
    yield from _gauge("verdict", monitor_words.VERDICT, verdict)
    yield from _gauge("result", monitor_words.RESULT, _results(report.results))
    counted = Counter(result.status for result in report.results)
    counts = [({"status": status.value}, str(counted[status])) for status in Status]
    yield from _gauge("results", monitor_words.RESULTS, counts)
    yield from _gauge("duration_seconds", monitor_words.DURATION, [({}, f"{report.seconds:.3f}")])
    yield from _gauge("timestamp_seconds", monitor_words.TIMESTAMP, _started(report.started))


def _gauge(name: str, help_text: str, samples: Iterable[Sample]) -> Iterator[str]:
    """Yield a group: what it means, its type and its samples; nothing where there are none."""
    samples = list(samples)
    if samples:
        yield f"# HELP {PREFIX}_{name} {help_text}"
        yield f"# TYPE {PREFIX}_{name} {GAUGE}"
    for labels, value in samples:
        written = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{PREFIX}_{name}{{{written}}} {value}" if written else f"{PREFIX}_{name} {value}"


def _states(labels: dict[str, str], label: str, states: Iterable[Enum], true: Enum) -> Iterator[Sample]:
    for state in states:
        yield labels | {label: str(state.value)}, str(int(state is true))


def _build(report: Report) -> dict[str, str]:
    used = report.requirements
    return {
        "version": terminal(report.tool.version, LABEL),
        "requirements": terminal(used.name, LABEL),
        "requirements_read": terminal(used.read, LABEL),
    }


def _results(results: Iterable[Result]) -> Iterator[Sample]:
    """Yield the states of each result. Subjects that look the same once written are numbered."""
    seen: set[tuple[str, str]] = set()
    for result in results:
        check, subject = terminal(result.check, LABEL), terminal(result.subject or "", LABEL)
        label, number = subject, 1
        while (check, label) in seen:
            number += 1
            label = monitor_words.SAME.format(label=subject, number=number)
        seen.add((check, label))
        labels = {"check": check, "subject": label, "severity": result.severity.value}
        yield from _states(labels, "status", Status, result.status)


def _started(text: str) -> Iterator[Sample]:
    """Yield the time of the run. Recorded facts may hold anything as theirs; what is no time is left out."""
    try:
        began = datetime.fromisoformat(text)
        yield {}, f"{(began if began.tzinfo else began.replace(tzinfo=UTC)).timestamp():.0f}"
    except (ValueError, OverflowError):
        return


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
