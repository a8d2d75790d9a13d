"""The page in use: filters with and without scripts, copying, the keyboard, and nobody asked for anything."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from preflight.render import Context, render, words
from preflight.report.model import DnsRecord, Result, Status
from tests.browser import pages
from tests.browser.conftest import Show, Window
from tests.render import reports

pytestmark = pytest.mark.browser

RESULTS = reports.failing().results


def messages(wanted: Callable[[Result], bool]) -> list[str]:
    """Return the messages of results, in the order of the page: by section."""
    sections = list(dict.fromkeys(result.section for result in RESULTS))
    found = [result for section in sections for result in RESULTS if result.section == section and wanted(result)]
    rows = {(r.section, r.message, r.reason, r.remedy) if r.status.undecided else id(r): r for r in reversed(found)}
    return [words.sentence(result.message) for result in reversed(rows.values())]


def shown(page: Page) -> list[str]:
    return page.locator(".row:visible .row-message").all_inner_texts()


def opened(page: Page) -> Page:
    """Open the list of all results, as a reader would."""
    page.locator("#all > summary").click()
    return page


def choose(page: Page, label: str) -> None:
    page.locator(".filters label").get_by_text(label, exact=True).click()


# --- filters -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_filters_by_status_and_section(scripts: bool, show: Show) -> None:
    page = opened(show(pages.page("not-ready"), scripts=scripts))
    assert shown(page) == messages(lambda _: True)
    choose(page, "5 failed")
    assert shown(page) == messages(lambda result: result.status is Status.FAIL)
    assert page.locator(".group:visible h3").all_inner_texts() == ["Resources", "Docker", "Ports"]
    choose(page, "Docker")
    assert shown(page) == messages(lambda result: result.status is Status.FAIL and result.section == "docker")
    page.locator("label[for=status-all]").click()
    assert shown(page) == messages(lambda result: result.section == "docker")
    page.locator("label[for=section-all]").click()
    assert shown(page) == messages(lambda _: True)


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_where_a_filter_leaves_nothing_the_page_says_so(scripts: bool, show: Show) -> None:
    page = opened(show(pages.page("not-ready"), scripts=scripts))
    expect(page.locator(".nothing")).to_be_hidden()
    choose(page, "5 failed")
    choose(page, "System")
    assert shown(page) == []
    expect(page.locator(".nothing")).to_be_visible()
    choose(page, "Ports")
    expect(page.locator(".nothing")).to_be_hidden()


def test_how_many_are_left_is_counted_and_said(show: Show) -> None:
    page = opened(show(pages.page("not-ready")))
    said = page.get_by_role("status").filter(has_text="Results shown")
    expect(said).to_have_text(f"Results shown: {len(RESULTS)} of {len(RESULTS)}.")
    choose(page, "5 failed")
    expect(said).to_have_text(f"Results shown: 5 of {len(RESULTS)}.")


def test_without_scripts_nothing_is_promised_that_does_not_work(show: Show) -> None:
    page = opened(show(pages.page("not-ready"), scripts=False))
    assert page.locator("button").count()
    assert page.locator("button:visible").count() == 0
    expect(page.locator("#shown")).to_be_hidden()
    page.locator(".row summary").first.click()
    expect(page.locator(".row-more").first).to_be_visible()
    page.locator("article .more summary").first.click()
    expect(page.locator("article .more > p").first).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_the_numbers_and_steps_at_the_top_lead_there(scripts: bool, show: Show) -> None:
    page = show(pages.page("not-ready"), scripts=scripts)
    for link in page.locator(".tiles a, .start .what a, .steps a").all():
        place = (link.get_attribute("href") or "").removeprefix("#")
        link.click()
        target = page.locator(f"[id='{place}']")
        expect(target).to_have_count(1)
        expect(target).to_be_in_viewport()
        assert page.url.endswith(f"#{place}")
    assert page.locator(".tiles a").count() == 5
    assert page.locator(".start .what a, .steps a").count() == 4


def test_the_number_that_passed_leads_to_those(show: Show) -> None:
    page = opened(show(pages.page("not-ready")))
    choose(page, "Docker")
    page.locator(".tiles a").get_by_text("passed").click()
    assert shown(page) == messages(lambda result: result.status is Status.PASS)


# --- copying -----------------------------------------------------------------------------------------------------

COMMANDS = next(result.remedy for result in reports.warned().results if result.check == "resources.swap")


def test_copying_gives_the_commands_exactly_and_says_so(show: Show) -> None:
    page = show(pages.page("warnings"), permissions=["clipboard-read", "clipboard-write"])
    page.clock.install()
    button = page.locator("article", has_text="resources.swap").locator("button")
    assert button.get_attribute("aria-label") == "Copy these commands"
    button.click()
    expect(button).to_have_text("Copied")
    expect(page.locator("#said")).to_have_text("Copied")
    assert COMMANDS
    assert page.evaluate("navigator.clipboard.readText()") == "\n".join(COMMANDS.commands)
    page.clock.fast_forward(3000)
    expect(button).to_have_text("Copy")
    expect(page.locator("#said")).to_have_text("")


def test_where_the_page_gets_no_clipboard_it_copies_as_by_hand(show: Show) -> None:
    page = show(pages.page("warnings"), permissions=["clipboard-read"])
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.locator("article", has_text="resources.swap").locator("button").click()
    expect(page.locator("article", has_text="resources.swap").locator("button")).to_have_text("Copied")
    page.goto("about:blank")
    page.set_content("<textarea></textarea>")
    page.locator("textarea").press("Control+V")
    assert COMMANDS
    assert page.locator("textarea").input_value() == "\n".join(COMMANDS.commands)


def test_where_copying_fails_the_page_says_what_to_do(show: Show) -> None:
    page = show(pages.page("warnings"))
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.evaluate("document.execCommand = () => false")
    page.locator("article", has_text="resources.swap").locator("button").click()
    expect(page.locator("article", has_text="resources.swap").locator("button")).to_have_text(
        "Copying failed: select the text"
    )
    assert COMMANDS
    assert page.evaluate("getSelection().toString()").strip() == "\n".join(COMMANDS.commands)


RECORDS = (
    DnsRecord("mail.example.org", "A", "192.0.2.2", 3600),
    DnsRecord("example.org", "MX", "10 mail.example.org.", 3600),
)


@pytest.mark.parametrize("script", ["0", "void (navigator.clipboard.writeText = () => Promise.reject())"])
def test_all_records_are_copied_at_once_and_each_value_alone(script: str, show: Show) -> None:
    remedy = reports.Remedy("Enter these.", place="dns", records=RECORDS)
    report = reports.report(reports.result("dns.mx", "fail", remedy=remedy))
    page = show(render(report, "html", Context()), permissions=["clipboard-read", "clipboard-write"])
    page.evaluate(script)
    page.locator(".copy.all").click()
    expect(page.locator(".copy.all")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "\n".join(record.line for record in RECORDS)
    page.locator(".act .copy").last.click()
    expect(page.locator(".act .copy").last).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()").strip() == "10 mail.example.org."


# --- the keyboard ------------------------------------------------------------------------------------------------

FOCUS = """() => {
    const e = document.activeElement;
    if (e === document.body) return null;
    const seen = e.matches("input") ? e.labels[0] : e, style = getComputedStyle(seen);
    const box = seen.getBoundingClientRect();
    return {
        place: [...document.querySelectorAll("*")].indexOf(e), tag: e.tagName, name: e.name || "",
        outlined: style.outlineStyle == "solid" && parseFloat(style.outlineWidth) >= 2,
        seen: box.bottom > 0 && box.top < innerHeight && box.width > 0,
    };
}"""
CAN_FOCUS = """() => [...document.querySelectorAll("a[href], summary, button, input")]
    .filter(e => e.checkVisibility() && !(e.matches("input") && !e.checked)).length"""


@pytest.mark.parametrize("width", [1280, 375])
def test_every_control_is_reached_in_order_and_seen_to_be(width: int, show: Show) -> None:
    page = show(pages.page("not-ready"), width=width)
    page.evaluate("document.getElementById('all').open = true")
    stops = []
    page.keyboard.press("Tab")
    while (stop := page.evaluate(FOCUS)) and len(stops) < 500:
        stops.append(stop)
        page.keyboard.press("Tab")
    assert len(stops) == page.evaluate(CAN_FOCUS) > 40
    assert [stop["place"] for stop in stops] == sorted({stop["place"] for stop in stops})
    assert [stop for stop in stops if not stop["outlined"] or not stop["seen"]] == []
    assert {stop["name"] for stop in stops if stop["tag"] == "INPUT"} == {"status", "section"}


def test_the_keyboard_opens_filters_and_copies(show: Show) -> None:
    page = show(pages.page("not-ready"), permissions=["clipboard-read", "clipboard-write"])
    page.locator("article .more summary").first.press("Enter")
    expect(page.locator("article .more > p").first).to_be_visible()
    page.locator("article .more summary").first.press(" ")
    expect(page.locator("article .more > p").first).to_be_hidden()
    page.locator("#all > summary").press("Enter")
    page.locator("#status-all").press("ArrowRight")
    assert shown(page) == messages(lambda result: result.status is Status.FAIL)
    page.locator("#section-all").press("ArrowRight")
    assert shown(page) == messages(lambda result: result.check == "resources.memory")
    page.locator("article", has_text="exim4.service").locator("button").press("Enter")
    assert page.evaluate("navigator.clipboard.readText()") == "systemctl disable --now exim4.service"


# --- nobody is asked for anything --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", pages.REPORTS)
def test_no_page_asks_for_anything_or_breaks_its_policy(name: str, window: Window) -> None:
    page = window.show(pages.page(name))
    for part in page.locator("summary").all()[:20]:
        part.click()
    page.wait_for_load_state("networkidle")
    assert (window.asked, window.said) == ([], [])
    assert page.evaluate("performance.getEntriesByType('resource').length") == 0
    assert page.evaluate("document.styleSheets[0].cssRules.length > 50")  # the policy lets our own style in


def test_a_request_would_be_seen_and_the_policy_stops_what_is_not_ours(window: Window) -> None:
    image, script = "<img src='https://x.example/a.png'>", "<script>document.title = 'theirs'</script>"
    window.show(f"<!DOCTYPE html><title>x</title>{image}").wait_for_load_state("networkidle")
    assert window.asked == ["https://x.example/a.png"]
    window.asked.clear()
    window.said.clear()
    planted = pages.page("ready").replace("</main>", f"{image}{script}<b style='color: red' onclick='x()'>b</b></main>")
    page = window.show(planted)
    page.wait_for_load_state("networkidle")
    assert window.asked == []
    assert page.title() != "theirs"
    assert page.locator("main > b").evaluate("e => getComputedStyle(e).color") != "rgb(255, 0, 0)"
    assert len(window.said) >= 4  # image, script, style, handler
    assert all("Content Security Policy" in line for line in window.said)


def test_names_of_strangers_stay_text(show: Show) -> None:
    page = show(pages.page("hostile"))
    assert page.title().startswith("Not ready for mailcow – ")
    assert page.locator("img, iframe, object, main script").count() == 0
    assert "<script>alert(1)</script>" in page.locator("h4").first.inner_text()
