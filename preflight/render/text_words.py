"""The words of the report for a terminal alone."""

from __future__ import annotations

from collections.abc import Mapping

UNKNOWN = "Unknown"
PASSED = {1: "1 check passed.", 2: "{count} checks passed."}
SKIPPED = {1: "1 was skipped.", 2: "{count} were skipped."}
LISTED = "--show-passed lists them."
ALIKE = "{reason} This also applies to {count} more."
TALLY = (
    {1: "1 problem", 2: "{count} problems"},
    {1: "1 warning", 2: "{count} warnings"},
    {1: "1 result unknown", 2: "{count} results unknown"},
)
LAST = "{headline}. {tally}."
START = "Start with number 1. Run the check again when all is done."
FIRST = "First: number {number}."
LATER = "Last, once mailcow runs: {numbers}."
BETWEEN = "Check again in between."
AND = "{first} and {last}"
TO = "{first} to {last}"
INSTALL = "Next, install mailcow: {url}"
MORE_ABOUT = "More: preflight explain ID, {page}. To waive: --ignore ID:SUBJECT."


def some(forms: Mapping[int, str], count: int) -> str:
    """Return how many there are, in the singular or in the plural."""
    return forms[1 if count == 1 else 2].format(count=count)
