"""The first and the last screen: what stands where, at every width, in ASCII, and what can be pasted from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as limits
from rich.cells import cell_len

from preflight.checks.dns import names
from preflight.render import Context, record_words, render, words
from preflight.render.page import Page
from preflight.report.model import DnsRecord, Remedy, Result
from tests.render import reports
from tests.render.hostile import ANY, VALUES

WIDTHS = (40, 80, 100)
HERE = ("cat > /etc/x <<'EOF'", "  a", "EOF")
LONG = f"apt-get install -y {' '.join(f'package-{number}' for number in range(40))}"
TESTED = "once mailcow is tested."
RECORD = DnsRecord("mail.example.org", "A", "192.0.2.7", 3600)


def text(*rows: Result, **context: object) -> str:
    return render(reports.report(*rows), "text", Context(**context))  # type: ignore[arg-type]  # what it has


def row(status: str, message: str = "It is so.", check: str = "a.b", **more: object) -> Result:
    return reports.result(check, status, message, **({"reason": None} | more))


# --- what stands where -----------------------------------------------------------------------------------------


def test_steps_are_numbered_failures_first_and_nothing_passed_comes_before() -> None:
    told = text(
        row("pass", "All is well.", "a.a"), row("warn", "It is odd.", "a.c", remedy=Remedy("Look.")),
        row("unknown", check="a.d", reason="It is dark.", remedy=Remedy("Bring light.")),
        row("fail", "It is broken.", remedy=Remedy("Glue it.", ("glue it",))),
        row("pass", "It is low.", "a.e", remedy=Remedy("Raise it.", ("raise it",))),
    )  # fmt: skip
    lines = told.splitlines()
    wanted = [
        " 1 ✗ It is broken. [a.b]", "   → Glue it.", "      glue it", " 2 ! It is odd. [a.c]", "   → Look.",
        " 3 ? It is dark.", "     a.d", "   → Bring light.", "   i It is low. [a.e]", "      raise it",
        "2 checks passed. --show-passed lists them.",
    ]  # fmt: skip
    places = [lines.index(line) for line in wanted]
    assert places == sorted(places)
    assert "All is well." not in told


def test_the_last_lines_say_the_verdict_how_many_and_what_next() -> None:
    look = Remedy("Look.")  # one remedy for both warnings
    rows = (row("fail"), row("warn", check="a.c", remedy=look), row("warn", "It is odd.", "a.d", remedy=look))
    *_, last, next_ = text(*rows).splitlines()
    assert last == "Not ready for mailcow. 1 problem, 1 warning."
    assert next_ == "Start with 1: Mend it. Then check again."
    assert text(row("pass")).splitlines()[-2:] == ["Ready for mailcow.", f"Next, install mailcow: {words.INSTALL}"]


@pytest.mark.parametrize(
    ("places", "wanted"),
    [
        (("host", "host"), "Start with 1: Do 0. Then check again."),
        (("host", "last"), f"Start with 1: Do 0. Do 2 last, {TESTED}"),
        (("host", "last", "last"), f"Start with 1: Do 0. Do 2 and 3 last, {TESTED}"),
        (("host", "last", "last", "last"), f"Start with 1: Do 0. Do 2 to 4 last, {TESTED}"),
        (("last", "last"), f"Do 1 and 2 last, {TESTED}"),
        (("last", "dark"), f"Start with 2: Mend it. Do 1 last, {TESTED}"),
        (("host", "last", "dark"), f"Start with 1: Do 0. Do 2 last, {TESTED}"),
    ],
)
def test_the_last_line_says_what_comes_first_and_what_has_to_wait(places: tuple[str, ...], wanted: str) -> None:
    rows = [
        row("unknown", check=f"a.n{number}", reason="It is dark.")
        if place == "dark"
        else row(
            "fail", f"It is odd {number}.", f"a.n{number}",
            remedy=Remedy(f"Do {number}.", when="last" if place == "last" else "now"),
        )
        for number, place in enumerate(places)
    ]  # fmt: skip
    assert text(*rows, width=100).splitlines()[-1] == wanted


def test_an_advice_that_takes_two_lines_is_not_repeated_in_the_last_one() -> None:
    told = text(row("fail", remedy=Remedy(f"Do {'this and ' * 12}that.")))
    assert told.splitlines()[-1] == "Start with 1. Then check again."


def test_what_could_not_be_found_out_is_counted_by_results_not_by_reasons() -> None:
    told = text(row("unknown", subject="a", reason="It is dark."), row("unknown", subject="b", reason="It is dark."))
    assert "2 results unknown." in told.splitlines()[-2]


def test_a_good_host_fits_into_fifteen_lines() -> None:
    assert len(render(reports.ready(), "text").splitlines()) <= 15
    fine = [reports.result("a.b"), *map(limit, ("fs.inotify.max_user_instances", "vm.overcommit_memory"))]
    told = text(*fine)  # what a new Debian has, and nothing else
    assert told.splitlines()[:1] == ["READY FOR MAILCOW"]
    assert "can be installed" not in told  # which the last line says
    assert len(told.splitlines()) <= 15


def limit(name: str) -> Result:
    commands = (f"echo '{name} = 1' >> /etc/sysctl.d/90-mailcow.conf", "sysctl -p /etc/sysctl.d/90-mailcow.conf")
    return row("pass", f"{name} is 0.", "system.limits", subject=name, remedy=Remedy("Raise it.", commands))


def test_without_a_name_the_second_line_says_that_the_dns_was_not_looked_at() -> None:
    skipped = row("skip", check="dns.hostname", reason="No name.")
    for rows in ((row("pass"), skipped), (row("unknown", reason="It is dark."), skipped)):
        assert text(*rows).splitlines()[1].startswith(words.NO_NAME[:60])
        assert words.NO_NAME in " ".join(render(reports.report(*rows), "markdown").replace("`", "").split())
    assert words.NO_NAME not in text(row("pass"), row("pass", check="dns.hostname"))


@pytest.mark.parametrize(("passes", "skips"), [(0, 1), (1, 0), (2, 3)])
def test_what_passed_is_one_line_or_a_list(passes: int, skips: int) -> None:
    rows = [row("pass", f"Pass {n} is well.", f"a.p{n}") for n in range(passes)]
    rows += [row("skip", check=f"a.s{n}", reason=f"Skip {n}.") for n in range(skips)]
    folded, listed = text(*rows), text(*rows, show_passed=True)
    told = [f"{passes} check{'s' * (passes > 1)} passed."] * (passes > 0)
    told += [f"{skips} {'were' if skips > 1 else 'was'} skipped."] * (skips > 0)
    assert " ".join((*told, "--show-passed lists them.")) in folded.splitlines()
    for part in [f"Pass {n} is well." for n in range(passes)] + [f"a.s{n}: Skip {n}." for n in range(skips)]:
        assert part in listed
        assert part not in folded
    assert "--show-passed" not in listed


def test_ports_are_listed_with_what_passed() -> None:
    rows = reports.ports()
    assert "Postfix SMTPS" not in text(*rows)
    assert "✓ 465" in text(*rows, show_passed=True)


# --- what is pasted --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["fail", "warn", "unknown", "pass"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("ascii", [False, True])
def test_every_command_is_there_whole(status: str, width: int, ascii: bool) -> None:
    made = [row(status, check=f"a.n{n}", reason="So.", remedy=Remedy(f"Do {n}.", commands))
            for n, commands in enumerate([("true",), (LONG,), HERE, ("echo 'Grüße · ✗'",)])]  # fmt: skip
    lines = text(*made, width=width, ascii=ascii).splitlines()
    for command in ("true", LONG, "echo 'Grüße · ✗'"):
        assert f"      {command}" in lines
    start = lines.index(HERE[0])  # nothing in front: a shell looks for the end of a here-document at the margin
    assert tuple(lines[start : start + 3]) == HERE


@pytest.mark.parametrize("name", reports.SAMPLES)
@pytest.mark.parametrize("width", WIDTHS)
def test_no_command_of_a_report_is_lost(name: str, width: int) -> None:
    report = reports.SAMPLES[name]()
    lines = [line.strip() for line in render(report, "text", Context(width=width)).splitlines()]
    wanted = {line for result in report.results if result.remedy and result.status.value not in ("skip", "ignored")
              for line in result.remedy.commands}  # fmt: skip
    assert wanted <= set(lines)


@pytest.mark.parametrize("width", WIDTHS)
def test_records_are_lines_of_their_own(width: int) -> None:
    one = row("fail", "A has none.", "dns.a", remedy=names.enter((RECORD,)))
    other = row("fail", "B has none.", "dns.b", remedy=names.enter((DnsRecord("b.example", "A", "192.0.2.8", 60),)))
    assert f"      {RECORD.line}" in text(one, width=width).splitlines()
    both = text(one, other, width=width)
    assert [line.strip() for line in both.splitlines() if " IN A " in line] == [
        RECORD.line, "b.example. 60 IN A 192.0.2.8",
    ]  # fmt: skip
    assert record_words.RECORDS_NOW in " ".join(both.split())
    assert record_words.RECORD_NOW in " ".join(text(one).split())


def test_a_command_is_no_order_to_a_ci_runner() -> None:
    lines = text(row("fail", remedy=Remedy("Do it.", ("::error::planted", "cat <<X", "X")))).splitlines()
    assert "\\::error::planted" in lines
    assert not [line for line in lines if line.lstrip().startswith("::")]


# --- widths and signs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
def test_sentences_fill_the_width(width: int) -> None:
    long = "word " * 60
    lines = text(row("fail", long, remedy=Remedy(long), detail=long), width=width).splitlines()
    widest = max(map(cell_len, lines))
    assert width - 5 <= widest <= width


@pytest.mark.parametrize("name", reports.SAMPLES)
@pytest.mark.parametrize("show_passed", [False, True])
def test_ascii_is_all_there_is_where_nothing_else_can_be_shown(name: str, show_passed: bool) -> None:
    made = render(reports.SAMPLES[name](), "text", Context(ascii=True, show_passed=show_passed))
    assert made.isascii()
    assert max(map(len, (line for line in made.splitlines() if not line.startswith("      ")))) <= 80


def test_signs_have_a_letter_and_stay_in_their_column() -> None:
    lines = text(row("fail", "Grüße … “x” → y.", remedy=Remedy("A · b.")), ascii=True).splitlines()
    assert ' 1 x Gr\\xfc\\xdfe ... "x" -> y. [a.b]' in lines
    assert "   > A | b." in lines


@pytest.mark.parametrize("value", VALUES)
def test_hostile_values_are_obeyed_by_nobody(value: str) -> None:
    held(value, 40, True)


@given(ANY)
@limits(deadline=None, max_examples=20)
def test_no_value_at_all_breaks_out(value: str) -> None:
    held(value, 100, False)


def held(value: str, width: int, ascii: bool) -> None:
    report = reports.hostile(value)
    made = render(report, "text", Context(width=width, ascii=ascii, show_passed=True))
    for line in made.removesuffix("\n").split("\n"):
        assert line.isprintable()
        assert cell_len(line) <= width or line.startswith("      ") or "<<" in value
        assert not line.lstrip().startswith("::")
    assert "[a.b]" not in made
    for check in ("ports.free", "services.mail", "clock.service", "clock.offset"):
        assert check in made


def test_a_page_is_as_wide_as_it_is_told() -> None:
    for width in WIDTHS:
        page = Page(color=False, width=width)
        page.line("x" * 300)
        assert max(map(len, page.finish().splitlines())) == width
