"""The live board in a real JupyterLab, offline: it draws, and a changed filter changes what is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from clv_helpers.workbook import ROOT, Workbook
from conftest import build_all
from lab import browser, jupyterlab, run_notebook


@pytest.mark.xdist_group("lab")
def test_board_in_jupyterlab(chromium: str, outputs: Path, tmp_path: Path) -> None:
    workbook = build_all(Workbook.open(ROOT / "params" / "airline.yml", overrides={"simulate.members": 500}))
    best = workbook.query("insights.fact_value_by_decile", loyalty_status="ALL", decile=1).set_index("lookback")
    share = best["share_of_value"].map("{:.0%}".format)
    assert share["12 months"] != share["lifetime"]
    messages: list[str] = []
    with jupyterlab(tmp_path) as (address, token), browser(chromium) as started:
        page = started.new_page(viewport={"width": 1600, "height": 1200})
        page.on("console", lambda m: messages.append(m.text) if m.type == "error" else None)
        run_notebook(page, address, token, "3_dashboard")
        board = page.locator(".jp-OutputArea-output .widget-vbox").first
        board.wait_for(timeout=60_000)
        page.wait_for_selector(".widget-vbox .vega-embed svg, .widget-vbox .vega-embed canvas", timeout=60_000)
        titles = page.locator(".widget-vbox .vega-embed").count
        page.wait_for_function("document.querySelectorAll('.widget-vbox .vega-embed').length === 6", timeout=30_000)
        page.screenshot(path=ROOT / "outputs" / "lab_board.png")
        assert titles() == 6
        assert f"The best tenth brings {share['12 months']} of all miles" in described(page)
        board.locator("select").first.select_option("lifetime")
        page.wait_for_function(
            "text => [...document.querySelectorAll('.widget-vbox .vega-embed')].some(e => e.outerHTML.includes(text))",
            arg=f"The best tenth brings {share['lifetime']} of all miles",
            timeout=20_000,
        )
    assert [m for m in messages if "Failed to load resource" not in m] == []


def described(page) -> str:
    """What the drawn charts say of themselves (Vega gives the picture its description)."""
    return page.evaluate("[...document.querySelectorAll('.widget-vbox .vega-embed')].map(e => e.outerHTML).join('')")
