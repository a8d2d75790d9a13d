"""Hold the redacted report of what a test of a check gives against the real one: the same words and advice, or none."""

from __future__ import annotations

from fnmatch import fnmatchcase

from preflight.assess import assess
from preflight.checks import Check, Look
from preflight.redact import Redaction
from preflight.redact.likeness import alike, same
from preflight.redact.retold import WITHHELD

# Where words and advice may be left out, as the value that is found fault with is not shown, or its stand-in has no
# fault; and where two names of one time zone are compared.
MAY_BE_SILENT = ("dns.*", "docker.daemon-config", "docker.leftovers", "ports.configuration", "clock.timezone")


def hold(entry: Check, given: Look) -> None:
    """Fail where words or advice are left out that can be told, or are told that are another host's."""
    real = assess(given.host, given.plan, given.requirements, (entry,), proposals=given.proposals)
    shown = Redaction(given.host).report(real, given.requirements, (entry,))
    silent = any(fnmatchcase(entry.id, pattern) for pattern in MAY_BE_SILENT)
    for one, other in zip(real.results, shown.results, strict=True):
        for name in ("message", "expected", "found"):
            told = getattr(one, name), getattr(other, name)
            assert same(*told) or (silent and told[1] in (WITHHELD, None)), told
        assert silent or alike(one.remedy, other.remedy), (one.remedy, other.remedy)
