"""What follows the batches by itself, in its order: derived tables, prediction, profile, insights."""

from __future__ import annotations

import time
from typing import Any

from clv_helpers import lake, lifetime
from clv_helpers.workbook import Workbook


def follow(workbook: Workbook) -> list[dict[str, Any]]:
    """Bring all of it up to date with what has come in; gives a row per table, as `lake.refresh` does."""
    rows, started = lake.refresh(workbook, "derived"), time.perf_counter()
    found = lifetime.refresh(workbook)
    predicted = {
        "table": "lifetime.member_lifetime_value",
        "one_row": "a member with a purchase.",
        "mode": found["status"],
        "rows": found.get("customers", 0) if found["status"] == "predicted" else 0,
        "seconds": round(time.perf_counter() - started, 3),
    }
    return [*rows, predicted, *lake.refresh(workbook, "profile", "audiences", *lake.MODEL)]
