"""Write the excerpt of a report into README.md: from a recorded host's, so that it says what the program says.

python3 tools/sample.py [--check]      (make docs; make docs-check)
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
REPORT = TREE / "tests/hosts/debian12-nested.report.txt"
SHOWN = ("docker.compose]", "[ports.free:")  # the findings that are shown
FIRST = "On this server"
BEGIN, END = (
    "<!-- sample: written by `make docs` from tests/hosts/debian12-nested.report.txt -->\n",
    "<!-- /sample -->\n",
)


def excerpt(report: str) -> str:
    """Return the opening, some findings and the last lines of a report, indented as Markdown's code is."""
    opening, _, rest = report.partition(f"\n{FIRST}\n")
    body, _, closing = rest.rpartition("\n\n")
    found = [item for item in re.split(r"(?m)^(?= ?\d+ [✗!])|^(?=[A-Z])", body) if any(word in item for word in SHOWN)]
    lines = [*opening.splitlines(), "", FIRST]
    for item in found:
        lines += [*item.rstrip().splitlines(), "…"]
    lines += closing.strip().splitlines()[-2:]
    return "".join(f"    {line}".rstrip() + "\n" for line in lines)


def filled(text: str, report: str) -> str:
    """Return the README with the excerpt between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{excerpt(report)}\n{END}{after}"


def main() -> int:
    page = TREE / "README.md"
    text = page.read_text()
    wanted = filled(text, REPORT.read_text())
    if "--check" in sys.argv:
        return int(text != wanted)
    page.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
