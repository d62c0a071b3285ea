"""What a refresh computes, in its order and in one transaction: readers see all of it, or nothing yet."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace

from clv_helpers import audiences
from clv_helpers.config.tables import ALWAYS_THERE
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import NothingToCompute, StageSkipped, Workbook
from clv_helpers.derived import bot_scoring
from clv_helpers.engines.session import Session
from clv_helpers.ingest.identities import join_customers
from clv_helpers.ingest.retention import forget_old_events
from clv_helpers.models import MODEL, RefreshRow, refresh_tables
from clv_helpers.models.plan import REFRESHED
from clv_helpers.models.suspects import refreshing
from clv_helpers.run import nothing_new


def build_profile(workbook: Workbook) -> list[RefreshRow]:
    """Stage 1 once the files are in: derived tables, predicted value, profile; gives a row per table.

    Cost: what changed since the last time. Raises NothingToCompute where there is no purchase yet.

    Example:
        >>> from clv_helpers import run
        >>> "profile.customer" in [row.table for row in run.build_profile(wb)]
        True
    """
    with refreshing(workbook) as session:
        return _to_the_profile(session, workbook) + refresh_tables(session, workbook, "profile")


def refresh_after_ingest(workbook: Workbook, *, of_people_only: bool = False) -> list[RefreshRow]:
    """Bring tables, profile and prediction up to date with what has come in; gives a row per table.

    The prediction keeps its fit where little has moved (lifetime.refresh_within). `of_people_only`: what is of a
    customer, and who is in the streaming audiences; rankings, sums over all and the prediction follow with the next
    call without it. A new day brings all.
    """
    with refreshing(workbook) as session:
        if of_people_only and _is_same_day(session, workbook):
            forget_old_events(session, workbook)
            join_customers(session, workbook)
            rows = refresh_tables(session, workbook, "derived", "profile", of_people_only=True)
            audiences.evaluate_streaming(session, workbook)
            return rows
        rows = _to_the_profile(session, workbook, keep_fit=True) + refresh_tables(session, workbook, "profile")
        audiences.evaluate_streaming(session, workbook)
        return rows + refresh_tables(session, workbook, "audiences", *MODEL)


def _is_same_day(session: Session, workbook: Workbook) -> bool:
    """Whether all tables are there, as of the day that it is now."""
    if not session.has_table("derived.as_of") or not session.has_table("profile.customer"):
        return False
    return session.scalar("SELECT as_of FROM derived.as_of") == workbook.as_of(session)


def refresh_all(workbook: Workbook) -> list[RefreshRow]:
    """All that `refresh_after_ingest` does, and the campaigns' results and who is in which audience."""
    with refreshing(workbook) as session:
        rows = _to_the_campaigns(session, workbook)
        one_row, name = "a stay of a customer in an audience.", "audiences.membership_period"
        rows.append(_timed(name, one_row, lambda: _evaluated(session, workbook)))
        rows = _once([*rows, *refresh_tables(session, workbook, "audiences", *MODEL)])
        nothing_new.note(session, workbook, rows)
        return rows


def refresh_if_changed(workbook: Workbook) -> list[RefreshRow]:
    """`refresh_all`; where nothing has changed since the last one, its rows as unchanged, and nothing is evaluated.

    Then nothing is published either: whoever calls this publishes what it notes of the run.
    """
    with workbook.engine.write() as session:
        rows = nothing_new.rows_if_unchanged(session, workbook)
    return refresh_all(workbook) if rows is None else rows


def rebuild_within(session: Session, workbook: Workbook) -> None:
    """All that is made of other tables, in the caller's transaction, where rows were taken out of some.

    Who is in which audience stays as it was evaluated. Where no purchase is left, nothing is there any more.
    """
    from clv_helpers import campaigns
    from clv_helpers.activation.decision import decide_within

    if not workbook.has("purchases"):
        campaigns.build_within(session, workbook)
        return
    try:
        _to_the_profile(session, workbook)
    except NothingToCompute:
        for name in session.tables():
            if name.split(".")[0] in REFRESHED and name not in ALWAYS_THERE:
                session.drop(name)
        return
    refresh_tables(session, workbook, "profile", "audiences")
    if workbook.params.activations and session.has_table("activation.decision"):
        with contextlib.suppress(ParamsError):  # of an audience or a column that is gone
            decide_within(session, workbook)
    _to_the_campaigns(session, workbook)
    refresh_tables(session, workbook, "audiences", *MODEL)


def _to_the_campaigns(session: Session, workbook: Workbook) -> list[RefreshRow]:
    """The tables before the audiences: the profile, and the campaigns' results where there are any."""
    from clv_helpers import campaigns

    rows = _to_the_profile(session, workbook)
    try:
        campaigns.needs_campaigns(workbook)
    except StageSkipped:
        return rows + refresh_tables(session, workbook, "profile")
    return rows + campaigns.build_within(session, workbook)  # the profile among it


def _to_the_profile(session: Session, workbook: Workbook, *, keep_fit: bool = False) -> list[RefreshRow]:
    """The tables before the profile, and the prediction that it shows."""
    forget_old_events(session, workbook)
    join_customers(session, workbook)
    rows = refresh_tables(session, workbook, "derived")
    bot_scoring.refresh_within(session, workbook)
    one_row, name = "a customer with a purchase.", "lifetime.customer_lifetime_value"
    return [*rows, _timed(name, one_row, lambda: _predicted(session, workbook, keep_fit))]


def _timed(name: str, one_row: str, work: Callable[[], tuple[str, int]]) -> RefreshRow:
    """A row of a table that Python writes."""
    started = time.perf_counter()
    mode, rows = work()
    seconds = round(time.perf_counter() - started, 3)
    return RefreshRow(name, one_row, mode, rows, seconds)


def _predicted(session: Session, workbook: Workbook, keep_fit: bool) -> tuple[str, int]:
    from clv_helpers import lifetime

    record = lifetime.refresh_within(session, workbook, keep_fit=keep_fit)
    return record.status, record.customers if record.status == "predicted" else 0


def _evaluated(session: Session, workbook: Workbook) -> tuple[str, int]:
    rows = audiences.evaluate_what_can_be(session, workbook)
    return "partly" if any(row.doubt for row in rows) else "evaluated", sum(row.customers for row in rows)


def _once(rows: list[RefreshRow]) -> list[RefreshRow]:
    """A row per table, though some are looked at more than once: as it is at last, and whether it was written to."""
    tables: dict[str, RefreshRow] = {}
    for row in rows:
        before = tables.get(row.table)
        mode = before.mode if before and before.is_changed else row.mode
        seconds = round(row.seconds + (before.seconds if before else 0), 3)
        tables[row.table] = replace(row, mode=mode, seconds=seconds)
    return list(tables.values())
