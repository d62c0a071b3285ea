"""The concentration curve is true for any number of customers: beside pandas, and beside what a decile brings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clv_helpers.engines.dialect import bind, parse
from clv_helpers.engines.engine import Engine
from clv_helpers.models.table_file import SQL_FOLDER, read_table

CURVE = read_table(SQL_FOLDER / "derived" / "concentration.sql")
AS_STORED = "SELECT CAST(value AS DECIMAL(18, 4)) AS value, CAST(spend AS DECIMAL(18, 4)) AS spend FROM given"


def curve(folder: Path, customers: pd.DataFrame) -> pd.DataFrame:
    """What the table says of these customers, by hundredths."""
    with Engine(folder / "lake.duckdb", folder / "published.duckdb").write() as session:
        session.load_frame("given", customers)
        session.create_table("derived.customer_value", parse(AS_STORED))
        rows = session.frame(bind(CURVE.query, {}))
    return rows.sort_values("percent_of_customers").set_index("percent_of_customers")


def share_of_the_best(amounts: pd.Series) -> np.ndarray:
    """Of the customers sorted from the highest amount: the share of each number of hundredths, by Lorenz's polygon."""
    brought = amounts.sort_values(ascending=False).cumsum() / amounts.sum()
    places = np.arange(1, len(amounts) + 1) / len(amounts)
    return np.interp(np.arange(1, 101) / 100, [0, *places], [0, *brought])


@pytest.mark.parametrize("size", [1, 7, 100, 310, 1000])
def test_curve_is_true_for_any_number_of_customers(size: int, tmp_path: Path) -> None:
    chance = np.random.default_rng(size)
    customers = pd.DataFrame({"value": chance.lognormal(3, 1.5, size), "spend": chance.integers(0, 40, size)}).round(4)
    customers.loc[0, "spend"] = 50  # never all nothing
    found = curve(tmp_path, customers)
    assert list(found.index) == list(range(1, 101))
    assert np.allclose(found["share_of_value"], share_of_the_best(customers["value"]))
    assert np.allclose(found["share_of_spend"], share_of_the_best(customers["spend"]))
    if size % 10 == 0:  # a tenth is a whole number of customers: no polygon is needed
        best = customers["value"].nlargest(size // 10).sum() / customers["value"].sum()
        assert found["share_of_value"][10] == pytest.approx(best)


def test_nobody_has_no_curve(tmp_path: Path) -> None:
    assert curve(tmp_path, pd.DataFrame({"value": [0.0], "spend": [0.0]}).head(0)).empty


def test_what_is_worth_nothing_has_no_shares(tmp_path: Path) -> None:
    found = curve(tmp_path, pd.DataFrame({"value": [0.0] * 20, "spend": [1.0] * 20}))
    assert found["share_of_value"].isna().all()
    assert found["share_of_spend"].to_numpy() == pytest.approx(np.arange(1, 101) / 100)
