"""Forecasts are kept, and later runs say what came of them."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pandas as pd
import pytest

from clv_helpers import ingest, lifetime, models
from clv_helpers.config.workbook import ROOT, Workbook

DAYS_PER_MONTH = 365.25 / 12


def predict(folder: Path, as_of: str, run: str, **overrides: object) -> Workbook:
    workbook = Workbook.open(
        ROOT / "params" / "cdnow.yml",
        as_of=as_of,
        overrides={"sources.purchases.path": str(folder / "cdnow_sample.csv"), **overrides},
        run=run,
    )
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived")
    assert lifetime.refresh(workbook).status == "predicted"
    return workbook


def test_later_runs_judge_earlier_forecasts(outputs: Path, cdnow_folder: Path) -> None:
    end = {"lifetime.calibration_end": "1997-07-31"}
    first = predict(cdnow_folder, "1997-10-01", "run-1", **end)
    forecast = first.query("lifetime.forecast")
    values = first.query("lifetime.customer_lifetime_value")
    assert set(forecast["run"]) == {"run-1"}
    assert sorted(forecast["decile"].unique()) == list(range(1, 11))
    assert forecast["month"].max() == 12
    whole = forecast[forecast["month"] == 12]
    assert whole["customers"].sum() == len(values)
    assert whole["expected_purchases"].sum() == pytest.approx(values["expected_purchases"].sum())
    spend = (values["expected_purchases"] * values["expected_spend"]).sum()
    assert whole["expected_spend"].sum() == pytest.approx(spend)
    assert "This forecast is logged" in lifetime.track_record(first).bundle["text/plain"]

    later = predict(cdnow_folder, "1998-03-05", "run-2", **end)
    outcome = later.query("lifetime.forecast_outcome", order_by="decile")
    assert set(outcome["run"]) == {"run-1"}
    assert set(outcome["month"]) == {5}
    assert len(outcome) == 10
    began, until = dt.date(1997, 10, 1), dt.date(1997, 10, 1) + dt.timedelta(days=round(5 * DAYS_PER_MONTH))
    raw = pd.read_csv(cdnow_folder / "cdnow_sample.csv", parse_dates=["date"], dtype={"customer_id": str})
    deciles = values.set_index("customer_id")["decile_predicted"]
    came = raw[(raw["date"] >= str(began)) & (raw["date"] < str(until)) & raw["customer_id"].isin(deciles.index)]
    came = came.assign(decile=came["customer_id"].map(deciles))
    days = came.drop_duplicates(["customer_id", "date"]).groupby("decile").size()
    assert outcome.set_index("decile")["realized_purchases"].to_dict() == days.to_dict()
    assert outcome["realized_spend"].sum() == pytest.approx(came["amount"].sum())
    said = lifetime.track_record(later).bundle["text/plain"]
    assert said.startswith("The forecast made as of 1997-10-01 expected ")
    came_as_told = re.search(r"within 5 months; ([\d,]+) came. Both are of the customers known on that day", said)[1]
    assert float(came_as_told.replace(",", "")) == pytest.approx(days.sum(), rel=0.01)  # rounded


def test_one_forecast_a_month_is_kept(outputs: Path, cdnow_folder: Path) -> None:
    end = {"lifetime.calibration_end": "1997-07-31"}
    for as_of, run in (("1997-10-03", "a"), ("1997-10-20", "b"), ("1997-11-02", "c")):
        workbook = predict(cdnow_folder, as_of, run, **end)
    kept = workbook.query("lifetime.forecast").groupby("as_of")["run"].unique().explode()
    assert {str(day.date()): run for day, run in kept.items()} == {"1997-10-03": "a", "1997-11-02": "c"}
    # the same as_of with other params: its forecast is made anew
    workbook = predict(cdnow_folder, "1997-11-02", "d", **end, **{"lifetime.model": "bg_nbd"})
    forecast = workbook.query("lifetime.forecast")
    assert set(forecast.loc[forecast["as_of"] == "1997-11-02", "run"]) == {"d"}
    assert set(forecast["model"]) == {"bg_nbd", "mbg_nbd"}
