"""A page of text for a terminal: as wide as it is, coloured only where asked, in ASCII where it shows nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO

from preflight.render.escape import command_line, terminal, written_out
from preflight.render.limits import PARAGRAPH, WIDTH
from preflight.render.shell import folded

# What stands for our own signs where only ASCII is shown.
_ASCII = {
    "✗": "x", "✓": "+", "✕": "x", "–": "-", "—": "-", "·": "|", "→": "->", "…": "...", "≥": ">=", "≤": "<=", "×": "x",
    "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "µ": "u",
}  # fmt: skip
_ASCII_MARKS = _ASCII | {"→": ">"}  # a mark is one column wide, so that what follows stays aligned


class Page:
    """Lines of wrapped text; what is written is made harmless here, and nowhere is markup read from it."""

    def __init__(self, color: bool, width: int = WIDTH, *, ascii: bool = False) -> None:
        from rich.console import Console

        self.file = StringIO()
        self.width, self.ascii = width, ascii
        self.console: Console = Console(
            file=self.file, width=width, force_terminal=color, color_system="standard" if color else None,
            no_color=not color, highlight=False, markup=False, emoji=False, legacy_windows=False, _environ={},
        )  # fmt: skip

    def line(self, text: str, *, indent: int = 0, mark: str = "", style: str = "", mark_style: str = "") -> None:
        """Write text, wrapped behind its indent and its mark."""
        from rich.text import Text

        text = terminal(text, PARAGRAPH)
        if self.ascii:
            text, mark = in_ascii(text), in_ascii(mark, _ASCII_MARKS)
        hanging = indent + len(mark) + bool(mark)
        lead = Text(" " * indent).append(mark, mark_style).append(" " if mark else "")
        for line in Text(text, style).wrap(self.console, self.width - hanging, overflow="fold", tab_size=1) or [
            Text("")
        ]:
            line.rstrip()
            if line.plain.startswith("::"):  # where a line breaks, what a CI runner would take for an order
                line = Text("\\") + line
            self.console.print(lead + line, soft_wrap=True)
            lead = Text(" " * hanging)

    def rows(self, text: str, hanging: int) -> int:
        """Return how many lines text takes behind `hanging` columns."""
        from rich.text import Text

        text = terminal(text, PARAGRAPH)
        shown = Text(in_ascii(text) if self.ascii else text)
        return len(shown.wrap(self.console, self.width - hanging, overflow="fold", tab_size=1))

    def heading(self, text: str) -> None:
        """Write a heading with a line of space above it."""
        self.line("")
        self.line(text, style="bold")

    def commands(self, commands: Iterable[str], indent: int) -> None:
        """Write commands to paste: exact; long ones go on in the next line as the shell allows."""
        for line in folded(tuple(commands), self.width - indent):
            self._exact(" " * indent + line)

    def paste(self, lines: Iterable[str], indent: int) -> None:
        """Write lines to paste, each whole in one line however long it is: what wraps it is the terminal.

        The end of a here-document has to stand at the beginning of its line, so nothing is put in front of those.
        """
        whole = [command_line(line) for line in lines]
        space = "" if any("<<" in line for line in whole) else " " * indent
        for line in whole:
            order = line.lstrip().startswith("::")  # which a CI runner would take for one; a shell drops the backslash
            self._exact(f"{space}\\{line.lstrip()}" if order else space + line)

    def _exact(self, line: str) -> None:
        from rich.text import Text

        # A terminal that shows no other signs still takes their bytes: a command is never written otherwise.
        self.console.print(Text(line, "cyan"), soft_wrap=True)

    def finish(self) -> str:
        """Return all that was written, without blanks at the ends of lines."""
        return "\n".join(line.rstrip() for line in self.file.getvalue().splitlines()).strip("\n") + "\n"


def in_ascii(text: str, signs: dict[str, str] = _ASCII) -> str:
    """Return text in ASCII: our signs by what stands for them, letters of others as their escapes."""
    if text.isascii():
        return text
    return "".join(sign if sign.isascii() else signs.get(sign) or written_out(sign) for sign in text)
