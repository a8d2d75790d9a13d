"""Many cases of a family, and their figures."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from pathlib import Path

from tests.differential.compare import Compared, Difference, compare
from tests.differential.generators import UNDECIDED, make
from tests.differential.host import Refused
from tests.differential.shrink import persists, shrink

COLUMNS = ("packets", "right", "wrong", "undecided", "depends", "named", "misnamed", "no counter", "engine fails")


class Figures:
    """What came out for a family of cases."""

    def __init__(self, family: str) -> None:
        self.family = family
        self.cases = 0
        self.refused = 0
        self.strayed = 0  # differences that were not there a second time
        self.seconds: list[float] = []
        self.counts: dict[int, Counter[str]] = {4: Counter(), 6: Counter()}
        self.plain: Counter[str] = Counter()  # undecided and all packets, of cases without rates
        self.why: Counter[str] = Counter()
        self.told: list[str] = []
        self._began = time.monotonic()

    def late(self, seconds: float) -> bool:
        """Say whether its time is over."""
        return time.monotonic() - self._began > seconds

    def add(self, result: Compared) -> None:
        """Count a case."""
        self.cases += 1
        self.seconds.append(result.seconds)
        for version, counts in result.figures.items():
            self.counts[version] += counts
            if not result.case.rates:
                self.plain["packets"] += counts["packets"]
                self.plain["undecided"] += counts["undecided"]
        self.why.update(result.undecided)

    def failures(self) -> list[str]:
        """Return what is not as it must be."""
        found = list(self.told)
        packets, undecided = self.plain["packets"], self.plain["undecided"]
        if undecided > UNDECIDED.get(self.family, 0.05) * packets:
            found.append(f"{self.family}: undecided {undecided} of {packets}: {self.why.most_common(5)}")
        return found

    def text(self) -> str:
        """Write them as lines."""
        median = statistics.median(self.seconds) if self.seconds else 0
        lines = [
            f"{self.family}: {self.cases} cases, {self.refused} not taken by their programs, {self.strayed} strayed; "
            f"twin {median:.2f} s, at most {max(self.seconds, default=0):.2f} s"
        ]
        for version, counts in self.counts.items():
            told = ", ".join(f"{name} {counts[name]}" for name in COLUMNS if counts[name])
            lines.append(f"  IPv{version} {told}")
        undecided, packets = self.plain["undecided"], self.plain["packets"]
        lines.append(f"  undecided without rates: {undecided} of {packets}; {dict(self.why.most_common(8))}")
        return "\n".join(lines)


def play(family: str, seed: int, links: Path, figures: Figures, *, shrinking: bool = True) -> None:
    """Play a case and count it; a difference that is there a second time is printed, as small as it gets."""
    case = make(family, seed)
    try:
        result = compare(case, links)
    except Refused as refusal:
        figures.refused += 1
        print(f"{family} {seed}: {refusal}", flush=True)
        return
    for one in result.differences[:1]:
        again = persists(result.case, one, links)
        if again is None:  # a busy machine
            figures.strayed += 1
            return
        if shrinking:
            again = persists(shrink(result.case, one, links), one, links) or again
        figures.told.append(told(again, one))
        print(figures.told[-1], flush=True)
    figures.add(result)


def told(result: Compared, first: Difference) -> str:
    """Write a difference, to be looked into."""
    shown = [one for one in result.differences if one.what == first.what][:3]
    lines = [f"== {result.case.family} {result.case.seed}: {len(result.differences)} differences"]
    lines += [f"{one.what} {one.key}\n   twin:  {one.twin}\n   truth: {one.truth}" for one in shown]
    return "\n".join([*lines, result.case.text()])
