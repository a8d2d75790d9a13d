"""Play many cases: `python -m tests.differential --number 2000 --family nft --seed 0`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.differential.compare import linked
from tests.differential.generators import FAMILIES
from tests.differential.running import Figures, play


def main() -> int:
    """Play cases; return 1 where the twin is wrong, or undecided too often."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--number", type=int, default=100, help="cases of each family")
    parser.add_argument("--family", action="append", choices=list(FAMILIES), help="all, if none is given")
    parser.add_argument("--seed", type=int, default=0, help="the number of the first case")
    parser.add_argument("--seconds", type=float, default=1e9, help="for each family")
    parser.add_argument("--no-shrink", action="store_true", help="print cases as they are")
    asked = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as directory:
        links = linked(Path(directory))
        for family in asked.family or FAMILIES:
            figures = Figures(family)
            for number in range(asked.seed, asked.seed + asked.number):
                if not figures.late(asked.seconds):
                    play(family, number, links, figures, shrinking=not asked.no_shrink)
            print(figures.text(), flush=True)
            failed |= bool(figures.failures())
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
