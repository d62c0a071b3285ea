"""Days, months and windows are those of the workbook's time zone, on the days with 23 and 25 hours too."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from clv_helpers import ingest, models
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import Workbook
from conftest import write_shop

CSV = """customer,day,spent
a,2024-06-30T23:30:00Z,10
a,2024-10-26T23:30:00Z,20
a,2024-10-27T23:30:00Z,30
b,2024-03-31T00:30:00Z,40
b,2024-03-31T22:30:00Z,50
b,2024-12-31T23:30:00-0500,60
"""


@pytest.mark.parametrize(
    ("zone", "days", "as_of"),
    [
        ("UTC", ["06-30", "10-26", "10-27", "03-31", "01-01"], dt.date(2025, 1, 2)),
        ("Europe/London", ["07-01", "10-27", "03-31", "01-01"], dt.date(2025, 1, 2)),
        ("America/New_York", ["06-30", "10-26", "10-27", "03-30", "03-31", "12-31"], dt.date(2025, 1, 1)),
    ],
)
def test_a_day_is_the_shops_day(outputs: Path, tmp_path: Path, zone: str, days: list[str], as_of: dt.date) -> None:
    """Half past midnight in London's summer is the day before in UTC, and the month before on the last of June."""
    workbook = Workbook.open(write_shop(tmp_path, csv=CSV), overrides={"time_zone": zone})
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived")
    with workbook.engine.write() as session:
        rows = session.rows("SELECT * FROM derived.customer_day ORDER BY customer_id, 2, 3")
        assert workbook.as_of(session) == as_of
    found = [row[next(key for key, value in row.items() if isinstance(value, dt.date))] for row in rows]
    assert sorted(f"{day:%m-%d}" for day in found) == sorted(days)


def test_schedule_follows_the_workbook(tmp_path: Path) -> None:
    params = write_shop(tmp_path, extra="time_zone: Europe/London\nschedule: {cron: '0 3 * * *'}\n")
    summer = dt.datetime(2024, 7, 1, tzinfo=dt.UTC)
    schedule = Workbook.open(params).params.schedule
    assert schedule is not None
    assert schedule.next_after(summer) == dt.datetime(2024, 7, 1, 2, tzinfo=dt.UTC)
    own = Workbook.open(params, overrides={"schedule.time_zone": "UTC"}).params.schedule
    assert own is not None
    assert own.next_after(summer) == dt.datetime(2024, 7, 1, 3, tzinfo=dt.UTC)


@pytest.mark.parametrize("zone", ["localtime", "Europe/Londn", ""])
def test_a_zone_that_the_engine_does_not_know_is_refused(tmp_path: Path, zone: str) -> None:
    """It is asked for the present moment there with each file."""
    with pytest.raises(ParamsError, match=f"time_zone is '{zone}'"):
        Workbook.open(write_shop(tmp_path), overrides={"time_zone": zone})
