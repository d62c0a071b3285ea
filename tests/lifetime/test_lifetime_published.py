"""The fits and the forecast of CDNOW are the published ones, through the whole workbook: params, lake, engine, fit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clv_helpers import ingest, lifetime, models
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.lifetime.fitting import PURCHASE_MODELS
from clv_helpers.lifetime.records import RECORD, LifetimeRecord

# Fader & Hardie's tables and the reference implementations; rates per week, calibration to 1997-09-30.
SAMPLE = {
    "bg_nbd": ({"r": 0.24259, "alpha": 4.41360, "a": 0.79292, "b": 2.42591}, -9582.4292),
    "mbg_nbd": ({"r": 0.52484, "alpha": 6.18308, "a": 0.89136, "b": 1.61400}, -9582.1357),
    "pareto_nbd": ({"r": 0.55327, "alpha": 10.5776, "s": 0.60622, "beta": 11.668}, -9594.9762),
    "gamma_gamma": ({"p": 6.24957, "q": 3.74422, "gamma": 15.44352}, -4055.9177),
}
SAMPLE |= {"bg_cnbd_k": SAMPLE["bg_nbd"], "mbg_cnbd_k": SAMPLE["mbg_nbd"]}  # they buy at random: k is 1
HOLDOUT = {"bg_nbd": 1_653, "pareto_nbd": 1_666}
ACTUAL, NAIVE = 1_882, 2_930


def value(workbook: Workbook) -> LifetimeRecord:
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived")
    return lifetime.refresh(workbook)


def sample(folder: Path, **overrides: Any) -> Workbook:
    path = folder / "cdnow_sample.csv"
    return Workbook.open(
        ROOT / "params" / "cdnow.yml",
        overrides={"sources.purchases.path": str(path), **{k.replace("__", "."): v for k, v in overrides.items()}},
    )


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_sample_calibration(outputs: Path, cdnow_folder: Path, model: str) -> None:
    record = value(sample(cdnow_folder, lifetime__model=model))
    fits = {fit.model: fit for fit in record.fits if fit.data == "calibration"}
    assert list(fits) == [model, "gamma_gamma"]
    for name, fitted in fits.items():
        parameters, log_likelihood = SAMPLE[name]
        assert fitted.log_likelihood == pytest.approx(log_likelihood, rel=1e-6)
        assert fitted.parameters == pytest.approx(parameters, rel=1e-3)
    assert fits[model].customers == 2_357
    assert fits["gamma_gamma"].customers == 946


@pytest.mark.parametrize("model", HOLDOUT)
def test_sample_forecast_39_weeks_ahead(outputs: Path, cdnow_folder: Path, model: str) -> None:
    workbook = sample(cdnow_folder, lifetime__model=model)
    holdout = value(workbook).holdout
    purchases = {error.series: error for error in holdout.errors if error.measure == "purchases"}
    ours = purchases[{"bg_nbd": "BG/NBD", "pareto_nbd": "Pareto/NBD"}[model]]
    assert holdout.days == 39 * 7
    assert ours.actual == ACTUAL
    assert round(ours.forecast) == HOLDOUT[model]
    assert round(purchases["Same rate"].forecast) == NAIVE
    weeks = workbook.query("lifetime.holdout_week", order_by="series_order, week")
    assert weeks.groupby("series")["week"].max().eq(39).all()
    last = weeks[weeks["week"] == 39].set_index("series")["purchases"]
    assert last["Actual"] == ACTUAL
    assert round(last.iloc[1]) == HOLDOUT[model]


def test_master_from_the_command_line(outputs: Path, cdnow_folder: Path) -> None:
    command = [Path(sys.executable).with_name("clv"), "lifetime", ROOT / "params" / "cdnow.yml", "--json"]
    command += ["--set", "lifetime.model=bg_nbd"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    record = RECORD.validate_json(done.stdout)
    calibration, spend, everything, _ = record.fits
    assert [fit.data for fit in record.fits] == ["calibration", "calibration", "all", "all"]
    expected = {"r": 0.2516, "alpha": 4.7889, "a": 0.7234, "b": 2.1611}
    assert calibration.parameters == pytest.approx(expected, rel=1e-3)
    assert calibration.log_likelihood == pytest.approx(-95_368.4439, rel=1e-6)
    assert (calibration.customers, spend.customers) == (23_570, 9_450)
    assert everything.customers == 23_570
    assert set(everything.standard_errors) == {"r", "alpha", "a", "b"}
    assert all(0 < error < 1 for error in everything.standard_errors.values())
    assert record.status == "predicted"
    codes = {warning.code: warning.sentence for warning in record.warnings}
    assert codes.keys() == {
        "level", "repeat_without_spend", "repeated_rows", "holdout_shorter_than_horizon", "large_bias_of_spend",
        "one_time_never_leave", "no_newcomers",
    }  # fmt: skip
    assert "the 12,055 customers with one purchase day count as still there" in codes["one_time_never_leave"]
