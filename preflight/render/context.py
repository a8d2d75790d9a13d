"""What a format may use beside the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from preflight.report.compare import Comparison


class Context(Struct, frozen=True, kw_only=True):
    """What is known beside the report.

    `why`: by check id, why that check matters to mailcow. `color`: whether colour is wanted. `since`: what changed
    since an earlier report. `redacted`: names were replaced by placeholders. `asked`: how many checks were asked for,
    of how many; None: all.
    """

    why: Mapping[str, str] = field(default_factory=dict)
    color: bool = False
    since: Comparison | None = None
    redacted: bool = False
    asked: tuple[int, int] | None = None
