"""Board and composer in a real JupyterLab, offline: filter, drill through and back, compose, save, find it again."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from clv_helpers import audiences, dashboards
from clv_helpers.charts import CHART_MIME
from clv_helpers.config.workbook import ROOT, Workbook
from conftest import build_all
from lab import browser, jupyterlab, run_notebook

OUTPUTS = ROOT / "outputs"


def test_board_and_composer(chromium: str, outputs: Path, tmp_path: Path) -> None:
    for folder in ("notebooks", "params"):  # saving writes beside the params, so they are this test's own
        shutil.copytree(ROOT / folder, tmp_path / folder)
    params = tmp_path / "params" / "airline.yml"
    params.write_text(params.read_text() + "\nmin_cell: 1\n")  # so that exact numbers are looked for
    workbook = build_all(Workbook.open(params, overrides={"simulate.members": 800}))
    best = workbook.query("insights.fact_value_by_decile", category="ALL", decile=1).set_index("lookback")
    share = best["share_of_value"].map("{:.0%}".format)
    assert share["12 months"] != share["lifetime"]
    before = set(audiences.names(workbook))
    messages: list[str] = []
    with jupyterlab(tmp_path, tmp_path / "notebooks") as (address, token), browser(chromium) as started:
        page = started.new_page(viewport={"width": 1700, "height": 1400})
        page.on("console", lambda m: messages.append(m.text) if m.type == "error" else None)
        run_notebook(page, address, token, "3_dashboard")
        filter_and_drill(page, share, workbook)
        compose(page)
        run_notebook(page, address, token, "3_dashboard")  # opened anew: the file is what counts
        find_again(page)
        run_notebook(page, address, token, "4_audiences")
        audiences_live(page, workbook)
        build_from_template(page, workbook)
    saved = dashboards.load(workbook, "spend_by_status")
    assert [w.title for w in saved.widgets] == ["Who brings the revenue"]
    assert len(set(audiences.names(workbook)) - before) == 1
    assert [m for m in messages if "Failed to load resource" not in m] == []


def filter_and_drill(page, share, workbook: Workbook) -> None:
    board = page.locator(".clv-live").first
    board.wait_for(timeout=60_000)
    board.get_by_text(f"The best tenth brings {share['12 months']} of all miles").wait_for(timeout=30_000)
    page.screenshot(path=OUTPUTS / "lab_board.png")
    board.get_by_label("Look-back", exact=True).select_option("lifetime")
    card = board.locator("figure", has_text=f"The best tenth brings {share['lifetime']} of all miles")
    card.wait_for(timeout=20_000)
    card.locator(".clv-menu summary").click()
    card.get_by_role("button", name="View SQL").click()
    assert "'lifetime'" in card.locator(".clv-panel pre").inner_text()
    card.locator("path[aria-roledescription=bar]").nth(1).click()
    board.get_by_text("Picked: decile 2").wait_for()
    board.get_by_role("button", name="Who is in a decile →").click()
    board.get_by_text("Lifetime value by decile › Who is in a decile").wait_for(timeout=20_000)
    assert board.get_by_label("Decile", exact=True).input_value() == "2"
    profile = workbook.query("insights.fact_decile_profile", decile=2).groupby("region")["customers"].sum()
    board.locator("figure", has_text=f"Most live in {profile.idxmax()}: {profile.max()}").wait_for(timeout=20_000)
    board.get_by_role("button", name="Make an audience of these").click()
    board.get_by_text("Saved as audiences/").wait_for(timeout=20_000)
    page.screenshot(path=OUTPUTS / "lab_drill.png")
    board.get_by_role("button", name="← Back").click()
    board.locator("figure", has_text=f"The best tenth brings {share['lifetime']} of all miles").wait_for(timeout=20_000)


def compose(page) -> None:
    composer = page.locator(".clv-composer").first
    composer.scroll_into_view_if_needed()
    composer.get_by_role("button", name="New board", exact=True).click()
    composer.get_by_text("An empty board.").wait_for()
    composer.get_by_label("Search tables and their columns").fill("category spend_per")
    composer.get_by_role("button", name="New widget on Value by category").click()
    for column in ("category", "spend"):
        composer.get_by_role("button", name=column, exact=True).click()
        composer.get_by_role("button", name=column, exact=True, pressed=True).wait_for(timeout=20_000)
    composer.locator(".clv-c-preview .clv-chart svg.marks").wait_for(timeout=20_000)
    composer.locator(".clv-title", has_text="Spend by status").wait_for()
    composer.get_by_label("Title", exact=True).fill("Who brings the revenue")
    composer.get_by_label("Title", exact=True).press("Enter")
    composer.locator(".clv-title", has_text="Who brings the revenue").wait_for()
    page.screenshot(path=OUTPUTS / "lab_composer.png")
    composer.get_by_label("File", exact=True).fill("spend_by_status")
    composer.get_by_role("button", name="Save", exact=True).click()
    composer.get_by_text("Saved as dashboards/spend_by_status.yml").wait_for()


def find_again(page) -> None:
    composer = page.locator(".clv-composer").first
    composer.wait_for(timeout=60_000)
    composer.get_by_label("Open a board").select_option("spend_by_status")
    composer.locator(".clv-title", has_text="Who brings the revenue").wait_for(timeout=20_000)


def audiences_live(page, workbook: Workbook) -> None:
    """Notebook 4 shows its board live: both charts say what is published, and a button asks the kernel for them."""
    board = page.locator(".clv-live").first
    board.get_by_text("Audiences and their overlaps").wait_for(timeout=60_000)
    assert re.search(r"as of .*, tables published ", board.locator(".clv-state").inner_text())
    spent, largest = (
        board.locator("figure", has_text=part.bundle[CHART_MIME]["title"]["text"])
        for part in dashboards.show(workbook, "audiences").parts
    )
    spent.locator("path[aria-roledescription=bar]").first.wait_for(timeout=20_000)
    assert spent.locator("path[aria-roledescription=bar]").count() > 1
    assert re.search("is the largest audience: .* members", largest.inner_text())
    spent.locator(".clv-menu summary").click()
    spent.get_by_role("button", name="View SQL").click()
    assert '"audiences"."fact_audience"' in spent.locator(".clv-panel pre").inner_text()
    with workbook.engine.write(publish=True) as session:
        session.run("UPDATE audiences.fact_audience SET spend_per_customer = 2 * spend_per_customer")
    before = spent.locator(".clv-title").inner_text()
    board.get_by_role("button", name="Refresh").click()
    twice = dashboards.show(workbook, "audiences").parts[0].bundle[CHART_MIME]["title"]["text"]
    assert twice != before
    board.locator("figure", has_text=twice).wait_for(timeout=20_000)
    page.screenshot(path=OUTPUTS / "lab_audiences.png")


def build_from_template(page, workbook: Workbook) -> None:
    """The builder's cell below: a template fills the rows, and the kernel counts it over everyone."""
    builder = page.locator(".clv-builder").first
    builder.scroll_into_view_if_needed()
    builder.get_by_text("Begin with a template").click()
    builder.get_by_role("button", name="One flight only").click()
    expected = int((workbook.query("profile.customer")["purchases"] == 1).sum())
    builder.locator(".clv-b-panel .clv-count", has_text=f"{expected:,}").wait_for(timeout=20_000)
    page.screenshot(path=OUTPUTS / "lab_builder.png")
    assert page.get_by_text("official Jupyter news").count() == 0
