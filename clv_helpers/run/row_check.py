"""What `clv check` finds in the rows of files: what would be rejected and why, and what looks odd, a sentence each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from clv_helpers.config.datasets import EVENT_TIME
from clv_helpers.config.validation import Problem
from clv_helpers.config.workbook import NothingToCompute, Workbook
from clv_helpers.derived.as_of_doubts import doubts_of_as_of
from clv_helpers.derived.views import asked_of_account
from clv_helpers.engines.dialect import bind, column, table
from clv_helpers.engines.file_scan import kind_of
from clv_helpers.engines.session import Session
from clv_helpers.ingest import Batch
from clv_helpers.ingest.excel import unread_sheets
from clv_helpers.ingest.forgotten import REASON as FORGOTTEN
from clv_helpers.ingest.loading import REPEATED
from clv_helpers.ingest.raw_file import UnreadableFile
from clv_helpers.models.table_file import SQL_FOLDER, read_table
from clv_helpers.run.new.formats import format_of
from clv_helpers.run.trial import Trial, trial

REJECTED = """
    SELECT column_name, reason, COUNT(*) AS rows, MIN(value) AS example FROM lake.rejected_rows
    WHERE _batch_id = $batch AND NOT reason IN ($repeated, $forgotten)
    GROUP BY column_name, reason ORDER BY COUNT(*) DESC, column_name, reason
"""
VALUES = """
    SELECT DISTINCT value FROM lake.rejected_rows
    WHERE _batch_id = $batch AND column_name = $name AND NOT value IS NULL ORDER BY value LIMIT 200
"""
LEFT_OUT = """
    SELECT dataset, reason, SUM(rows) AS rows, SUM(amount) AS amount FROM lake.left_out
    GROUP BY dataset, reason ORDER BY dataset, SUM(rows) DESC, reason
"""
TIED = """
    SELECT MAX(customers) AS customers, MAX_BY(value, customers) AS value, SUM(customers) AS everybody FROM (
        SELECT value, COUNT(*) AS customers FROM (
            SELECT customer_id, SUM($value) AS value FROM lake.purchases GROUP BY customer_id
        ) AS summed GROUP BY value
    ) AS counted
"""
CATEGORIES = """
    SELECT COUNT(*) AS rows, COUNT(DISTINCT $category) AS different,
        COUNT(DISTINCT LOWER(TRIM($category))) AS folded, COUNT(*) - COUNT($category) AS empty
    FROM lake.purchases
"""
SPAN = """
    SELECT MIN($moment) AS first, QUANTILE_DISC($moment, 0.01) AS early, MAX($moment) AS last FROM $rows AS r
"""
TIES = 0.1  # of all customers with the same value, from which deciles are cut among equals
MANY = 60  # categories, beyond which ranks within each say little
FAR_DAYS = 1_826  # before all but one per cent of the rows, from which a day looks like the default of a system


def row_findings(workbook: Workbook) -> tuple[list[Problem], list[Problem]]:
    """What a run would refuse of the files' rows, and what it would take that looks odd.

    Cost: that of bringing the files in; nothing of it is kept.
    """
    with trial(workbook.file, workbook.params) as made:
        with made.engine.write() as session:
            refused, odd = list(made.problems), list[str]()
            for batch in made.batches:
                (refused if _is_refused(session, workbook, batch) else odd).extend(_rejected(session, batch))
            odd += [*_unread_sheets(workbook), *_left_out(session, workbook)]
            if workbook.has("purchases") and not refused:
                odd += [*_ties(session, workbook), *_categories(session, workbook), *_days(session)]
                odd += doubts_of_as_of(session, workbook)
                odd += _collective(session, made)
        file = str(workbook.file)
        return [Problem("", said, "", file) for said in refused], [Problem("", said, "", file) for said in odd]


def _is_refused(session: Session, workbook: Workbook, batch: Batch) -> bool:
    """Whether more of the rows that count break the contract than the params allow."""
    broken = sum(row["rows"] for row in _reasons(session, batch))
    counting = (batch.rows_accepted or 0) + broken
    allowed = workbook.params.sources[batch.dataset].max_rejected_share
    return broken > allowed * counting


def _reasons(session: Session, batch: Batch) -> list[dict[str, Any]]:
    return session.rows(REJECTED, batch=batch.batch_id, repeated=REPEATED, forgotten=FORGOTTEN)


def _rejected(session: Session, batch: Batch) -> Iterator[str]:
    """Why rows would be rejected, with the way of writing that would fit, where there is one."""
    for row in _reasons(session, batch):
        name, reason = row["column_name"], str(row["reason"])
        such = "" if row["example"] is None else f", such as {row['example']!r}"
        fits = ""
        if "type date" in reason or "type timestamp" in reason:
            texts = [each["value"] for each in session.rows(VALUES, batch=batch.batch_id, name=name)]
            form = format_of(texts)
            fits = f"; csv.dates {form!r} would fit" if form else ""
        said = f"{row['rows']:,} of {batch.rows_read or 0:,} rows would be rejected"
        yield f"sources.{batch.dataset}: {batch.file}: {said}: {name}{such} {reason}{fits}"


def _unread_sheets(workbook: Workbook) -> Iterator[str]:
    for dataset, source in workbook.params.sources.items():
        for file in () if workbook.params.simulate else workbook.source_files(dataset):
            if kind_of(file) == "excel":
                with contextlib.suppress(UnreadableFile):  # which is told as the file's problem
                    said = unread_sheets(file, source.sheet)
                    yield from [f"sources.{dataset}: {said}"] if said else []


def _left_out(session: Session, workbook: Workbook) -> Iterator[str]:
    for row in session.rows(LEFT_OUT):
        amount = "" if row["amount"] is None else f", {row['amount']:,.2f} {workbook.params.value.unit}"
        yield f"sources.{row['dataset']}: {row['rows']:,} rows are left out: {row['reason']}{amount}"


def _ties(session: Session, workbook: Workbook) -> Iterator[str]:
    """That many customers have one value: then it is chance which decile one of them is in."""
    value = workbook.params.value
    found = session.rows(TIED, value=column(value.column))[0]
    if found["customers"] and found["everybody"] >= 10 and found["customers"] > TIES * found["everybody"]:
        share, amount = found["customers"] / found["everybody"], found["value"]
        shown = "no value" if amount is None else f"exactly {amount:,.2f} {value.unit}"
        yield f"value.column {value.column}: {share:.0%} of the customers have {shown}; their decile is chance"


def _categories(session: Session, workbook: Workbook) -> Iterator[str]:
    name = workbook.params.category
    if not name:
        return
    found = session.rows(CATEGORIES, category=column(name))[0]
    if found["different"] > MANY:
        yield f"category {name} has {found['different']:,} values; deciles within so many say little"
    if found["different"] == 1:
        yield f"category {name} has one value alone; deciles within it are those over everyone"
    if found["folded"] < found["different"]:
        differ = found["different"] - found["folded"]
        yield f"category {name}: {differ:,} of its values differ from another by capitals or blanks alone"
    if found["empty"]:
        rows = f"{found['empty']:,} of {found['rows']:,} rows"
        yield f"category {name} is empty in {rows}; they are ranked over everyone alone"


def _days(session: Session) -> Iterator[str]:
    """A first day far before nearly all others is likely the default of a system."""
    found = session.rows(SPAN, moment=column(EVENT_TIME), rows=table("lake.purchases"))[0]
    if found["first"] and (found["early"] - found["first"]).days > FAR_DAYS:
        yield (
            f"sources.purchases: the first day is {found['first'].date()}, and 99 of 100 rows are of "
            f"{found['early'].date()} or later: is it the default of a system?"
        )


def _collective(session: Session, made: Trial) -> Iterator[str]:
    """Customer ids that look like nobody's: here the owner sees which they are."""
    rule = read_table(SQL_FOLDER / "derived" / "collective_account.sql")
    try:
        bindings = made.bindings(session)
    except NothingToCompute:
        return
    yield from (f"sources.purchases: {asked_of_account(row)}" for row in session.rows(bind(rule.query, bindings)))
