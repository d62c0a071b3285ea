"""The segment builder in a real Chromium, its actions taken by the real Python: few actions, all by keyboard, exact."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from clv_helpers import audiences
from clv_helpers.audiences.builder_view import HERE
from clv_helpers.audiences.segment_builder import Builder
from clv_helpers.config.workbook import Workbook
from lab import FOCUSED, driven, tab_to

BY_HAND = """
SELECT COUNT(*) AS customers FROM profile.customer AS p
WHERE p.decile_12_months <= 3
AND p.customer_id NOT IN (
    SELECT customer_id FROM lake.purchases
    WHERE occurred_at >= $as_of - INTERVAL '90' DAY AND occurred_at < $as_of
)
AND p.customer_id NOT IN (
    SELECT customer_id FROM lake.email_events
    WHERE event_type IN ('unsubscribed', 'complained') OR (event_type = 'bounced' AND bounce_type = 'hard')
)"""
# The page with the builder alone; `act` takes a message to Python, and brings the state back.
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>t</title><style>%s</style><body>
<header><h1>t</h1><h2>t</h2></header><main></main><script>
let state = %s, listener = null;
const send = async (message) => { state = JSON.parse(await act(JSON.stringify(message))); listener(); };
const model = { get: () => state, on: (_, heard) => { listener = heard; }, send };
import(URL.createObjectURL(new Blob([%s], { type: "text/javascript" })))
  .then((module) => module.default.render({ model, el: document.querySelector("main") }));
</script></html>"""
UNNAMED = """() => [...document.querySelectorAll(".clv-builder :is(input, select, textarea, button, summary)")].filter(
  (one) => !(one.labels?.length || one.getAttribute("aria-label") || one.innerText?.trim()) && one.checkVisibility()
).map((one) => one.outerHTML)"""


class Face:
    """The page, with the Python behind it."""

    def __init__(self, page: Page, builder: Builder):
        self.page, self.builder, self.actions = page, builder, 0

    def do(self, act: Callable[[], object]) -> None:
        """One action of a person, and all that follows from it."""
        self.actions += 1
        act()
        self.page.wait_for_selector(".clv-builder[aria-busy=false]")

    def add(self, text: str) -> None:
        """Two actions: what is typed, and the first that is offered then."""
        search = self.page.get_by_role("combobox", name="Add a condition").last
        self.do(lambda: search.fill(text))
        self.do(lambda: search.press("Enter"))

    def type(self, text: str) -> None:
        """Typed where the focus is, and finished."""

        def typed() -> None:
            self.page.keyboard.type(text)
            self.page.keyboard.press("Enter")

        self.do(typed)

    @property
    def rows(self) -> Any:
        return self.page.locator(".clv-b-row[data-path]")

    @property
    def rule(self) -> dict[str, Any]:
        return self.builder.draft.raw["rule"]


@contextmanager
def face(chromium: str, folder: Path, workbook: Workbook, name: str = "", width: int = 1280) -> Iterator[Face]:
    builder = Builder(workbook, name)
    css, script = ((HERE / f"segment_builder.{ending}").read_text("utf-8") for ending in ("css", "js"))
    texts = [json.dumps(part).replace("</", "<\\/") for part in (builder.view.state, script)]
    file = folder / "builder.html"
    file.write_text(PAGE % (css, *texts), "utf-8")

    with driven(chromium, file, builder, ".clv-builder[data-drawn]", width=width, height=1200) as page:
        yield Face(page, builder)


@pytest.fixture
def own(airline: Workbook, tmp_path: Path) -> Workbook:
    """The airline's tables, with audiences of this test's own to write to, and exact numbers."""
    shutil.copytree(airline.specs, tmp_path / "airline")
    workbook = Workbook(tmp_path / "airline.yml", airline.params.model_copy(update={"min_cell": 1}))
    workbook.__dict__["engine"] = airline.engine
    return workbook


def test_the_best_who_are_quiet_and_flew_after_a_mail_in_twelve_actions(
    chromium: str, own: Workbook, tmp_path: Path
) -> None:
    with own.engine.read() as session:
        by_hand = session.scalar(BY_HAND, as_of=session.scalar("SELECT as_of FROM derived.as_of"))
    with face(chromium, tmp_path, own) as at:
        at.add("decile 12")
        at.type("3")
        at.add("no flights in the last 90 days")
        at.add("not in do not write")
        assert at.builder.counted.estimate.count == by_hand > 0
        assert at.page.locator(".clv-b-panel .clv-count").inner_text() == f"{by_hand:,}"
        sentence = at.page.locator(".clv-b-sentence").inner_text()
        assert "with no flights in the last 90 days and not in the audience “Do not write”." in sentence
        at.add("e-mail events, then")
        assert at.page.locator(".clv-b-row .clv-b-problem").all_inner_texts() == ["Now choose what comes next."]
        assert at.builder.counted.estimate.count == by_hand  # the others count on
        at.do(lambda: at.page.get_by_role("combobox", name="Next", exact=True).select_option("purchases"))
        assert at.builder.counted.estimate.count < by_hand
        at.do(lambda: at.page.get_by_label("Title", exact=True).fill("Quiet top"))
        at.do(at.page.get_by_role("button", name="Save", exact=True).click)
        assert at.actions == 12
        at.page.get_by_text("Saved as audiences/quiet_top.yml").wait_for()
        assert at.rows.locator(".clv-b-count").count() == 4
        for width in (1280, 390, 320):
            at.page.set_viewport_size({"width": width, "height": 1200})
            assert at.page.evaluate("document.documentElement.scrollWidth") <= width
    assert audiences.load(own, "quiet_top").title == "Quiet top"


def test_by_keys_alone_the_focus_stays_and_what_was_done_is_said(chromium: str, own: Workbook, tmp_path: Path) -> None:
    with face(chromium, tmp_path, own) as at:
        page = at.page
        tab_to(page, "Add a condition")
        at.type("decile 12")
        at.type("3")
        tab_to(page, "Add a condition")
        at.type("no flights")
        tab_to(page, "Time", "Shift+Tab")
        page.keyboard.type("in the last")  # other options begin alike
        page.get_by_label("How long", exact=True).wait_for()
        tab_to(page, "How long")
        at.type("90")
        tab_to(page, "Add a condition")
        at.type("e-mail events, then")
        page.keyboard.type("flights")  # into what comes next
        tab_to(page, "Move or change this row", "Shift+Tab")
        page.wait_for_selector(".clv-builder[aria-busy=false]")
        decile, flights, mail = at.rule["all"]
        assert flights == {"not": {"event": "purchases", "when": {"in_last": "90 days"}}}
        assert mail == {"sequence": [{"event": "email_events"}, {"event": "purchases"}]}
        for key, said, rule in (
            ("Alt+ArrowUp", "Moved. Condition 2 of 3: E-mail events, then flights.", [decile, mail, flights]),
            ("Alt+ArrowRight", "Moved. Condition 2 of 2 in its group: ", [{"any": [decile, mail]}, flights]),
            ("Alt+ArrowUp", "Moved. Condition 1 of 2 in its group: ", [{"any": [mail, decile]}, flights]),
            ("Alt+ArrowUp", "Moved. Condition 1 of 3: ", [mail, {"any": [decile]}, flights]),
            ("Alt+ArrowUp", "Nothing changed. Condition 1 of 3: ", [mail, {"any": [decile]}, flights]),
            ("Control+z", "Undone. ", [{"any": [mail, decile]}, flights]),
        ):
            at.do(lambda key=key: page.keyboard.press(key))
            assert at.rule == {"all": rule}
            assert page.locator(".clv-b-status").inner_text().startswith(said)
            assert page.evaluate(FOCUSED) == ["Move or change this row", True]
        tab_to(page, "Title", "Shift+Tab")
        at.type("Quiet top")
        tab_to(page, "Undo", "Shift+Tab")
        for _ in range(2):  # a title typed, then the rule
            at.type("")
        assert page.evaluate(FOCUSED) == ["Undo", True]
        tab_to(page, "Save")
        at.type("")
        assert page.locator(".clv-b-head [role=alert]").inner_text() == "Give the audience a title first."
        tab_to(page, "New", "Shift+Tab")
        page.keyboard.press("Enter")
        assert page.evaluate(FOCUSED) == ["Keep", True]
        page.keyboard.press("Enter")
        assert page.evaluate(FOCUSED) == ["New", True]


def test_grouped_and_moved_by_mouse_and_by_keyboard(chromium: str, own: Workbook, tmp_path: Path) -> None:
    with face(chromium, tmp_path, own, "high_value_slipping") as at:
        first, second, third = at.rule["all"]
        handles = at.page.get_by_role("button", name="Move or change this row")
        target = at.rows.nth(1).locator(".clv-b-line")
        at.do(lambda: handles.nth(0).drag_to(target))
        assert at.rule == {"all": [{"any": [second, first]}, third]}
        at.do(lambda: at.page.keyboard.press("Alt+ArrowLeft"))
        assert at.rule == {"all": [{"any": [second]}, first, third]}
        at.do(lambda: at.page.keyboard.press("Control+z"))
        at.do(lambda: at.page.keyboard.press("Control+z"))
        assert at.rule == {"all": [first, second, third]}
        at.do(lambda: handles.nth(2).press("Enter"))
        at.page.keyboard.press("ArrowUp")  # round to the last
        assert at.page.evaluate("document.activeElement.textContent") == "Remove"
        at.do(lambda: at.page.keyboard.press("Enter"))
        assert at.rule == {"all": [first, second]}
        at.do(lambda: at.page.get_by_role("button", name="and; make it or").press("Enter"))
        assert at.rule == {"any": [first, second]}


def test_values_are_offered_and_axe_finds_nothing_wrong(chromium: str, own: Workbook, tmp_path: Path) -> None:
    with face(chromium, tmp_path, own) as at:
        at.add("region")
        at.type("Nordics")
        at.type("Overseas")
        assert at.rule == {"all": [{"field": "region", "op": "in", "value": ["Nordics", "Overseas"]}]}
        at.do(at.page.get_by_role("button", name="Without Nordics").click)
        assert at.rule["all"][0]["value"] == ["Overseas"]
        at.do(at.page.get_by_role("button", name="Funnel").click)
        at.page.locator(".clv-funnel").wait_for()
        at.page.evaluate("document.querySelectorAll('.clv-builder details').forEach((each) => { each.open = true; })")
        assert at.page.evaluate(UNNAMED) == []
        for scheme in ("light", "dark"):
            at.page.emulate_media(color_scheme=scheme)
            assert Axe().run(at.page).response["violations"] == []
