"""The star model: what its tables are, and what the latest of them say."""

from __future__ import annotations

from typing import Any

from clv_helpers import show
from clv_helpers.show import Shown
from clv_helpers.workbook import Workbook


def model(built: list[dict[str, Any]]) -> Shown:
    """The tables of a build: what one row is, how many there are, and how long they took."""
    return show.table(built, table="Table", one_row="One row is", rows="Rows|,.0f", seconds="Seconds|.2f")


def trend(workbook: Workbook) -> Shown:
    """A sentence on the last twelve whole months against the twelve before."""
    months = workbook.query("insights.fact_value_by_month", order_by="month", loyalty_status="ALL")
    if len(months) < 24:
        return show.note(f"There are {len(months)} whole months so far; a year-on-year comparison needs 24.")
    before, after = (float(part["spend"].sum()) for part in (months[-24:-12], months[-12:]))
    change = after / before - 1
    word = "more" if change >= 0 else "less"
    return show.finding(
        f"The last twelve whole months brought {show.compact(after)} {workbook.params.spending.unit}, "
        f"{abs(change):.0%} {word} than the twelve before."
    )
