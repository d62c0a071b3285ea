"""Rolling origins: forecasts of earlier days know what was known then, and are judged by what came, once."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from test_lifetime_diagnostics import FIRST, SWITCHED_ON, predict, purchases, shop

from clv_helpers.lifetime.origins import windows

AS_OF = dt.date(2025, 6, 20)


@pytest.mark.parametrize(
    ("known", "horizon", "days", "origins"),
    [(2_000, 365, 365, 6), (730, 365, 365, 6), (729, 365, 364, 6), (364, 365, 182, 4), (181, 365, 0, 0)],
)
def test_all_origins_go_equally_far_and_end_in_the_known(known: int, horizon: int, days: int, origins: int) -> None:
    end = FIRST + dt.timedelta(days=known)
    found, cut_offs = windows(FIRST, end, horizon)
    assert (found, len(cut_offs)) == (days, origins)
    assert all(FIRST + dt.timedelta(days=91) <= day <= end - dt.timedelta(days=days) for day in cut_offs)
    assert all(later - day >= dt.timedelta(days=30) for later, day in itertools.pairwise(cut_offs))


@pytest.fixture(scope="module")
def origins(tmp_path_factory: pytest.TempPathFactory):
    """The rows of the origins of a shop, and of one where a third of what came after the calibration is missing."""
    rows, folder = purchases(550, days=900), tmp_path_factory.mktemp("shops")
    end = AS_OF - dt.timedelta(days=366)
    fewer = [row for number, row in enumerate(rows) if row[1] <= end or number % 3]
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(folder / "outputs"))
        for name, each in (("whole", rows), ("fewer", fewer)):
            folder.joinpath(name).mkdir()
            workbook = shop(folder / name, each, f"as_of: {AS_OF}\n{SWITCHED_ON}  model: auto\n")
            workbook = type(workbook).open(workbook.file.rename(workbook.file.with_name(f"{name}.yml")))
            made = predict(workbook)
            found.append((made, workbook.query("lifetime.origin", order_by="known_by, cut_off, model, measure")))
    return rows, *found


def test_what_came_is_counted_and_last_year_is_scaled(origins) -> None:
    rows, (_, table), _ = origins
    bought = {(customer, day) for customer, day, _ in rows}
    for row in table.itertuples():
        cut_off, until = row.cut_off.date(), row.cut_off.date() + dt.timedelta(days=row.days)
        known = {customer for customer, day in bought if day <= cut_off}
        after = [each for each in rows if each[0] in known and cut_off < each[1] <= until]
        assert row.customers == len(known)
        came = len({each[:2] for each in after}) if row.measure == "purchases" else sum(each[2] for each in after)
        assert row.actual == pytest.approx(came)
        if (row.model, row.measure) == ("last_year", "purchases"):
            year = min((cut_off - FIRST).days, 365)
            before = sum(cut_off - dt.timedelta(days=year) < day <= cut_off for _, day in bought)
            assert row.forecast == pytest.approx(before * row.days / year)
        if row.cut_off == table["cut_off"].max() and row.model == "mbg_cnbd_k":
            assert row.forecast == pytest.approx(row.actual, rel=0.35)


def test_an_even_shop_is_told_no_season_and_no_level(origins) -> None:
    _, (made, _), _ = origins
    assert made.ahead is None
    assert not {"season", "level_of_the_past"} & {each.code for each in made.warnings}


def test_a_shop_of_the_models_own_kind_keeps_the_model(origins) -> None:
    """And as each customer spends alike on each purchase, the first tells of the next."""
    _, (made, table), _ = origins
    assert not made.blend.baseline
    assert made.blend.scores["model"] < min(made.blend.scores["last_year"], made.blend.scores["same_rate"])
    assert "baseline_used" not in {each.code for each in made.warnings}
    assert made.spend_fit.of_first
    beside = table.pivot_table("forecast", ["known_by", "cut_off", "measure"], "model")
    half = (beside[made.model] + beside["last_year"]) / 2
    assert (beside[f"{made.model}, 50% last_year"] - half).abs().max() < 1e-3
    scaled = beside[f"{made.model}, 50% same_rate to its total"]
    assert (scaled - beside[made.model]).abs().max() < 1e-3


def test_the_mean_lies_between_the_models(origins) -> None:
    _, (_, table), _ = origins
    totals = table.pivot_table("forecast", ["known_by", "cut_off", "measure"], "model")
    assert (totals["mean"] - (totals["mbg_cnbd_k"] + totals["pareto_nbd"]) / 2).abs().max() < 1e-3
    assert not totals["last_year"].eq(totals["same_rate"]).any()


def test_those_before_the_holdout_know_nothing_of_it(origins) -> None:
    _, (made, whole), (_, fewer) = origins
    end = made.holdout.calibration_end
    before, changed = (table[table["known_by"] == end].reset_index(drop=True) for table in (whole, fewer))
    assert len(before) > 0
    assert before.equals(changed)
    judged = [table.loc[table["known_by"] > end, "actual"].sum() for table in (whole, fewer)]
    assert judged[0] > judged[1] > 0
