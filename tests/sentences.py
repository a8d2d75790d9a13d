"""Read what people read out of the code, and tell in a text that was said what is a whole sentence and what is not."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec.structs import replace

from preflight.facts import Fact, Host, Missing, Probes
from preflight.report.model import Result, Status
from preflight.text import sentences

TEMPLATES = ("say", "phrase", "noted")
# Two words in a row, or a word beside a value, is what people read; a key, a path or a format is not.
WORDY = re.compile(r"[A-Za-z]{2,}[,;:)]* [a-zA-Z(]{2,}|\0 [a-z]{2,}|[a-z]{3,}[:,]? \0")
WHOLE = re.compile(r"(?:[A-Z\"]|\{|mailcow|[/a-z0-9_.-]+[ =/.])[\s\S]*(?:[.!?]|: \{\w+\})", re.ASCII)


class Template(msgspec.Struct, frozen=True):
    """A template in the code: where, by which function, and its text (None: it is no literal)."""

    path: Path
    line: int
    function: str
    text: str | None
    given: tuple[str, ...]  # the names of the values beside it
    open: bool  # further values come in by **
    source: str


def called(node: ast.AST) -> str:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def templates(path: Path) -> Iterator[Template]:
    """Yield all templates of a file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if called(node) in TEMPLATES:
            assert isinstance(node, ast.Call)
            first = node.args[0] if node.args else ast.Constant(None)
            text = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
            given = tuple(keyword.arg for keyword in node.keywords if keyword.arg)
            unpacked = any(keyword.arg is None for keyword in node.keywords)
            yield Template(path, node.lineno, called(node), text, given, unpacked, ast.unparse(first))


def places(text: str) -> list[str]:
    """Return the names of a template's places, with anything that follows the name."""
    return [
        f"{name}{'!' + conversion if conversion else ''}{':' + form if form else ''}"
        for _, name, form, conversion in string.Formatter().parse(text)
        if name is not None
    ]


def glued(path: Path, commands: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield where words are put together with values, or stand, without having been said."""
    tree = ast.parse(path.read_text("utf-8"))
    begins = tuple(commands)
    spared = set(_spared(tree))
    for node in ast.walk(tree):
        if id(node) in spared:
            continue
        if isinstance(node, ast.JoinedStr):
            text = "".join(part.value if isinstance(part, ast.Constant) else "\0" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if WORDY.search(text) and not text.startswith(begins):
            yield node.lineno, text.replace("\0", "{}")


def _spared(tree: ast.Module) -> Iterator[int]:
    """Yield the nodes that are no text of a report: documentation, templates, bugs, and what stands inside them."""
    for node in ast.walk(tree):
        inside: Iterable[ast.AST] = ()
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            first = node.body[0]
            assert isinstance(first, ast.Expr)
            inside = [first.value]
        if called(node) in TEMPLATES:
            assert isinstance(node, ast.Call)
            inside = ast.walk(node.args[0])  # a template is held against rules of its own
        elif called(node) == "check" or ast.unparse(getattr(node, "func", ast.Pass())).startswith("re."):
            inside = ast.walk(node)
        elif isinstance(node, (ast.Raise, ast.Assert)) and "InputError" not in ast.unparse(node):
            inside = ast.walk(node) if isinstance(node, ast.Assert) or _a_bug(node) else ()
        elif isinstance(node, ast.JoinedStr):
            inside = [part for part in ast.walk(node) if part is not node and isinstance(part, ast.Constant)]
        elif isinstance(node, (ast.AnnAssign, ast.arg)) and node.annotation:
            inside = ast.walk(node.annotation)
        yield from map(id, inside)


def _a_bug(node: ast.Raise) -> bool:
    return called(node.exc or ast.Pass()) in ("ValueError", "TypeError", "AssertionError", "NotImplementedError")


@contextmanager
def marked() -> Iterator[None]:
    """Have every sentence said in ⟦brackets⟧ and every phrase in ‹others›, as if it were another language."""
    before = sentences.translated, sentences.translated_phrase
    sentences.translated, sentences.translated_phrase = lambda text: f"⟦{text}⟧", lambda text: f"‹{text}›"
    try:
        yield
    finally:
        sentences.translated, sentences.translated_phrase = before


def mark_facts(host: Host) -> Host:
    """Mark the reasons among facts, which were said when the host was read."""

    def mark(fact: object) -> object:
        if isinstance(fact, Probes):
            return replace(fact, **{name: mark(getattr(fact, name)) for name in fact.__struct_fields__})
        if isinstance(fact, Fact) and fact.missing is not None:
            missing = fact.missing
            return Fact(
                fact.source, None, Missing(missing.kind, _mark(missing.reason), _mark(missing.help), missing.commands)
            )
        if isinstance(fact, Fact) and isinstance(fact.value, dict):
            return Fact(fact.source, {key: mark(value) for key, value in fact.value.items()})
        return fact

    return replace(host, **{name: mark(getattr(host, name)) for name in Host.__struct_fields__})


def _mark(text: str) -> str:
    return f"⟦{text.rstrip('.')}⟧." if text and not text.startswith("⟦") else text


def faults_of(result: Result) -> Iterator[str]:
    """Say what is wrong in one row of a marked report."""
    for name, text in (
        ("message", result.message),
        ("remedy", result.remedy and result.remedy.text),
        ("title", result.title),
    ):
        yield from (f"{result.check} {name}: {fault}" for fault in faults(text))
    if result.status is not Status.IGNORED:
        yield from (f"{result.check} reason: {fault}" for fault in faults(result.reason))
    for name, text in (("expected", result.expected), ("found", result.found)):
        if re.search(r"[‹⟦][^›⟧]*[‹⟦]|⟦", text or ""):
            yield f"{result.check} {name}: no phrase, or a phrase within a phrase: {text!r}"


def faults(text: str | None) -> list[str]:
    """Say what is wrong with a marked text: words outside of sentences, sentences in sentences, phrases in grammar."""
    wrong, depth, outside, rest = [], 0, "", text or ""
    for letter in rest:
        depth += {"⟦": 1, "⟧": -1}.get(letter, 0)
        if depth > 1:
            wrong.append("a sentence within a sentence")
            break
        if depth == 0 and letter != "⟧":
            outside += letter
    outside = outside.replace(". ", " ").removesuffix(".")  # the full stops of reasons that were recorded
    if outside.strip():
        wrong.append(f"words outside of a sentence: {outside.strip()!r}")
    wrong += [
        "a phrase where grammar reaches it"
        for place in re.finditer("‹", rest)
        if not re.search(r"(?:: |›[,;] )$", rest[: place.start()])
    ]
    return [f"{fault} in {text!r}" for fault in wrong]


__all__ = ["Callable", "Template", "faults", "glued", "mark_facts", "marked", "places", "templates"]
