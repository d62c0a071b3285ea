"""The composer in a real Chromium, its actions taken by the real Python: few clicks, whole bars, all by keyboard."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from test_two_boards import UNPAINTED

from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards.composer_view import Composer
from clv_helpers.dashboards.grid import HERE, _script
from clv_helpers.dashboards.live_board import LiveBoard
from lab import FOCUSED, driven, tab_to

# A board and a composer on one page, as in notebook 3; `act` takes a message to Python, and brings the state back.
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>t</title>
<style>%s * { pointer-events: all !important; }</style><body><header><h1>t</h1><h2>t</h2></header><main></main><script>
const modules = %s, states = %s;
const place = () => document.querySelector("main").appendChild(document.createElement("div"));
const module = (text) => import(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
const begin = async () => {
  const [board, composer] = await Promise.all(modules.map(module));
  const still = { get: () => states[0], on: () => {}, send: () => {} };
  if (states[0].length) board.default.render({ model: still, el: place() });
  let state = states[1];
  const send = async (message) => {
    state = JSON.parse(await act(JSON.stringify(message)));
    window.heard();
  };
  const model = { get: () => state, on: (_, heard) => { window.heard = heard; }, send };
  composer.default.render({ model, el: place() });
};
begin();
</script></html>"""


class Face:
    """The page, with the Python behind it."""

    def __init__(self, page: Page, composer: Composer):
        self.page, self.composer, self.actions = page, composer, 0

    def do(self, act: Callable[[], object]) -> None:
        """One action of a person, and all that follows from it."""
        self.actions += 1
        act()
        self.page.wait_for_selector(".clv-composer[aria-busy=false]")

    def named(self, name: str, exact: bool = True) -> Any:
        return self.page.locator(".clv-composer").get_by_role("button", name=name, exact=exact)


@contextmanager
def face(
    chromium: str, folder: Path, workbook: Workbook, width: int = 1280, board: str = "", name: str = ""
) -> Iterator[Face]:
    composer = Composer(workbook, name)
    cards = LiveBoard(workbook, [board]).view.cards if board else []
    style = "".join((HERE / file).read_text("utf-8") for file in ("board.css", "composer.css"))
    modules = [_script(), _script("clvComposer", "composer_forms.js", "composer.js")]
    texts = [json.dumps(part).replace("</", "<\\/") for part in (modules, [cards, composer.view.state])]
    file = folder / "composer.html"
    file.write_text(PAGE % (style, *texts), "utf-8")

    with driven(chromium, file, composer, ".clv-composer[data-drawn]", width=width, height=1400) as page:
        yield Face(page, composer)


def test_spend_by_region_coloured_by_market_in_five_actions(chromium: str, airline: Workbook, tmp_path: Path) -> None:
    with face(chromium, tmp_path, airline, board="value") as at:
        search = at.page.get_by_label("Search tables and their columns")
        search.fill("region")
        at.actions += 1
        at.do(at.named("New widget on Value by region").click)
        for column in ("region", "spend", "market"):
            at.do(at.named(column).click)
        assert at.actions == 5
        card = at.page.locator(".clv-c-preview figure")
        card.locator("path[aria-roledescription=bar]").first.wait_for()
        assert card.locator(".clv-title").inner_text() == "Spend by region and market"
        assert card.locator("figcaption p").inner_text() == "EUR"
        widget = at.composer.draft.widget
        assert (widget["x"]["column"], widget["y"]["column"], widget["color"]) == (
            "region",
            "spend",
            {"column": "market"},
        )
        for width in (1280, 390, 320):
            at.page.set_viewport_size({"width": width, "height": 1400})
            at.page.wait_for_function(f"({UNPAINTED})().length === 0", timeout=10_000)
            assert at.page.evaluate("document.documentElement.scrollWidth") <= width
            assert card.locator("svg.marks").bounding_box()["width"] > 0.5 * width / (2 if width > 700 else 1)


def test_by_keys_alone_the_focus_stays_and_what_was_done_is_said(
    chromium: str, airline: Workbook, tmp_path: Path
) -> None:
    with face(chromium, tmp_path, airline) as at:
        page = at.page

        def press(said: str, focus: str, key: str = "Enter") -> None:
            at.do(lambda: page.keyboard.press(key))
            assert page.locator(".clv-c-status").inner_text().startswith(said)
            assert page.evaluate(FOCUSED) == [focus, True]

        tab_to(page, "Search tables and their columns")
        page.keyboard.type("region")
        tab_to(page, "New widget on Value by region", "ArrowDown")
        press("Added. Widget 1 of 1, half width: Value by region. Choose columns", "New widget on Value by region")
        tab_to(page, "region")
        press("Changed. Widget 1 of 1, half width: Members by region. Vertical bars.", "region")
        for column, key in (("spend", "ArrowRight"), ("market", "ArrowLeft")):
            tab_to(page, column, key)
            press("Changed. Widget 1 of 1, half width: Spend by region", column)
        assert at.actions == 4
        assert page.locator(".clv-c-preview .clv-title").inner_text() == "Spend by region and market"
        tab_to(page, "Nothing on colour: market")
        press("Changed. Widget 1 of 1, half width: Spend by region. ", "market")
        tab_to(page, "Where market goes")
        page.keyboard.press("Enter")
        for _ in range(2):
            page.keyboard.press("ArrowDown")
        press("Changed. Widget 1 of 1, half width: Spend by region and market. ", "Where market goes")
        assert at.composer.draft.widget["color"] == {"column": "market"}
        tab_to(page, "Spend by region and market, heat map", "Shift+Tab")
        press(
            "Changed. Widget 1 of 1, half width: Spend by region and market. Heat map.",
            "Spend by region and market, heat map",
        )
        tab_to(page, "Wider", "Shift+Tab")
        press("Changed. Widget 1 of 1, two thirds width: ", "Wider")
        tab_to(page, "Duplicate")
        press("Copied. Widget 2 of 2, ", "Duplicate")
        tab_to(page, "Earlier", "Shift+Tab")
        press("Moved. Widget 1 of 2, ", "Earlier")
        press("Nothing changed. Widget 1 of 2, ", "Earlier")
        tab_to(page, "Remove")
        press("Removed. Widget 1 of 1, ", "Remove")
        press("Removed. The board is empty.", "Search tables and their columns")
        tab_to(page, "Undo", "Shift+Tab")
        press("Undone. Widget 1 of 1, ", "Undo")
        tab_to(page, "New board", "Shift+Tab")
        page.keyboard.press("Enter")
        assert page.evaluate(FOCUSED) == ["Keep", True]
        page.keyboard.press("Enter")
        assert page.evaluate(FOCUSED) == ["New board", True]


def test_dragged_to_shelf_place_and_width_and_all_by_keyboard(chromium: str, airline: Workbook, tmp_path: Path) -> None:
    with face(chromium, tmp_path, airline, name="migration") as at:
        page, draft = at.page, at.composer.draft
        before = [widget["title"] for widget in draft.widgets]
        at.do(lambda: page.get_by_label("Select widget 2: ", exact=False).first.focus())
        at.do(lambda: page.keyboard.press("Enter"))
        assert draft.selected == 1
        at.do(lambda: page.get_by_role("button", name="Earlier").press("Enter"))
        assert [widget["title"] for widget in draft.widgets][:2] == [before[1], before[0]]
        at.do(lambda: page.keyboard.press("Enter"))  # it cannot go earlier, and the focus stays
        assert page.locator(".clv-c-status").inner_text().startswith("Nothing changed. Widget 1 of ")
        assert page.evaluate("document.activeElement.dataset.key") == "card.earlier"
        at.do(lambda: page.keyboard.press("Control+z"))
        assert [widget["title"] for widget in at.composer.draft.widgets] == before
        cards = page.locator(".clv-c-preview figure")
        target = {"x": 8, "y": 40}
        at.do(lambda: cards.nth(1).locator(".clv-c-tools").drag_to(cards.nth(0), target_position=target))
        assert [widget["title"] for widget in draft.widgets][:2] == [before[1], before[0]]
        edge = page.locator(".clv-c-edge").bounding_box()
        preview = page.locator(".clv-c-preview").bounding_box()

        def widen() -> None:
            page.mouse.move(edge["x"] + 4, edge["y"] + 4)
            page.mouse.down()
            page.mouse.move(preview["x"] + preview["width"] - 20, edge["y"] + 4)
            page.mouse.up()

        at.do(widen)
        assert draft.widget["width"] == "full"
        at.do(page.get_by_label("New widget on Value by region").click)
        shelf = page.get_by_role("group", name="Shelf y, upwards")
        at.do(lambda: page.locator(".clv-c-chip", has_text="spend").drag_to(shelf))
        assert draft.widget["y"]["column"] == "spend"
        page.get_by_role("button", name="Where region goes").press("Enter")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
        at.do(lambda: page.keyboard.press("Enter"))
        assert draft.widget["x"] == {"column": "region"}
        assert draft.widget["title"] == "Spend by region"


def test_sql_is_completed_and_a_board_is_deleted_only_when_confirmed(
    chromium: str, airline: Workbook, tmp_path: Path
) -> None:
    (tmp_path / "own").mkdir()
    workbook = Workbook(tmp_path / "own.yml", airline.params)
    workbook.__dict__["engine"] = airline.engine
    with face(chromium, tmp_path, workbook, name="decile") as at:
        page = at.page
        at.do(at.named("Save").click)
        file = tmp_path / "own" / "dashboards" / "decile.yml"
        assert file.exists()
        page.locator("summary", has_text="The board:").click()
        page.get_by_role("button", name="Delete this board …").click()
        assert page.evaluate("document.activeElement.textContent") == "Keep"
        page.keyboard.press("Enter")
        assert file.exists()
        page.get_by_role("button", name="Delete this board …").click()
        at.do(lambda: page.get_by_role("button", name="Delete", exact=True).click())
        assert not file.exists()
        page.locator("summary", has_text="SQL").last.click()
        area = page.get_by_label("SELECT", exact=True)
        area.fill("SELECT region FROM insights.fact_value_by_region GROUP BY ")
        area.press_sequentially("reg")
        assert page.get_by_role("listbox", name="Completions").get_by_role("option").all_inner_texts() == ["region"]
        area.press("Enter")
        assert area.input_value().endswith("GROUP BY region")
        at.do(at.named("Save and use").click)
        assert "the dashboard's name is ''" in page.locator(".clv-c-more [role=alert]").inner_text()


UNNAMED = """() => [...document.querySelectorAll(".clv-composer :is(input, select, textarea, button, summary)")].filter(
  (one) => !(one.labels?.length || one.getAttribute("aria-label") || one.innerText?.trim()) && one.checkVisibility()
).map((one) => one.outerHTML)"""


def test_nothing_that_axe_finds_wrong_in_light_and_dark(chromium: str, airline: Workbook, tmp_path: Path) -> None:
    with face(chromium, tmp_path, airline, name="decile") as at:
        at.page.evaluate("document.querySelectorAll('.clv-composer details').forEach((each) => { each.open = true; })")
        assert at.page.evaluate(UNNAMED) == []
        for scheme in ("light", "dark"):
            at.page.emulate_media(color_scheme=scheme)
            assert Axe().run(at.page).response["violations"] == []


def test_what_is_being_typed_outlives_a_page_drawn_anew(chromium: str, airline: Workbook, tmp_path: Path) -> None:
    with face(chromium, tmp_path, airline, name="value") as at:
        title = at.page.locator(".clv-composer").get_by_label("Title", exact=True)
        title.fill("Who brings")  # suggestions, say, arrive while one types
        at.page.evaluate("heard()")
        title.press_sequentially(" most")
        at.page.evaluate("heard(), heard()")
        at.do(lambda: title.press("Enter"))
    assert at.composer.draft.raw["widgets"][0]["title"] == "Who brings most"
