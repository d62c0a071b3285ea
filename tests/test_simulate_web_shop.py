"""The simulated web shop: the same from the same seed, true to its ground truth, and no bot told by one number."""

from __future__ import annotations

import pandas as pd
import pytest

from clv_helpers.config.settings import Simulation
from clv_helpers.simulate import WebShop, simulate_web_shop, write_web_shop
from clv_helpers.simulate.web_shop import WINDOW_DAYS

SETTINGS = Simulation(business="web_shop", members=1500, years=1, bots=150, seed=5)
END = pd.Timestamp("2024-01-01")


@pytest.fixture(scope="module")
def shop() -> WebShop:
    return simulate_web_shop(SETTINGS)


def test_same_seed_same_bytes(tmp_path) -> None:
    small = Simulation(business="web_shop", members=100, years=1, bots=10, seed=3)
    for folder in ("a", "b"):
        write_web_shop(small, tmp_path / folder)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_bots_change_nothing_that_people_do(shop: WebShop) -> None:
    without = simulate_web_shop(SETTINGS.model_copy(update={"bots": 0}))
    assert without.truth_visitors["browsed"].sum() == shop.truth_visitors["browsed"].sum()
    assert without.orders["paid"].tolist() == shop.orders["paid"].tolist()


def test_who_browsed_has_not_ordered_since(shop: WebShop) -> None:
    browsed = shop.truth_visitors[shop.truth_visitors["browsed"]]
    assert 20 < len(browsed) < 400
    assert not browsed["is_bot"].any() and browsed["dearest_sku"].notna().all()
    seen = shop.web_events[shop.web_events["seen_at"] >= END - pd.Timedelta(days=WINDOW_DAYS)]
    last_seen = seen.groupby("visitor")["seen_at"].max().reindex(browsed["visitor"])
    assert last_seen.notna().mean() > 0.9  # a few pages are lost on the way
    ordered = shop.orders.groupby("customer")["ordered_at"].max().reindex(last_seen.index)
    assert not (ordered > last_seen).any()


def test_bots_never_order_and_no_threshold_tells_them(shop: WebShop) -> None:
    truth = shop.truth_visitors.set_index("visitor")["is_bot"]
    assert not truth.reindex(shop.orders["customer"]).any()
    events = shop.web_events.sort_values(["visitor", "seen_at"])
    in_30_minutes = (
        events.set_index("seen_at").groupby("visitor")["page"].rolling("30min").count().groupby("visitor").max()
    )
    is_bot = truth.reindex(in_30_minutes.index)
    for threshold in sorted(in_30_minutes.unique()):
        over = in_30_minutes >= threshold
        assert (over & is_bot).sum() / over.sum() < 0.98 or (over & is_bot).sum() / is_bot.sum() < 0.98
