"""Ways by which one number of one person, or of a few, once left: each was found in a finished report."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from clv_helpers import derived, lifetime
from clv_helpers.charts import CHART_MIME, ChartError, Widget, draw
from clv_helpers.charts.bands import merged
from clv_helpers.charts.disclosure import too_small
from clv_helpers.charts.show import TABLE_MIME
from clv_helpers.config.settings import Words
from clv_helpers.config.workbook import Workbook
from clv_helpers.ingest import Batch
from clv_helpers.lifetime.diagnostics import about_holdout
from clv_helpers.lifetime.records import BestDecile, Holdout, HoldoutError
from clv_helpers.report.run_record import RunRecord
from conftest import on_same_tables

GROUPS = """
SELECT b.category, b.region, COUNT(*) AS customers, SUM(v.spend) AS {name}
FROM insights.dim_customer_band AS b JOIN derived.customer_value AS v ON v.customer_id = b.customer_id
GROUP BY b.category, b.region
"""


@pytest.fixture
def own(airline: Workbook, tmp_path: Path) -> Workbook:
    """The airline's tables with a dashboards folder of this test's own."""
    (tmp_path / "airline" / "dashboards").mkdir(parents=True)
    workbook = Workbook(tmp_path / "airline.yml", airline.params)
    workbook.__dict__["engine"] = airline.engine
    return workbook


def drawn(workbook: Workbook, sql: str, **given: Any) -> list[dict[str, Any]]:
    """The rows that a bar chart of this SELECT holds."""
    (workbook.specs / "dashboards" / "own.sql").write_text(sql)
    widget = Widget.model_validate({"title": "t", "sql": "own", "mark": "bar", **given})
    spec = draw(workbook, widget).bundle[CHART_MIME]
    return [row for rows in spec["datasets"].values() for row in rows]


@pytest.mark.parametrize("name", ["spend_12_months", "spend_order", "decile_spend"])
def test_a_sum_is_rounded_whatever_it_is_called(own: Workbook, name: str) -> None:
    sql = GROUPS.format(name=name).replace("b.region, ", "").replace(", b.region", "")
    exact = set(own.query("insights.fact_value_by_category")["spend"].astype(float))
    rows = drawn(own, sql, x="category", y=name)
    assert rows
    assert not exact & {row[name] for row in rows}


def test_a_sum_that_stands_out_is_rounded(own: Workbook) -> None:
    exact = set(own.query("insights.fact_value_by_category")["spend"].astype(float))
    sql = GROUPS.format(name="spend").replace("b.region, ", "").replace(", b.region", "")
    rows = drawn(own, sql, x="category", y="spend", highlight={"spend": 1})
    assert rows
    assert not exact & {row["spend"] for row in rows}


def test_merged_bands_do_not_carry_the_sum_by_which_they_are_sorted() -> None:
    given = {"title": "t", "table": "a.b", "mark": "bar", "x": {"column": "band", "sort": "spend"}, "y": "customers"}
    rows = pd.DataFrame({"band": ["crew", "gold", "all"], "spend": [1316.76, 8158.63, 9e4], "customers": [7, 43, 400]})
    shown = merged(rows, Widget.model_validate(given), 11)
    assert shown["spend"].tolist() == [0, 1]
    assert shown["customers"].tolist() == [50, 400]


@pytest.mark.parametrize("aggregate", ["min", "max"])
def test_the_least_and_the_most_of_groups_are_about_the_fewest(own: Workbook, aggregate: str) -> None:
    groups = own.query("insights.dim_customer_band").groupby(["category", "region"]).size()
    rows = drawn(own, GROUPS.format(name="m"), x="category", y={"column": "m", "aggregate": aggregate})
    of_many = {category for category, sizes in groups.groupby("category") if sizes.min() >= 11}
    assert len(of_many) < groups.index.get_level_values("category").nunique()
    assert {row["category"] for row in rows} <= of_many


@pytest.mark.parametrize("what", ["QUANTILE_CONT(v.spend, 0.999)", "STDDEV_POP(v.spend)", "VARIANCE(v.spend)"])
def test_what_one_customer_can_make_up_is_refused(own: Workbook, what: str) -> None:
    with pytest.raises(ChartError, match="of single values"):
        drawn(own, GROUPS.format(name="m").replace("SUM(v.spend)", what), x="category", y="m")


def test_the_edges_of_deciles_are_for_their_table_alone(airline: Workbook) -> None:
    given = {"title": "t", "table": "derived.decile_edge", "mark": "table", "columns": ["decile", "highest_value"]}
    with pytest.raises(ChartError, match="highest_value, which is one customer's"):
        draw(airline, Widget.model_validate(given))


def test_weeks_of_few_purchases_cannot_be_counted(airline: Workbook) -> None:
    given = {"title": "t", "table": "lifetime.holdout_week", "mark": "line", "x": "week", "y": "purchases"}
    spec = draw(airline, Widget.model_validate({**given, "color": "series"})).bundle[CHART_MIME]
    ends, rows = sorted(spec["datasets"].values(), key=len)
    assert {row["purchases"] % 5 for row in rows} == {0}
    assert {name for row in ends for name in row} == {"series", "_name", "_at"}  # the names at the ends of the lines


def test_a_category_of_few_does_not_tell_in_how_many_months_it_bought(airline: Workbook) -> None:
    few = on_same_tables(airline, min_cell=590)
    given = {"title": "t", "table": "insights.fact_value_by_month", "mark": "line", "x": "month", "y": "value"}
    spec = draw(few, Widget.model_validate({**given, "filters": {"category": "GOLD"}})).bundle[CHART_MIME]
    assert "people are left out" in spec["title"]["subtitle"]
    assert spec["title"]["subtitle"].startswith("Groups of fewer than 590")


def test_two_who_came_of_eleven_are_not_told() -> None:
    """A count of 10 that is shown is 11 or 12; 20% of it, to 5%, is 2 of 11 alone."""
    given = {"title": "t", "table": "lifetime.holdout_probability", "mark": "line", "x": "band", "y": "share_buying"}
    rows = pd.DataFrame({"band": [0, 20, 70], "share_buying": [2 / 11, 0.26, 49 / 57], "customers": [11, 50, 57]})
    assert too_small(rows, Widget.model_validate(given), 11).tolist() == [True, False, True]


def test_a_batch_of_one_row_tells_no_day_and_no_number() -> None:
    (text,) = [
        part.bundle["text/html"]
        for part in [derived.batches([batch(2, 1, "2024-12-20 15:00"), batch(1, 2_127, "2024-12-30 18:00")], 11)]
        if TABLE_MIME in part.bundle
    ]
    assert "2024-12-20" not in text
    assert "2024-12-30" in text
    assert "&lt;11" in text
    assert "2,125" in text


def batch(number: int, rows: int, last: str) -> Batch:
    at = pd.Timestamp(last).to_pydatetime()
    given = {field.name: None for field in fields(Batch)}
    told = {"batch_id": number, "dataset": "purchases", "file": f"{number}.csv", "status": "success"}
    return Batch(**given | told | {"rows_read": rows, "rows_accepted": rows, "rows_rejected": 0, "last_event_at": at})


def test_a_squared_error_of_spend_is_not_told() -> None:
    """Of 351 customers one erred by 129,543 EUR: 6,920 × √351 is 129,648."""
    errors = [
        HoldoutError(measure, series, 1.0, 1.0, 0.0, mae, rmse)
        for measure in ("purchases", "spend")
        for series, mae, rmse in (
            ("MBG/NBD", 548.07, 9111.3),
            ("Same rate", 555.6, 8476.4),
            ("Last year", 451.36, 6920.06),
        )
    ]
    best = [BestDecile(s, 0.9, 1.0) for s in ("Best possible", "MBG/NBD", "Same rate", "Last year")]
    holdout = Holdout("2024-01-01", 365, 365, 351, errors, best, [])
    told = " ".join(
        each.sentence for each in about_holdout(holdout, 365, Words(), 11) if "forecast spend" in each.sentence
    )
    assert "root mean squared error" in told
    assert not any(number in told for number in ("6,920", "6,900", "9,111", "9,100", "451"))


def test_two_records_of_a_run_do_not_tell_a_purchase(airline: Workbook, tmp_path: Path) -> None:
    made = lifetime.record(airline).as_dict()
    more = lifetime.record(airline).as_dict()
    assert made["holdout"]
    for error in more["holdout"]["errors"]:
        error["actual"] += 77.77 if error["measure"] == "spend" else 1
    more["fits"][0]["log_likelihood"] -= 0.6
    told = [saved(made, tmp_path / "a"), saved(more | {"digest": "other"}, tmp_path / "b")]
    assert told[0] == told[1]
    assert "digest" not in told[0]


def saved(record: dict[str, Any], folder: Path) -> str:
    """run.json of a run that made this record."""
    folder.mkdir()
    look = type("Look", (), {"hidden_in": staticmethod(lambda value: value)})()
    params = {"title": "t", "min_cell": 11}
    RunRecord("r", "w", "w.yml", "2025-01-01", {}, params, "", {}, "", [], {"lake.purchases": 2_126}, record).save(
        folder, look
    )
    return (folder / "run.json").read_text()
