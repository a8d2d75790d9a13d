"""The words of what `preflight reach` found, each once for all formats."""

from __future__ import annotations

HEADLINE = {
    "reached": "mailcow's ports are reached from here",
    "not-reached": "Not all of mailcow's ports are reached from here",
    "undetermined": "Undetermined: this does not tell what others reach",
}
COUNTS = "{passed} as they should be, {failed} not, {unknown} not determined."
HOST, TOLD, RESOLVED = "Host", "Its addresses, as it says", "Its name resolves here to"
KEPT, TRIED, NONE = "It answers until", "Tried at", "none"
PORTS, SAID, FINDINGS = "Ports:", "The first one says:", "What is behind it"
COLUMNS = ("Port", "Result", "Details")
LOCAL = "not reached, as it should be"
SEEN = "{long}, seen as {peer}"
OUTCOMES = {
    "reached": "reached",
    "refused": "refused",
    "filtered": "no answer",
    "prohibited": "prohibited",
    "unreachable": "unreachable",
    "unsent": "not sent",
    "other": "answered by somebody else",
    "mute": "taken, no answer",
    "closed": "taken and closed",
    "late": "not tried to the end",
}
