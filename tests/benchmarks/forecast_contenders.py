"""Who forecasts in the benchmark: this package as a user runs it, two plain models, two rules of thumb, a boosting."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from forecast_tasks import Task

from clv_helpers import ingest, lifetime, models
from clv_helpers.config.workbook import Workbook
from clv_helpers.lifetime.counts import KEY, Spends, as_histories
from clv_helpers.lifetime.fitting import fit
from clv_helpers.lifetime.records import LifetimeRecord
from clv_helpers.lifetime.scoring import expected_purchases

PARAMS = """title: {name}
as_of: {as_of}
sources:
  purchases: {{path: purchases.csv, columns: {{customer_id: customer_id, occurred_at: day, amount: spend}}}}
lifetime:
  model: auto
  horizon_months: {months}
  annual_discount_rate: 0
  minimum: {{customers: 1, history_days: 1, quiet_days: 400}}
"""


def ours(task: Task) -> tuple[pd.DataFrame, LifetimeRecord]:
    """This package as `auto` chooses, on what is known at the cut-off: per customer, and the record."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        task.known.to_csv(folder / "purchases.csv", index=False)
        as_of = (task.cut_off + pd.Timedelta(days=1)).date()
        (folder / "shop.yml").write_text(PARAMS.format(name=task.name, as_of=as_of, months=task.months))
        os.environ["CLV_OUTPUTS_DIR"] = str(folder / "outputs")
        workbook = Workbook.open(folder / "shop.yml")
        ingest.ingest_files(workbook)
        models.refresh(workbook, "derived")
        record = lifetime.refresh(workbook)
        values = workbook.query("lifetime.customer_lifetime_value").set_index("customer_id")
        columns = {
            "purchases": "expected_purchases", "spend": "lifetime_value",
            "low": "lifetime_value_low", "high": "lifetime_value_high",
        }  # fmt: skip
        return pd.DataFrame({name: values[column] for name, column in columns.items()}), record


def histories(task: Task, until: pd.Timestamp) -> pd.DataFrame:
    """What a day's end knows of each customer, as the models and the boosting take it."""
    days = task.purchases[task.purchases["day"] <= until]
    bought = days[days["spend"] >= 0].groupby("customer_id")
    first, last = bought["day"].min(), bought["day"].max()
    rows = pd.DataFrame(
        {
            "frequency": bought["day"].count() - 1,
            "recency_days": (last - first).dt.days,
            "age_days": (until - first).dt.days,
            "silent_days": (until - last).dt.days,
            "last_spend": bought["spend"].last(),
            "customers": 1.0,
        }
    )
    rows["spend"] = days.groupby("customer_id")["spend"].sum().reindex(rows.index).fillna(0)
    rows["repeat_spend"] = rows["spend"] - bought["spend"].first()
    for back in (30, 91, 182, 365):
        recent = days[days["day"] > until - pd.Timedelta(days=back)]
        since = recent.assign(n=recent["spend"] >= 0).groupby("customer_id")[["n", "spend"]].sum()
        rows[[f"purchases_{back}", f"spend_{back}"]] = since.reindex(rows.index).fillna(0).astype(float)
    return rows


def plain_model(name: str) -> Callable[[Task], pd.DataFrame]:
    """A purchase model, with Gamma-Gamma for the spend, by maximum likelihood."""

    def forecast(task: Task) -> pd.DataFrame:
        rows = histories(task, task.cut_off)
        groups = rows.groupby(KEY, as_index=False)["customers"].sum()
        groups["expected"] = expected_purchases(fit(name, as_histories(groups)), groups, task.days)
        purchases = rows[KEY].merge(groups, on=KEY, how="left")["expected"].to_numpy()
        again = rows[(rows["frequency"] > 0) & (rows["repeat_spend"] > 0)]
        told = Spends(
            again["frequency"].to_numpy(float), np.log(again["repeat_spend"].to_numpy(float)), np.ones(len(again))
        )
        p, q, gamma = fit("gamma_gamma", told).theta
        x, total = rows["frequency"].where(rows["repeat_spend"] > 0, 0), rows["repeat_spend"].clip(lower=0)
        return pd.DataFrame(
            {"purchases": purchases, "spend": purchases * p * (gamma + total) / (p * x + q - 1)}, rows.index
        )

    return forecast


def again(days: Callable[[Task], int]) -> Callable[[Task], pd.DataFrame]:
    """What each customer did in the last days comes again, scaled to as many as are forecast."""

    def forecast(task: Task) -> pd.DataFrame:
        rows = histories(task, task.cut_off)
        back = min(days(task), int(rows["age_days"].max()) + 1)
        recent = task.known[task.known["day"] > task.cut_off - pd.Timedelta(days=back)]
        done = recent.assign(purchases=recent["spend"] >= 0).groupby("customer_id")[["purchases", "spend"]].sum()
        return done.reindex(rows.index, fill_value=0).astype(float) * task.days / back

    return forecast


def boosting(task: Task) -> pd.DataFrame:
    """Gradient boosting on recency, frequency and spend, trained on an earlier day and what followed; as it comes."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    history = (task.cut_off - task.known["day"].min()).days
    days = min(task.days, history // 2)
    before = task.cut_off - pd.Timedelta(days=days)
    features, now = (histories(task, day).drop(columns="customers") for day in (before, task.cut_off))
    later = task.known[task.known["day"] > before]
    came = later.assign(purchases=later["spend"] >= 0).groupby("customer_id")[["purchases", "spend"]].sum()
    came = came.reindex(features.index, fill_value=0).clip(lower=0).astype(float)
    columns = {
        measure: HistGradientBoostingRegressor(
            loss="poisson", learning_rate=0.05, max_iter=150, min_samples_leaf=40, random_state=1
        ).fit(features, came[measure]).predict(now) * task.days / days
        for measure in ("purchases", "spend")
    }  # fmt: skip
    return pd.DataFrame(columns, index=now.index)


CONTENDERS: dict[str, Callable[[Task], pd.DataFrame]] = {
    "BG/NBD": plain_model("bg_nbd"),
    "Pareto/NBD": plain_model("pareto_nbd"),
    "last year": again(lambda _: 365),
    "last period": again(lambda task: task.days),
    "boosting": boosting,
}
