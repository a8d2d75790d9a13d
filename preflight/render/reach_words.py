"""The words of what `preflight reach` found, each once for all formats."""

from __future__ import annotations

HEADLINE = {
    "reached": "mailcow's ports can be reached from here",
    "not-reached": "Not all of mailcow's ports can be reached from here",
    "undetermined": "Undetermined: this does not show what others can reach",
}
COUNTS = "{passed} as expected, {failed} not as expected, {unknown} unknown."
HOST, TOLD, RESOLVED = "Host", "Addresses in the line", "Name resolves here to"
KEPT, TRIED, NONE = "Ports stay open until", "Tried", "none"
PORTS, SAID, FINDINGS = "Ports:", "The first one says:", "Causes"
COLUMNS = ("Port", "Result", "Details")
LOCAL = "not reached, as expected"
SEEN = "{long}, seen as {peer}"
OUTCOMES = {
    "reached": "reached",
    "refused": "refused",
    "filtered": "no answer",
    "prohibited": "prohibited",
    "unreachable": "unreachable",
    "unsent": "not sent",
    "other": "answered by something else",
    "mute": "accepted, no answer",
    "closed": "accepted and closed",
    "late": "not finished",
}
