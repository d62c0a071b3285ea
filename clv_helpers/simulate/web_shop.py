"""A simulated web shop: products, customers, what they looked at and ordered; who meant to buy, and which are bots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clv_helpers.config.settings import Simulation
from clv_helpers.simulate.bots import bots_views
from clv_helpers.simulate.flights import FIRST_DAY, as_timestamp

WINDOW_DAYS = 4  # an interest that is older is no abandoned browse any more
LOST_SHARE = 0.04  # of the pages that were seen, not recorded: consent refused, blockers
REVIEWED_SHARE = 0.4  # of the visitors that somebody looked at, and said whether they are bots
SECONDS_PER_DAY = 86_400
BRANDS = ("Alder", "Birch", "Cedar", "Elm", "Hazel", "Maple")
THINGS = ("bag", "boots", "coat", "gloves", "hat", "jacket", "scarf", "shirt", "shoes", "sweater")


@dataclass(frozen=True)
class WebShop:
    """The simulated tables: a row per product, customer (bots have accounts, too), page seen, order, reviewed visitor.

    The ground truth has a row per visitor: whether it is a bot; whether at the end somebody `browsed` (looked at
    products in earnest within four days, and has not ordered since), and the dearest of those products.
    """

    products: pd.DataFrame
    customers: pd.DataFrame
    web_events: pd.DataFrame
    orders: pd.DataFrame
    reviewed: pd.DataFrame
    truth_visitors: pd.DataFrame


def simulate_web_shop(settings: Simulation) -> WebShop:
    """The whole shop from one seed. Cost: grows with the pages seen; 3,000 customers and a year take about a second.

    Example:
        >>> from clv_helpers.config.settings import Simulation
        >>> shop = simulate.simulate_web_shop(Simulation(business="web_shop", members=50, years=1, bots=5))
        >>> len(shop.customers), int(shop.truth_visitors["is_bot"].sum())
        (55, 5)
    """
    rng = np.random.default_rng(settings.seed)
    days = (FIRST_DAY.replace(year=FIRST_DAY.year + settings.years) - FIRST_DAY).days
    products = _products(rng)
    people = _people(rng, settings.members, days)
    visits = _visits(rng, people, days)
    views = _views(rng, visits, len(products))
    views = views[views["moment"] < days]
    orders = _orders(rng, views[views["earnest"]], days)
    # streams of their own: neither bots nor what is lost on the way change what people did
    bots = bots_views(np.random.default_rng([settings.seed, 1]), settings.bots, settings.members, len(products), days)
    seen = pd.concat([views, bots], ignore_index=True)
    chance = np.random.default_rng([settings.seed, 2])
    recorded = seen[(chance.random(len(seen)) >= LOST_SHARE) & (seen["moment"] < days)]
    customers = _customers(chance, people, settings.bots, days)
    truth = _truth(customers["customer"], settings.members, views[views["earnest"]], orders, products, days)
    reviewed = truth.loc[chance.random(len(truth)) < REVIEWED_SHARE, ["visitor", "is_bot"]]
    ids = customers["customer"].to_numpy()
    return WebShop(
        products,
        customers,
        _web_events(recorded, ids, products),
        _order_lines(orders, ids, products),
        reviewed.reset_index(drop=True),
        truth,
    )


def _products(rng: np.random.Generator) -> pd.DataFrame:
    """A product of each brand and kind, at prices that differ."""
    pairs = [(brand, thing) for brand in BRANDS for thing in THINGS]
    price = np.round(np.exp(rng.normal(np.log(60), 0.6, len(pairs)))) + np.arange(len(pairs)) / 100
    return pd.DataFrame(
        {
            "sku": [f"P{index:03d}" for index in range(1, len(pairs) + 1)],
            "product": [f"{brand} {thing}" for brand, thing in pairs],
            "brand": [brand for brand, _ in pairs],
            "price": price,
        }
    )


def _people(rng: np.random.Generator, count: int, days: int) -> pd.DataFrame:
    """Some come at night, and a few open a page after the other, as fast as a machine."""
    return pd.DataFrame(
        {
            "joined": rng.integers(0, max(days - 10, 1), count),
            "visits_per_day": rng.gamma(1.2, 1 / 30, count),
            "at_night": rng.random(count) < 0.06,
            "is_quick": rng.random(count) < 0.05,
        }
    )


def _visits(rng: np.random.Generator, people: pd.DataFrame, days: int) -> pd.DataFrame:
    """One row per visit: of whom, when, and how many products were looked at. A glance (not `earnest`) is of one."""
    number = 1 + rng.poisson(people["visits_per_day"] * (days - people["joined"]))
    member = np.repeat(people.index.to_numpy(), number)
    of = people.loc[member].reset_index(drop=True)
    day = np.floor(of["joined"] + rng.random(len(of)) * (days - of["joined"]))
    hour = np.where(of["at_night"], rng.normal(2, 2, len(of)), rng.normal(15, 4, len(of))) % 24
    earnest = rng.random(len(of)) < 0.6
    quick = earnest & of["is_quick"] & (rng.random(len(of)) < 0.7)
    pages = np.where(quick, 10 + rng.poisson(20, len(of)), 1 + rng.poisson(3, len(of)))
    return pd.DataFrame(
        {
            "member": member,
            "moment": day + hour / 24,
            "pages": np.where(earnest, pages, 1),
            "earnest": earnest,
            "quick": quick,
        }
    )


def _views(rng: np.random.Generator, visits: pd.DataFrame, products: int) -> pd.DataFrame:
    """One row per product that was looked at, and for how long: quick visits stay at their last one only."""
    views = visits.loc[visits.index.repeat(visits["pages"])].reset_index(names="visit")
    is_last = ~views.duplicated("visit", keep="last")
    seconds = np.exp(rng.normal(np.log(40), 0.8, len(views)))
    seconds = np.where(views["quick"] & ~is_last, rng.exponential(2.5, len(views)), seconds)
    seconds = np.where(views["earnest"], seconds, rng.exponential(4.0, len(views)))
    views["seconds"] = np.maximum(np.round(seconds), 1)
    before = views.groupby("visit")["seconds"].cumsum() - views["seconds"]
    views["moment"] += before / SECONDS_PER_DAY
    views["product"] = rng.integers(0, products, len(views))
    views["page"] = np.where(is_last & views["earnest"] & (rng.random(len(views)) < 0.3), "cart", "product")
    return views


def _orders(rng: np.random.Generator, views: pd.DataFrame, days: int) -> pd.DataFrame:
    """One in six visits in earnest ends with an order, and one in sixteen is followed by one some days after."""
    last = views[~views.duplicated("visit", keep="last")].copy()
    chance = rng.random(len(last))
    later = np.where(chance < 0.17, 2 / 1440, 0.1 + rng.exponential(1.5, len(last)))
    last["moment"] += last["seconds"] / SECONDS_PER_DAY + later
    ordered = last[(chance < 0.23) & (last["moment"] < days)]
    return ordered.sort_values(["moment", "member"], ignore_index=True)[["member", "moment", "product"]]


def _customers(rng: np.random.Generator, people: pd.DataFrame, bots: int, days: int) -> pd.DataFrame:
    """Everyone with an account; bots are among them under ids like everybody's."""
    count = len(people) + bots
    number = rng.permutation(count) + 1
    joined = np.concatenate([people["joined"], rng.integers(0, max(days - 10, 1), bots)])
    return pd.DataFrame(
        {
            "customer": [f"C{n:06d}" for n in number],
            "email": [f"c{n}@example.com" for n in number],
            "joined_on": as_timestamp(pd.Series(joined)),
            "email_consent": rng.random(count) < 0.7,
        }
    )


def _truth(
    ids: pd.Series, people: int, views: pd.DataFrame, orders: pd.DataFrame, products: pd.DataFrame, days: int
) -> pd.DataFrame:
    ordered = views["member"].map(orders.groupby("member")["moment"].max()).fillna(-1.0)
    open_ones = views[(views["moment"] >= days - WINDOW_DAYS) & (views["moment"] > ordered)]
    price = products["price"].to_numpy()
    dearest = (
        open_ones.assign(price=price[open_ones["product"]]).sort_values("price").groupby("member")["product"].last()
    )
    truth = pd.DataFrame({"visitor": ids, "is_bot": np.arange(len(ids)) >= people})
    truth["browsed"] = truth.index.isin(dearest.index)
    truth["dearest_sku"] = pd.Series(products["sku"].to_numpy()[dearest], index=dearest.index, dtype=object)
    return truth


def _web_events(views: pd.DataFrame, ids: np.ndarray, products: pd.DataFrame) -> pd.DataFrame:
    views = views.sort_values(["moment", "member"], kind="stable", ignore_index=True)
    return pd.DataFrame(
        {
            "event_id": [f"W{index:08d}" for index in range(len(views))],
            "visitor": ids[views["member"]],
            "seen_at": as_timestamp(views["moment"]),
            "page": views["page"],
            "sku": products["sku"].to_numpy()[views["product"]],
            "seconds": views["seconds"],
        }
    )


def _order_lines(orders: pd.DataFrame, ids: np.ndarray, products: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "order": [f"O{index:07d}" for index in range(len(orders))],
            "customer": ids[orders["member"]],
            "ordered_at": as_timestamp(orders["moment"]),
            "sku": products["sku"].to_numpy()[orders["product"]],
            "paid": products["price"].to_numpy()[orders["product"]],
        }
    )
