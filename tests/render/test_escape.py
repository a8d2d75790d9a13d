"""Escaping: what comes from a host is shown, and does nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from markdown_it import MarkdownIt

from preflight.render.escape import code_span, command_line, fence, link, markdown_cell, markdown_text, prose, terminal
from tests.render.hostile import ANY, VALUES

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def inline(text: str) -> list[tuple[str, str]]:
    """Parse one paragraph and return what stands in it."""
    opening, content, closing = PARSER.parse(text)
    assert (opening.type, closing.type) == ("paragraph_open", "paragraph_close")
    return [(token.type, token.content) for token in content.children or () if token.type != "text" or token.content]


def shown(text: str) -> str:
    return "".join(content for _, content in inline(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("exim4", "exim4"),
        ("a\nb\tc", "a b c"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b2J\x7f\x00", "\\x9b2J\\x7f\\x00"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u200b\u2066\u2028\ufeff", "a\\u200b\\u2066\\u2028\\ufeff"),
        ("\U000e0041\udc80\u3164", "\\U000e0041\\udc80\\u3164"),
        ("a\u00a0b", "a b"),
        ("x" * 500, "x" * 500),
        ("x" * 501, "x" * 500 + "… (left out: 1 characters)"),
        ("\x00" * 1000, "\\x00" * 125 + "… (left out: 875 characters)"),
    ],
)
def test_terminals_are_given_nothing_to_obey(text: str, expected: str) -> None:
    assert terminal(text) == expected


@given(ANY)
def test_a_terminal_line_is_printable_and_short(text: str) -> None:
    assert terminal(text, 30).isprintable()
    assert len(terminal(text, 30)) <= 30 + len("… (left out: 99999 characters)")


@pytest.mark.parametrize("text", VALUES)
def test_a_sentence_is_one_paragraph_of_text_and_code(text: str) -> None:
    assert {kind for kind, _ in inline(markdown_text(text))} <= {"text", "code_inline", "text_special"}


@given(ANY)
def test_a_sentence_shows_what_it_was_given(text: str) -> None:
    line = " ".join(terminal(text).split())
    if line:
        assert shown(markdown_text(text)) == line
        assert shown(f"- {markdown_text(text)}"[2:]) == line


@given(ANY)
def test_our_own_text_stays_one_paragraph_too(text: str) -> None:
    made = prose(text)
    assert made == "" or {kind for kind, _ in inline(made)} <= {"text", "code_inline", "text_special"}


@given(ANY)
def test_a_value_is_one_span_of_code(text: str) -> None:
    spans = [(kind, content) for kind, content in inline(code_span(text)) if content]
    assert [kind for kind, _ in spans] == ["code_inline"]
    assert terminal(text, 120).strip() in spans[0][1] or not terminal(text).strip()


@given(ANY)
def test_a_cell_is_one_cell(text: str) -> None:
    for made in (markdown_cell(text), code_span(text, cell=True)):
        rows = PARSER.parse(f"| a | b |\n| - | - |\n| {made} | end |\n")
        cells = [token.content for number, token in enumerate(rows) if rows[number - 1].type == "td_open"]
        assert len(cells) == 2
        assert cells[1] == "end"


@given(ANY, ANY)
def test_commands_stay_in_their_block(one: str, other: str) -> None:
    (block,) = PARSER.parse(fence([one, other]))
    assert (block.type, block.info) == ("fence", "sh")
    assert block.content == f"{command_line(one)}\n{command_line(other)}\n"


def test_a_command_is_exact_and_on_one_line() -> None:
    assert command_line("echo  'a  b' `id` | tee x") == "echo  'a  b' `id` | tee x"
    assert command_line("a\nrm -rf /\t\x1b\u202e") == "a\\nrm -rf /\\t\\x1b\\u202e"
    assert command_line("x" * 5000).startswith("# A command of 5000 characters")


def test_only_addresses_of_the_web_are_links() -> None:
    assert link("https://docs.mailcow.email/a?b=c#d") == "<https://docs.mailcow.email/a?b=c#d>"
    assert link("https://a.example", "x`y") == "[``x`y``](<https://a.example>)"
    for url in (
        "javascript:alert(1)",
        "https://a.example/><b>",
        "file:///etc/passwd",
        "https://a b",
        "https://a\n",
        "",
        "HTTP://é",
    ):
        assert [kind for kind, _ in inline(link(url))] == ["code_inline"]


def test_sentences_read_well_raw() -> None:
    for text in (
        "25/tcp is held by exim4 (pid 812, exim4.service).",
        "SMTP_PORT and HTTP_PORT both publish port 25: 2 of 3!",
        "1.1.1.1 does not answer; 5 > 4 & so on.",
    ):
        assert markdown_text(text) == text
    assert (
        markdown_text("Add --pid=host, or see https://a.example/x.")
        == "Add `--pid=host`, or see `https://a.example/x`."
    )
    assert prose("Set `SKIP_CLAMD=y` in `mailcow.conf`.") == "Set `SKIP_CLAMD=y` in `mailcow.conf`."
