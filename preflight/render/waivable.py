"""What `--ignore` takes for one finding: `ID:SUBJECT`, quoted for a shell; a bare id would waive the whole check."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from preflight.report.model import Result, Status

_WAIVABLE = (Status.WARN, Status.FAIL, Status.UNKNOWN)
_LONGEST = 100  # characters of a subject: a longer one would be cut where it is shown, and match nothing
_PATTERN = frozenset("*?=")  # `*` and `?` would match other subjects too, `=` begins the reason
_DATE = re.compile(r"@\s*[0-9][0-9./-]*$")  # would be taken for the waiver's last day


def waivable(result: Result, *, redacted: bool = False) -> str:
    """Return the value of `--ignore` that waives this finding and no other subject of its check; '' = there is none.

    A placeholder of a redacted report is the subject of no host.
    """
    subject = result.subject
    if result.status not in _WAIVABLE:
        return ""
    if subject is None:
        return shlex.quote(result.check)
    if not subject or len(subject) > _LONGEST or subject != subject.strip() or not subject.isprintable():
        return ""
    if not _PATTERN.isdisjoint(subject) or _DATE.search(subject) or (redacted and "<" in subject):
        return ""
    return shlex.quote(f"{result.check}:{subject}")


def all_waivable(results: Iterable[Result], *, redacted: bool = False) -> tuple[str, ...]:
    """Return the values for several findings, each once."""
    told = (waivable(result, redacted=redacted) for result in results)
    return tuple(dict.fromkeys(value for value in told if value))
