"""Events leave by themselves once they are older than the params allow, and nothing brings them back."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from clv_helpers import ingest
from clv_helpers.config.params import load_params
from clv_helpers.config.tables import ALWAYS_THERE
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import Workbook
from clv_helpers.ingest.retention import first_day
from clv_helpers.models.table_file import SQL_FOLDER, read_table
from clv_helpers.run.refresh_all import refresh_after_ingest
from conftest import write_shop

CSV = "customer,day,spent\na,2019-12-31,10\na,2022-01-05,7\nb,2021-12-31,20\nb,2022-01-01,5\nc,2024-03-02,40\n"
MAILS = """event_id,message_id,campaign,customer_id,event_type,occurred_at
1,m1,x,a,sent,2020-01-01
2,m1,x,a,unsubscribed,2020-01-02
3,m2,x,b,sent,2023-01-01
"""
EXTRA = """  email_events: {path: mails.csv}
as_of: 2025-01-10
retention: {months: 36}
trend_months: 12
"""


def shop(folder: Path) -> Workbook:
    params = write_shop(folder, CSV, EXTRA)
    (folder / "mails.csv").write_text(MAILS)
    return Workbook.open(params)


def test_a_refresh_forgets_what_is_older(outputs: Path, tmp_path: Path) -> None:
    workbook = shop(tmp_path)
    ingest.ingest_files(workbook)
    refresh_after_ingest(workbook)
    days = [dt.date(2022, 1, 1), dt.date(2022, 1, 5), dt.date(2024, 3, 2)]
    assert sorted(row.date() for row in workbook.query("lake.purchases")["occurred_at"]) == days
    assert sorted(row.date() for row in workbook.query("derived.customer_day")["day"]) == days
    assert set(workbook.query("lake.email_events")["message_id"]) == {"m2"}
    [purchases, mails] = ingest.batches(workbook)
    assert purchases.reason == mails.reason == "retention: its events before 2022-01-01 are gone"
    assert (purchases.status, purchases.rows_accepted) == ("success", 5)


def test_who_unsubscribed_stays_so(outputs: Path, tmp_path: Path) -> None:
    workbook = shop(tmp_path)
    ingest.ingest_files(workbook)
    for _ in range(2):
        refresh_after_ingest(workbook)
    kept = workbook.query("lake.kept_response")
    assert kept[["customer_id", "event_type"]].values.tolist() == [["a", "unsubscribed"]]
    with workbook.engine.write() as session:
        session.create_if_absent("profile.joined_customer", dict(ALWAYS_THERE["profile.joined_customer"]))
        rows = session.rows(read_table(SQL_FOLDER / "activation" / "suppression.sql").query)
    assert rows == [{"customer_id": "a", "reason": "suppressed"}]


def test_a_replay_does_not_bring_them_back(outputs: Path, tmp_path: Path) -> None:
    workbook = shop(tmp_path)
    ingest.ingest_files(workbook)
    refresh_after_ingest(workbook)
    (tmp_path / "again.csv").write_text(CSV + "d,2018-01-01,3\n")
    ingest.replay(workbook, 1, tmp_path / "again.csv")
    refresh_after_ingest(workbook)
    assert workbook.query("derived.customer_day")["day"].min().date() >= first_day(dt.date(2025, 1, 10), 36)
    assert ingest.batches(workbook)[-1].reason == ("replaces batch 1; retention: its events before 2022-01-01 are gone")


def test_nothing_old_changes_nothing(outputs: Path, tmp_path: Path) -> None:
    workbook = shop(tmp_path)
    ingest.ingest_files(workbook)
    refresh_after_ingest(workbook)
    assert {row.mode for row in refresh_after_ingest(workbook)} <= {"unchanged", "view", "off"}


@pytest.mark.parametrize(
    ("kept", "sentence"),
    [
        ("retention: {months: 6}", r"retention.months is 6; allowed: at least 24, for trend_months"),
        ("retention: {months: 13}\ntrend_months: 6", r"at least 15, for the longest look-back"),
        ("retention: {months: 24}\nlifetime: {horizon_months: 18}", r"at least 36, for twice lifetime.horizon_months"),
        ("retention: {months: 36}\nengine: spark://local[2]", r"needs engine duckdb"),
        ("retention: {months: 36, email_events: 0}", r"retention.email_events"),
    ],
)
def test_less_than_is_needed_is_refused(tmp_path: Path, kept: str, sentence: str) -> None:
    with pytest.raises(ParamsError, match=sentence):
        load_params(write_shop(tmp_path, extra=kept + "\n"))


def test_months_are_whole() -> None:
    assert first_day(dt.date(2025, 1, 10), 36) == dt.date(2022, 1, 1)
    assert first_day(dt.date(2025, 3, 31), 1) == dt.date(2025, 2, 1)
    assert first_day(dt.date(2025, 12, 1), 12) == dt.date(2024, 12, 1)
