"""The report in a browser: found by search, opened, read with a keyboard, in the dark, and on a phone."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_parallel_lab.report.html import render
from tests.reports import large_session, rich_session

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

REQUIRED = bool(os.environ.get("REPORT_TESTS_REQUIRE_BROWSER"))
Open = Callable[..., Any]
LUMINANCE = """
    (() => {
        const channel = (value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
        const light = (rgb) => 0.2126 * channel(rgb[0]) + 0.7152 * channel(rgb[1]) + 0.0722 * channel(rgb[2]);
        const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
        const behind = (element) => {
            for (let one = element; one; one = one.parentElement) {
                const colour = numbers(getComputedStyle(one).backgroundColor);
                if (colour.length < 4 || colour[3] > 0) return colour;
            }
            return [255, 255, 255];
        };
        const low = [];
        for (const element of document.querySelectorAll("body *")) {
            const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
            if (!own || element.closest("svg, script, style, option") || !element.checkVisibility()) continue;
            const [one, other] = [light(numbers(getComputedStyle(element).color)), light(behind(element))];
            const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
            if (contrast < 4.5) low.push(`${element.className || element.tagName} ${contrast.toFixed(1)}`);
        }
        return [...new Set(low)];
    })()
"""


def see(locator: Any) -> None:
    """Wait until it is: what a click or a key does, comes after it."""
    locator.wait_for(state="visible", timeout=5000)


def see_not(locator: Any) -> None:
    """Wait until it is not to be seen."""
    locator.wait_for(state="hidden", timeout=5000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium; without it the tests are skipped, or fail where it is required."""
    give_up = pytest.fail if REQUIRED else pytest.skip
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        give_up("no Chromium on PATH: apt-get install chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        give_up("no playwright: pip install 'pytest-parallel-lab[browser]'")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--disable-dev-shm-usage"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("reports")
    made = {}
    for name, session in {"rich": rich_session(), "large": large_session(500)}.items():
        made[name] = directory / f"{name}.html"
        made[name].write_text(render(session), encoding="utf-8")
    return made


@pytest.fixture
def opened(browser: Any, reports: dict[str, Path]) -> Iterator[Open]:
    """Open a report; nothing in it may ask for anything else, or complain."""
    contexts, asked, complaints = [], [], []

    def open_(name: str, width: int = 1200, height: int = 900, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(reports[name].as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in asked if url.startswith("file:")]) == len(contexts)
    assert complaints == []


def says(page: Any, text: str) -> None:
    """Wait for the line that says how many tests are shown."""
    page.locator("#shown", has_text=re.compile(f"^{text}$")).wait_for()


def shown(page: Any) -> int:
    return int(page.locator(".test:visible").count())


def test_search_and_filters_choose_tests(opened: Open) -> None:
    page = opened("large")
    assert page.inner_text("#shown") == "500 tests"
    page.fill("#search", "MISMATCH reference[57]")
    says(page, "1 of 500 tests")
    assert page.locator(".test:visible .name").all_inner_texts() == ["test_lab.py::test_matches_reference[57]"]
    page.fill("#search", "there is nothing of that name")
    says(page, "0 of 500 tests")
    assert shown(page) == 0
    page.click("text=Clear")
    says(page, "500 tests")
    page.select_option("#f-backend", "mpi")
    page.select_option("#f-workers", "1")
    page.select_option("#f-outcome", "passed")
    counted = page.inner_text("#shown")
    assert counted == f"{shown(page)} of 500 tests"
    assert 0 < shown(page) < 100


def test_a_field_of_the_overview_leads_to_its_tests(opened: Open) -> None:
    page = opened("rich")
    page.click("a.cell[aria-label='bank, mpi, 3 workers: 1 skipped']")
    says(page, "1 of 8 tests")
    assert page.locator(".test:visible .name").inner_text() == "test_lab.py::test_skipped"
    assert page.input_value("#f-problem") == "bank"
    page.click("a.tile.failed")
    says(page, "2 of 8 tests")


def test_a_test_opens_and_leads_to_what_it_has_found(opened: Open) -> None:
    page = opened("rich")
    row = page.locator(".test", has_text="test_transfer")
    see_not(row.locator(".body"))
    row.locator("summary").press("Enter")
    see(row.locator("code", has_text="pytest test_lab.py::test_transfer"))
    row.locator("a", has_text="deadlock").press("Enter")
    found = page.locator(".finding:target")
    assert found.get_attribute("open") is not None
    see(found.locator("svg[aria-label^='Wait-for graph: process 2 waits for process 3']"))
    assert page.evaluate("document.activeElement === document.querySelector('.finding:target > summary')")


def test_a_closed_part_opens_for_a_link_to_what_is_in_it(opened: Open) -> None:
    page = opened("rich")
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = false; })")
    page.locator(".test summary", has_text="scales[mpi_scatter]").press("Enter")
    page.locator(".test[open] a", has_text="scaling: matmul").press("Enter")
    see(page.locator("#c1 svg[viewBox]").first)


def test_all_can_be_done_with_the_keyboard(opened: Open) -> None:
    page = opened("rich")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.locator("#tests:focus").wait_for()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.type("transfer")
    says(page, "1 of 8 tests")
    for _ in range(6):  # problem, backend, workers, outcome, clear, the test
        page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    assert outline == "solid"
    page.keyboard.press("Enter")
    see(page.locator(".test[open] .body"))
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    says(page, "8 tests")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_reader_s_and_can_be_read(opened: Open, scheme: str) -> None:
    page = opened("rich", color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    red, green, blue = map(int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor")))
    assert (red + green + blue > 600) == (scheme == "light")
    ink = page.evaluate("getComputedStyle(document.querySelector('.plots text')).fill")
    assert ink == page.evaluate("getComputedStyle(document.body).color")
    assert page.evaluate(LUMINANCE) == []


@pytest.mark.parametrize("name", ["rich", "large"])
def test_a_phone_need_not_scroll_sideways(opened: Open, name: str) -> None:
    page = opened(name, 360, 740, device_scale_factor=2)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator(".grid thead").bounding_box()["width"] <= 360
    see(page.locator(".grid td:not(.empty)").first)


def test_on_paper_what_failed_is_open_and_nothing_is_lost(opened: Open) -> None:
    page = opened("rich")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    see(page.locator(".test[data-outcome=failed] .body").first)
    see_not(page.locator("nav"))
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    see_not(page.locator(".test[data-outcome=failed] .body").first)
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_what_a_screen_reader_is_told(opened: Open) -> None:
    page = opened("rich")
    for role, name in (
        ("main", None),
        ("navigation", "Parts of the report"),
        ("table", "Verdicts by problem and backend; in each field, by number of workers"),
        ("search", "Tests"),
        ("searchbox", "Search"),
        ("combobox", "Backend"),
        ("link", "bank, processes, 2 workers: 1 failed (Deadlock)"),
        ("rowheader", re.compile("bank")),
        ("img", re.compile("matmul: strong scaling, 1,000 rows: efficiency over workers")),
        ("img", re.compile("^Timeline of 3 workers")),
        ("img", re.compile("^Losses of 7 readings with their intervals")),
        ("table", "Losses of all tests against the base"),
        ("status", None),
        ("heading", "Overview"),
    ):
        assert page.get_by_role(role, name=name).count() >= 1, (role, name)


def test_a_loss_is_drawn_beyond_its_threshold(opened: Open) -> None:
    page = opened("rich")
    box = "(one) => { const { left, right } = one.getBoundingClientRect(); return (left + right) / 2; }"
    lost = page.locator("#gate svg[role=img] .regressed .estimate").first.evaluate(box)
    passed = page.locator("#gate svg[role=img] .passed .estimate").first.evaluate(box)
    limit, same = (page.locator(f"#gate .{line}").first.evaluate(box) for line in ("limit", "same"))
    assert abs(passed - same) < 10 < limit - same < lost - same


def test_without_scripts_it_can_be_read(opened: Open) -> None:
    page = opened("rich", java_script_enabled=False)
    page.locator(".test summary", has_text="test_transfer").press("Enter")
    see(page.locator(".test[open] .body"))


def test_500_tests_open_at_once(opened: Open) -> None:
    page = opened("large")
    loaded_ms = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    print(f"500 tests opened in {loaded_ms:.0f} ms")
    assert 0 < loaded_ms < 10_000  # under 1 s where nobody else computes
