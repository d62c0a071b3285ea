"""Notebook 0 in a real JupyterLab: named, read, corrected by clicking, written."""

from __future__ import annotations

import shutil
from pathlib import Path

from clv_helpers.config.workbook import ROOT, Workbook
from lab import browser, jupyterlab, run_notebook

OUTPUTS = ROOT / "outputs"
HEADERS = ("Order ID", "Customer ID", "Order Date", "Sales", "Profit", "Segment")
ROWS = [(f"A-{n}", f"c{n % 7}", f"{n % 12 + 1}/{n % 28 + 1}/2024", n + 20.5, n / 4, "AB"[n % 2]) for n in range(60)]


def test_a_workbook_by_clicking(chromium: str, outputs: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    (tmp_path / "notebooks" / "orders.csv").write_text(
        "\n".join(",".join(map(str, row)) for row in (HEADERS, *ROWS)), encoding="utf-8"
    )
    with jupyterlab(tmp_path, tmp_path / "notebooks") as (address, token), browser(chromium) as started:
        page = started.new_page(viewport={"width": 1500, "height": 1300})
        run_notebook(page, address, token, "0_your_data")
        desk = page.locator(".clv-desk").first
        desk.wait_for(timeout=60_000)
        desk.get_by_label("Your data").fill("orders.csv")
        desk.get_by_label("Your data").press("Tab")
        desk.get_by_role("button", name="Read").click()
        desk.get_by_text("60 orders, 7 customers, 3,000.00 USD").wait_for(timeout=30_000)
        page.screenshot(path=OUTPUTS / "lab_your_data.png")
        desk.get_by_text("GBP", exact=True).click()
        desk.get_by_text("3,000.00 GBP").wait_for(timeout=20_000)
        amounts = desk.locator("select")
        amounts.nth(HEADERS.index("Profit")).select_option("amount")
        desk.get_by_text("60 orders, 7 customers, 442.50 GBP").wait_for(timeout=20_000)
        desk.get_by_role("button", name="Write").click()
        desk.get_by_text("my_shop.yml is written").wait_for(timeout=20_000)
        page.screenshot(path=OUTPUTS / "lab_your_data_written.png")
    shop = Workbook.open(tmp_path / "notebooks" / "my_shop.yml")
    assert (shop.params.value.unit, shop.params.contract("purchases")["amount"].header) == ("GBP", "Profit")
