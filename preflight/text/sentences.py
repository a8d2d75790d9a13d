"""What people read: whole sentences with named places, so that each can be taken out, translated and put back.

    say("{size} of memory are too small for ClamAV.", size=gib(size))

The first argument is a literal of ours, or one that `noted` keeps: never text of a host. What stands in a place is a
value – a number, a name, a list of names with commas between them, what a program said – and never a sentence or a
part of one. It is put in once and not read as a template again. Several sentences are a `paragraph`. A `phrase` is
what stands in a table, or behind a colon, where no grammar reaches it. A test holds the code to all this
(tests/test_sentences.py). Imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


def _english(template: str) -> str:
    return template


# Where another language will come in; a test puts brackets there.
translated: Callable[[str], str] = _english
translated_phrase: Callable[[str], str] = _english
_written: Callable[[str], str] | None = None  # how texts are written that stand in a place; None: as they are


@contextmanager
def writing(how: Callable[[str], str]) -> Iterator[None]:
    """Have all that is said meanwhile write the texts in its places in a way of their own (redaction: placeholders)."""
    global _written
    before, _written = _written, how
    try:
        yield
    finally:
        _written = before


def _values(values: dict[str, object]) -> dict[str, object]:
    if _written is None:
        return values
    return {name: value if isinstance(value, int | float) else _written(str(value)) for name, value in values.items()}


def say(sentence: str, /, **values: object) -> str:
    """Return a whole sentence in the reader's language, with its values."""
    return translated(sentence).format(**_values(values))


def phrase(words: str, /, **values: object) -> str:
    """Return a short phrase in the reader's language, for a table or for a list behind a colon."""
    return translated_phrase(words).format(**_values(values))


def noted(template: str) -> str:
    """Return a sentence or phrase as it is: one that is kept while the program is loaded, and said later."""
    return template


def told(sentence: str) -> str:
    """Return a sentence that a file tells (a table of requirements): it has no places, and is never a template."""
    return translated(sentence)


def paragraph(*sentences: str | None) -> str:
    """Put whole sentences one after another; None and '' are none."""
    return " ".join(filter(None, sentences))


def unknown_because(reason: str) -> str:
    """Say that something could not be found out, and why, in a sentence each."""
    return paragraph(say("This could not be determined."), reason)


def skipped_because(reason: str) -> str:
    """Say that something was not checked, and why, in a sentence each."""
    return paragraph(say("This was not checked."), reason)
