"""What people read: whole sentences with named places, so that each can be taken out, translated and put back.

    say("{size} of memory are too small for ClamAV.", size=gib(size))

The first argument is a literal of ours, or one that `noted` keeps: never text of a host. What stands in a place is a
value – a number, a name, a list of names with commas between them, what a program said – and never a sentence or a
part of one. It is put in once and not read as a template again. Several sentences are a `paragraph`. A `phrase` is
what stands in a table, or behind a colon, where no grammar reaches it. A test holds the code to all this
(tests/test_sentences.py). Imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Callable


def _english(template: str) -> str:
    return template


# Where another language will come in; a test puts brackets there.
translated: Callable[[str], str] = _english
translated_phrase: Callable[[str], str] = _english


def say(sentence: str, /, **values: object) -> str:
    """Return a whole sentence in the reader's language, with its values."""
    return translated(sentence).format(**values)


def phrase(words: str, /, **values: object) -> str:
    """Return a short phrase in the reader's language, for a table or for a list behind a colon."""
    return translated_phrase(words).format(**values)


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
    return paragraph(say("This could not be found out."), reason)


def skipped_because(reason: str) -> str:
    """Say that something was not checked, and why, in a sentence each."""
    return paragraph(say("This was not checked."), reason)
