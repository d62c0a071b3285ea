"""Small workbooks with a schedule, for the tests of this folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clv_helpers.config.workbook import Workbook
from conftest import SHOP_CSV, write_shop


def scheduled_shop(folder: Path, cron: str = "30 5 * * *", **schedule: Any) -> Workbook:
    """A shop of five purchases in a folder of files, refreshed at half past five unless told otherwise."""
    extra = f"schedule: {json.dumps({'cron': cron, **schedule})}\n"
    params = write_shop(folder, extra=extra)
    (folder / "purchases.csv").unlink()
    (folder / "in").mkdir()
    (folder / "in" / "day1.csv").write_text(SHOP_CSV)
    params.write_text(params.read_text().replace("path: purchases.csv", 'path: "in/*.csv"'))
    return Workbook.open(params)


def new_day(workbook: Workbook, name: str, rows: str = "d,2024-03-02,7.00\n") -> Path:
    """One more source file."""
    file = workbook.file.parent / "in" / f"{name}.csv"
    file.write_text(f"customer,day,spent\n{rows}")
    return file


def broken_day(workbook: Workbook) -> Path:
    """A source file of which no row keeps the contract."""
    return new_day(workbook, "broken", "d,never,7.00\n")
