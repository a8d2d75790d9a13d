"""The words of the report for a terminal alone."""

from __future__ import annotations

from collections.abc import Mapping

HOST = "Host {name} · {os} · {architecture} · Docker {engine}"
MADE = "preflight {version} · {date} {time} UTC · {seconds} s · requirements {requirements}"
READ = "of {read}"
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
START = "Start with {number}."
BEGIN = "Start with {number}: {advice}"
LATER = "Do {numbers} last, once mailcow is tested."
AGAIN = "Then check again."
AND = "{first} and {last}"
TO = "{first} to {last}"
INSTALL = "Next, install mailcow: {url}"
MORE_ABOUT = "More: preflight explain ID, {page}. To waive: --ignore ID:SUBJECT."


def some(forms: Mapping[int, str], count: int) -> str:
    """Return how many there are, in the singular or in the plural."""
    return forms[1 if count == 1 else 2].format(count=count)
