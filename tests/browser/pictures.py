"""The README's pictures, from a fresh run of the airline: `make pictures`."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from clv_helpers import chain
from clv_helpers.workbook import BATCH_VARIABLE, ROOT
from lab import browser, jupyterlab, run_notebook


def take_pictures(executable: str) -> None:
    """Run the airline, and write docs/report.png and docs/dashboard.png."""
    record, folder = chain.run(ROOT / "params" / "airline.yml", say=chain.say_on_stderr)
    os.environ.pop(BATCH_VARIABLE, None)
    with browser(executable) as started:
        page = started.new_page(viewport={"width": 1180, "height": 1500})
        page.goto((folder / record.report).as_uri())
        page.wait_for_function("document.querySelectorAll('.chart svg.marks').length >= 10")
        page.screenshot(path=ROOT / "docs" / "report.png", clip={"x": 0, "y": 0, "width": 1180, "height": 480})
        with tempfile.TemporaryDirectory() as home, jupyterlab(Path(home)) as (address, token):
            page = started.new_page(viewport={"width": 1440, "height": 1040})
            run_notebook(page, address, token, "3_dashboard")
            page.wait_for_function("document.querySelectorAll('.widget-vbox .vega-embed').length === 6")
            page.get_by_role("button", name="No", exact=True).click()
            page.wait_for_timeout(1000)
            page.screenshot(path=ROOT / "docs" / "dashboard.png")


if __name__ == "__main__":
    take_pictures(shutil.which("chromium") or "chromium")
