"""mailcow.conf whose values refer to others: which of them Compose refuses."""

from __future__ import annotations

import pytest

from preflight.gather.conf.mailcow_conf import parse
from preflight.mailcow.plan import DEFAULT_CONF


def refused(text: str) -> tuple[int, ...]:
    return parse(text, DEFAULT_CONF).bad_lines


@pytest.mark.parametrize(
    ("lines", "reference", "taken"),
    [
        ("A=", "${A:?no}", False), ("A=''", "${A:?no}", False), ('A=""', "${A:?no}", False), ("A=x", "${A:?no}", True),
        ("A='$B'", "${A:?no}", True), ("A=$$", "${A:?no}", True), ("A=", "${A?no}", True), ("B=x", "${A?no}", False),
        ("A=\nA=x", "${A:?no}", True), ("A=x\nA=", "${A:?no}", False), ("A='x", "${A?no}", False),
        ("A=$B", "${A:?no}", False), ('A="${B}"', "${A:?no}", False), ("A=${B:-}", "${A:?no}", False),
        ("A=x$B", "${A:?no}", True), ("A=$B", "${A?no}", True), ("A=${B:-x}", "${A:?no}", True),
        ("A=${B:+x}", "${A:?no}", False), ("B=x\nA=${B:+x}", "${A:?no}", True), ("B=x\nA=${B:+}", "${A:?no}", False),
        ("A=x", "${B:-${A:?no}}", True), ("A=", "${B:-${A:?no}}", False), ("B=x", "${B:-${A:?no}}", False),
        ("A=x", "pre${A:?no}post", True), ("A=", "pre${A:?no}post", False), ("A=", "$${A:?no}", True),
    ],
)  # fmt: skip
def test_a_variable_that_is_required_has_to_hold_something(lines: str, reference: str, taken: bool) -> None:
    """Compose refuses the line where it does not, and looks into a default whether it takes that or not."""
    bad = refused(f"{lines}\nHTTP_PORT={reference}\n")
    number = lines.count("\n") + 2
    assert (number not in bad) is taken


@pytest.mark.parametrize("operator", ["?", ":?"])
def test_a_required_variable_that_is_nowhere_is_refused(operator: str) -> None:
    conf = parse(f"TZ=UTC\nHTTP_PORT=${{NOWHERE{operator}please}}\n", DEFAULT_CONF)
    assert (conf.bad_lines, conf.refusals) == ((2,), ("unset",))


@pytest.mark.parametrize("text", ["${", "${}", "${-x}", "${1}", "a${B", "${B:-${}}"])
def test_what_starts_no_reference_is_refused(text: str) -> None:
    assert refused(f"TZ=UTC\nHTTP_PORT={text}\n") == (2,)


@pytest.mark.parametrize(("length", "taken"), [(8192, True), (8193, False)])
def test_the_longest_value_with_references(length: int, taken: bool) -> None:
    value = "$A" + "x" * (length - 2)
    assert refused(f"A=1\nHTTP_PORT={value}\n") == (() if taken else (2,))


@pytest.mark.parametrize(("number", "taken"), [(49, True), (50, False)])
def test_the_most_references_of_a_value(number: int, taken: bool) -> None:
    assert refused(f"A=1\nHTTP_PORT={'$A' * number}\n") == (() if taken else (2,))


@pytest.mark.parametrize(("depth", "taken"), [(20, True), (21, False)])
def test_how_deep_references_nest(depth: int, taken: bool) -> None:
    value = "${B:-" * depth + "x" + "}" * depth
    assert refused(f"HTTP_PORT={value}\n") == (() if taken else (1,))


def test_many_long_references_are_given_up_at_last() -> None:
    """Some hundred lines of eight thousand characters are looked through; a million would take minutes."""
    line = "HTTP_PORT=$A" + "x" * 8000 + "\n"
    bad = refused(line * 600)
    assert bad
    assert bad[0] > 400


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (r"\a", "\a"), (r"\b", "\b"), (r"\f", "\f"), (r"\r", "\r"), (r"\t", "\t"), (r"\v", "\v"),
        (r"\"", '"'), (r"\\", "\\"), (r"\$", "$"), (r"\c", r"\c"), (r"\x", r"\x"), (r"\0101", "A"),
    ],
)  # fmt: skip
def test_escapes_in_double_quotes(written: str, value: str) -> None:
    conf = parse(f'TZ="<{written}>"\n', DEFAULT_CONF)
    assert conf.bad_lines == ()
    assert conf.settings["TZ"].value == f"<{value}>"


@pytest.mark.parametrize("written", [r"\n", r"\t", r"\\", r"\$"])
def test_no_escapes_in_single_quotes(written: str) -> None:
    assert parse(f"TZ='<{written}>'\n", DEFAULT_CONF).settings["TZ"].value == f"<{written}>"


@pytest.mark.parametrize("text", ["TZ=a\0b", 'TZ="a\0b"', "TZ='a\0b'"])
def test_a_nul_byte_is_refused(text: str) -> None:
    assert refused(f"{text}\nHTTP_PORT=1\n") == (1,)
