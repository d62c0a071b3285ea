"""First product and next product, against pandas; and a shop whose products are at random, of which nothing is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.survfunc import SurvfuncRight

from clv_helpers import dashboards, ingest, models
from clv_helpers.charts.show import BOARD_MIME
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards import static_board

AS_OF = pd.Timestamp("2025-07-10")
PARAMS = """
title: Shop
as_of: 2025-07-10
category: channel
sources:
  purchases: {path: lines.csv, columns: {customer_id: customer, occurred_at: at, order_id: order, product: product,
                                         amount: amount, channel: {from: channel, type: text}}}
"""


def bought(planted: bool, customers: int = 800) -> pd.DataFrame:
    """Lines of one to four orders each: some baskets large, some small, and products of a season; else at random.

    planted: who began with p1 buys p2 next, three times in four; who began with p3 hardly ever comes back.
    """
    rng = np.random.default_rng(11)
    rows = []
    for customer in range(customers):
        day, size = int(rng.integers(0, 400)), rng.gamma(1.5, 4)
        before: set[int] = set()
        for number in range(int(rng.integers(1, 5))):
            at = pd.Timestamp("2024-01-03") + pd.Timedelta(days=day)
            season = 20 * (at.quarter - 1)
            basket = {
                int(p) if p < 20 else int(p) % 20 + season + 20 for p in rng.integers(0, 40, 1 + rng.poisson(size))
            }
            if planted and number == 1:
                if 3 in before and rng.random() < 0.9:
                    break
                basket = basket | {2} if 1 in before and rng.random() < 0.75 else basket
            rows += [(f"c{customer}", at, f"o{customer}-{number}", f"p{p}", channel(customer)) for p in sorted(basket)]
            before, day = basket, day + 1 + int(rng.exponential(60))
    made = pd.DataFrame(rows, columns=["customer", "at", "order", "product", "channel"])
    return made.assign(
        amount=made["product"].map({"p3": 99, "p4": 50, "p5": 50, "p6": 50}).fillna(5).astype(int)
        + rng.integers(1, 9, len(made))
    )[made["at"] < AS_OF]


def channel(customer: int) -> str:
    return "shop" if customer % 3 else "web"


def opened(folder: Path, lines: pd.DataFrame) -> Workbook:
    lines.to_csv(folder / "lines.csv", index=False)
    (folder / "shop.yml").write_text(PARAMS)
    workbook = Workbook.open(folder / "shop.yml")
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived", "profile", "insights")
    return Workbook(workbook.file, workbook.params, "run")


@pytest.fixture(scope="module", params=[True, False], ids=["planted", "null"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("products")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(folder / "outputs"))
        lines = bought(request.param)
        yield request.param, lines, opened(folder, lines)


def titles(workbook: Workbook, board: str) -> list[str]:
    return [card["title"] for card in static_board.board(workbook, board).bundle[BOARD_MIME]["cards"]]


def test_what_follows_is_said_where_it_does_and_not_by_chance(shop: tuple[bool, pd.DataFrame, Workbook]) -> None:
    planted, _, workbook = shop
    found = workbook.query("insights.fact_next_product", above_chance=1)
    said = titles(workbook, "products")
    if planted:
        assert found[["product", "next_product"]].to_numpy().tolist() == [["p1", "p2"]]
        assert "P2 follows p1 more often than chance" in said
        assert next(title for title in said if title.startswith("P3: ")).endswith("%")
    else:
        assert found.empty
        assert "No other product follows more often than chance" in said
        assert next(title for title in said if title.startswith("None stands out: "))


def test_lift_in_pandas(shop: tuple[bool, pd.DataFrame, Workbook]) -> None:
    _, lines, workbook = shop
    lines = lines.assign(day=lines["at"].dt.normalize())
    days = lines[["customer", "day"]].drop_duplicates().sort_values(["customer", "day"])
    number = days.groupby("customer").cumcount()
    baskets = lines.drop_duplicates(["customer", "day", "product"]).merge(days.assign(number=number))
    second = baskets[baskets["number"] == 1]
    first = baskets[(baskets["number"] == 0) & baskets["customer"].isin(second["customer"])]
    size = second.groupby("customer").size()
    stratum = second["day"].dt.to_period("Q").astype(str) + np.log2(second["customer"].map(size)).astype(int).astype(
        str
    )
    popular = second.groupby([stratum, "product"]).size() / stratum.value_counts().rename_axis(stratum.name)
    of = stratum.groupby(second["customer"]).first()
    for row in workbook.query("insights.fact_next_product").sample(12, random_state=1).itertuples():
        had = first.loc[first["product"] == row.product, "customer"]
        assert row.customers_first == len(had)
        assert row.customers == second.loc[second["product"] == row.next_product, "customer"].isin(had).sum()
        expected = sum(size[c] * popular.get((of[c], row.next_product), 0) for c in had)
        assert row.lift == pytest.approx(row.customers / expected)
        assert row.low < row.lift < row.high


def test_first_products_and_categories_in_pandas(shop: tuple[bool, pd.DataFrame, Workbook]) -> None:
    _, lines, workbook = shop
    lines = lines.assign(day=lines["at"].dt.normalize())
    first = lines[lines["day"] == lines.groupby("customer")["day"].transform("min")]
    dearest = first.sort_values(["amount", "product"], ascending=[False, True]).groupby("customer").first()
    days = lines[["customer", "day"]].drop_duplicates().sort_values(["customer", "day"]).groupby("customer")["day"]
    came, again = days.first(), days.nth(1).to_frame().assign(customer=lambda f: lines.loc[f.index, "customer"])
    gap = (again.set_index("customer")["day"].reindex(came.index) - came).dt.days
    seen = gap.fillna((AS_OF - pd.Timedelta(days=1) - came).dt.days)
    spent = lines.groupby("customer")["amount"].sum()
    for kind, parts in (("product", dearest["product"]), ("category", dearest["channel"])):
        found = workbook.query("insights.fact_customers_by_first", kind=kind).set_index("part")
        assert found["customers"].to_dict() == parts.value_counts().to_dict()
        assert found["spend"].astype(float).to_dict() == spent.groupby(parts).sum().astype(float).to_dict()
        told = found[found["share_again"].notna()]
        assert len(told) > 1
        for name, row in told.head(4).iterrows():
            own = parts.index[parts == name]
            reference = SurvfuncRight(seen[own], gap[own].notna())
            share = 1 - reference.surv_prob[reference.surv_times <= 90][-1]
            assert row["share_again"] == pytest.approx(share)
            assert row["low"] < share < row["high"]


def test_revenue_by_decile_adds_up(shop: tuple[bool, pd.DataFrame, Workbook]) -> None:
    _, lines, workbook = shop
    found = workbook.query("insights.fact_product_by_decile")
    of_products = found[found["product_id"] != "(all)"]
    deciles = workbook.query("profile.customer").set_index("customer_id")["decile_lifetime"].fillna(0)
    expected = lines.groupby(lines["customer"].map(deciles))["amount"].sum().astype(float)
    for rows in (of_products, found[found["product_id"] == "(all)"]):
        assert rows.groupby("decile")["amount"].sum().astype(float).to_dict() == expected.to_dict()
    best = lines.groupby("product")["amount"].sum().nlargest(3)
    assert of_products.groupby("product_id")["amount"].sum().astype(float)[best.index].tolist() == best.tolist()
    assert found.groupby("product_id")["share_of_product"].sum().to_numpy() == pytest.approx(1)


def test_boards_of_products_need_products(outputs: Path, tmp_path: Path) -> None:
    (tmp_path / "shop.yml").write_text(PARAMS)
    assert "products" in dashboards.names(Workbook.open(tmp_path / "shop.yml"))
    without = PARAMS.replace(" product: product,", "").replace("category: channel\n", "")
    (tmp_path / "shop.yml").write_text(without)
    workbook = Workbook.open(tmp_path / "shop.yml")
    assert "products" not in dashboards.names(workbook)
    assert not {"came_by_product", "came_by_category"} & {
        each.sql for each in dashboards.load(workbook, "customers").widgets
    }
