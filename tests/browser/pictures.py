"""The README's pictures, from a fresh run of the airline: `make pictures`."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from clv_helpers.config.workbook import ROOT
from clv_helpers.run import notebooks
from lab import browser, jupyterlab, run_notebook


def take_pictures(executable: str) -> None:
    """Run the airline, and write docs/report.png, docs/dashboard.png and docs/composer.png."""
    record, folder = notebooks.run(ROOT / "params" / "airline.yml", log=print)
    with browser(executable) as started:
        page = started.new_page(viewport={"width": 1180, "height": 1500})
        page.goto((folder / record.report).as_uri())
        page.wait_for_function("document.querySelectorAll('.clv-chart.vega-embed').length >= 25")
        page.screenshot(path=ROOT / "docs" / "report.png", clip={"x": 0, "y": 0, "width": 1180, "height": 1140})
        with tempfile.TemporaryDirectory() as home, jupyterlab(Path(home)) as (address, token):
            page = started.new_page(viewport={"width": 1440, "height": 1240})
            run_notebook(page, address, token, "3_dashboard")
            page.wait_for_selector(".clv-composer .clv-chart svg.marks", timeout=60_000)
            page.get_by_role("tab", name="File Browser").first.click()  # the board is what the picture is of
            live, composer = page.locator(".clv-live").first, page.locator(".clv-composer").first
            composer.get_by_role("button", name="New board", exact=True).click()
            composer.get_by_label("Search tables and their columns").fill("region")
            composer.get_by_role("button", name="New widget on Value by region").click()
            for column in ("region", "spend", "market"):
                composer.get_by_role("button", name=column, exact=True).click()
            composer.locator(".clv-title", has_text="Spend by region and market").wait_for()
            page.set_viewport_size({"width": 1440, "height": 1700})  # all of it, without the lab around it
            composer.evaluate("composer => composer.scrollIntoView()")
            page.wait_for_timeout(1000)
            composer.screenshot(path=ROOT / "docs" / "composer.png")
            page.set_viewport_size({"width": 1440, "height": 1240})
            live.evaluate("board => board.scrollIntoView()")
            page.wait_for_timeout(1000)
            page.screenshot(path=ROOT / "docs" / "dashboard.png")


if __name__ == "__main__":
    take_pictures(shutil.which("chromium") or "chromium")
