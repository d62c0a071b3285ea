"""What follows the batches by itself, in its order: derived tables, prediction, profile, the rest and the model."""

from __future__ import annotations

import time
from typing import Any

from clv_helpers import lake, lifetime
from clv_helpers.workbook import StageSkipped, Workbook


def follow(workbook: Workbook) -> list[dict[str, Any]]:
    """Bring the tables up to date with what has come in; gives a row per table, as `lake.refresh` does."""
    return [*_to_the_profile(workbook), *lake.refresh(workbook, "profile", "audiences", *lake.MODEL)]


def follow_all(workbook: Workbook) -> list[dict[str, Any]]:
    """All that `follow` does, and before the model the campaigns' results and who is in which audience."""
    from clv_helpers import audiences, campaigns

    rows = _to_the_profile(workbook)
    try:
        rows += campaigns.build(workbook)  # the profile among it
    except StageSkipped:
        rows += lake.refresh(workbook, "profile")
    if audiences.names(workbook):
        started = time.perf_counter()
        sizes = audiences.evaluate(workbook)
        evaluated = {
            "table": "audiences.spell",
            "one_row": "a stay of a member in an audience.",
            "mode": "evaluated",
            "rows": sum(each["members"] for each in sizes),
            "seconds": round(time.perf_counter() - started, 3),
        }
        rows.append(evaluated)
    return _once([*rows, *lake.refresh(workbook, "audiences", *lake.MODEL)])


def _once(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row per table, though some are looked at more than once: as it is at last, and whether it was written to."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        before = found.get(row["table"], {"mode": "unchanged", "seconds": 0})
        mode = row["mode"] if before["mode"] == "unchanged" else before["mode"]
        found[row["table"]] = {**row, "mode": mode, "seconds": round(before["seconds"] + row["seconds"], 3)}
    return list(found.values())


def _to_the_profile(workbook: Workbook) -> list[dict[str, Any]]:
    rows, started = lake.refresh(workbook, "derived"), time.perf_counter()
    found = lifetime.refresh(workbook)
    predicted = {
        "table": "lifetime.member_lifetime_value",
        "one_row": "a member with a purchase.",
        "mode": found["status"],
        "rows": found.get("customers", 0) if found["status"] == "predicted" else 0,
        "seconds": round(time.perf_counter() - started, 3),
    }
    return [*rows, predicted]
