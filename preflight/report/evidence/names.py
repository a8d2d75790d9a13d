"""What the checks of the DNS measured."""

from __future__ import annotations

from preflight.report.model import Evidence


class RecordsEvidence(Evidence, frozen=True, kw_only=True):
    """The records of a type that a name has and should have; `zone`: lines of a zone file for those still missing."""

    name: str
    type: str
    expected: tuple[str, ...]
    found: tuple[str, ...]
    zone: tuple[str, ...]
