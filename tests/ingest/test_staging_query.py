"""The query of a dataset's files is written once for all that are alike, and anew for what it hangs on."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from clv_helpers import ingest
from clv_helpers.config.workbook import Workbook
from clv_helpers.ingest.forgotten import remember_forgotten
from clv_helpers.ingest.loading import prepare
from clv_helpers.ingest.staging_query import staging_query

PARAMS = """
title: Events
time_zone: {zone}
sources:
  purchases:
    path: none.jsonl
    columns: {{customer_id: who, occurred_at: at, amount: spent, category: [kind, type]}}
"""


def workbook(folder: Path, zone: str = "UTC") -> Workbook:
    (folder / "events.yml").write_text(PARAMS.format(zone=zone))
    opened = Workbook.open(folder / "events.yml")
    prepare(opened)
    return opened


def bring(opened: Workbook, folder: Path, number: int, *rows: dict) -> ingest.Batch:
    file = folder / f"{number}.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    [batch] = ingest.ingest_files(opened, "purchases", [file], acknowledged=True)
    return batch


def row(who: str, at: str = "2024-01-02T10:00:00", **more: str) -> dict:
    return {"who": who, "at": at, "spent": "2", **more}


def test_files_that_are_alike_share_a_query(outputs: Path, tmp_path: Path) -> None:
    """Also where each row has keys of its own, as JSON may."""
    opened, before = workbook(tmp_path), staging_query.cache_info().misses
    batches = [
        bring(opened, tmp_path, 1, row("a", kind="x")),
        bring(opened, tmp_path, 2, row("b", type="y"), row("c")),
        bring(opened, tmp_path, 3, row("d", kind="z", unread="1"), row("e", spent="no number")),
    ]
    assert staging_query.cache_info().misses == before + 1
    assert [(batch.rows_accepted, batch.rows_rejected) for batch in batches] == [(1, 0), (2, 0), (1, 1)]
    with opened.engine.write() as session:
        kinds = session.rows("SELECT customer_id AS who, category AS kind FROM lake.purchases ORDER BY 1")
    assert kinds == [{"who": w, "kind": k} for w, k in (("a", "x"), ("b", "y"), ("c", None), ("d", "z"))]


def test_who_is_forgotten_between_two_files_stays_out(outputs: Path, tmp_path: Path) -> None:
    opened = workbook(tmp_path)
    assert bring(opened, tmp_path, 1, row("a"), row("b")).rows_accepted == 2
    for number, who in enumerate("ab", 2):
        with opened.engine.write() as session:
            remember_forgotten(session, opened, who)
        batch = bring(opened, tmp_path, number, row("a", kind=who), row("b", kind=who), row("c", kind=who))
        assert batch.rows_rejected == number - 1


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "Pacific/Honolulu"])
def test_what_lies_more_than_a_day_ahead_of_the_shops_clock_is_rejected(
    outputs: Path, tmp_path: Path, zone: str
) -> None:
    """The clock is read when a file comes, not when its query was written."""
    opened, there = workbook(tmp_path, zone), dt.datetime.now(ZoneInfo(zone)).replace(tzinfo=None)
    moments = [there + dt.timedelta(hours=hours) for hours in (23, 25)]
    for number in (1, 2):
        batch = bring(opened, tmp_path, number, *(row(f"{number}{at:%d}", f"{at:%Y-%m-%dT%H:%M:%S}") for at in moments))
        assert (batch.rows_accepted, batch.rows_rejected) == (1, 1)
    with opened.engine.write() as session:
        latest = session.scalar("SELECT MAX(occurred_at) AS at FROM lake.purchases")
        reasons = session.rows("SELECT DISTINCT reason FROM lake.rejected_rows")
    assert latest == moments[0].replace(microsecond=0)
    assert reasons == [{"reason": "lies in the future"}]
