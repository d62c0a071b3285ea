"""Campaigns that run on: each wave over its own window, nothing before it closes, and looking often finds no more."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from null_campaigns import draw
from source_files import write_source

from clv_helpers import campaigns, ingest
from clv_helpers.campaigns.effect import effect_tables
from clv_helpers.campaigns.estimates import always_valid_tail
from clv_helpers.config.params import Params
from clv_helpers.config.workbook import Workbook
from conftest import often

PARAMS = Params.model_validate({"title": "t", "sources": {"purchases": {"path": "p.csv"}}})
START, WINDOW = dt.date(2024, 1, 1), 28


def waves(seed: int, runs: int, weeks: int, **drawn: object) -> list[pd.DataFrame]:
    """Campaigns that assign as many customers every week, as rows of outcome_group; all windows closed."""
    parts = [draw(seed * 100 + week, campaigns=runs, **drawn).groups(runs) for week in range(weeks)]
    dated = [
        part.assign(starts_on=START + dt.timedelta(weeks=week), window_days=WINDOW) for week, part in enumerate(parts)
    ]
    return [rows for _, rows in pd.concat(dated).groupby("campaign")]


def as_of(rows: pd.DataFrame, day: dt.date) -> pd.DataFrame:
    """The rows as they stand on a day: those who have been assigned, and whose window is open."""
    known = rows[rows["starts_on"] <= day]
    return known.assign(is_open=[day < start + dt.timedelta(days=WINDOW) for start in known["starts_on"]])


def said(rows: pd.DataFrame) -> dict:
    return effect_tables(rows, [], PARAMS)["fact_effect"].iloc[0].to_dict()


def test_open_waves_are_counted_and_not_measured() -> None:
    [rows] = waves(1, 1, 6, spend="20 % buy", customers=2_000, control=0.2, lift=2.0)
    day = START + dt.timedelta(weeks=5, days=1)
    found = said(as_of(rows, day))
    closed = rows[rows["starts_on"] <= START + dt.timedelta(weeks=1)]
    assert (found["waves"], found["treated"]) == (2, closed.loc[closed["arm"] == "treated", "customers"].sum())
    assert (found["open_treated"], found["open_control"]) == (4 * 1_600, 4 * 400)
    assert found["closes_on"].date() == START + dt.timedelta(weeks=2, days=WINDOW)
    assert "Measured over 2 waves" in found["warnings"]
    assert "6,400 treated and 1,600 control customers are open, the next closes on 12 Feb 2024" in found["warnings"]
    assert found["cuped_low"] > 0
    assert "in 28 days (95% interval" in found["sentence"]
    assert found["starts_on"].date() == START
    alone = effect_tables(as_of(closed, START + dt.timedelta(days=999)), [], PARAMS)["fact_effect"].iloc[0]
    assert found["cuped"] == pytest.approx(alone["cuped"])


def test_nothing_is_concluded_before_a_window_closes() -> None:
    [rows] = waves(2, 1, 1, spend="20 % buy", customers=5_000, control=0.5, lift=2.0)
    for days in range(WINDOW):
        found = said(as_of(rows, START + dt.timedelta(days=days)))
        assert not found["measured"]
        assert np.isnan(found["cuped_low"])
        assert "is open until 29 Jan 2024" in found["sentence"]
        assert "nothing is concluded before" in found["sentence"]
    treated = as_of(rows[rows["arm"] == "treated"], START)
    assert "has no control group" in said(treated)["sentence"]
    closed = said(as_of(rows, START + dt.timedelta(days=WINDOW)))
    assert closed["cuped_low"] > 0
    assert "wave" not in closed["warnings"]


def looks(runs: int, weeks: int, **drawn: object) -> float:
    """Of campaigns without an effect, the share in which a daily look ever says one; it changes when a wave closes."""
    ever = 0
    for rows in waves(3, runs, weeks, **drawn):
        days = [START + dt.timedelta(weeks=week, days=WINDOW) for week in range(weeks)]
        found = [said(as_of(rows, day)) for day in days]
        ever += any(each["cuped_low"] > 0 or each["cuped_high"] < 0 for each in found)
    return ever / runs


def test_looking_at_every_wave_finds_no_effect_where_there_is_none() -> None:
    assert looks(40, 5, spend="20 % buy", customers=1_000, control=0.2) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("control", [0.1, 0.5])
def test_over_hundreds_of_null_campaigns_looked_at_daily(control: float) -> None:
    """Four weekly waves, looked at on each day until the last has closed: at most 5 % ever say effect."""
    runs = often(500, 150)
    share = looks(runs, 4, spend="20 % buy", customers=1_000, control=control)
    print(f"\nalways on, {control:.0%} control: {share:.1%} of {runs} ever say effect")
    assert share <= 0.05


def test_the_bound_is_that_of_the_mixture() -> None:
    """Against a walk of 2,000 steps, simulated: fewer than 5 % ever leave it, and a fixed interval loses many more."""
    walk = np.cumsum(np.random.default_rng(5).normal(size=(2_000, 200)), axis=1)
    steps = np.arange(1, 201)
    from scipy.special import ndtri

    bound = np.array([-ndtri(always_valid_tail(step)) for step in steps])
    score = np.abs(walk) / np.sqrt(steps)
    assert (score > bound).any(axis=1).mean() <= 0.05
    assert (score > 1.96).any(axis=1).mean() > 0.3


def test_waves_come_from_the_days_of_assignment(workbook: Workbook, tmp_path: Path) -> None:
    """Three weekly waves of a campaign of another system, the last of which is open."""
    customers = workbook.query("profile.customer", order_by="customer_id")["customer_id"][:540]
    with workbook.engine.read() as session:
        last = workbook.as_of(session)
    first = last - dt.timedelta(days=WINDOW + 7)
    rows = pd.DataFrame(
        {
            "customer_id": customers,
            "campaign": "weekly",
            "arm": ["control" if number % 3 == 0 else "treated" for number in range(540)],
            "assigned_at": [f"{first + dt.timedelta(weeks=number // 180)} 08:00" for number in range(540)],
        }
    )
    ingest.ingest_files(workbook, "assignments", [write_source(workbook, "assignments", rows, tmp_path / "weekly.csv")])
    campaigns.build(workbook)
    groups = workbook.query("campaigns.outcome_group", campaign="weekly")
    assert groups.groupby("starts_on")["customers"].sum().tolist() == [180, 180, 180]
    assert groups.groupby("starts_on")["is_open"].first().tolist() == [False, False, True]
    effect = campaigns.results(workbook, "weekly")[0]["effects"][0]
    assert (effect["treated"], effect["control"]) == (240, 120)
    assert (effect["waves"], effect["open_treated"], effect["open_control"]) == (2, 120, 60)
