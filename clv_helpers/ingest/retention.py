"""Events leave the lake by themselves once they are older than the params allow."""

from __future__ import annotations

import datetime as dt

from clv_helpers.config.datasets import DATASETS, EVENT_DATASETS, EVENT_TIME, PRIMARY_IDENTITY
from clv_helpers.config.tables import ALWAYS_THERE, is_dataset
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import column, expression, table
from clv_helpers.engines.session import Session
from clv_helpers.ingest import batch_log
from clv_helpers.ingest.identity_values import PERSON, SOURCE_ID
from clv_helpers.models.checkpoints import build_anew

# Whom no message may reach is known from these; they are kept apart, as they must hold for good.
KEPT = "lake.kept_response"
KEEP = """
    INSERT INTO lake.kept_response
    SELECT $id_as_it_came, event_type, bounce_type, bounce_code FROM lake.email_events
    WHERE occurred_at < $before AND event_type IN ('unsubscribed', 'complained', 'bounced')
    EXCEPT SELECT customer_id, event_type, bounce_type, bounce_code FROM lake.kept_response
"""


def forget_old_events(session: Session, workbook: Workbook) -> None:
    """Take events out that are older than `retention` allows, before tables are made; the batches' record says so.

    Whatever brings such events in again, a replay or a late file, they are gone with the next refresh. Cost: a look at
    the events' times; where some have to go, which is once a month, all tables are built from nothing.
    """
    retention = workbook.params.retention
    if retention is None:
        return
    as_of = workbook.as_of(session)
    for dataset in _datasets(session):
        before = first_day(as_of, retention.months_of(dataset))
        old = "SELECT DISTINCT _batch_id FROM $source AS s WHERE occurred_at < $before ORDER BY _batch_id"
        numbers = [row["_batch_id"] for row in session.rows(old, source=table(f"lake.{dataset}"), before=before)]
        if not numbers:
            continue
        if dataset == "email_events":
            session.create_if_absent(KEPT, dict(ALWAYS_THERE[KEPT]))
            has_source = SOURCE_ID in session.columns(table("lake.email_events"))
            session.run(
                KEEP, before=before, id_as_it_came=expression(PERSON) if has_source else column(PRIMARY_IDENTITY)
            )
        gone = "DELETE FROM $source WHERE occurred_at < $before"
        session.run(gone, source=table(f"lake.{dataset}"), before=before)
        for number in numbers:
            batch_log.remark(session, number, f"retention: its events before {before} are gone")
        build_anew(session)


def _datasets(session: Session) -> list[str]:
    """The datasets of events in the lake: also those that the params name no longer."""
    own = [name.removeprefix("lake.") for name in session.tables() if is_dataset(name)]
    columns = {name: session.columns(table(f"lake.{name}")) for name in own if name not in DATASETS}
    return [*EVENT_DATASETS, *(name for name, kinds in columns.items() if EVENT_TIME in kinds)]


def first_day(as_of: dt.date, months: int) -> dt.date:
    """The first of as_of's month, so many months before."""
    month = as_of.year * 12 + as_of.month - 1 - months
    return dt.date(month // 12, month % 12 + 1, 1)
