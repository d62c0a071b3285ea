"""What follows the batches by itself, in its order and in one transaction: readers see all of it, or nothing yet."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from clv_helpers import lifetime
from clv_helpers.config.workbook import StageSkipped, Workbook
from clv_helpers.engines.session import Session
from clv_helpers.models import MODEL, RefreshRow, refresh_tables

Row = RefreshRow


def follow(workbook: Workbook) -> list[Row]:
    """Bring the tables up to date with what has come in; gives a row per table, as `lake.refresh` does."""
    with workbook.engine.write(publish=True) as session:
        rows = _to_the_profile(session, workbook)
        return rows + refresh_tables(session, workbook, "profile", "audiences", *MODEL)


def follow_all(workbook: Workbook) -> list[Row]:
    """All that `follow` does, and the campaigns' results and who is in which audience."""
    from clv_helpers import audiences, campaigns

    with workbook.engine.write(publish=True) as session:
        rows = _to_the_profile(session, workbook)
        try:
            campaigns.needs_campaigns(workbook)
        except StageSkipped:
            rows += refresh_tables(session, workbook, "profile")
        else:
            rows += campaigns.build_within(session, workbook)  # the profile among it
        if audiences.names(workbook):
            rows.append(
                _timed(
                    "audiences.membership_period",
                    "a stay of a customer in an audience.",
                    lambda: _evaluated(session, workbook),
                )
            )
        return _once([*rows, *refresh_tables(session, workbook, "audiences", *MODEL)])


def _to_the_profile(session: Session, workbook: Workbook) -> list[Row]:
    """The tables before the profile, and the prediction that it shows."""
    rows = refresh_tables(session, workbook, "derived")
    predicted = _timed(
        "lifetime.customer_lifetime_value", "a customer with a purchase.", lambda: _predicted(session, workbook)
    )
    return [*rows, predicted]


def _timed(name: str, one_row: str, work: Callable[[], tuple[str, int]]) -> Row:
    """A row of a table that Python writes."""
    started = time.perf_counter()
    mode, rows = work()
    seconds = round(time.perf_counter() - started, 3)
    return RefreshRow(name, one_row, mode, rows, seconds)


def _predicted(session: Session, workbook: Workbook) -> tuple[str, int]:
    found = lifetime.refresh_within(session, workbook)
    return found["status"], found.get("customers", 0) if found["status"] == "predicted" else 0


def _evaluated(session: Session, workbook: Workbook) -> tuple[str, int]:
    from clv_helpers import audiences

    return "evaluated", sum(each["customers"] for each in audiences.evaluate_within(session, workbook))


def _once(rows: list[Row]) -> list[Row]:
    """A row per table, though some are looked at more than once: as it is at last, and whether it was written to."""
    found: dict[str, Row] = {}
    for row in rows:
        before = found.get(row.table)
        mode = before.mode if before and before.is_changed else row.mode
        seconds = round(row.seconds + (before.seconds if before else 0), 3)
        found[row.table] = replace(row, mode=mode, seconds=seconds)
    return list(found.values())
