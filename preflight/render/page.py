"""A page of text for a terminal, 80 columns wide, coloured only where asked."""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO

from preflight.render.escape import terminal
from preflight.render.limits import PARAGRAPH
from preflight.render.shell import folded

WIDTH = 80


class Page:
    """Lines of wrapped text; what is written is made harmless here, and nowhere is markup read from it."""

    def __init__(self, color: bool) -> None:
        from rich.console import Console

        self.file = StringIO()
        self.console: Console = Console(
            file=self.file, width=WIDTH, force_terminal=color, color_system="standard" if color else None,
            no_color=not color, highlight=False, markup=False, emoji=False, legacy_windows=False, _environ={},
        )  # fmt: skip

    def line(self, text: str, *, indent: int = 0, mark: str = "", style: str = "", mark_style: str = "") -> None:
        """Write text, wrapped behind its indent and its mark."""
        from rich.text import Text

        hanging = indent + len(mark) + bool(mark)
        lead = Text(" " * indent).append(mark, mark_style).append(" " if mark else "")
        whole = Text(terminal(text, PARAGRAPH), style)
        for line in whole.wrap(self.console, WIDTH - hanging, overflow="fold", tab_size=1) or [Text("")]:
            line.rstrip()
            if line.plain.startswith("::"):  # where a line breaks, what a CI runner would take for an order
                line = Text("\\") + line
            self.console.print(lead + line, soft_wrap=True)
            lead = Text(" " * hanging)

    def heading(self, text: str) -> None:
        """Write a heading with a line of space above it."""
        self.line("")
        self.line(text, style="bold")

    def commands(self, commands: Iterable[str], indent: int) -> None:
        """Write commands to paste: exact; long ones go on in the next line as the shell allows."""
        from rich.text import Text

        for line in folded(tuple(commands), WIDTH - indent):
            self.console.print(Text(" " * indent + line, "cyan"), soft_wrap=True)

    def finish(self) -> str:
        """Return all that was written, without blanks at the ends of lines."""
        return "\n".join(line.rstrip() for line in self.file.getvalue().splitlines()).strip("\n") + "\n"
