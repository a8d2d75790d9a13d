"""What a format may use beside the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field

from preflight.render.limits import WIDTH

if TYPE_CHECKING:
    from preflight.report.compare import Comparison


class Coverage(Struct, frozen=True):
    """How many checks ran, and how many there are."""

    run: int
    all: int

    @property
    def partial(self) -> bool:
        """Say whether some checks did not run."""
        return self.run < self.all


class Context(Struct, frozen=True, kw_only=True):
    """What is known beside the report.

    `why`: by check id, why that check matters to mailcow. `color`: whether colour is wanted. `since`: what changed
    since an earlier report. `redacted`: names were replaced by placeholders. `coverage`: None: all checks ran.
    `width` in columns, `ascii` (no other signs can be shown) and `show_passed` (in place of their number) are for text.
    """

    why: Mapping[str, str] = field(default_factory=dict)
    color: bool = False
    since: Comparison | None = None
    redacted: bool = False
    coverage: Coverage | None = None
    width: int = WIDTH
    ascii: bool = False
    show_passed: bool = False
