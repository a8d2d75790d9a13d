"""How the page looks: nothing sticks out, light and dark, on paper, with the reader's own colours."""

from __future__ import annotations

import itertools
import re
import struct
from pathlib import Path

import pytest

from preflight.render import Context, render
from preflight.report.model import DnsRecord
from tests.browser import pages
from tests.browser.conftest import HEIGHT, Show
from tests.render import reports

pytestmark = pytest.mark.browser

WIDTHS = (1280, 375)
STICKS_OUT = """() => [...document.querySelectorAll("body *")]
    .filter(e => !e.closest(".hidden, thead") && e.getBoundingClientRect().right > innerWidth + 0.5)
    .map(e => e.outerHTML.slice(0, 80))"""
# An element whose content is wider than itself and cut off: something cannot be read.
CUT = """() => [...document.querySelectorAll("body *")]
    .filter(e => !e.closest(".hidden, thead, svg") && e.scrollWidth > e.clientWidth + 1 && e.clientWidth
        && getComputedStyle(e).overflowX != "visible")
    .map(e => e.outerHTML.slice(0, 80))"""


# Into how many lines the text of each element is broken.
LINES = """all => all.map(e => {
    const text = document.createRange();
    text.selectNodeContents(e);
    return new Set([...text.getClientRects()].filter(box => box.width).map(box => Math.round(box.top))).size;
})"""


@pytest.mark.parametrize("name", pages.REPORTS)
def test_a_screenshot_is_as_wide_as_the_window(name: str, show: Show, tree: Path) -> None:
    """Screenshots stay in build/page, for eyes."""
    page = show(pages.page(name))
    folder = tree / "build/page"
    folder.mkdir(parents=True, exist_ok=True)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            picture = page.screenshot(full_page=True, path=folder / f"{name}-{width}-{scheme}.png")
            assert struct.unpack(">I", picture[16:20]) == (width,)


@pytest.mark.parametrize("name", pages.REPORTS)
def test_nothing_sticks_out_or_is_cut_with_everything_open(name: str, show: Show) -> None:
    page = show(pages.page(name))
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    for width in (*WIDTHS, 320):
        page.set_viewport_size({"width": width, "height": HEIGHT})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(STICKS_OUT) == []
        assert page.evaluate(CUT) == []


@pytest.mark.parametrize("name", ["recorded", "hostile", "long"])
def test_on_paper_nothing_sticks_out_or_is_cut(name: str, show: Show) -> None:
    page = show(pages.page(name), width=718)  # A4 without its margins
    page.emulate_media(media="print")
    assert page.evaluate(STICKS_OUT) == []
    assert page.evaluate(CUT) == []


def test_what_sticks_out_would_be_seen(show: Show) -> None:
    page = show('<p style="width: 400px">x</p><pre style="width: 9px; overflow: clip">xxxxxxx</pre>', width=375)
    assert page.evaluate("document.documentElement.scrollWidth") > 375
    assert len(page.evaluate(STICKS_OUT)) == 1
    assert len(page.evaluate(CUT)) == 1


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["ready", "not-ready", "undetermined", "recorded"])
def test_the_first_view_tells_the_verdict_and_what_to_do_next(name: str, width: int, show: Show) -> None:
    page = show(pages.page(name), width=width)
    first = [".question", "h1", ".next"]
    if name in ("not-ready", "recorded"):
        first.append(".start .what a")
    for part in [*first, ".go"] if name == "ready" else first:
        box = page.locator(part).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 600, part


@pytest.mark.parametrize("width", WIDTHS)
def test_the_picture_of_memory_is_to_scale(width: int, show: Show) -> None:
    page = show(pages.page("not-ready"), width=width)
    memory = page.locator(".bars li").first
    assert "1.9 GiB" in memory.inner_text()
    assert "mailcow needs 6.0 GiB" in memory.inner_text()
    track, filled = (memory.locator(part).bounding_box() for part in (".track", ".filled"))
    assert track
    assert filled
    assert filled["x"] == pytest.approx(track["x"], abs=1)
    assert filled["width"] / track["width"] == pytest.approx(1.9 / 6, rel=0.02)
    assert page.locator(".bars svg").count() == 1  # where there is enough, a number says more


def test_the_states_of_the_health_check_follow_one_another(show: Show) -> None:
    page = show(pages.page("ready"))
    boxes = [part.bounding_box() for part in page.locator(".timeline rect").all()]
    assert len(boxes) == 3
    ends = [(box["x"], box["x"] + box["width"]) for box in boxes if box]
    for (_, end), (start, _) in itertools.pairwise(ends):
        assert start == pytest.approx(end, abs=0.5)
    assert page.locator(".states li").all_inner_texts() == [
        "starting after 0.4 s",
        "unhealthy after 1.1 s",
        "healthy after 2.1 s",
    ]


def lightness(color: str) -> int:
    return sum(map(int, re.findall(r"\d+", color)[:3]))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_light_and_dark_are_the_readers_choice(dark: bool, show: Show) -> None:
    page = show(pages.page("not-ready"), dark=dark)
    page.locator("#all > summary").click()
    for part in ("body", ".hero", "article.card", "pre", ".copy", ".filters label >> nth=1"):
        style = page.locator(part).first.evaluate(
            "e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color]"
        )
        behind, text = (lightness(color) for color in style)
        if part == "pre" or "rgba(0, 0, 0, 0)" not in style[0]:
            assert (text > behind + 300) is dark, (part, style)
            assert (behind > text + 300) is not dark, (part, style)


@pytest.mark.parametrize("scripts", [True, False])
def test_on_paper_everything_is_there_and_nothing_to_press(scripts: bool, show: Show) -> None:
    page = show(pages.page("not-ready"), dark=True, scripts=scripts)
    page.locator("#all > summary").click()
    page.locator("label[for=status-fail]").click()
    failed = page.locator(".row:visible").count()
    page.emulate_media(media="print", color_scheme="dark")
    counts = page.locator(".row:visible").evaluate_all("all => all.map(e => Number(e.dataset.count))")
    assert sum(counts) == len(reports.failing().results) > failed
    for part in (".filters", ".copy", ".more:not(.said) > summary", ".fold > summary"):
        assert page.locator(part).count()
        assert page.locator(f"{part}:visible").count() == 0
    for more in page.locator(".more").all():  # nothing on paper can be opened
        box = more.locator(":scope > :not(summary)").last.bounding_box()
        assert box
        assert box["height"] > 10
    assert lightness(page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor")) == 3 * 255
    assert lightness(page.locator("h1").evaluate("e => getComputedStyle(e).color")) == 0
    assert page.locator(".ports thead").evaluate("e => getComputedStyle(e).position") == "static"
    assert page.pdf(format="A4").startswith(b"%PDF-")


def test_on_paper_a_finding_is_not_torn_from_its_remedy_and_leaves_no_page_empty(show: Show) -> None:
    page = show(pages.page("not-ready"))
    page.emulate_media(media="print")
    above = page.locator("article > :has(~ .remedy), article .more p:has(+ ul)")
    assert above.count() > 5
    assert set(above.evaluate_all("all => all.map(e => getComputedStyle(e).breakAfter)")) == {"avoid"}
    for part, wanted in (("article", "auto"), ("article .remedy", "avoid")):
        found = page.locator(part).evaluate_all("all => all.map(e => getComputedStyle(e).breakInside)")
        assert set(found) == {wanted}, part


def test_on_paper_no_link_out_of_the_page_loses_its_address(show: Show) -> None:
    page = show(pages.page("ready"))
    page.emulate_media(media="print")
    links = page.locator("a[href^=http]:visible").evaluate_all("""all => all.map(e => [
        e.href, e.innerText + getComputedStyle(e, "::after").content.replaceAll('"', "")
    ])""")
    assert len(links) == 2
    for address, text in links:
        assert address.removeprefix("https://").rstrip("/") in text


SHORT = DnsRecord("mail.example.org", "A", "192.0.2.2", 3600)
POINTER = DnsRecord(f"5.2.{'0.' * 18}7.1.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "PTR", "mail.example.org.", 3600)
KEY = DnsRecord("dkim._domainkey.example.org", "TXT", f'"v=DKIM1;k=rsa;p={"MIIBIjAN" * 48}"', 3600)


@pytest.mark.parametrize(("width", "longest"), [(1280, 2), (375, 2), (320, 3)])
@pytest.mark.parametrize("long", [POINTER, KEY], ids=["name", "value"])
def test_long_records_leave_room_for_what_stands_beside_them(
    long: DnsRecord, width: int, longest: int, show: Show
) -> None:
    remedy = reports.Remedy("Enter these.", place="dns", records=(SHORT, long))
    report = reports.report(reports.result("dns.mx", "fail", remedy=remedy))
    page = show(render(report, "html", Context()), width=width)
    names, values = (page.locator(f".records {part} code").evaluate_all(LINES) for part in ("th", "td:nth-child(3)"))
    assert names[0] == values[0] == 1
    assert names[1] <= longest
    assert values[1] == 1 or long is KEY
    page.locator(".records summary").click()
    sizes = page.locator(".records td code, .records pre code").evaluate_all(
        "all => all.map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert max(sizes) - min(sizes) < 1


@pytest.mark.parametrize("scripts", [True, False])
def test_what_is_good_to_know_shows_that_it_opens_and_is_whole_on_paper(scripts: bool, show: Show) -> None:
    remedy = reports.Remedy("Raise this limit.", ("sysctl -w fs.inotify.max_user_instances=1024",))
    report = reports.report(reports.result("system.limits", remedy=remedy))
    page = show(render(report, "html", Context()), scripts=scripts)
    mark = page.locator(".notes summary").evaluate("e => getComputedStyle(e, '::after').borderRightWidth")
    assert mark == "2px"
    assert page.locator(".notes pre:visible").count() == 0
    page.emulate_media(media="print")
    if scripts:
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
    box = page.locator(".notes pre").bounding_box()
    assert box
    assert box["height"] > 10
    if scripts:
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.locator(".notes details[open]").count() == 0


@pytest.mark.parametrize("width", [*WIDTHS, 320])
def test_ports_and_short_words_stand_on_one_line(width: int, show: Show) -> None:
    page = show(pages.page("not-ready"), width=width)
    lines = "all => all.map(e => new Set([...e.getClientRects()].map(box => box.top)).size)"
    assert page.locator(".ports .port bdi").evaluate_all(lines) == [1] * 13
    if width in WIDTHS:
        assert page.locator(".ports td:nth-child(4) bdi, .ports td code").evaluate_all(LINES) == [1] * 26
    heights = page.locator(".bars .badge, .tile").evaluate_all("all => all.map(e => e.clientHeight)")
    assert len(heights) == 7
    assert max(heights) < 40


def test_on_a_narrow_screen_what_is_long_leaves_the_rest_whole(show: Show) -> None:
    holder = reports.holder("a-proxy-of-which-the-name-is-rather-long-1", "proxy.service", "0.0.0.0", 80)
    report = reports.report(*reports.failing().results, reports.port("HTTP_PORT", "fail", holders=(holder,)))
    page = show(render(report, "html", Context()), width=375)
    assert page.locator(".ports tbody th").last.inner_text() == "HTTP"
    assert page.locator(".ports tbody th").evaluate_all(LINES)[-1] == 1
    assert set(page.locator(".bar-wanted > span:last-child").evaluate_all(LINES)) == {1}
    page.locator("article .more summary").first.click()
    link = page.locator("article .more a").first
    assert link.inner_text() == "docs.mailcow.email/getstarted/prerequisite-system"
    assert link.locator("wbr").count() == 2  # a line may end behind a slash


@pytest.mark.parametrize("paper", [False, True])
def test_all_cards_are_as_wide_as_the_page(paper: bool, show: Show) -> None:
    page = show(pages.page("hostile"))
    if paper:
        page.emulate_media(media="print")
    widths = page.locator(".hero, main > section > .card, .place > .card").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect().width)"
    )
    assert len(widths) == 4
    assert max(widths) - min(widths) < 1


def test_no_option_is_torn_where_a_line_ends(show: Show) -> None:
    """A browser breaks a line behind each hyphen, those of `--pid=host` too."""
    command = "docker run --rm --privileged --pid=host --network=host mailcow-preflight"
    remedy = reports.Remedy("Run with --network=host, or add --ignore 'ports.free:25/tcp=kept'.", (command,))
    report = reports.report(reports.result("network.public-address", "fail", remedy=remedy))
    page = show(render(report, "html", Context()))
    page.locator("article .more summary").click()
    for width in range(320, 520, 8):
        page.set_viewport_size({"width": width, "height": HEIGHT})
        assert set(page.locator("article code bdi").evaluate_all(LINES)) == {1}, width
    text = page.locator("article pre").evaluate("e => (getSelection().selectAllChildren(e), getSelection().toString())")
    assert text.strip() == command


def test_on_a_narrow_screen_the_ports_are_cards_and_on_a_wide_one_a_table(show: Show) -> None:
    tops = {}
    for width in WIDTHS:
        row = show(pages.page("not-ready"), width=width).locator(".ports tbody tr").first
        cells = [
            row.locator(part).bounding_box() for part in ("th", "td:nth-child(3)", "td:nth-child(4)", "td:last-child")
        ]
        tops[width] = [round(box["y"] + box["height"] / 2) for box in cells if box]
        assert len(cells) == len(tops[width])
    assert max(tops[1280]) - min(tops[1280]) <= 2
    assert max(tops[375]) - min(tops[375]) > 15


def test_colours_of_the_readers_own_hide_nothing(show: Show) -> None:
    page = show(pages.page("not-ready"), forced_colors="active")
    page.locator("#all > summary").click()
    chosen, other = (page.locator(f"label[for={name}]") for name in ("status-all", "status-pass"))
    widths = [label.evaluate("e => parseFloat(getComputedStyle(e).borderTopWidth)") for label in (chosen, other)]
    assert widths[0] > widths[1]
    track, filled = (
        page.locator(f".bars {part}").first.evaluate("e => getComputedStyle(e).fill") for part in (".track", ".filled")
    )
    assert track != filled
    states = [part.evaluate("e => getComputedStyle(e).fill") for part in page.locator(".timeline rect").all()]
    assert len(set(states)) == 3
