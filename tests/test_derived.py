"""Deciles, recency, frequency and value against an independent version in pandas."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clv_helpers import derived, ingest, models
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.models.table_file import read_table
from conftest import write_shop


def events(workbook: Workbook) -> tuple[pd.DataFrame, pd.Timestamp]:
    """The counted events before as_of, with `value`, `spend` and `category`, straight from the lake."""
    with workbook.engine.write() as session:
        raw = session.frame("SELECT * FROM lake.purchases")
        as_of = pd.Timestamp(workbook.as_of(session))
    params = workbook.params
    if params.value.transaction_types:
        raw = raw[raw["transaction_type"].isin(params.value.transaction_types)]
    raw = raw.assign(
        value=raw[params.value.column].fillna(0),
        spend=raw[params.spending.column].fillna(0),
        category=raw[params.category] if params.category else "ALL",
        day=raw["occurred_at"].dt.normalize(),
    )
    return raw[raw["occurred_at"] < as_of], as_of


def ntile(ranked: pd.DataFrame) -> np.ndarray:
    """SQL's NTILE(10) over rows in order: the first `count % 10` tiles hold one row more."""
    size, more = divmod(len(ranked), 10)
    sizes = [size + (tile < more) for tile in range(10)]
    return np.repeat(np.arange(1, 11), sizes)


def deciles_in_pandas(raw: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    end = as_of.replace(day=1)
    parts = []
    for months in (0, 1, 3, 6, 9, 12):
        start = end - pd.DateOffset(months=months) if months else pd.Timestamp("1900-01-01")
        window = raw[(raw["day"] >= start) & (raw["day"] < end)]
        for by_category in (True, False):
            labelled = window if by_category else window.assign(category="ALL")
            summed = labelled.groupby(["category", "customer_id"])["value"].sum().reset_index()
            if by_category:
                summed = summed[summed["category"] != "ALL"]
            summed["tie"] = [hashlib.md5(m.encode()).hexdigest() for m in summed["customer_id"]]
            for _, group in summed.groupby("category"):
                ranked = group.sort_values(["value", "tie"], ascending=[False, True])
                parts.append(ranked.assign(decile=ntile(ranked), lookback_months=months))
    columns = ["customer_id", "category", "lookback_months", "value", "decile"]
    return pd.concat(parts)[columns]


@pytest.mark.parametrize("name", ["airline", "cdnow"])
def test_deciles(name: str, request: pytest.FixtureRequest) -> None:
    workbook = request.getfixturevalue(name)
    keys = ["customer_id", "category", "lookback_months"]
    expected = deciles_in_pandas(*events(workbook)).sort_values(keys, ignore_index=True)
    found = workbook.query("derived.customer_decile")
    found = found[found["lookback_months"] >= 0][expected.columns].sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, atol=1e-6)
    assert len(found) > 1000


@pytest.mark.parametrize("name", ["airline", "cdnow"])
def test_recency_frequency_and_value(name: str, request: pytest.FixtureRequest) -> None:
    workbook = request.getfixturevalue(name)
    raw, as_of = events(workbook)
    days = raw.groupby(["customer_id", "day"])["spend"].sum().reset_index().sort_values("day")
    grouped = days.groupby("customer_id")
    first, last = grouped["day"].min(), grouped["day"].max()
    repeats = days[days["day"] > days["customer_id"].map(first)]
    expected = pd.DataFrame(
        {
            "frequency": grouped.size() - 1,
            "recency_days": (last - first).dt.days,
            "age_days": (as_of - first).dt.days,
            "days_since_purchase": (as_of - last).dt.days,
            "purchases": raw.groupby("customer_id").size(),
            "spend": raw.groupby("customer_id")["spend"].sum(),
            "monetary_value": repeats.groupby("customer_id")["spend"].mean(),
        }
    )
    found = workbook.query("profile.customer").dropna(subset="frequency").set_index("customer_id").sort_index()
    pd.testing.assert_frame_equal(found[expected.columns], expected, check_dtype=False, check_names=False, atol=1e-6)


def test_cdnow_facts(cdnow: Workbook) -> None:
    summary = cdnow.query("derived.summary").iloc[0]
    assert (summary.customers, summary.purchases) == (23_570, 69_659)
    assert str(summary.as_of.date()) == "1998-07-01"
    days = cdnow.query("derived.customer_day")
    assert len(days) == 69_659 - 2_068  # same-day repeats count once


def test_a_flight_counts_once(airline: Workbook) -> None:
    with airline.engine.write() as session:
        flown = session.scalar(
            "SELECT SUM(mileage) AS miles FROM lake.purchases WHERE transaction_type = 'STATUS_MILES'"
        )
    assert float(airline.query("derived.summary").iloc[0].value) == float(flown)


def test_shares_add_up(airline: Workbook) -> None:
    shares = airline.query("insights.fact_value_by_decile")
    totals = shares.groupby(["category", "lookback_months"])["share_of_value"].sum()
    assert np.allclose(totals, 1)
    curve = airline.query("insights.fact_concentration", order_by="percent_of_customers")
    assert curve["share_of_spend"].is_monotonic_increasing
    assert curve["share_of_spend"].iloc[-1] == pytest.approx(1)
    grid = airline.query("insights.fact_recency_frequency")
    assert grid["customers"].sum() == airline.query("derived.summary").iloc[0].customers


def test_as_of_leaves_the_future_out(airline: Workbook, outputs) -> None:
    from clv_helpers import ingest
    from conftest import build_all

    # the same simulation, a year earlier: no day at or after as_of may count
    earlier = Workbook.open(airline.file, as_of="2024-03-15", overrides={"simulate.members": 100, "simulate.years": 2})
    build_all(earlier)
    summary = earlier.query("derived.summary").iloc[0]
    assert str(summary.as_of.date()) == "2024-03-15"
    assert str(summary.last_event_on.date()) <= "2024-03-14"
    windows = earlier.query("derived.lookback")
    assert windows[windows["lookback_months"] >= 0]["ends_before"].unique() == pd.Timestamp("2024-03-01")
    assert ingest.ingest_files(earlier)[0].status == "already ingested"


@pytest.mark.parametrize("name", ["airline", "cdnow"])
def test_ties_at_the_edges_are_counted(name: str, request: pytest.FixtureRequest) -> None:
    workbook = request.getfixturevalue(name)
    deciles = workbook.query("derived.customer_decile")
    found = workbook.query("derived.decile_edge").set_index(["category", "lookback_months", "decile"]).sort_index()
    crossing = 0
    for (category, lookback), group in deciles.groupby(["category", "lookback_months"]):
        for decile in sorted(group["decile"].unique()):
            edge = group.loc[group["decile"] == decile, "value"].min()
            follows = (group.loc[group["decile"] == decile + 1, "value"] == edge).any()
            expected = (group["value"] == edge).sum() if follows else 0
            assert found.loc[(category, lookback, decile), "ties_crossing"] == expected
            crossing += expected
        assert found.loc[(category, lookback), "fewer_than_ten"].eq(len(group) < 10).all()
    assert crossing > 0


def test_nothing_before_as_of_is_said_in_a_sentence(outputs, tmp_path) -> None:
    from clv_helpers import ingest, models
    from clv_helpers.config.workbook import NothingToCompute
    from conftest import write_shop

    early = Workbook.open(write_shop(tmp_path), as_of="2020-01-01")
    ingest.ingest_files(early)
    with pytest.raises(NothingToCompute, match="as_of is 2020-01-01, and the first purchase is on 2024-01-03"):
        models.refresh(early, "derived")
    ingest.revert(early, 1)
    with pytest.raises(NothingToCompute, match="no purchases in the lake yet"):
        models.refresh(early, "derived")


def test_moments_with_an_offset_become_utc(outputs, tmp_path) -> None:
    from clv_helpers import ingest, models
    from conftest import write_shop

    csv = "customer,day,spent\na,2024-01-03T00:30:00+02:00,1\nb,2024-01-03 10:00:00Z,2\nc,2024-01-03 23:59:59,3\n"
    workbook = Workbook.open(write_shop(tmp_path, csv=csv))
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived")
    days = workbook.query("derived.customer_day", order_by="customer_id")["day"].dt.strftime("%m-%d")
    assert list(days) == ["01-02", "01-03", "01-03"]


def test_guide_shape_says_what_the_long_table_says(airline: Workbook) -> None:
    maps = airline.query("insights.deciles_mileage").set_index("customer_id")["decilesMileage"]
    names = {"decileMonth1": 1, "decileMonth3": 3, "decileMonth6": 6, "decileMonth9": 9, "decileMonth12": 12}
    found = {
        (customer, months, category, decile)
        for customer, shape in maps.items()
        for name, months in {**names, "decileMonthAll": 0}.items()
        for category, decile in (shape[name] or {}).items()
    }
    long = airline.query("derived.customer_decile")
    long = long[(long["category"] != "ALL") & (long["lookback_months"] >= 0)]
    columns = ["customer_id", "lookback_months", "category", "decile"]
    assert found == set(map(tuple, long[columns].to_numpy()))
    several = long[long["lookback_months"] == 0].groupby("customer_id").size()
    assert several.max() >= 2  # a customer who rose is ranked in each status


def test_shape_without_categories_has_the_one_key(cdnow: Workbook) -> None:
    shape = read_table(ROOT / "params" / "airline" / "sql" / "deciles_mileage.sql", "insights")
    with cdnow.engine.read() as session:
        maps = session.frame(shape.query, **cdnow.bindings(session))["decilesMileage"]
    assert {key for deciles in maps for key in deciles["decileMonthAll"]} == {"ALL"}


def test_literal_windows_keep_what_the_guide_keeps(outputs: Path, tmp_path: Path) -> None:
    """The published filters: transactionDate < first of the month, less 0, 1 and 4 months, for 1, 3 and 6."""
    days = pd.date_range("2024-01-15", "2024-10-15", freq="MS") + pd.Timedelta(days=14)
    lines = [f"m{index},{day:%Y-%m-%d},{index + 1}" for index, day in enumerate(days)]
    params = write_shop(tmp_path, csv="customer,day,spent\n" + "\n".join(lines) + "\n")
    workbook = Workbook.open(params, as_of="2024-10-20", overrides={"literal_guide_windows": True})
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived", "profile")
    deciles = workbook.query("derived.customer_decile", category="ALL")
    for months, back in ((1, 0), (3, 1), (6, 4)):
        cut_off = pd.Timestamp("2024-10-01") - pd.DateOffset(months=back)
        literal = deciles[deciles["lookback_months"] == -months]
        assert sorted(literal["customer_id"]) == [f"m{i}" for i, day in enumerate(days) if day < cut_off]
        trailing = deciles[deciles["lookback_months"] == months]
        start = pd.Timestamp("2024-10-01") - pd.DateOffset(months=months)
        assert sorted(trailing["customer_id"]) == [
            f"m{i}" for i, day in enumerate(days) if start <= day < pd.Timestamp("2024-10-01")
        ]
    labels = workbook.query("derived.lookback").set_index("lookback_months")["lookback"]
    shown = derived.literal_guide_windows(workbook)
    assert [part.bundle["text/plain"] for part in shown.parts][1] == "3 rows"
    assert "Customers ranked, literal window" in shown.parts[1].bundle["text/html"]
    assert labels[-3] == "3 months (literal window)"


DEBITS = """customer,day,spent,kind
a,2024-01-03,100,BUY
a,2024-01-03,-30,BUY
a,2024-02-03,40,REFUND
a,2024-02-09,7,GIFT
b,2024-01-05,5,BUY
b,2024-01-06,,BUY
"""


@pytest.mark.parametrize(
    ("spend", "of_a", "purchases_of_a"),
    [
        ({}, 100 - 30 + 40 + 7, 3),
        ({"debit_types": ["REFUND"]}, 100 - 30 - 40 + 7, 2),
        ({"debit_types": ["REFUND"], "transaction_types": ["BUY"]}, 100 - 30 - 40, 1),
        ({"negative": "leave out"}, 100 + 40 + 7, 3),
        ({"negative": "leave out", "debit_types": ["REFUND"]}, 100 - 40 + 7, 2),
        ({"transaction_types": ["BUY"]}, 100 - 30, 1),
    ],
)
def test_debits(outputs: Path, tmp_path: Path, spend: dict, of_a: int, purchases_of_a: int) -> None:
    """A refund lowers what its day brought; it is no purchase, and no day on which the customer came back."""
    workbook = Workbook.open(
        write_shop(tmp_path, csv=DEBITS),
        overrides={"value": spend, "sources.purchases.columns.transaction_type": "kind"},
    )
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived", "profile")
    customers = workbook.query("profile.customer").set_index("customer_id")
    assert (float(customers.loc["a", "value"]), float(customers.loc["a", "spend"])) == (of_a, of_a)
    assert customers.loc["a", "purchases"] == purchases_of_a
    assert customers.loc["b", "purchases"] == 2  # a purchase whose amount is not known is one all the same
    assert customers.loc["b", "frequency"] == 1


def test_files_that_failed_are_among_what_is_not_counted(outputs: Path, tmp_path: Path) -> None:
    """Mended and taken in since, or not: neither is passed over in silence."""
    workbook = Workbook.open(write_shop(tmp_path))
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived")
    assert "failed" not in derived.not_counted(workbook).bundle["text/html"]
    for name in ("broken.csv", "mended.csv"):
        (tmp_path / name).write_text("customer,day,spent\nz,never,1\n")
        with pytest.raises(ingest.IngestError):
            ingest.ingest_files(workbook, "purchases", [tmp_path / name])
    (tmp_path / "mended.csv").write_text("customer,day,spent\nz,2024-02-02,1\n")
    ingest.ingest_files(workbook, "purchases", [tmp_path / "mended.csv"])
    models.refresh(workbook, "derived")
    text = derived.not_counted(workbook).bundle["text/html"]
    assert "the whole file broken.csv, which failed" in text
    assert "none of it is in the lake" in text
    assert "the whole file mended.csv, which failed" in text
    assert "taken in since, as batch 4" in text
