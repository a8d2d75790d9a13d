"""Prometheus' text exposition format 0.0.4, read more strictly than Prometheus does: what is doubtful is an error."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'(?P<label>[a-zA-Z_][a-zA-Z0-9_]*)="(?P<value>(?:[^"\\\n]|\\["\\n])*)"'
SAMPLE = re.compile(rf"(?P<name>{NAME})(?:\{{(?P<labels>.+)\}})? (?P<value>\S+)")
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
TYPES = {"counter", "gauge", "histogram", "summary", "untyped"}

Labels = tuple[tuple[str, str], ...]


class Group(NamedTuple):
    """The samples of one metric, by their labels."""

    help: str
    type: str
    samples: dict[Labels, float]


def parse(text: str) -> dict[str, Group]:
    """Return the groups in their order; raise `AssertionError` where anything is not as the format wants it."""
    text.encode()  # UTF-8 throughout
    assert text.endswith("\n"), "the last line has no end"
    groups: dict[str, Group] = {}
    about = ""
    for line in text.removesuffix("\n").split("\n"):
        assert line, "an empty line"
        assert line == line.strip(" \t"), f"blanks around {line!r}"
        if line.startswith("# HELP "):
            _, _, name, about = line.split(" ", 3)
            assert name not in groups, f"a second group of {name}"
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in groups, f"a second type of {name}"
            assert kind in TYPES, kind
            groups[name] = Group(about, kind, {})
        elif not line.startswith("#"):
            _sample(line, groups)
    assert all(group.samples and group.help for group in groups.values())
    return groups


def _sample(line: str, groups: dict[str, Group]) -> None:
    match = SAMPLE.fullmatch(line)
    assert match, line
    assert groups, f"{line!r} has no type before it"
    name, group = list(groups.items())[-1]
    assert match["name"] == name, f"{line!r} stands in the group of {name}"
    labels = _labels(match["labels"] or "")
    assert labels not in group.samples, f"{line!r} is there twice"
    value = float(match["value"])
    assert math.isfinite(value)
    group.samples[labels] = value


def _labels(text: str) -> Labels:
    found = []
    while text:
        match = re.match(LABEL, text)
        assert match, text
        assert not match["label"].startswith("__"), "reserved"
        found.append((match["label"], re.sub(r'\\["\\n]', lambda one: ESCAPES[one[0]], match["value"])))
        text = text[match.end() :]
        assert not text or (text[0] == "," and len(text) > 1), text
        text = text[1:]
    names = [name for name, _ in found]
    assert len(set(names)) == len(names), f"a label twice: {names}"
    return tuple(found)
