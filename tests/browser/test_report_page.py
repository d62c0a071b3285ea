"""The report from file://, offline: charts drawn, filters without a kernel, nothing asked for, readable by all."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from clv_helpers import report
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.report import run_record as record
from clv_helpers.run import notebooks
from conftest import SMALL
from lab import browser

OUTPUTS = ROOT / "outputs"
# The cards beside which a row has room for another half.
HOLES = """(board) => {
  const grid = board.querySelector(".clv-board:not(.single)")?.getBoundingClientRect();
  const cards = grid ? [...board.querySelectorAll("figure")] : [];
  const box = (card) => card.getBoundingClientRect();
  return cards.filter((card, i) => (!cards[i + 1] || box(cards[i + 1]).left < box(card).right)
    && grid.right - box(card).right > grid.width / 2.2).map((card) => card.textContent.slice(0, 60));
}"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[record.RunRecord, Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(tmp_path_factory.mktemp("report")))
        yield notebooks.run(ROOT / "params" / "airline.yml", overrides=SMALL)


@pytest.fixture(scope="module")
def report_file(run: tuple[record.RunRecord, Path]) -> Path:
    return run[1] / run[0].report


def opened(started, file: Path, seen: list[str] | None = None, **settings: object) -> Page:
    page = started.new_context(offline=True, **{"viewport": {"width": 1280, "height": 900}, **settings}).new_page()
    if seen is not None:
        page.on("console", lambda message: seen.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: seen.append(f"error: {error}"))
        page.on("request", lambda request: seen.append(request.url))
    page.goto(file.as_uri())
    if settings.get("java_script_enabled", True):
        drawn(page)
    return page


def drawn(page: Page) -> None:
    """Wait until each chart that is shown is live: the others become so when their tab or the annex is opened."""
    page.wait_for_function(
        "[...document.querySelectorAll('.clv-chart[aria-label]')]"
        ".every(chart => !chart.clientWidth || chart.matches('.vega-embed'))"
    )


def go_to(page: Page, anchor: str) -> None:
    page.evaluate("anchor => { location.hash = anchor; }", anchor)
    page.wait_for_function("anchor => document.getElementById(anchor).clientWidth > 0", arg=anchor)
    drawn(page)


def figure(page: Page, title: str):
    return page.locator("figure", has=page.locator(".clv-title", has_text=re.compile(title)))


def test_offline_and_live(chromium: str, report_file: Path) -> None:
    seen: list[str] = []
    with browser(chromium) as started:
        page = opened(started, report_file, seen)
        for tab in page.locator(".tabs a").all():
            tab.click()
            board = page.locator(tab.get_attribute("href"))
            board.wait_for(state="visible")
            assert page.locator(".board:visible").count() == 1
            drawn(page)
            assert board.evaluate(HOLES) == []
        page.locator(".tabs a").first.click()
        assert page.locator(".clv-chart.vega-embed svg").count() >= 20
        bars = figure(page, "The best tenth brings .* of all miles").locator("path[aria-roledescription=bar]")
        assert bars.count() == 10
        bars.first.hover()
        page.wait_for_selector("#vg-tooltip-element.visible")
        assert "Decile of members" in page.inner_text("#vg-tooltip-element")
        assert page.locator(".metrics .metric").count() == 4
        assert 5 <= page.locator("#decision .findings li").count() <= 7
        assert 1 <= page.locator("#decision figure").count() <= 6
        page.screenshot(path=OUTPUTS / "report.png", full_page=True)
        assert seen == [report_file.as_uri()]


def test_each_link_of_the_first_page_opens_what_it_names(chromium: str, report_file: Path) -> None:
    with browser(chromium) as started:
        page = opened(started, report_file)
        assert page.evaluate("document.documentElement.scrollHeight") < 11 * 800
        assert not page.locator("#stage-1").is_visible()
        for link in page.locator("#decision a").all():
            target = page.locator(link.get_attribute("href"))
            link.click()
            target.wait_for(state="visible")
        go_to(page, "stage-1")
        assert page.locator("#stage-1 figure").first.is_visible()
        page.emulate_media(media="print")
        assert page.locator(".board:visible").count() == page.locator(".board").count()
        go_to(page, "main")
        page.evaluate("document.getElementById('annex').open = false")
        assert not page.locator("#annex").is_visible()


def test_filters_picking_legend_and_downloads_need_no_kernel(chromium: str, report_file: Path) -> None:
    with browser(chromium) as started:
        page = opened(started, report_file)
        board = page.locator(".clv-board", has=page.get_by_label("Look-back", exact=True)).first
        share = board.locator("figure", has=page.locator(".clv-title", has_text=re.compile("brings .* of all miles")))
        card = json.loads(share.locator(".spec").text_content())
        lookbacks = [o.inner_text() for o in board.get_by_label("Look-back", exact=True).locator("option").all()]
        stride = card["choices"]["filters"][1][1]
        statuses = [o.inner_text() for o in board.get_by_label("Status", exact=True).locator("option").all()]
        board.get_by_label("Look-back", exact=True).select_option("lifetime")
        number = lookbacks.index("lifetime") * stride + statuses.index("ALL")
        assert share.locator(".clv-title").inner_text() == card["choices"]["texts"][number][0]
        first = next(r for r in next(iter(card["spec"]["datasets"].values())) if r["choice"] == number)
        told = share.locator("path[aria-roledescription=bar]").first
        page.wait_for_function(
            "([bar, text]) => bar.isConnected || document.body.innerHTML.includes(text)",
            arg=[told.element_handle(), f"{first['share_of_value']:.0%}"],
        )
        assert f"{first['share_of_value']:.0%}" in told.get_attribute("aria-label")
        # picking a decile in one chart dims the others in every chart that knows deciles
        share.locator("path[aria-roledescription=bar]").nth(2).click()
        other = board.locator("figure", has=page.locator(".clv-title", has_text="A member of the best tenth"))
        page.wait_for_function(
            "bar => bar.getAttribute('opacity') === '0.25'",
            arg=other.locator("path[aria-roledescription=bar]").first.element_handle(),
        )
        # the name at a line's end picks that line
        go_to(page, "board-forecast")
        lines = figure(page, "repeat flights came in")
        lines.locator(".ends_names_marks text").first.click()
        page.wait_for_function(
            "svg => [...svg.querySelectorAll('.mark-line path')].some(p => p.getAttribute('opacity') === '0.25')",
            arg=lines.locator("svg").first.element_handle(),
        )
        go_to(page, "board-value")
        share.locator(".clv-menu summary").click()
        share.get_by_role("button", name="View data").click()
        assert share.locator(".clv-panel tbody tr").count() == 10
        for kind, begins in (("CSV", b"\xef\xbb\xbfdecile"), ("PNG", b"\x89PNG"), ("SVG", b"<svg")):
            share.locator(".clv-menu summary").click()
            with page.expect_download() as download:
                share.get_by_role("button", name=f"Download {kind}").click()
            assert Path(download.value.path()).read_bytes().startswith(begins)


def press_to(page: Page, selector: str, most: int = 60) -> None:
    """Tab until what is meant has the focus, which is seen at each stop."""
    for _ in range(most):
        page.keyboard.press("Tab")
        at = page.evaluate(
            "(it) => [document.activeElement.matches(it), getComputedStyle(document.activeElement).outlineStyle]",
            selector,
        )
        assert at[1] != "none", page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        if at[0]:
            return
    raise AssertionError(f"the keyboard does not come to {selector}")


def test_a_filter_and_the_numbers_behind_a_chart_by_keyboard_alone(chromium: str, report_file: Path) -> None:
    with browser(chromium) as started:
        page = opened(started, report_file)
        press_to(page, ".skip")
        page.keyboard.press("Enter")
        press_to(page, ".tabs a[href='#board-value']")
        page.keyboard.press("Enter")
        press_to(page, "#board-value select")
        page.keyboard.press("ArrowDown")
        figure(page, "of all miles .look-back: lifetime").wait_for()
        press_to(page, "#board-value summary")
        page.keyboard.press("Enter")
        press_to(page, "#board-value .clv-entries button")
        page.keyboard.press("Enter")
        table = page.locator("#board-value .clv-panel table").first
        assert table.locator("caption").text_content() == page.locator("#board-value .clv-title").first.text_content()
        assert table.locator("th[scope=row]").count() >= 1
        press_to(page, "#annex > summary", 200)
        page.keyboard.press("Enter")
        page.locator("#stage-1").wait_for(state="visible")


def test_behind_every_chart_stand_its_numbers_and_its_finding(chromium: str, report_file: Path) -> None:
    with browser(chromium) as started:
        page = opened(started, report_file)
        bare = page.evaluate(
            """() => [...document.querySelectorAll("figure")].filter((figure) => figure.querySelector(".clv-menu"))
              .filter((figure) => {
                const chart = figure.querySelector("[role=img]");
                const view = [...figure.querySelectorAll("button")].find((one) => one.textContent === "View data");
                view?.click();
                const title = figure.querySelector(".clv-title").textContent;
                return chart && !(chart.getAttribute("aria-label").startsWith(title) && title.length > 10
                  && figure.querySelector(".clv-panel caption")?.textContent === title
                  && figure.querySelector(".clv-panel tbody td"));
              }).map((figure) => figure.querySelector(".clv-title").textContent)"""
        )
        assert bare == []


def test_a_view_is_in_the_address(chromium: str, report_file: Path) -> None:
    with browser(chromium) as started:
        page = opened(started, report_file)
        go_to(page, "board-value")
        board = page.locator("#board-value")
        board.get_by_label("Look-back", exact=True).select_option("lifetime")
        told = board.locator(".clv-title").all_inner_texts()
        address = page.url
        assert address.endswith("#board-value?lookback=lifetime")
        page.locator(".tabs a").last.click()
        go_to(page, "board-value")
        assert page.url == address
        again = opened(started, report_file)
        again.goto(address + "&category=NOBODY&x=1")
        drawn(again)
        board = again.locator("#board-value")
        assert board.locator(".clv-title").all_inner_texts() == told
        line = "What the address names and is not here: category NOBODY, x 1."
        assert board.locator(".clv-filters .clv-problem").inner_text() == line


def test_a_chart_of_nothing_says_what_it_was_narrowed_to_and_offers_the_way_back(
    chromium: str, report_file: Path
) -> None:
    with browser(chromium) as started:
        page = opened(started, report_file)
        go_to(page, "board-value")
        board = page.locator("#board-value")
        began = board.locator(".clv-title").all_inner_texts()
        assert not board.get_by_role("button", name="Reset filters").count()
        board.get_by_label("Months", exact=True).select_option("this year")  # which begins on the day of the tables
        empty = board.locator("figure.clv-nothing")
        assert (empty.count(), empty.locator(".clv-title").inner_text()) == (1, "No data for this choice")
        assert "Status: ALL; Months: this year" in empty.locator("figcaption p").inner_text()
        press_to(page, "#board-value .clv-back button", 200)
        page.keyboard.press("Enter")
        assert board.locator(".clv-title").all_inner_texts() == began
        assert page.url.endswith("#board-value")
        assert page.evaluate("document.activeElement.matches('#board-value select')")
        assert not board.locator("figure.clv-nothing").count()


def test_phone_dark_and_without_scripts(chromium: str, report_file: Path) -> None:
    phone = {"viewport": {"width": 360, "height": 740}}
    with browser(chromium) as started:
        page = opened(started, report_file, java_script_enabled=False, **phone)
        for chart in page.locator(".clv-chart > svg").all():
            box = chart.bounding_box()
            assert 30 < box["width"] <= 360
        assert page.locator(".clv-filters").first.is_hidden()
        live = opened(started, report_file, **phone)
        assert live.evaluate("document.documentElement.scrollWidth") <= 360
        live.screenshot(path=OUTPUTS / "report_phone.png", full_page=True)
        dark = opened(started, report_file, color_scheme="dark")
        ground = dark.evaluate("getComputedStyle(document.body).backgroundColor")
        text = dark.evaluate("getComputedStyle(document.querySelector('.role-axis-label text')).fill")
        assert ground == "rgb(22, 27, 34)"
        assert text == "rgb(169, 181, 193)"
        dark.screenshot(path=OUTPUTS / "report_dark.png", full_page=True)


def test_headings_alt_texts_and_contents(chromium: str, report_file: Path) -> None:
    with browser(chromium) as started:
        page = opened(started, report_file)
        tags = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => h.tagName)")
        levels = [int(tag[1]) for tag in tags]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert set(levels) == {1, 2, 3, 4}
        for link in page.locator("nav a").all():
            assert page.locator(link.get_attribute("href")).count() == 1
        for chart in page.locator(".clv-chart[aria-label]").all():
            assert len(chart.get_attribute("aria-label")) > 10
        assert page.locator("html").get_attribute("lang") == "en"
        assert Axe().run(page).response["violations"] == []


@pytest.mark.slow
def test_nothing_that_axe_finds_wrong_with_all_of_it_open(chromium: str, report_file: Path) -> None:
    with browser(chromium) as started:
        page = opened(started, report_file)
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        page.evaluate("document.querySelectorAll('.board').forEach((each) => each.classList.remove('closed'))")
        page.evaluate("enliven()")
        drawn(page)
        assert Axe().run(page).response["violations"] == []
        page.emulate_media(color_scheme="dark")
        assert Axe().run(page, options={"runOnly": ["color-contrast"]}).response["violations"] == []


def test_one_file_without_external_addresses(report_file: Path) -> None:
    text = report_file.read_text("utf-8")
    page = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)  # what Vega carries of its own
    assert not re.search(r"""(src|href)=["']?(https?:)?//|url\(["']?(?!#)|@import""", page)
    assert text.count("vegaEmbed=vegaEmbed") + text.count("vegaEmbed = vegaEmbed") <= 1
    assert report_file.stat().st_size < 5_000_000


def test_pdf_by_chromium(chromium: str, report_file: Path) -> None:
    pdf = report.to_pdf(report_file, "letter").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert len(pdf) > 100_000
    sheets = re.findall(rb"/MediaBox \[([^]]*)\]", pdf)
    assert set(sheets) == {b"0 0 612 792"}  # points: 8.5 by 11 inches
    assert len(sheets) < 40


def test_without_chromium_a_pdf_is_refused_in_a_sentence(report_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(report.ReportError, match="there is none on this machine"):
        report.to_pdf(report_file)


def test_compare_says_what_changed(run: tuple[record.RunRecord, Path]) -> None:
    now, folder = run
    earlier = folder.parent / "20200101-000000-000"
    shutil.copytree(folder, earlier)
    before = record.RunRecord(**{**vars(now), "run": earlier.name, "params": {**now.params, "min_cell": 5}})
    notebook = earlier / "1_derived_dataset.ipynb"
    content = json.loads(notebook.read_text("utf-8"))
    for cell in content["cells"]:
        for output in cell.get("outputs", []):
            for each in output.get("data", {}).get("application/vnd.clv.metrics+json", []):
                if each["label"] == "members":
                    each |= {"value": "123", "number": 123.0}
    notebook.write_text(json.dumps(content), "utf-8")
    page = report.write(Workbook.open(ROOT / "params" / "airline.yml", overrides=SMALL), now, folder, (before, earlier))
    text = page.read_text("utf-8")
    assert page.name == "report_since_20200101-000000-000.html"
    assert re.search(
        r'members</td><td class="wide before">123</td><td class="wide">600</td><td class="wide">\+387', text
    )
    assert re.search(r'min_cell</td><td class="wide before">5</td><td class="wide">11<', text)
    assert "1 key figure and 0 findings say something else" in text
    assert f"What changed since the report of {now.day}" in text
    shutil.rmtree(earlier)
    page.unlink()
